//! `get-session`, `list-sessions` and the `revoke-…` endpoints (upstream `api/routes/session`).

use actix_web::http::header::{CACHE_CONTROL, PRAGMA};
use actix_web::http::{Method, StatusCode};
use schema::sessions;
use serde_json::Value;

use super::Answer;
use crate::context::Context;
use crate::cookies::ResponseCookies;
use crate::error::{ApiError, codes};
use crate::extract::Check;
use crate::flows::read_session::{ReadSession, Switches, read_session};
use crate::plugins::jwt::set_auth_jwt;
use crate::wire;

/// The session of the request's cookie with its user, or `null`.
///
/// # Errors
/// 405 for POST unless refresh is deferred; 401 when the session vanished while it was being
/// extended; 503 when the database cannot tell.
pub async fn get_session(cx: &mut Context) -> Result<Answer, ApiError> {
    cx.set_header(CACHE_CONTROL, "no-store");
    cx.set_header(PRAGMA, "no-cache");
    let defer = cx.app.config.session.defer_refresh;
    let is_post = cx.request.method() == Method::POST;
    if is_post && !defer {
        return Err(ApiError::new(StatusCode::METHOD_NOT_ALLOWED, &codes::METHOD_NOT_ALLOWED_DEFER_SESSION_REQUIRED));
    }
    let query = Switches::from_query(&cx.query);
    let how = ReadSession {
        disable_cookie_cache: query.disable_cookie_cache,
        disable_refresh: query.disable_refresh,
        may_write: is_post || !defer,
    };
    let mut set_cookies = ResponseCookies::default();
    let found = read_session(cx, how, &mut set_cookies).await;
    // A database that cannot answer is no reason to take a cookie away.
    if matches!(found, Ok(_) | Err(ApiError::Refused { .. })) {
        cx.set_cookies.extend(set_cookies);
    }
    let Some(found) = found? else { return Ok(Answer::json(Value::Null)) };
    cx.user_id = Some(found.current.user_id.clone());
    set_auth_jwt(cx, &found.current.user).await;
    let mut answer = found.current.into_wire();
    if let Some(needs_refresh) = found.needs_refresh {
        answer.insert("needsRefresh".to_owned(), needs_refresh.into());
    }
    Ok(Answer::json(answer))
}

/// The unexpired sessions of the user, with their tokens.
///
/// # Errors
/// 401, 403 `SESSION_NOT_FRESH`, 503.
pub async fn list_sessions(cx: &mut Context) -> Result<Answer, ApiError> {
    let current = cx.require_fresh_session().await?;
    let now = cx.app.clock.now();
    let rows = cx.app.db.read(move |conn| sessions::list_sessions(conn, &current.user_id, now)).await?;
    let fields = &cx.app.fields();
    Ok(Answer::json(rows.iter().map(|row| Value::Object(wire::session(row, fields))).collect::<Vec<_>>()))
}

/// Ends one session of the user. An unknown or foreign token gives the same answer.
///
/// # Errors
/// 400 for a bad body, 401, 503.
pub async fn revoke_session(cx: &mut Context) -> Result<Answer, ApiError> {
    let mut check = Check::body(cx.body.as_ref());
    let token = check.string("token");
    check.finish()?;
    let current = cx.require_authoritative_session().await?;
    let own = token == current.token;
    cx.app.db.write(move |conn| sessions::delete_session_of_user(conn, &token, &current.user_id)).await?;
    if own {
        cx.delete_session_cookies();
    }
    Ok(Answer::status_true())
}

/// Ends every session of the user, this one too.
///
/// # Errors
/// 401, 503.
pub async fn revoke_sessions(cx: &mut Context) -> Result<Answer, ApiError> {
    let current = cx.require_authoritative_session().await?;
    cx.app.db.write(move |conn| sessions::delete_user_sessions(conn, &current.user_id)).await?;
    cx.delete_session_cookies();
    Ok(Answer::status_true())
}

/// Ends every session of the user but this one.
///
/// # Errors
/// 401, 503.
pub async fn revoke_other_sessions(cx: &mut Context) -> Result<Answer, ApiError> {
    let current = cx.require_authoritative_session().await?;
    cx.app.db.write(move |conn| sessions::delete_other_sessions(conn, &current.user_id, &current.token)).await?;
    Ok(Answer::status_true())
}
