//! Which key signs: found in the database, kept for a moment, made when there is none
//! (upstream: `plugins/jwt/adapter` and `plugins/jwt/sign`, `resolveSigningKey`).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::NaiveDateTime;
use schema::{Jwk, jwks};
use serde_json::Value;

use super::key::{KeyAlg, KeyError, SigningKey, generate};
use crate::clock::{plus_seconds, to_ms};
use crate::config::JwtSettings;
use crate::encryption::{EncryptError, symmetric_decrypt, symmetric_encrypt};
use crate::error::ApiError;
use crate::ids::generate_id;
use crate::secrets::Secrets;
use crate::state::AppState;

/// How long a key signs without another look at the database, in milliseconds: so long after
/// `keys rotate` and `keys revoke` a running service may still use the old one.
pub const KEPT_FOR_MS: i64 = 5_000;

/// How long before it signs a key is published, in seconds: longer than verifiers keep the key set
/// although they meet a key they do not know (PyJWT and npm's `jose` wait 30 s between two looks, and
/// the set itself may be kept for 60 s).
pub const LEAD: i64 = 120;

/// How long a request waits while another one makes the first key.
const PATIENCE: Duration = Duration::from_secs(3);

/// Why there is no key to sign with; safe to log.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// None of the secrets opens the private key.
    #[error(
        "the signing key {0} cannot be decrypted: it was made under another BETTER_AUTH_SECRET. Bring that secret \
         back (BETTER_AUTH_SECRETS keeps several), or make a new key: auth-sidecar keys rotate"
    )]
    WrongSecret(String),
    /// The stored key is of no use.
    #[error("the signing key {0} cannot be used: {1}")]
    Unusable(String, KeyError),
    /// A key could not be made.
    #[error("no signing key could be made: {0}")]
    NotMade(#[from] KeyError),
    /// A key could not be encrypted.
    #[error("a signing key could not be encrypted: {0}")]
    NotSealed(#[from] EncryptError),
}

impl From<KeyringError> for ApiError {
    fn from(error: KeyringError) -> Self {
        Self::internal(error)
    }
}

/// The key in use; one per process.
#[derive(Default)]
pub struct Keyring {
    kept: Mutex<Option<Kept>>,
    making: tokio::sync::Mutex<()>,
}

struct Kept {
    key: Arc<SigningKey>,
    expires_at: Option<NaiveDateTime>,
    read_at_ms: i64,
}

impl Keyring {
    /// The key that signs now: the newest live one of the configured algorithm. Usually it is at
    /// hand; else one query finds it, and only where there is none it is made, once for all replicas.
    /// The one that follows it is made a little ahead.
    ///
    /// # Errors
    /// 500 when the stored key cannot be used, which never makes a new one; 503.
    pub async fn signing_key(
        &self,
        app: &AppState,
        settings: &JwtSettings,
        alg: KeyAlg,
    ) -> Result<Arc<SigningKey>, ApiError> {
        let now = app.clock.now();
        if let Some(key) = self.kept(now) {
            return Ok(key);
        }
        let mut rows = app.db.read(jwks::list_keys).await?;
        if signing_row(&rows, alg, now).is_none() {
            rows = self.make(app, settings, alg, now).await?;
        }
        let row = signing_row(&rows, alg, now).ok_or_else(|| ApiError::internal("the new signing key is gone"))?;
        let key = self.keep(&app.config.secrets, row, alg, now)?;
        if let Some(end) = row.expires_at
            && end <= plus_seconds(now, LEAD)
            && signing_row(&rows, alg, end).is_none()
            && let Err(error) = self.make(app, settings, alg, end).await
        {
            // There is one that signs now; the next request tries again.
            tracing::warn!(
                cause = error.cause().map(tracing::field::display),
                "the next signing key could not be made"
            );
        }
        Ok(key)
    }

    /// Makes a key that signs from `from` on, unless there is one by now; all keys afterwards.
    async fn make(
        &self,
        app: &AppState,
        settings: &JwtSettings,
        alg: KeyAlg,
        from: NaiveDateTime,
    ) -> Result<Vec<Jwk>, ApiError> {
        let turn = tokio::time::timeout(PATIENCE, self.making.lock()).await;
        let Ok(_turn) = turn else { return Err(ApiError::unavailable("the signing key is still being made")) };
        // Another request may have been first.
        let rows = app.db.read(jwks::list_keys).await?;
        if signing_row(&rows, alg, from).is_some() {
            return Ok(rows);
        }
        let (secrets, expires_at) = (app.config.secrets.clone(), settings.expiry_of_new_keys(from));
        let made = tokio::task::spawn_blocking(move || new_row(&secrets, alg, from, expires_at));
        let candidate = made.await.map_err(ApiError::internal)??;
        let kid = candidate.id.clone();
        let insert = app.db.write(move |conn| {
            let mut rows = jwks::lock_keys(conn)?;
            // Another replica may have been first.
            if signing_row(&rows, alg, from).is_none() {
                jwks::insert_key(conn, &candidate)?;
                rows.push(candidate);
            }
            Ok(rows)
        });
        let rows = insert.await?;
        if rows.iter().any(|row| row.id == kid) {
            tracing::info!(kid, alg = alg.name(), "made a signing key");
        }
        Ok(rows)
    }

    fn kept(&self, now: NaiveDateTime) -> Option<Arc<SigningKey>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = kept.as_ref()?;
        // A clock that was set back makes an age that means nothing.
        let fresh = (0..KEPT_FOR_MS).contains(&(to_ms(now) - kept.read_at_ms));
        let live = kept.expires_at.is_none_or(|end| end > now);
        (fresh && live).then(|| Arc::clone(&kept.key))
    }

    fn keep(
        &self,
        secrets: &Secrets,
        row: &Jwk,
        alg: KeyAlg,
        now: NaiveDateTime,
    ) -> Result<Arc<SigningKey>, KeyringError> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let same = kept.as_ref().filter(|kept| kept.key.kid == row.id).map(|kept| Arc::clone(&kept.key));
        let key = match same {
            Some(key) => key,
            None => Arc::new(open(secrets, row, alg)?),
        };
        *kept = Some(Kept { key: Arc::clone(&key), expires_at: row.expires_at, read_at_ms: to_ms(now) });
        Ok(key)
    }
}

