//! HS256 tokens under the current secret (upstream: `crypto/jwt.mjs`, `signJWT` and `verifyJWT`).

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde_json::Value;

use super::{EncodeError, JsonObject};
use crate::secrets::Secret;

/// Signs `payload` with `iat` and `exp` appended; the header is `{"alg":"HS256"}`. `expires_in` is in seconds.
///
/// # Errors
/// [`EncodeError::Jwt`] when the library refuses; not seen with HS256.
pub fn sign_jwt(payload: &JsonObject, secret: &Secret, expires_in: i64, now_ms: i64) -> Result<String, EncodeError> {
    encode(&with_times(payload, expires_in, now_ms), secret)
}

/// Signs claims as they are.
///
/// # Errors
/// As [`sign_jwt`].
pub fn encode(claims: &JsonObject, secret: &Secret) -> Result<String, EncodeError> {
    let mut header = Header::new(Algorithm::HS256);
    header.typ = None;
    Ok(jsonwebtoken::encode(&header, claims, &EncodingKey::from_secret(secret.expose().as_bytes()))?)
}

/// The claims of a token signed with HS256 by `secret` whose `exp` lies ahead; `None` for anything
/// else. No clock tolerance.
pub fn verify_jwt(token: &str, secret: &Secret, now_ms: i64) -> Option<JsonObject> {
    verify_signature(token, secret).filter(|claims| is_unexpired(claims, 0, now_ms))
}

/// The claims of a token signed with HS256 by `secret`, expired or not: for a caller that tells an
/// expired token from a forged one. Everybody else wants [`verify_jwt`].
pub fn verify_signature(token: &str, secret: &Secret) -> Option<JsonObject> {
    let mut validation = Validation::new(Algorithm::HS256);
    // The library would ask the system clock, and upstream does not look at the audience.
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let key = DecodingKey::from_secret(secret.expose().as_bytes());
    Some(jsonwebtoken::decode::<JsonObject>(token, &key, &validation).ok()?.claims)
}

/// `payload` with `iat` and `exp` as last claims.
pub(super) fn with_times(payload: &JsonObject, expires_in: i64, now_ms: i64) -> JsonObject {
    let issued_at = now_ms.div_euclid(1_000);
    let mut claims = payload.clone();
    claims.insert("iat".to_owned(), issued_at.into());
    claims.insert("exp".to_owned(), issued_at.saturating_add(expires_in).into());
    claims
}

/// Whether `exp` is an integer that lies ahead, or at most `tolerance` seconds back (jose: `lib/jwt_claims_set.js`).
/// A missing `exp` counts as expired: all tokens of this service have one.
pub(super) fn is_unexpired(claims: &JsonObject, tolerance: i64, now_ms: i64) -> bool {
    let earliest = now_ms.div_euclid(1_000).saturating_sub(tolerance);
    claims.get("exp").and_then(Value::as_i64).is_some_and(|expiry| expiry > earliest)
}
