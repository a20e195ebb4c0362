//! `GET …/verify`: the check that nginx (`auth_request`), Traefik (`forwardAuth`) and Caddy
//! (`forward_auth`) make before they let a request through. The gateway hands the headers on to what
//! stands behind it, so each is always there: an empty one overwrites what a client made up.

use actix_web::http::StatusCode;
use actix_web::http::header::HeaderName;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::Value;

use super::{Answer, AnswerBody};
use crate::context::Context;
use crate::cookies::{JsonObject, ResponseCookies};
use crate::error::ApiError;
use crate::flows::read_session::{ReadSession, read_session};
use crate::plugins::jwt::{access_token, bearer_user};

/// What a value may not hold as it is: besides controls and everything beyond ASCII, the sign of the
/// encoding itself.
const ENCODED: &AsciiSet = &CONTROLS.add(b'%');

/// 204 with who is signed in, by cookie, session token or JWT. It never extends a session, as its
/// cookies would get lost.
///
/// # Errors
/// 401 when nobody is, 503 when the database cannot tell.
pub async fn verify(cx: &mut Context) -> Result<Answer, ApiError> {
    let user = match bearer_user(cx).await? {
        Some(user) => user,
        None => session_user(cx).await?,
    };
    let app = cx.app.clone();
    for field in app.fields().user.iter().filter(|field| field.claim) {
        set_header(cx, &format!("x-auth-{}", field.name.replace('_', "-")), user.get(&field.key))?;
    }
    // Last, so that no declared field can ever stand in for them.
    let token = match app.config.plugins.jwt.as_ref().filter(|settings| settings.verify_header) {
        Some(settings) => access_token::sign(&app, settings, &user).await?,
        None => String::new(),
    };
    set_header(cx, "x-auth-jwt", Some(&token.into()))?;
    set_header(cx, "x-auth-user-id", user.get("id"))?;
    set_header(cx, "x-auth-user-email", user.get("email"))?;
    set_header(cx, "x-auth-user-email-verified", user.get("emailVerified"))?;
    Ok(Answer { status: StatusCode::NO_CONTENT, body: AnswerBody::Empty })
}

async fn session_user(cx: &mut Context) -> Result<JsonObject, ApiError> {
    let how = ReadSession { disable_cookie_cache: true, disable_refresh: true, may_write: false };
    let found = read_session(cx, how, &mut ResponseCookies::default()).await?;
    let current = found.ok_or_else(ApiError::unauthorized)?.current;
    cx.user_id = Some(current.user_id);
    Ok(current.user)
}

/// A text as percent-encoded UTF-8, anything else as JSON, nothing as an empty value.
fn set_header(cx: &mut Context, name: &str, value: Option<&Value>) -> Result<(), ApiError> {
    let text = match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let name = HeaderName::try_from(name).map_err(ApiError::internal)?;
    cx.set_header(name, &utf8_percent_encode(&text, ENCODED).to_string());
    Ok(())
}
