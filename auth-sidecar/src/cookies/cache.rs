//! The cookie cache `session_data`: session and user, readable without the database for a few minutes
//! (upstream: `cookies/index.mjs`, `setCookieCache` and `decodeCookieCache`; `cookies/cache.mjs`).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::DateTime;
use hmac::Mac as _;
use serde_json::Value;

use super::js_json::{reissue_date, revive_dates, stringify, stringify_object};
use super::jwe::{SESSION_SALT, symmetric_decode_jwt, symmetric_encode_jwt};
use super::jwt::{sign_jwt, verify_jwt};
use super::sign::hmac_sha256;
use super::{EncodeError, JsonObject};
use crate::secrets::Secrets;

/// How the cache is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// Signed JSON in base64url, upstream's default.
    Compact,
    /// A JWT signed with HS256.
    Jwt,
    /// An encrypted token: the browser cannot read it.
    Jwe,
}

/// The settings of the cookie cache; it is off where there are none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheSettings {
    /// How the cache is protected.
    pub strategy: Strategy,
    /// Life of the cookie and of what is in it, in seconds; upstream's default is 300.
    pub max_age: i64,
    /// Caches of another version are not used; upstream's default is `1`.
    pub version: String,
}

/// A decoded cache whose author is proven. [`CachedSession::is_current`] says whether it may be used.
///
/// There is no `Debug`: it holds the session token.
#[derive(Clone, PartialEq)]
pub struct CachedSession {
    /// The session's fields, in the order upstream's schema gives them.
    pub session: JsonObject,
    /// The user's fields, in the order upstream's schema gives them.
    pub user: JsonObject,
    /// When the cache was written, in ms.
    pub updated_at: i64,
    /// The cache version it was written under; `None` counts as `1`.
    pub version: Option<String>,
    /// When the cache (not the session) ends, in ms.
    pub expires_at: i64,
}

impl CachedSession {
    /// Whether the cache may stand for the session: it is of the token in the session cookie and of the configured version, and
    /// neither it nor the session has ended (upstream: `api/routes/session.mjs`, `getSession`).
    pub fn is_current(&self, token: &str, version: &str, now_ms: i64) -> bool {
        let own_version = self.version.as_deref().filter(|version| !version.is_empty()).unwrap_or("1");
        let text = |key| self.session.get(key).and_then(Value::as_str);
        let session_end = text("expiresAt").and_then(|date| DateTime::parse_from_rfc3339(date).ok());
        text("token") == Some(token)
            && own_version == version
            && self.expires_at >= now_ms
            && session_end.is_some_and(|end| end.timestamp_millis() >= now_ms)
    }
}

/// The cookie's value for a session and a user, both as they go to the client. Without `remember` the cache lives a minute
/// (compact) or five (jwt, jwe), since the cookie itself then has no `Max-Age`.
///
/// # Errors
/// [`EncodeError`] when a token cannot be made.
pub fn encode(
    settings: &CacheSettings,
    secrets: &Secrets,
    session: &JsonObject,
    user: &JsonObject,
    now_ms: i64,
    remember: bool,
) -> Result<String, EncodeError> {
    let mut payload = JsonObject::new();
    payload.insert("session".to_owned(), session.clone().into());
    payload.insert("user".to_owned(), user.clone().into());
    payload.insert("updatedAt".to_owned(), now_ms.into());
    payload.insert("version".to_owned(), settings.version.as_str().into());

    let lifetime = match (remember, settings.strategy) {
        (true, _) => settings.max_age,
        (false, Strategy::Compact) => 60,
        (false, Strategy::Jwt | Strategy::Jwe) => 300,
    };
    match settings.strategy {
        Strategy::Compact => {
            Ok(encode_compact(payload, secrets, now_ms.saturating_add(lifetime.saturating_mul(1_000))))
        }
        Strategy::Jwt => sign_jwt(&payload, secrets.current(), lifetime, now_ms),
        Strategy::Jwe => symmetric_encode_jwt(&payload, secrets, SESSION_SALT, lifetime, now_ms),
    }
}

/// Reads a cookie's value. `None` when it is not of ours, does not have the shape of a session and a user, or is a token past its
/// end; an ended compact cache is returned, and refused by [`CachedSession::is_current`].
///
/// Where upstream fails with a 500 (characters outside base64url), this gives `None`.
pub fn decode(settings: &CacheSettings, secrets: &Secrets, value: &str, now_ms: i64) -> Option<CachedSession> {
    let claims = match settings.strategy {
        Strategy::Compact => return decode_compact(secrets, value),
        Strategy::Jwt => verify_jwt(value, secrets.current(), now_ms)?,
        Strategy::Jwe => symmetric_decode_jwt(value, secrets, SESSION_SALT, now_ms)?,
    };
    let expires_at = claims.get("exp")?.as_i64()?.checked_mul(1_000)?;
    let mut claims = Value::Object(claims);
    revive_dates(&mut claims);
    parse_payload(claims, expires_at)
}

