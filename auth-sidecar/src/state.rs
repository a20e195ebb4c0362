//! What every request shares.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use schema::adoption::Source;
use schema::{Adoption, Db, DbError, adoption};
use serde_json::Value;

use crate::clock::Clock;
use crate::config::Config;
use crate::fields::{Action, FieldRegistry, parse_input};
use crate::ids::new_id;
use crate::mail::Mailer;
use crate::origins::TrustedOrigins;
use crate::password::{Hasher, Scheme};
use crate::plugins::jwt::keyring::Keyring;
use crate::rate_limit::RateLimiter;
use crate::wire::declared::json_part;

/// Settings, database, clock and the other things a process has once.
pub struct AppState {
    /// The settings.
    pub config: Config,
    /// The database's two doors.
    pub db: Db,
    /// The time.
    pub clock: Clock,
    /// The hashing threads.
    pub hasher: Hasher,
    /// The rate limiter.
    pub limiter: RateLimiter,
    /// Attempts at each account's password.
    pub throttle: RateLimiter,
    /// The key that signs tokens for other services.
    pub keyring: Keyring,
    /// The outbox.
    pub mailer: Mailer,
    /// Whom we trust.
    pub origins: TrustedOrigins,
    /// The JSON column of a new session: the defaults of its declared fields.
    pub session_defaults: String,
    adoption: OnceLock<Adoption>,
    adopted_fields: OnceLock<FieldRegistry>,
    draining_since: OnceLock<Instant>,
    database_ready: AtomicBool,
}

impl AppState {
    /// Puts the service together; nothing is connected yet.
    ///
    /// # Errors
    /// When the hashing threads or the HTTP client cannot be started.
    pub fn new(config: Config, db: Db, clock: Clock) -> std::io::Result<Self> {
        let hasher = Hasher::new(config.password.policy, config.password.threads, config.password.queue)?;
        let defaults = parse_input(&config.fields.session, &serde_json::Map::new(), Action::Create);
        let defaults = json_part(&config.fields.session, &defaults.unwrap_or_default());
        Ok(Self {
            hasher,
            limiter: RateLimiter::new(config.rate_limit.clone()).with_plugins(config.plugins.rate_limits()),
            throttle: RateLimiter::new(config.sign_in_throttle.clone()),
            origins: TrustedOrigins::new(config.trusted_origins.clone()),
            keyring: Keyring::new(db.clone(), clock.clone(), config.secrets.clone()),
            session_defaults: Value::Object(defaults).to_string(),
            mailer: Mailer::new(config.mail.clone())?,
            config,
            db,
            clock,
            adoption: OnceLock::new(),
            adopted_fields: OnceLock::new(),
            draining_since: OnceLock::new(),
            database_ready: AtomicBool::new(false),
        })
    }

    /// The origin a request was sent to, by its `Host`: only compared, never emitted.
    #[must_use]
    pub fn own_origin(&self, host: Option<&str>) -> String {
        let base = &self.config.base_url;
        match (base.split_once("://"), host) {
            (Some((_, own)), Some(host)) if own != host => format!("http://{host}"),
            _ => base.clone(),
        }
    }

    /// From now on every answer asks its client to leave the connection, and no mail is begun.
    pub fn start_draining(&self) {
        // A second signal changes nothing.
        let _ = self.draining_since.set(Instant::now());
        self.mailer.stop();
    }

    /// Looks whether the tables are another program's that were adopted: new rows get ids of their kind, and new
    /// passwords hashes.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn find_adoption(&self) -> Result<(), DbError> {
        if let Some(adoption) = adoption::current(&self.db).await? {
            let policy = self.config.password.policy_on(&adoption);
            let (tables, ids) = (adoption.names(), adoption.ids("users"));
            tracing::info!(tables, ?ids, hashes = %policy.scheme, "working on adopted tables");
            if adoption.source == Source::BetterAuth && policy.scheme != Scheme::Scrypt {
                tracing::warn!("new passwords get a hash that Better Auth verifies only if it was taught to");
            }
            self.hasher.adopt(policy);
            let _ = self.adopted_fields.set(self.config.fields.called_as_in(&adoption));
            // Told once: it does not change while the process lives.
            let _ = self.adoption.set(adoption);
        }
        Ok(())
    }

    /// The declared fields.
    #[must_use]
    pub fn fields(&self) -> &FieldRegistry {
        self.adopted_fields.get().unwrap_or(&self.config.fields)
    }

    /// The id of a row of `users` or `sessions` to be made.
    ///
    /// # Errors
    /// When the database, which counts the ids of some adopted tables, fails.
    pub async fn new_id(&self, table: &'static str) -> Result<String, DbError> {
        new_id(&self.db, self.adoption.get(), table).await
    }

    /// The tables are there.
    pub fn set_database_ready(&self) {
        self.database_ready.store(true, Ordering::Relaxed);
    }

    /// Whether the tables are there.
    #[must_use]
    pub fn is_database_ready(&self) -> bool {
        self.database_ready.load(Ordering::Relaxed)
    }

    /// Whether the service is on its way out.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining_since.get().is_some()
    }

    /// How long the service has been on its way out.
    #[must_use]
    pub fn draining_for(&self) -> Duration {
        self.draining_since.get().map_or(Duration::ZERO, Instant::elapsed)
    }
}
