//! `check-verification-otp` and `verify-email` (upstream `plugins/email-otp/routes`).

use schema::{Session, UserChanges, sessions, users};
use serde_json::{Value, json};

use super::otp::Guess;
use super::{OtpType, check_email, read_type, settings, success, user_not_found};
use crate::context::Context;
use crate::error::ApiError;
use crate::extract::Check;
use crate::flows::read_session::CurrentSession;
use crate::flows::start_session::new_session;
use crate::routes::Answer;
use crate::wire;

/// Tells whether a code is right, and leaves it good. A wrong guess counts.
///
/// # Errors
/// 400 for a bad body, address or code, or when nobody has the address; 403 after too many guesses; 503.
pub async fn check_verification_otp(cx: &mut Context) -> Result<Answer, ApiError> {
    let mut check = Check::body(cx.body.as_ref());
    let email = check.string("email").to_lowercase();
    let kind = read_type(&mut check);
    let otp = check.string("otp");
    check.finish()?;
    check_email(&email)?;
    let (guess, now) = (Guess::new(settings(cx)?, kind.identifier(&email), otp), cx.app.clock.now());
    cx.app
        .db
        .write(move |conn| match guess.check(conn, now)? {
            Ok(_) => Ok(users::find_user_by_email(conn, &email)?.ok_or_else(user_not_found)),
            Err(refusal) => Ok(Err(refusal)),
        })
        .await??;
    Ok(success())
}

/// Proves an address by a code, and signs in where that is configured.
///
/// # Errors
/// As [`check_verification_otp`].
pub async fn verify_email(cx: &mut Context) -> Result<Answer, ApiError> {
    let mut check = Check::body(cx.body.as_ref());
    let email = check.string("email").to_lowercase();
    let otp = check.string("otp");
    check.finish()?;
    check_email(&email)?;
    let identifier = OtpType::EmailVerification.identifier(&email);
    let (guess, now) = (Guess::new(settings(cx)?, identifier, otp), cx.app.clock.now());
    let session = match cx.app.config.email_verification.auto_sign_in {
        true => Some(new_session(cx, "", true).await?),
        false => None,
    };
    let (user, session) = cx
        .app
        .db
        .write(move |conn| {
            if let Err(refusal) = guess.spend(conn, now)? {
                return Ok(Err(refusal));
            }
            let found = users::find_user_by_email(conn, &email)?.map(|user| user.id);
            let locked = found.map(|id| users::lock_user(conn, &id)).transpose()?.flatten();
            let Some(user) = locked.filter(|user| user.email == email) else { return Ok(Err(user_not_found())) };
            let changes = UserChanges { email_verified: Some(true), updated_at: Some(now), ..UserChanges::default() };
            // Who is banned has the address proven all the same.
            let session = if users::is_banned(conn, &user.id, now)? { None } else { session };
            let session = session.map(|session| Session { user_id: user.id.clone(), ..session });
            session.iter().try_for_each(|session| sessions::insert_session(conn, session))?;
            let user = users::update_user(conn, &user.id, &changes)?.unwrap_or(user);
            Ok(Ok((user, session)))
        })
        .await??;

    let shown = wire::user(&user, cx.app.fields());
    let mut token = Value::Null;
    if let Some(session) = session {
        let current = CurrentSession::from_rows(&cx.app, &session, &user);
        cx.set_session_cookie(&current, None);
        cx.user_id = Some(user.id);
        token = session.token.into();
    } else if let Some(mut current) = cx.find_session(false).await?
        && current.user_id == user.id
    {
        current.user.insert("emailVerified".to_owned(), true.into());
        let (cookies, set_cookies) = cx.session_cookies();
        cookies.set_cookie_cache(set_cookies, &current.session, &current.user, cookies.is_dont_remember());
    }
    Ok(Answer::json(json!({ "status": true, "token": token, "user": shown })))
}
