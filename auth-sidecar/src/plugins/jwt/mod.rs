//! Tokens that other services verify without asking: signed by a key of the database, or by a
//! shared secret (upstream `plugins/jwt`).
//!
//! - [`key`]: one key, [`keyring`]: which key signs
//! - [`access_token`]: the claims, and the check of a token that comes back

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, ETAG, HeaderName, IF_NONE_MATCH};
use chrono::NaiveDateTime;
use schema::{Jwk, jwks};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::config::{JwtSettings, Signing};
use crate::context::Context;
use crate::cookies::JsonObject;
use crate::error::ApiError;
use crate::plugins::bearer;
use crate::routes::{Answer, AnswerBody, Route, routes};
use crate::state::AppState;
use crate::wire;

pub mod access_token;
pub mod key;
pub mod keyring;

/// The plugin's endpoints.
pub const ROUTES: &[Route] = routes! {
    GET "/jwks" Json jwks;
    GET "/.well-known/jwks.json" Json jwks;
    GET "/token" Json token;
};

/// Where the key set is too, whatever the base path.
pub const WELL_KNOWN: &str = "/.well-known/jwks.json";

/// How long others may keep the key set. Short, so that one who fetches it again for a key it does
/// not know gets it whatever stands in between.
const JWKS_CACHE: &str = "public, max-age=60";

const SET_AUTH_JWT: HeaderName = HeaderName::from_static("set-auth-jwt");

/// A token for the session: `{"token":…}`.
///
/// # Errors
/// 401, 503.
pub async fn token(cx: &mut Context) -> Result<Answer, ApiError> {
    let current = cx.require_session().await?;
    cx.user_id = Some(current.user_id);
    let token = access_token::sign(&cx.app, settings(cx)?, &current.user).await?;
    Ok(Answer::json(json!({ "token": token })))
}

/// The key set (RFC 7517 §5): every key whose tokens are still good.
///
/// # Errors
/// 503.
pub async fn jwks(cx: &mut Context) -> Result<Answer, ApiError> {
    let (settings, now) = (settings(cx)?, cx.app.clock.now());
    let mut keys = published(&cx.app.db.read(jwks::list_keys).await?, settings, now);
    if let (Signing::Keys(alg), true) = (&settings.signing, keys.is_empty()) {
        cx.app.keyring.signing_key(&cx.app, settings, *alg).await?;
        keys = published(&cx.app.db.read(jwks::list_keys).await?, settings, now);
    }
    let body = json!({ "keys": keys });
    let tag = format!("\"{}\"", hex::encode(Sha256::digest(body.to_string())));
    if cx.app.config.http.no_store {
        cx.set_header(CACHE_CONTROL, JWKS_CACHE);
    }
    let known = cx.header(IF_NONE_MATCH.as_str()).is_some_and(|tags| tags == "*" || tags.contains(&tag));
    cx.set_header(ETAG, &tag);
    if known {
        return Ok(Answer { status: StatusCode::NOT_MODIFIED, body: AnswerBody::Empty });
    }
    Ok(Answer::json(body))
}

/// The keys whose tokens are still good, in the order they were made, as upstream has them.
fn published(rows: &[Jwk], settings: &JwtSettings, now: NaiveDateTime) -> Vec<Value> {
    rows.iter().rev().filter(|row| settings.publishes(row, now)).filter_map(public_jwk).collect()
}

/// A key as others see it, its members in upstream's order; `None` for a row that holds no key.
fn public_jwk(row: &Jwk) -> Option<Value> {
    let public: JsonObject = serde_json::from_str(&row.public_key).ok()?;
    let mut jwk = Map::new();
    for (name, value) in [("alg", &row.alg), ("crv", &row.crv)] {
        jwk.extend(value.iter().map(|value| (name.to_owned(), Value::from(value.as_str()))));
    }
    jwk.extend(public);
    // Whatever a row holds, no private part of a key goes out.
    for private in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
        jwk.shift_remove(private);
    }
    jwk.insert("kid".to_owned(), row.id.clone().into());
    Some(Value::Object(jwk))
}

/// Adds a token to an answer of `get-session`. Whoever is signed in stays so without one: a key that
/// cannot be used is no reason to fail, as upstream does.
pub async fn set_auth_jwt(cx: &mut Context, user: &JsonObject) {
    let Some(settings) = cx.app.config.plugins.jwt.as_ref().filter(|settings| settings.set_header) else { return };
    match access_token::sign(&cx.app, settings, user).await {
        Ok(token) => {
            cx.set_header(SET_AUTH_JWT, &token);
            cx.expose_header(SET_AUTH_JWT);
        }
        Err(error) => {
            tracing::error!(cause = error.cause().map(tracing::field::display), "get-session answers without a token")
        }
    }
}

/// Whom a token in the `Authorization` header is about, as the wire shows users; `None` without a good one.
///
/// # Errors
/// 503 when the database cannot tell.
pub async fn bearer_user(cx: &mut Context) -> Result<Option<JsonObject>, ApiError> {
    let token = bearer::credentials(cx).filter(|token| access_token::looks_like_one(token));
    let (Some(settings), Some(token)) = (&cx.app.config.plugins.jwt, token) else { return Ok(None) };
    let Some(user) = access_token::verify(&cx.app, settings, &token).await? else { return Ok(None) };
    let shown = wire::user(&user, &cx.app.config.fields);
    cx.user_id = Some(user.id);
    Ok(Some(shown))
}

/// Makes the first key before somebody needs it, and says at the start if the stored one cannot be used.
pub async fn prepare(app: &AppState) {
    let Some(settings) = &app.config.plugins.jwt else { return };
    let Signing::Keys(alg) = &settings.signing else { return };
    if let Err(error) = app.keyring.signing_key(app, settings, *alg).await {
        tracing::error!(cause = error.cause().map(tracing::field::display), "no token can be signed");
    }
}

fn settings(cx: &Context) -> Result<&JwtSettings, ApiError> {
    cx.app.config.plugins.jwt.as_ref().ok_or_else(|| ApiError::internal("jwt is not enabled"))
}
