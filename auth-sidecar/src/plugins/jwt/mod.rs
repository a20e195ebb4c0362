//! Tokens that other services verify without asking: signed by a key of the database, or by a
//! shared secret (upstream `plugins/jwt`).
//!
//! - [`key`]: one key, [`keyring`]: which key signs
//! - [`access_token`]: the claims, and the check of a token that comes back

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, ETAG, HeaderName, IF_NONE_MATCH};
use actix_web::web;
use chrono::NaiveDateTime;
use schema::{Jwk, jwks};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use self::key::KeyAlg;
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

/// The path of the key set; its other paths count as this one.
pub const JWKS: &str = "/jwks";

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

/// Longest token, in bytes, that goes into a header: proxies refuse answers whose head is long (nginx above 4 or 8 KiB),
/// and a reader who writes a long text about themselves must not lose the session by it. `/token` has no such limit.
const LONGEST_HEADER: usize = 3_072;

/// Pause between two looks at the keys. Well below [`keyring::LEAD`].
const LOOK_AFTER_KEYS: Duration = Duration::from_secs(30);

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
    match &settings.signing {
        Signing::Keys(alg) if keys.is_empty() => {
            cx.app.keyring.signing_key(settings, *alg).await?;
            keys = published(&cx.app.db.read(jwks::list_keys).await?, settings, now);
        }
        Signing::Keys(_) => {}
        Signing::Shared(_) => keys.clear(),
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
    rows.iter().rev().filter(|row| settings.publishes(row, now)).filter_map(|row| public_jwk(row, settings)).collect()
}

/// A key as others see it, its members in upstream's order; `None` for a row that holds no key.
fn public_jwk(row: &Jwk, settings: &JwtSettings) -> Option<Value> {
    let public: JsonObject = serde_json::from_str(&row.public_key).ok()?;
    let mut jwk = Map::new();
    // Rows of early versions name no algorithm.
    let guess = match &settings.signing {
        Signing::Keys(alg) if row.alg.is_none() => KeyAlg::of(row, *alg).map(KeyAlg::name),
        _ => None,
    };
    for (name, value) in [("alg", row.alg.as_deref().or(guess)), ("crv", row.crv.as_deref())] {
        jwk.extend(value.map(|value| (name.to_owned(), Value::from(value))));
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
        Ok(token) if token.len() <= LONGEST_HEADER => {
            cx.set_header(SET_AUTH_JWT, &token);
            cx.expose_header(SET_AUTH_JWT);
        }
        Ok(token) => tracing::debug!(bytes = token.len(), "get-session leaves out a long token"),
        Err(error) => {
            tracing::error!(cause = error.cause().map(tracing::field::display), "get-session answers without a token")
        }
    }
}

/// What the `Authorization` header holds, if that has the form of a token; `None` also without the plugin.
#[must_use]
pub fn bearer_token(cx: &Context) -> Option<String> {
    cx.app.config.plugins.jwt.as_ref()?;
    // A session's token never has this form.
    bearer::credentials(cx).filter(|text| text.split('.').count() == 3)
}

/// Whom a token in the `Authorization` header is about, as the wire shows users; `None` when there is none.
///
/// # Errors
/// 401 for a token that is not good, whatever cookie comes with it; 503 when the database cannot tell.
pub async fn bearer_user(cx: &mut Context) -> Result<Option<JsonObject>, ApiError> {
    let (Some(settings), Some(token)) = (&cx.app.config.plugins.jwt, bearer_token(cx)) else { return Ok(None) };
    let user = access_token::verify(&cx.app, settings, &token).await?.ok_or_else(ApiError::unauthorized)?;
    let shown = wire::user(&user, cx.app.fields());
    cx.user_id = Some(user.id);
    Ok(Some(shown))
}

/// Looks after the keys from the start on, until the process ends: seals them under the current secret, makes the first
/// one before somebody needs it and each next one in time, and says if the stored one cannot be used.
pub async fn look_after_keys(app: web::Data<AppState>) {
    let Some(settings) = &app.config.plugins.jwt else { return };
    let Signing::Keys(alg) = &settings.signing else { return };
    let mut before = None;
    while !app.is_draining() {
        let now = app.keyring.look_after(settings, *alg).await.err();
        let cause = now.as_ref().and_then(ApiError::cause).map(ToString::to_string);
        if let Some(cause) = cause.as_ref().filter(|_| cause != before) {
            tracing::error!(cause, "no token can be signed");
        }
        before = cause;
        tokio::time::sleep(LOOK_AFTER_KEYS).await;
    }
}

fn settings(cx: &Context) -> Result<&JwtSettings, ApiError> {
    cx.app.config.plugins.jwt.as_ref().ok_or_else(|| ApiError::internal("jwt is not enabled"))
}
