//! Tokens for other services: their claims, and the check of one that comes back
//! (upstream: `plugins/jwt/sign`, `getJwtToken`; `plugins/jwt/verify`; RFC 7519, RFC 8725).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use schema::{User, jwks, sessions};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::key::{self, KeyAlg};
use crate::clock::from_ms;
use crate::config::{JwtSettings, Signing};
use crate::cookies::{JsonObject, jwt};
use crate::error::ApiError;
use crate::fields::FieldRegistry;
use crate::state::AppState;

/// Longest id that is looked up, in bytes: ours have 32, those of other programs' tables seldom more.
const LONGEST_ID: usize = 255;

/// By how many seconds the clock of the replica that made a token may be ahead of ours.
const CLOCK_TOLERANCE: i64 = 15;

/// A token about `user`, as the wire shows it.
///
/// # Errors
/// 500 when the signing key cannot be used; 503.
pub async fn sign(app: &AppState, settings: &JwtSettings, user: &JsonObject) -> Result<String, ApiError> {
    let claims = claims(settings, app.fields(), user, app.clock.now_ms().div_euclid(1_000));
    match &settings.signing {
        Signing::Keys(alg) => {
            let key = app.keyring.signing_key(settings, *alg).await?;
            key.sign(&claims).map_err(ApiError::internal)
        }
        Signing::Shared(secret) => jwt::encode(&claims, secret).map_err(ApiError::internal),
    }
}

/// `iat`, what is said of the user, then the other registered claims; `now` is in seconds.
fn claims(settings: &JwtSettings, fields: &FieldRegistry, user: &JsonObject, now: i64) -> JsonObject {
    let is_claim = |key: &str| match fields.user.iter().find(|field| field.key == key) {
        Some(field) => field.claim,
        None => settings.payload.as_ref().is_none_or(|payload| payload.iter().any(|member| member == key)),
    };
    let mut claims = Map::new();
    claims.insert("iat".to_owned(), now.into());
    claims.extend(user.iter().filter(|(key, _)| is_claim(key)).map(|(key, value)| (key.clone(), value.clone())));
    claims.insert("sub".to_owned(), user.get("id").cloned().unwrap_or_default());
    claims.insert("exp".to_owned(), now.saturating_add(settings.expires_in).into());
    claims.insert("iss".to_owned(), settings.issuer.clone().into());
    claims.insert("aud".to_owned(), settings.audience.clone().into());
    claims
}

/// Makes sure that [`sign`] will not fail for want of a key.
///
/// # Errors
/// As [`sign`].
pub async fn prepare(app: &AppState, settings: &JwtSettings) -> Result<(), ApiError> {
    match &settings.signing {
        Signing::Keys(alg) => app.keyring.signing_key(settings, *alg).await.map(drop),
        Signing::Shared(_) => Ok(()),
    }
}

/// The user a token is about, as the database has them now. `None` for a token that is not good, and
/// also when none of the sessions the user had when it was made is left: signing out ends it.
///
/// # Errors
/// 503 when the database cannot tell.
pub async fn verify(app: &AppState, settings: &JwtSettings, token: &str) -> Result<Option<User>, ApiError> {
    let Some(parts) = Parts::parse(token) else { return Ok(None) };
    let now = app.clock.now();
    let Some(claims) = parts.claims.checked(settings, app.clock.now_ms().div_euclid(1_000)) else { return Ok(None) };
    // Sessions keep milliseconds, tokens seconds.
    let issued_before = from_ms(claims.iat.saturating_add(1).saturating_mul(1_000));
    if let Signing::Shared(secret) = &settings.signing
        && jwt::verify_signature(token, secret).is_none()
    {
        return Ok(None);
    }
    let (kid, user_id) = (parts.kid.clone(), claims.sub.clone());
    // Of a token by a key nothing is believed yet: both are only looked up, in one go.
    let lookup = app.db.read(move |conn| {
        let key = kid.map(|kid| jwks::find_key(conn, &kid)).transpose()?.flatten();
        Ok((key, sessions::find_user_signed_in_since(conn, &user_id, issued_before, now)?))
    });
    let (key, user) = lookup.await?;
    let is_signed = match &settings.signing {
        Signing::Shared(_) => true,
        Signing::Keys(configured) => key.filter(|key| settings.publishes(key, now)).is_some_and(|key| {
            let alg = KeyAlg::of(&key, *configured).filter(|alg| alg.name() == parts.alg);
            let public: Option<JsonObject> = serde_json::from_str(&key.public_key).ok();
            alg.zip(public)
                .is_some_and(|(alg, public)| key::verify(alg, &public, parts.message.as_bytes(), &parts.signature))
        }),
    };
    Ok(user.filter(|_| is_signed))
}

/// A token taken apart, nothing of it trusted yet.
struct Parts<'a> {
    alg: String,
    kid: Option<String>,
    claims: Claims,
    message: &'a str,
    signature: Vec<u8>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    crit: Option<Value>,
}

/// The registered claims. Their types are strict: a number is an integer, never a text or a float
/// (CVE-2026-25537).
#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: String,
    exp: i64,
    iat: i64,
    #[serde(default)]
    nbf: Option<i64>,
}

impl<'a> Parts<'a> {
    fn parse(token: &'a str) -> Option<Self> {
        let (message, signature) = token.rsplit_once('.')?;
        let (header, payload) = message.split_once('.')?;
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
        let header: Header = serde_json::from_slice(&decode(header)?).ok()?;
        let claims: Claims = serde_json::from_slice(&decode(payload)?).ok()?;
        // An extension that must be understood is not (RFC 7515 §4.1.11). What is no id of ours is not looked for, as
        // PostgreSQL fails on a NUL.
        let ids = header.kid.iter().chain([&claims.sub]);
        if header.crit.is_some() || ids.into_iter().any(|id| id.len() > LONGEST_ID || id.contains('\0')) {
            return None;
        }
        Some(Self { alg: header.alg, kid: header.kid, claims, message, signature: decode(signature)? })
    }
}

impl Claims {
    fn checked(&self, settings: &JwtSettings, now: i64) -> Option<&Self> {
        let latest = now.saturating_add(CLOCK_TOLERANCE);
        let in_time = self.exp > now
            && (0..=latest).contains(&self.iat)
            && self.nbf.is_none_or(|nbf| (0..=latest).contains(&nbf));
        let ours = self.iss == settings.issuer && self.aud == settings.audience;
        (in_time && ours).then_some(self)
    }
}
