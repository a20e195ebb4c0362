//! A session handed from one site to another by a token that works once (upstream
//! `plugins/one-time-token`).

use actix_web::http::StatusCode;
use actix_web::http::header::HeaderName;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use schema::{Verification, sessions, verifications};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::clock::plus_seconds;
use crate::config::OneTimeTokenSettings;
use crate::context::Context;
use crate::error::ApiError;
use crate::extract::Check;
use crate::flows::read_session::CurrentSession;
use crate::ids::{generate_id, random_url_safe};
use crate::plugins::bearer;
use crate::routes::{Answer, Route, routes};

const SET_OTT: HeaderName = HeaderName::from_static("set-ott");

/// The plugin's endpoints.
pub const ROUTES: &[Route] = routes! {
    GET "/one-time-token/generate" Json generate_one_time_token;
    POST "/one-time-token/verify" Json verify_one_time_token;
};

/// A token that opens this session somewhere else: `{"token":…}`.
///
/// # Errors
/// 401, 503.
pub async fn generate_one_time_token(cx: &mut Context) -> Result<Answer, ApiError> {
    let current = cx.require_session().await?;
    cx.user_id = Some(current.user_id);
    let token = new_token(cx, settings(cx)?, current.token).await?;
    Ok(Answer::json(json!({ "token": token })))
}

/// Gives a token for a session that the answer signs in to in the header `set-ott`, where that is set. A database that
/// cannot keep it takes nothing from the answer.
pub async fn set_ott(cx: &mut Context) {
    let Some(settings) = cx.app.config.plugins.one_time_token.as_ref().filter(|settings| settings.set_header) else {
        return;
    };
    let Some(session) = bearer::new_session(cx).and_then(|signed| Some(signed.split_once('.')?.0.to_owned())) else {
        return;
    };
    match new_token(cx, settings, session).await {
        Ok(token) => {
            cx.set_header(SET_OTT, &token);
            cx.expose_header(SET_OTT);
        }
        Err(error) => {
            let cause = error.cause().map(tracing::field::display);
            tracing::error!(cause, "signed in without a one-time token");
        }
    }
}

async fn new_token(cx: &Context, settings: &OneTimeTokenSettings, session: String) -> Result<String, ApiError> {
    let (token, now) = (random_url_safe(32), cx.app.clock.now());
    let row = Verification {
        id: generate_id(),
        identifier: identifier(settings, &token),
        value: session,
        expires_at: plus_seconds(now, settings.expires_in),
        created_at: now,
        updated_at: now,
    };
    cx.app.db.write(move |conn| verifications::insert_verification(conn, &row)).await?;
    Ok(token)
}

/// Spends the token: `{session, user}` and the session's cookie.
///
/// # Errors
/// 400 for a bad body, a token that is unknown, used or over, and a session that is; 503.
pub async fn verify_one_time_token(cx: &mut Context) -> Result<Answer, ApiError> {
    let mut check = Check::body(cx.body.as_ref());
    let token = check.string("token");
    check.finish()?;
    let refuse = |message: &'static str| Err(ApiError::message_only(StatusCode::BAD_REQUEST, message));
    let (wanted, now) = (identifier(settings(cx)?, &token), cx.app.clock.now());
    let spend = cx.app.db.write(move |conn| {
        let Some(row) = verifications::find_verification(conn, &wanted)? else { return Ok(None) };
        if !verifications::consume_verification(conn, &row)? || row.expires_at < now {
            return Ok(None);
        }
        sessions::find_session_with_user(conn, &row.value, now).map(Some)
    });
    let Some(found) = spend.await? else { return refuse("Invalid token") };
    let Some((session, user)) = found else { return refuse("Session not found") };
    // upstream sets the cookie first, also of a session that is over.
    if session.expires_at < now {
        return refuse("Session expired");
    }
    let current = CurrentSession::from_rows(&cx.app, &session, &user);
    cx.user_id = Some(user.id);
    if !settings(cx)?.disable_set_session_cookie {
        cx.set_session_cookie(&current, None);
    }
    Ok(Answer::json(current.into_wire()))
}

fn settings(cx: &Context) -> Result<&OneTimeTokenSettings, ApiError> {
    let settings = cx.app.config.plugins.one_time_token.as_ref();
    settings.ok_or_else(|| ApiError::internal("one-time-token is not enabled"))
}

/// Hashed as upstream's `defaultKeyHasher` does, where that is set.
fn identifier(settings: &OneTimeTokenSettings, token: &str) -> String {
    let stored =
        if settings.hashed { URL_SAFE_NO_PAD.encode(Sha256::digest(token.as_bytes())) } else { token.to_owned() };
    format!("one-time-token:{stored}")
}
