//! `POST /email-otp/reset-password` (upstream `plugins/email-otp/routes`, `resetPasswordEmailOTP`, and
//! `utils/password`, `resetCredentialPassword`).

use schema::users;

use super::otp::Guess;
use super::{OtpType, check_email, settings, success, user_not_found};
use crate::context::Context;
use crate::error::ApiError;
use crate::extract::Check;
use crate::routes::Answer;

/// Sets a new password, given the mailed code; the address counts as proven from then on.
///
/// # Errors
/// 400 for a bad body, address or code, a password out of limits, or when nobody has the address; 403
/// after too many guesses; 503.
pub async fn reset_password(cx: &mut Context) -> Result<Answer, ApiError> {
    let mut check = Check::body(cx.body.as_ref());
    let email = check.string("email").to_lowercase();
    let otp = check.string("otp");
    let password = check.string("password");
    check.finish()?;
    check_email(&email)?;
    cx.check_password_not_too_short(&password)?;
    cx.check_password_not_too_long(&password)?;

    // A wrong code is refused before a hash is made; a right one is spent with the change.
    let identifier = OtpType::ForgetPassword.identifier(&email);
    let (guess, now) = (Guess::new(settings(cx)?, identifier, otp), cx.app.clock.now());
    let preflight = guess.clone();
    let user = cx
        .app
        .db
        .write(move |conn| match preflight.check(conn, now)? {
            Ok(_) => Ok(users::find_user_by_email(conn, &email)?.ok_or_else(user_not_found)),
            Err(refusal) => Ok(Err(refusal)),
        })
        .await??;
    let hash = cx.app.hasher.hash(password).await?;
    let reset = cx.password_reset(&user, hash);
    cx.app
        .db
        .write(move |conn| {
            if let Err(refusal) = guess.spend(conn, now)? {
                return Ok(Err(refusal));
            }
            if users::lock_user(conn, &user.id)?.is_none_or(|locked| locked.email != user.email) {
                return Ok(Err(user_not_found()));
            }
            users::prove_email(conn, &user.id, &user.email, now)?;
            reset.write(conn, &user.id)?;
            Ok(Ok(()))
        })
        .await??;
    cx.app.mailer.wake();
    Ok(success())
}
