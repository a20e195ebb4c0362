//! `send-verification-email` and `verify-email` (upstream `api/routes/email-verification`).

use std::time::Duration;

use actix_web::http::StatusCode;
use schema::{UserChanges, mails, sessions, users, verifications};
use serde_json::{Value, json};

use super::Answer;
use crate::context::Context;
use crate::error::{ApiError, ErrorCode, codes};
use crate::extract::Check;
use crate::flows::email_tokens::{CHANGE_CONFIRMATION, CHANGE_VERIFICATION, EmailToken};
use crate::flows::read_session::CurrentSession;
use crate::flows::start_session::new_session;
use crate::links::append_query;
use crate::mail::{Mail, MailKind};
use crate::wire;

/// The least time an answer to a stranger takes, so that it does not tell whether an address is
/// known: 500 milliseconds.
const ANSWER_FLOOR: Duration = Duration::from_millis(500);

/// Mails a link that proves an address.
///
/// # Errors
/// 400 for a bad body, when no mail can be sent, or when a signed-in user asks for another address
/// or a proven one; 503.
pub async fn send_verification_email(cx: &mut Context) -> Result<Answer, ApiError> {
    let mut check = Check::body(cx.body.as_ref());
    let email = check.email("email");
    let callback_url = check.maybe_string("callbackURL");
    check.finish()?;
    if !cx.app.mailer.is_on() {
        return Err(ApiError::new(StatusCode::BAD_REQUEST, &codes::VERIFICATION_EMAIL_NOT_ENABLED));
    }
    let email = email.to_lowercase();
    let Some(current) = cx.find_session(false).await? else {
        let floor = tokio::time::sleep(ANSWER_FLOOR);
        let wanted = email.clone();
        let user = cx.app.db.read(move |conn| users::find_user_by_email(conn, &wanted)).await?;
        if let Some(user) = user.filter(|user| !user.email_verified) {
            EmailToken::proof(&user.email, &user.id).mail(cx, &user.email, callback_url.as_deref()).await?;
        }
        floor.await;
        return Ok(Answer::status_true());
    };
    if current.email != email {
        return Err(ApiError::new(StatusCode::BAD_REQUEST, &codes::EMAIL_MISMATCH));
    }
    if current.email_verified() {
        return Err(ApiError::new(StatusCode::BAD_REQUEST, &codes::EMAIL_ALREADY_VERIFIED));
    }
    EmailToken::proof(&current.email, &current.user_id).mail(cx, &current.email, callback_url.as_deref()).await?;
    Ok(Answer::status_true())
}

/// Where a mailed link leads: proves an address, or takes a step of changing it.
///
/// # Errors
/// 400 for a bad query, 403 for an untrusted callback, 401 (or a redirect, when there is a
/// callback) for a bad token; 503.
pub async fn verify_email(cx: &mut Context) -> Result<Answer, ApiError> {
    let mut check = Check::query(&cx.query);
    let token = check.string("token");
    let callback_url = check.maybe_string("callbackURL");
    check.finish()?;
    // upstream: the schema drops every other member, so the session's switches have no effect here.
    cx.query.clear();
    cx.check_callback(callback_url.as_deref())?;
    let callback = callback_url.as_deref().filter(|url| !url.is_empty());
    let token = match EmailToken::verify(cx, &token)? {
        Ok(token) => token,
        Err(code) => return refuse(callback, code),
    };
    match token.update_to.clone().filter(|to| !to.is_empty()) {
        Some(update_to) => change_email(cx, &token, update_to, callback).await,
        None => prove_email(cx, &token, callback).await,
    }
}

async fn prove_email(cx: &mut Context, token: &EmailToken, callback: Option<&str>) -> Result<Answer, ApiError> {
    let email = token.email.clone();
    let Some(user) = cx.app.db.read(move |conn| users::find_user_by_email(conn, &email)).await? else {
        return refuse(callback, &codes::USER_NOT_FOUND);
    };
    if token.user_id.as_ref().is_some_and(|id| !id.is_empty() && *id != user.id) {
        return refuse(callback, &codes::INVALID_TOKEN);
    }
    if user.email_verified {
        return done(callback, json!({ "status": true, "user": Value::Null }));
    }
    let sign_in = cx.app.config.email_verification.auto_sign_in;
    let current = if sign_in { cx.find_session(false).await? } else { None };
    let current = current.filter(|current| current.user_id == user.id);
    let session = match sign_in && current.is_none() {
        true => Some(new_session(cx, &user.id, true).await?),
        false => None,
    };

    let (now, row, email) = (cx.app.clock.now(), session, user.email);
    let proven = cx
        .app
        .db
        .write(move |conn| {
            // The proof is of this address, not of one it was changed to in the meantime.
            if users::lock_user(conn, &user.id)?.is_none_or(|locked| locked.email != email) {
                return Ok(None);
            }
            let changes = UserChanges { email_verified: Some(true), updated_at: Some(now), ..UserChanges::default() };
            // Who is banned has the address proven all the same.
            let row = if users::is_banned(conn, &user.id, now)? { None } else { row };
            row.iter().try_for_each(|row| sessions::insert_session(conn, row))?;
            Ok(users::update_user(conn, &user.id, &changes)?.map(|user| (user, row)))
        })
        .await?;
    let Some((user, session)) = proven else { return refuse(callback, &codes::INVALID_TOKEN) };
    if let Some(session) = session {
        let current = CurrentSession::from_rows(&cx.app, &session, &user);
        cx.set_session_cookie(&current, None);
    } else if let Some(mut current) = current {
        current.set_email(&user.email, user.email_verified);
        cx.set_session_cookie(&current, None);
    }
    done(callback, json!({ "status": true, "user": Value::Null }))
}

