//! `POST /delete-user` (upstream `api/routes/update-user`, `deleteUser`).

use actix_web::http::StatusCode;
use schema::{users, verifications};
use serde_json::json;

use super::Answer;
use crate::context::Context;
use crate::error::{ApiError, codes};
use crate::extract::Check;

/// Deletes the user with all sessions and accounts, given the password or a fresh session.
///
/// # Errors
/// Those of the contract's table, in its order; 401; 503.
pub async fn delete_user(cx: &mut Context) -> Result<Answer, ApiError> {
    let mut check = Check::body(cx.body.as_ref());
    check.maybe_string("callbackURL");
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
    if token.is_some() {
        return Err(ApiError::new(StatusCode::NOT_FOUND, &codes::INVALID_TOKEN));
    }
    if !has_password && !current.is_fresh(&cx.app) {
        return Err(ApiError::new(StatusCode::BAD_REQUEST, &codes::SESSION_EXPIRED));
    }
    cx.app
        .db
        .write(move |conn| {
            // upstream leaves the links mailed to the user behind.
            verifications::delete_verifications_with_value(conn, &current.user_id)?;
            users::delete_user(conn, &current.user_id)
        })
        .await?;
    cx.delete_session_cookies();
    Ok(Answer::json(json!({ "success": true, "message": "User deleted" })))
}

/// Where a mailed link to delete the user leads; no such link is mailed yet, so every token is
/// unknown.
///
/// # Errors
/// Those of the contract, in its order.
pub async fn delete_user_callback(cx: &mut Context) -> Result<Answer, ApiError> {
    let mut check = Check::query(&cx.query);
    check.string("token");
    let callback_url = check.maybe_string("callbackURL");
    check.finish()?;
    // upstream: the schema drops every other member, so the session's switches have no effect here.
    cx.query.clear();
    cx.check_callback(callback_url.as_deref())?;
    if !cx.app.config.user.delete_user_enabled {
        return Err(ApiError::new(StatusCode::NOT_FOUND, &codes::NOT_FOUND));
    }
    if cx.find_session(true).await?.is_none() {
        return Err(ApiError::new(StatusCode::NOT_FOUND, &codes::FAILED_TO_GET_USER_INFO));
    }
    Err(ApiError::new(StatusCode::NOT_FOUND, &codes::INVALID_TOKEN))
}