fn encode_compact(payload: JsonObject, secrets: &Secrets, expires_at: i64) -> String {
    let mut signed = payload.clone();
    signed.insert("expiresAt".to_owned(), expires_at.into());
    let signature = hmac_sha256(secrets.current(), &stringify_object(&signed)).finalize().into_bytes();
    let mut cookie = JsonObject::new();
    cookie.insert("session".to_owned(), payload.into());
    cookie.insert("expiresAt".to_owned(), expires_at.into());
    cookie.insert("signature".to_owned(), URL_SAFE_NO_PAD.encode(signature).into());
    URL_SAFE_NO_PAD.encode(stringify_object(&cookie))
}

fn decode_compact(secrets: &Secrets, value: &str) -> Option<CachedSession> {
    let mut cookie: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(value).ok()?).ok()?;
    // upstream: dates are revived before the signature is computed again, so a text like `2030-01-01T00:00:00Z` in a user field
    // (no milliseconds) breaks it; such a cache is never used.
    revive_dates(&mut cookie);
    let payload = cookie.get_mut("session")?.take();
    let expires_at = cookie.get("expiresAt")?.as_i64()?;
    let signature = URL_SAFE_NO_PAD.decode(cookie.get("signature")?.as_str()?).ok()?;

    let mut signed = payload.clone();
    signed.as_object_mut()?.insert("expiresAt".to_owned(), expires_at.into());
    hmac_sha256(secrets.current(), &stringify(&signed)).verify_slice(&signature).ok()?;
    parse_payload(payload, expires_at)
}

/// What upstream's schemas ask of a field.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    OptionalText,
    Flag,
    Date,
}

impl Kind {
    fn accepts(self, value: &Value) -> bool {
        match self {
            // A text that looks like a date has become one before the schema sees it.
            Self::Text => value.as_str().is_some_and(|text| reissue_date(text).is_none()),
            Self::OptionalText => value.is_null() || Self::Text.accepts(value),
            Self::Flag => value.is_boolean(),
            Self::Date => value.as_str().is_some_and(|text| reissue_date(text).is_some()),
        }
    }
}

/// The fields of a session, in the schema's order (upstream: `@better-auth/core/dist/db/schema/session.mjs`).
const SESSION_SCHEMA: [(&str, Kind); 8] = [
    ("id", Kind::Text),
    ("createdAt", Kind::Date),
    ("updatedAt", Kind::Date),
    ("userId", Kind::Text),
    ("expiresAt", Kind::Date),
    ("token", Kind::Text),
    ("ipAddress", Kind::OptionalText),
    ("userAgent", Kind::OptionalText),
];

/// The fields of a user, in the schema's order (upstream: `@better-auth/core/dist/db/schema/user.mjs`).
const USER_SCHEMA: [(&str, Kind); 7] = [
    ("id", Kind::Text),
    ("createdAt", Kind::Date),
    ("updatedAt", Kind::Date),
    ("email", Kind::Text),
    ("emailVerified", Kind::Flag),
    ("name", Kind::Text),
    ("image", Kind::OptionalText),
];

/// Upstream: `cookies/cache.mjs`, `parseCookieCachePayload`. Upstream fills in missing dates and a missing `emailVerified`; no
/// server leaves them out, so here they make the cache unusable.
fn parse_payload(mut payload: Value, expires_at: i64) -> Option<CachedSession> {
    let session = conform(payload.get_mut("session")?.take(), &SESSION_SCHEMA)?;
    let mut user = conform(payload.get_mut("user")?.take(), &USER_SCHEMA)?;
    if let Some(Value::String(email)) = user.get_mut("email") {
        *email = email.to_lowercase();
    }
    let version = match payload.get("version") {
        None => None,
        Some(version) if Kind::Text.accepts(version) => version.as_str().map(str::to_owned),
        Some(_) => return None,
    };
    Some(CachedSession { session, user, updated_at: payload.get("updatedAt")?.as_i64()?, version, expires_at })
}

/// The object with the schema's fields first and the others after them, or `None` where it does not fit the schema.
fn conform(value: Value, schema: &[(&str, Kind)]) -> Option<JsonObject> {
    let Value::Object(mut fields) = value else { return None };
    let mut ordered = JsonObject::with_capacity(fields.len());
    for (key, kind) in schema {
        match fields.get_mut(*key) {
            Some(value) if kind.accepts(value) => ordered.insert((*key).to_owned(), value.take()),
            None if matches!(kind, Kind::OptionalText) => None,
            _ => return None,
        };
    }
    for (key, value) in fields {
        ordered.entry(key).or_insert(value);
    }
    Some(ordered)
}