/// The newest live key of the algorithm that is not made for later. Upstream takes one of another
/// algorithm where there is none of this; here the setting holds from the next token on.
#[must_use]
pub fn signing_row(rows: &[Jwk], alg: KeyAlg, now: NaiveDateTime) -> Option<&Jwk> {
    let usable = || rows.iter().filter(|row| row.is_live(now) && KeyAlg::of(row, alg) == Some(alg));
    let begun = usable().filter(|row| row.created_at <= now).max_by_key(|row| row.created_at);
    // One from the future is better than none: the replica that made it may have a fast clock.
    begun.or_else(|| usable().min_by_key(|row| row.created_at))
}

/// The private key of a row: sealed, as it is written here, or plain, as upstream's
/// `disablePrivateKeyEncryption` leaves it.
fn open(secrets: &Secrets, row: &Jwk, alg: KeyAlg) -> Result<SigningKey, KeyringError> {
    let unusable = |error| KeyringError::Unusable(row.id.clone(), error);
    let stored: Value = serde_json::from_str(&row.private_key).map_err(|_| unusable(KeyError::Malformed))?;
    let jwk = match stored {
        Value::Object(jwk) => jwk,
        Value::String(sealed) => {
            let text = symmetric_decrypt(secrets, &sealed).ok_or_else(|| KeyringError::WrongSecret(row.id.clone()))?;
            serde_json::from_str(&text).map_err(|_| unusable(KeyError::Malformed))?
        }
        _ => return Err(unusable(KeyError::Malformed)),
    };
    SigningKey::from_jwk(&row.id, alg, &jwk).map_err(unusable)
}

/// The row of a new key that signs from `from` on, its private part sealed under the current secret
/// (upstream: `createJwk`).
///
/// # Errors
/// When the key cannot be made or sealed.
pub fn new_row(
    secrets: &Secrets,
    alg: KeyAlg,
    from: NaiveDateTime,
    expires_at: Option<NaiveDateTime>,
) -> Result<Jwk, KeyringError> {
    let key = generate(alg)?;
    let sealed = symmetric_encrypt(secrets, &Value::Object(key.private).to_string())?;
    Ok(Jwk {
        id: generate_id(),
        public_key: Value::Object(key.public).to_string(),
        private_key: Value::String(sealed).to_string(),
        created_at: from,
        expires_at,
        alg: Some(alg.name().to_owned()),
        crv: key.crv.map(str::to_owned),
    })
}

impl JwtSettings {
    /// When a key that begins at `from` stops signing; `None`: never.
    #[must_use]
    pub fn expiry_of_new_keys(&self, from: NaiveDateTime) -> Option<NaiveDateTime> {
        self.rotation_interval.map(|interval| plus_seconds(from, interval))
    }

    /// Whether tokens of this key are still accepted at `now`: it is live, or ended within the grace.
    #[must_use]
    pub fn publishes(&self, row: &Jwk, now: NaiveDateTime) -> bool {
        row.expires_at.is_none_or(|end| plus_seconds(end, self.grace_period) > now)
    }
}
