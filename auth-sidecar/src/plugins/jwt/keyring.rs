//! Which key signs: found in the database, kept for a moment, made when there is none
//! (upstream: `plugins/jwt/adapter` and `plugins/jwt/sign`, `resolveSigningKey`).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::NaiveDateTime;
use schema::{Db, Jwk, jwks};
use serde_json::Value;

use super::key::{KeyAlg, KeyError, SigningKey, generate};
use crate::clock::{Clock, plus_seconds, to_ms};
use crate::config::JwtSettings;
use crate::encryption::{EncryptError, symmetric_decrypt, symmetric_encrypt};
use crate::error::ApiError;
use crate::ids::generate_id;
use crate::secrets::Secrets;

/// How long a key signs without another look at the database, in milliseconds: so long after
/// `keys rotate` and `keys revoke` a running service may still use the old one.
pub const KEPT_FOR_MS: i64 = 5_000;

/// How long it goes on where the database does not answer, in milliseconds.
const USABLE_FOR_MS: i64 = 60_000;

/// How long one request waits for that look while there is a key at hand.
const GLANCE: Duration = Duration::from_millis(250);

/// Pause between two looks at a database that does not answer, in milliseconds.
const RETRY_AFTER_MS: i64 = 1_000;

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
         back (BETTER_AUTH_SECRETS keeps several), or make a new key: auth-sidecar keys rotate --now --force"
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
pub struct Keyring {
    db: Db,
    clock: Clock,
    secrets: Secrets,
    kept: Mutex<Option<Kept>>,
    looking: tokio::sync::Mutex<()>,
    making: tokio::sync::Mutex<()>,
}

struct Kept {
    key: Arc<SigningKey>,
    expires_at: Option<NaiveDateTime>,
    /// When the database last said that it signs.
    read_at_ms: i64,
    /// When the database is to be asked again.
    look_at_ms: i64,
}

impl Kept {
    /// Whether it may sign without another look.
    fn is_fresh(&self, now: NaiveDateTime) -> bool {
        // A clock that was set back makes an age that means nothing.
        self.is_usable(now) && to_ms(now) < self.look_at_ms
    }

    /// Whether it may sign while the database cannot be asked.
    fn is_usable(&self, now: NaiveDateTime) -> bool {
        let age = to_ms(now) - self.read_at_ms;
        (0..USABLE_FOR_MS).contains(&age) && self.expires_at.is_none_or(|end| end > now)
    }
}

impl Keyring {
    /// Without a key yet.
    #[must_use]
    pub fn new(db: Db, clock: Clock, secrets: Secrets) -> Self {
        Self {
            db,
            clock,
            secrets,
            kept: Mutex::default(),
            looking: tokio::sync::Mutex::default(),
            making: tokio::sync::Mutex::default(),
        }
    }

    /// The key that signs now: the newest live one of the configured algorithm. Usually it is at
    /// hand; else one query finds it, and only where there is none it is made, once for all replicas.
    /// While the database hangs the key at hand goes on.
    ///
    /// # Errors
    /// 500 when the stored key cannot be used, which never makes a new one; 503.
    pub async fn signing_key(&self, settings: &JwtSettings, alg: KeyAlg) -> Result<Arc<SigningKey>, ApiError> {
        let now = self.clock.now();
        if let Some(key) = self.kept(|kept| kept.is_fresh(now)) {
            return Ok(key);
        }
        let Some(at_hand) = self.kept(|kept| kept.is_usable(now)) else {
            return self.look(settings, alg).await;
        };
        // One request looks, and not for long; the others do not wait for it.
        let Ok(_turn) = self.looking.try_lock() else { return Ok(at_hand) };
        match tokio::time::timeout(GLANCE, self.look(settings, alg)).await {
            Ok(Err(ApiError::Unavailable(_))) | Err(_) => {
                self.look_later(now);
                Ok(at_hand)
            }
            Ok(found) => found,
        }
    }

    /// Asks the database which key signs; makes it where there is none.
    async fn look(&self, settings: &JwtSettings, alg: KeyAlg) -> Result<Arc<SigningKey>, ApiError> {
        let now = self.clock.now();
        let mut rows = self.db.read(jwks::list_keys).await?;
        if signing_row(&rows, alg, now).is_none() {
            rows = self.make(settings, alg, now).await?;
        }
        let row = signing_row(&rows, alg, now).ok_or_else(|| ApiError::internal("the new signing key is gone"))?;
        Ok(self.keep(row, alg, now)?)
    }

