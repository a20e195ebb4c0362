//! `request-email-change` and `change-email` (upstream `plugins/email-otp/routes`).

use actix_web::http::StatusCode;
use schema::{UserChanges, mails, users, verifications};

use super::otp::Guess;
use super::send::Code;
use super::{OtpType, check_email, settings, success, user_not_found};
use crate::context::Context;
use crate::error::ApiError;
use crate::extract::Check;
use crate::flows::read_session::CurrentSession;
use crate::mail::{Mail, MailKind};
use crate::routes::Answer;

/// Mails a code to the address to change to, given a code of the current one where that is configured.
/// A taken address gets the same answer.
///
/// # Errors
/// 400 for a bad body, address or code, or when it is switched off; 401; 403 after too many guesses; 503.
pub async fn request_email_change(cx: &mut Context) -> Result<Answer, ApiError> {
    let mut check = Check::body(cx.body.as_ref());
    let new_email = check.string("newEmail").to_lowercase();
    let otp = check.maybe_string("otp").filter(|otp| !otp.is_empty());
    check.finish()?;
    let current = cx.require_authoritative_session().await?;
    check_change(cx, &current, &new_email)?;
    if settings(cx)?.verify_current_email {
        let otp = otp.ok_or_else(|| refused("OTP is required to verify current email"))?;
        let identifier = OtpType::EmailVerification.identifier(&current.email);
        let (guess, now) = (Guess::new(settings(cx)?, identifier, otp), cx.app.clock.now());
        cx.app.db.write(move |conn| guess.spend(conn, now)).await??;
    }
    let code = Code::new(cx, OtpType::ChangeEmail, &subject(&current, &new_email), new_email.clone())?;
    // As for the other codes: whether the address is taken does not show in the time of the answer.
    let later = cx.app.mailer.later().await;
    let taken = cx.app.db.read(move |conn| users::find_user_by_email(conn, &new_email)).await?;
    later.spawn(code.write_down(cx.app.mailer.clone(), cx.app.db.clone(), taken.is_none()));
    Ok(success())
}

/// Changes the address, given the code mailed to the new one.
///
/// # Errors
/// 400 for a bad body, address or code, when it is switched off or the address is taken; 401; 403 after
/// too many guesses; 503.
pub async fn change_email(cx: &mut Context) -> Result<Answer, ApiError> {
    let mut check = Check::body(cx.body.as_ref());
    let new_email = check.string("newEmail").to_lowercase();
    let otp = check.string("otp");
    check.finish()?;
    let mut current = cx.require_authoritative_session().await?;
    check_change(cx, &current, &new_email)?;

    let identifier = OtpType::ChangeEmail.identifier(&subject(&current, &new_email));
    let (guess, now) = (Guess::new(settings(cx)?, identifier, otp), cx.app.clock.now());
    let notice = Mail { new_email: Some(new_email.clone()), ..Mail::new(MailKind::EmailChanged, &current.email) };
    let notice = cx.app.mailer.row(&notice, now);
    let changes = UserChanges {
        email: Some(new_email.clone()),
        email_verified: Some(true),
        updated_at: Some(now),
        ..UserChanges::default()
    };
    let (user_id, old_email, wanted) = (current.user_id.clone(), current.email.clone(), new_email.clone());
    let changed = cx
        .app
        .db
        .write(move |conn| {
            if let Err(refusal) = guess.spend(conn, now)? {
                return Ok(Err(refusal));
            }
            if users::lock_user(conn, &user_id)?.is_none_or(|user| user.email != old_email) {
                return Ok(Err(user_not_found()));
            }
            if users::find_user_by_email(conn, &wanted)?.is_some() {
                return Ok(Err(taken()));
            }
            // What was mailed to the old address opens nothing any more.
            verifications::delete_reset_tokens(conn, &user_id)?;
            notice.iter().try_for_each(|notice| mails::insert_mail(conn, notice))?;
            users::update_user(conn, &user_id, &changes)?;
            Ok(Ok(()))
        })
        .await;
    match changed {
        Err(error) if error.is_unique_on("users", "email") => return Err(taken()),
        other => other??,
    }
    cx.app.mailer.wake();
    current.user.insert("email".to_owned(), new_email.into());
    current.user.insert("emailVerified".to_owned(), true.into());
    cx.set_session_cookie(&current, None);
    Ok(success())
}

/// Whether this user may change to this address (lower case).
fn check_change(cx: &Context, current: &CurrentSession, new_email: &str) -> Result<(), ApiError> {
    if !settings(cx)?.change_email {
        return Err(refused("Change email with OTP is disabled"));
    }
    check_email(new_email)?;
    if new_email == current.email { Err(refused("Email is the same")) } else { Ok(()) }
}

/// A code for one user's change opens nobody else's.
fn subject(current: &CurrentSession, new_email: &str) -> String {
    format!("{}:{new_email}", current.user_id)
}

fn taken() -> ApiError {
    refused("Email already in use")
}

fn refused(message: &'static str) -> ApiError {
    ApiError::message_only(StatusCode::BAD_REQUEST, message)
}
