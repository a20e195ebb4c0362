//! `POST /delete-user` (upstream `api/routes/update-user`, `deleteUser`).

use actix_web::http::StatusCode;
use schema::{Verification, mails, users, verifications};
use serde_json::json;

use super::Answer;
use crate::clock::plus_seconds;
use crate::context::Context;
use crate::cookies::sign::encode_uri_component;
use crate::error::{ApiError, codes};
use crate::extract::Check;
use crate::flows::read_session::CurrentSession;
use crate::ids::{generate_id, random_lowercase};
use crate::mail::{Mail, MailKind};

/// Deletes the user with all sessions and accounts, given the password, a fresh session or a mailed
/// token; or mails that token.
///
/// # Errors
/// Those of the contract's table, in its order; 401; 503.
pub async fn delete_user(cx: &mut Context) -> Result<Answer, ApiError> {
    let mut check = Check::body(cx.body.as_ref());
    let callback_url = check.maybe_string("callbackURL");
    let password = check.maybe_string("password").filter(|password| !password.is_empty());
    let token = check.maybe_string("token").filter(|token| !token.is_empty());
    check.finish()?;
    let current = cx.require_authoritative_session().await?;
    if !cx.app.config.user.delete_user_enabled {
        return Err(ApiError::empty(StatusCode::NOT_FOUND));
    }
    let has_password = password.is_some();
    if let Some(password) = password {
        cx.check_password_not_too_long(&password)?;
        let Some((_, stored)) = cx.find_password_account(&current.user_id).await? else {
            return Err(ApiError::new(StatusCode::BAD_REQUEST, &codes::CREDENTIAL_ACCOUNT_NOT_FOUND));
        };
        if !cx.password_is_right(password, Some(stored)).await? {
            return Err(ApiError::new(StatusCode::BAD_REQUEST, &codes::INVALID_PASSWORD));
        }
    }
    if let Some(token) = token {
        delete_with_token(cx, &current, &token).await?;
        return Ok(deleted());
    }
    if cx.app.config.user.delete_user_verification && cx.app.mailer.is_on() {
        mail_link(cx, &current, callback_url.as_deref()).await?;
        return Ok(Answer::json(json!({ "success": true, "message": "Verification email sent" })));
    }
    if !has_password && !current.is_fresh(&cx.app) {
        return Err(ApiError::new(StatusCode::BAD_REQUEST, &codes::SESSION_EXPIRED));
    }
    // upstream leaves the links mailed to the user behind.
    cx.app.db.write(move |conn| users::delete_user(conn, &current.user_id)).await?;
    cx.delete_session_cookies();
    Ok(deleted())
}

/// Where a mailed link leads: deletes the user whose session comes with it.
///
/// # Errors
/// Those of the contract, in its order; 503.
pub async fn delete_user_callback(cx: &mut Context) -> Result<Answer, ApiError> {
    let mut check = Check::query(&cx.query);
    let token = check.string("token");
    let callback_url = check.maybe_string("callbackURL");
    check.finish()?;
    // upstream: the schema drops every other member, so the session's switches have no effect here.
    cx.query.clear();
    cx.check_callback(callback_url.as_deref())?;
    if !cx.app.config.user.delete_user_enabled {
        return Err(ApiError::new(StatusCode::NOT_FOUND, &codes::NOT_FOUND));
    }
    let Some(current) = cx.find_session(true).await? else {
        return Err(ApiError::new(StatusCode::NOT_FOUND, &codes::FAILED_TO_GET_USER_INFO));
    };
    delete_with_token(cx, &current, &token).await?;
    Ok(callback_url.filter(|url| !url.is_empty()).map_or_else(deleted, Answer::redirect))
}

/// Mails a link that deletes the user; good once, for whoever is signed in as them.
async fn mail_link(cx: &mut Context, current: &CurrentSession, callback_url: Option<&str>) -> Result<(), ApiError> {
    let (token, now) = (random_lowercase(32), cx.app.clock.now());
    let expires_in = cx.app.config.user.delete_token_expires_in;
    let row = Verification {
        id: generate_id(),
        identifier: identifier(&token),
        value: current.user_id.clone(),
        expires_at: plus_seconds(now, expires_in),
        created_at: now,
        updated_at: now,
    };
    let callback = encode_uri_component(callback_url.filter(|url| !url.is_empty()).unwrap_or("/"));
    let url = format!("{}/delete-user/callback?token={token}&callbackURL={callback}", cx.app.config.auth_url());
    let mail = Mail::link(MailKind::DeleteAccount, &current.email, url, token, expires_in);
    let mail = cx.app.mailer.row(&mail, now);
    cx.app
        .db
        .write(move |conn| {
            verifications::insert_verification(conn, &row)?;
            mail.iter().try_for_each(|mail| mails::insert_mail(conn, mail))
        })
        .await?;
    cx.app.mailer.wake();
    Ok(())
}

/// Deletes the user of the session with a mailed token. As upstream, a token presented by somebody
/// else is spent.
async fn delete_with_token(cx: &mut Context, current: &CurrentSession, token: &str) -> Result<(), ApiError> {
    let (identifier, user_id, now) = (identifier(token), current.user_id.clone(), cx.app.clock.now());
    let done = cx
        .app
        .db
        .write(move |conn| {
            let Some(row) = verifications::find_verification(conn, &identifier)? else { return Ok(false) };
            let valid = verifications::consume_verification(conn, &row)? && row.expires_at >= now;
            if !valid || row.value != user_id {
                return Ok(false);
            }
            users::delete_user(conn, &user_id)?;
            Ok(true)
        })
        .await?;
    if !done {
        return Err(ApiError::new(StatusCode::NOT_FOUND, &codes::INVALID_TOKEN));
    }
    cx.delete_session_cookies();
    Ok(())
}

fn identifier(token: &str) -> String {
    format!("delete-account-{token}")
}

fn deleted() -> Answer {
    Answer::json(json!({ "success": true, "message": "User deleted" }))
}