    /// What a running service does for its keys from time to time: each is sealed under the current secret, has an end
    /// where keys rotate, and a successor that is published before it signs.
    ///
    /// # Errors
    /// As [`Self::signing_key`].
    pub async fn look_after(&self, settings: &JwtSettings, alg: KeyAlg) -> Result<(), ApiError> {
        self.look(settings, alg).await?;
        let now = self.clock.now();
        let rows = self.db.read(jwks::list_keys).await?;
        for row in &rows {
            if let Some(sealed) = sealed_anew(&self.secrets, row)? {
                let found = row.clone();
                self.db.write(move |conn| jwks::update_private_key(conn, &found, &sealed)).await?;
            }
        }
        let Some(row) = signing_row(&rows, alg, now) else { return Ok(()) };
        let end = match (row.expires_at, settings.expiry_of_new_keys(row.created_at)) {
            (Some(end), _) => end,
            (None, None) => return Ok(()),
            // Made before keys rotated.
            (None, Some(end)) => {
                let end = end.max(plus_seconds(now, LEAD));
                self.db.write(move |conn| jwks::retire_keys(conn, end)).await?;
                end
            }
        };
        if end <= plus_seconds(now, LEAD) && signing_row(&rows, alg, end).is_none() {
            self.make(settings, alg, end).await?;
        }
        Ok(())
    }

    /// Makes a key that signs from `from` on, unless there is one by now; all keys afterwards.
    async fn make(&self, settings: &JwtSettings, alg: KeyAlg, from: NaiveDateTime) -> Result<Vec<Jwk>, ApiError> {
        let turn = tokio::time::timeout(PATIENCE, self.making.lock()).await;
        let Ok(_turn) = turn else { return Err(ApiError::unavailable("the signing key is still being made")) };
        // Another request may have been first.
        let rows = self.db.read(jwks::list_keys).await?;
        if signing_row(&rows, alg, from).is_some() {
            return Ok(rows);
        }
        let (secrets, expires_at) = (self.secrets.clone(), settings.expiry_of_new_keys(from));
        let made = tokio::task::spawn_blocking(move || new_row(&secrets, alg, from, expires_at));
        let candidate = made.await.map_err(ApiError::internal)??;
        let public_key = candidate.public_key.clone();
        let insert = self.db.write(move |conn| {
            let mut rows = jwks::lock_keys(conn)?;
            // Another replica may have been first.
            if signing_row(&rows, alg, from).is_none() {
                rows.push(jwks::insert_key(conn, &candidate)?);
            }
            Ok(rows)
        });
        let rows = insert.await?;
        if let Some(Jwk { id: kid, .. }) = rows.iter().find(|row| row.public_key == public_key) {
            tracing::info!(kid, alg = alg.name(), "made a signing key");
        }
        Ok(rows)
    }

    fn kept(&self, is_good: impl FnOnce(&Kept) -> bool) -> Option<Arc<SigningKey>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.as_ref().filter(|kept| is_good(kept)).map(|kept| Arc::clone(&kept.key))
    }

    fn look_later(&self, now: NaiveDateTime) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = kept.as_mut() {
            kept.look_at_ms = to_ms(now) + RETRY_AFTER_MS;
        }
    }

    fn keep(&self, row: &Jwk, alg: KeyAlg, now: NaiveDateTime) -> Result<Arc<SigningKey>, KeyringError> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let same = kept.as_ref().filter(|kept| kept.key.kid == row.id).map(|kept| Arc::clone(&kept.key));
        let key = match same {
            Some(key) => key,
            None => Arc::new(open(&self.secrets, row, alg)?),
        };
        let read_at_ms = to_ms(now);
        *kept = Some(Kept {
            key: Arc::clone(&key),
            expires_at: row.expires_at,
            read_at_ms,
            look_at_ms: read_at_ms + KEPT_FOR_MS,
        });
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
///
/// # Errors
/// When none of the secrets opens it, or there is no key in it.
pub fn open(secrets: &Secrets, row: &Jwk, alg: KeyAlg) -> Result<SigningKey, KeyringError> {
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

/// The private key of a row under the current secret, if it is sealed under another one: else it would be lost with it.
fn sealed_anew(secrets: &Secrets, row: &Jwk) -> Result<Option<String>, KeyringError> {
    let current = Secrets::single(secrets.current().clone());
    let Ok(Value::String(sealed)) = serde_json::from_str(&row.private_key) else { return Ok(None) };
    match symmetric_decrypt(secrets, &sealed) {
        Some(jwk) if symmetric_decrypt(&current, &sealed).is_none() => {
            Ok(Some(Value::String(symmetric_encrypt(secrets, &jwk)?).to_string()))
        }
        _ => Ok(None),
    }
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