async fn change_email(
    cx: &mut Context,
    token: &EmailToken,
    update_to: String,
    callback: Option<&str>,
) -> Result<Answer, ApiError> {
    let Some(user_id) = token.user_id.clone().filter(|id| !id.is_empty()) else {
        return refuse(callback, &codes::INVALID_TOKEN);
    };
    let id = user_id.clone();
    let Some(user) = cx.app.db.read(move |conn| users::find_user_by_id(conn, &id)).await? else {
        return refuse(callback, &codes::USER_NOT_FOUND);
    };
    // Whoever asked for the change before the mailbox was proven may not be its owner: with a link in
    // hand they would take the account that its owner has claimed since.
    let proven_since = token.was_verified == Some(false) && user.email_verified;
    if user.email != token.email || proven_since {
        return refuse(callback, &codes::INVALID_TOKEN);
    }
    let current = cx.find_session(false).await?;
    if current.as_ref().is_some_and(|current| current.user_id != user_id) {
        return refuse(callback, &codes::INVALID_USER);
    }
    match token.request_type.as_deref() {
        Some(CHANGE_CONFIRMATION) => {
            let next = EmailToken {
                email: token.email.clone(),
                update_to: Some(update_to.clone()),
                request_type: Some(CHANGE_VERIFICATION.to_owned()),
                user_id: Some(user_id),
                was_verified: token.was_verified,
            };
            if cx.app.mailer.is_on() {
                next.mail(cx, &update_to, callback).await?;
            }
            done(callback, json!({ "status": true }))
        }
        Some(CHANGE_VERIFICATION) => take_address(cx, token, current, &update_to, user.email_verified, callback).await,
        // A token of an older Better Auth: the address changes at once and has to be proven anew.
        _ => {
            let answer = take_address(cx, token, current, &update_to, false, callback).await?;
            if cx.app.mailer.is_on() {
                EmailToken::proof(&update_to, &user_id).mail(cx, &update_to, callback).await?;
            }
            Ok(answer)
        }
    }
}

/// Changes the address of the token's user while it still is the token's; `verified` says whether
/// the new one counts as proven.
async fn take_address(
    cx: &mut Context,
    token: &EmailToken,
    current: Option<CurrentSession>,
    update_to: &str,
    verified: bool,
    callback: Option<&str>,
) -> Result<Answer, ApiError> {
    let (user_id, email) = (token.user_id.clone().unwrap_or_default(), token.email.clone());
    let unproven = token.was_verified == Some(false);
    let changes = UserChanges {
        email: Some(update_to.to_owned()),
        email_verified: Some(verified),
        updated_at: Some(cx.app.clock.now()),
        ..UserChanges::default()
    };
    let notice = Mail { new_email: Some(update_to.to_owned()), ..Mail::new(MailKind::EmailChanged, &email) };
    let notice = cx.app.mailer.row(&notice, cx.app.clock.now());
    let updated = cx
        .app
        .db
        .write(move |conn| {
            let user = users::lock_user(conn, &user_id)?;
            let user = user.filter(|user| user.email == email && !(unproven && user.email_verified));
            let Some(user) = user else { return Ok(None) };
            // What was mailed to the old address opens nothing any more.
            verifications::delete_reset_tokens(conn, &user.id)?;
            notice.iter().try_for_each(|notice| mails::insert_mail(conn, notice))?;
            users::update_user(conn, &user.id, &changes)
        })
        .await;
    cx.app.mailer.wake();
    let updated = match updated {
        Ok(Some(user)) => user,
        Ok(None) => return refuse(callback, &codes::INVALID_TOKEN),
        // Somebody else took the address in the meantime.
        Err(error) if error.is_unique_on("users", "email") => {
            return refuse(callback, &codes::USER_ALREADY_EXISTS);
        }
        Err(error) => return Err(error.into()),
    };
    let user = wire::user(&updated, cx.app.fields());
    if let Some(mut current) = current {
        current.set_email(&updated.email, updated.email_verified);
        cx.set_session_cookie(&current, None);
    }
    done(callback, json!({ "status": true, "user": Value::Object(user) }))
}

fn done(callback: Option<&str>, body: Value) -> Result<Answer, ApiError> {
    Ok(callback.map_or_else(|| Answer::json(body), |to| Answer::redirect(to.to_owned())))
}

fn refuse(callback: Option<&str>, code: &'static ErrorCode) -> Result<Answer, ApiError> {
    let to = callback.and_then(|callback| append_query(callback, &format!("error={}", code.code)));
    to.map(Answer::redirect).ok_or_else(|| ApiError::new(StatusCode::UNAUTHORIZED, code))
}
