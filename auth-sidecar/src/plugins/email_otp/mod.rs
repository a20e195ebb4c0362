//! Sign-in, proof of an address, password reset and change of address by a mailed code
//! (upstream `plugins/email-otp`).
//!
//! - [`otp`]: a code, and guesses at it
//! - the others: the endpoints

use actix_web::http::StatusCode;
use serde_json::{Value, json};

use crate::config::EmailOtpSettings;
use crate::context::Context;
use crate::email_form::is_email;
use crate::error::{ApiError, codes};
use crate::extract::Check;
use crate::mail::MailKind;
use crate::routes::{Answer, Route, routes};

pub mod change_email;
pub mod otp;
pub mod reset_password;
pub mod send;
pub mod sign_in;
pub mod verify;

/// The plugin's endpoints.
pub const ROUTES: &[Route] = routes! {
    POST "/email-otp/send-verification-otp" Json send::send_verification_otp;
    POST "/email-otp/check-verification-otp" Json verify::check_verification_otp;
    POST "/email-otp/verify-email" Json verify::verify_email;
    POST "/sign-in/email-otp" Json sign_in::sign_in_email_otp;
    POST "/email-otp/request-password-reset" Json send::request_password_reset;
    POST "/forget-password/email-otp" Json send::request_password_reset;
    POST "/email-otp/reset-password" Json reset_password::reset_password;
    POST "/email-otp/request-email-change" Json change_email::request_email_change;
    POST "/email-otp/change-email" Json change_email::change_email;
};

/// What a code is good for; it opens nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtpType {
    /// Proving an address.
    EmailVerification,
    /// Signing in.
    SignIn,
    /// Setting a new password.
    ForgetPassword,
    /// Proving the address to change to.
    ChangeEmail,
}

impl OtpType {
    const ALL: [Self; 4] = [Self::EmailVerification, Self::SignIn, Self::ForgetPassword, Self::ChangeEmail];

    /// Its name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::EmailVerification => "email-verification",
            Self::SignIn => "sign-in",
            Self::ForgetPassword => "forget-password",
            Self::ChangeEmail => "change-email",
        }
    }

    /// The identifier of the verification of `subject`: an address in lower case, after `<user id>:` for
    /// a change of address.
    #[must_use]
    pub fn identifier(self, subject: &str) -> String {
        format!("{}-otp-{subject}", self.name())
    }

    fn mail_kind(self) -> MailKind {
        match self {
            Self::SignIn => MailKind::OtpSignIn,
            Self::ForgetPassword => MailKind::OtpForgetPassword,
            // The new address of a change proves itself like any other.
            Self::EmailVerification | Self::ChangeEmail => MailKind::OtpEmailVerification,
        }
    }
}

/// The member `type`; a name that is none is an issue.
fn read_type(check: &mut Check<'_>) -> OtpType {
    let given = check.members().map(|members| members.get("type").and_then(Value::as_str));
    let kind = given.flatten().and_then(|name| OtpType::ALL.into_iter().find(|kind| kind.name() == name));
    if given.is_some() && kind.is_none() {
        let names = OtpType::ALL.map(|kind| format!("\"{}\"", kind.name())).join("|");
        check.issue("type", &format!("Invalid option: expected one of {names}"));
    }
    kind.unwrap_or(OtpType::EmailVerification)
}

fn check_email(email: &str) -> Result<(), ApiError> {
    if is_email(email) { Ok(()) } else { Err(ApiError::new(StatusCode::BAD_REQUEST, &codes::INVALID_EMAIL)) }
}

fn settings(cx: &Context) -> Result<&EmailOtpSettings, ApiError> {
    cx.app.config.plugins.email_otp.as_ref().ok_or_else(|| ApiError::internal("email-otp is not enabled"))
}

fn user_not_found() -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, &codes::USER_NOT_FOUND)
}

fn success() -> Answer {
    Answer::json(json!({ "success": true }))
}
