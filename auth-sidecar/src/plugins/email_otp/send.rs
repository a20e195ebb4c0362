//! `send-verification-otp`, `request-password-reset` and its older name `forget-password/email-otp`
//! (upstream `plugins/email-otp/routes`, `resolveOTP`).

use actix_web::http::StatusCode;
use chrono::NaiveDateTime;
use diesel::QueryResult;
use schema::{AnyConnection, Db, MailRow, Verification, mails, users, verifications};
use serde_json::{Map, Value};

use super::otp::new_row;
use super::{OtpType, check_email, read_type, settings, success};
use crate::context::Context;
use crate::error::ApiError;
use crate::extract::Check;
use crate::ids::random_digits;
use crate::mail::{Mail, Mailer};
use crate::routes::Answer;

/// Mails a code. An unknown address gets the same answer, and a mail only where the code would sign it
/// up.
///
/// # Errors
/// 400 for a bad body, address or type, 403 for an untrusted page; 503.
pub async fn send_verification_otp(cx: &mut Context) -> Result<Answer, ApiError> {
    let mut check = Check::body(cx.body.as_ref());
    let email = check.string("email").to_lowercase();
    let kind = read_type(&mut check);
    check.finish()?;
    cx.check_form_csrf()?;
    check_email(&email)?;
    if kind == OtpType::ChangeEmail {
        return Err(ApiError::message_only(StatusCode::BAD_REQUEST, "Invalid OTP type"));
    }
    if kind == OtpType::SignIn && !settings(cx)?.disable_sign_up {
        let code = Code::new(cx, kind, &email, email.clone())?;
        if let Some(mail) = cx.app.mailer.row(&code.mail, code.now) {
            cx.app.db.write(move |conn| insert(conn, &code.row, &mail)).await?;
            cx.app.mailer.wake();
        }
    } else {
        send_to_user(cx, kind, email).await?;
    }
    Ok(success())
}

/// Mails a code to set a new password. An unknown address gets the same answer.
///
/// # Errors
/// 400 for a bad body or address; 503.
pub async fn request_password_reset(cx: &mut Context) -> Result<Answer, ApiError> {
    let mut check = Check::body(cx.body.as_ref());
    let email = check.string("email").to_lowercase();
    check.finish()?;
    check_email(&email)?;
    send_to_user(cx, OtpType::ForgetPassword, email).await?;
    Ok(success())
}

/// Mails a code that proves the address of somebody who just signed up, where that is configured. As
/// upstream, a taken address that shall look free gets one too. The sign-up holds even when it fails.
pub async fn on_sign_up(cx: &Context, user: &Map<String, Value>) {
    let wanted = settings(cx).is_ok_and(|settings| settings.send_on_sign_up);
    let Some(email) = user.get("email").and_then(Value::as_str).filter(|_| wanted) else { return };
    match Code::new(cx, OtpType::EmailVerification, email, email.to_owned()) {
        Ok(code) => code.write_down(cx.app.mailer.clone(), cx.app.db.clone(), true).await,
        Err(error) => tracing::error!(?error, "no code could be made"),
    }
}

/// Mails a code if somebody has the address (lower case).
async fn send_to_user(cx: &Context, kind: OtpType, email: String) -> Result<(), ApiError> {
    let code = Code::new(cx, kind, &email, email.clone())?;
    // A known address must not take longer than an unknown one: one read for both, and what is to be
    // written comes after the answer.
    let later = cx.app.mailer.later().await;
    let user = cx.app.db.read(move |conn| users::find_user_by_email(conn, &email)).await?;
    later.spawn(code.write_down(cx.app.mailer.clone(), cx.app.db.clone(), user.is_some()));
    Ok(())
}

/// A code that was made and not yet written down.
pub(super) struct Code {
    row: Verification,
    mail: Mail,
    now: NaiveDateTime,
}

impl Code {
    /// A code for `subject` (see [`OtpType::identifier`]), to be mailed to `to`.
    pub(super) fn new(cx: &Context, kind: OtpType, subject: &str, to: String) -> Result<Self, ApiError> {
        let (settings, now) = (settings(cx)?, cx.app.clock.now());
        let otp = random_digits(settings.length);
        let row = new_row(kind.identifier(subject), &otp, settings, now);
        Ok(Self { row, mail: Mail::code(kind.mail_kind(), to, otp, settings.expires_in), now })
    }

    /// The verification and its mail, both or neither; or, when nobody is to get one, the end of the
    /// code before it.
    pub(super) async fn write_down(self, mailer: Mailer, db: Db, wanted: bool) {
        let Self { row, mail, now } = self;
        let mail = if wanted { mailer.row(&mail, now) } else { None };
        let written = db.write(move |conn| match mail {
            Some(mail) => insert(conn, &row, &mail),
            None => verifications::delete_verifications(conn, &row.identifier).map(drop),
        });
        match written.await {
            Ok(()) => mailer.wake(),
            Err(error) => tracing::error!(%error, "a code could not be written down; no mail is sent"),
        }
    }
}

fn insert(conn: &mut AnyConnection, row: &Verification, mail: &MailRow) -> QueryResult<()> {
    verifications::replace_verification(conn, row)?;
    mails::insert_mail(conn, mail)
}
