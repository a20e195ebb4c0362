//! `auth-sidecar keys`: the keys that sign tokens for other services.

use std::fmt::Write as _;

use chrono::NaiveDateTime;
use clap::Subcommand;
use schema::{Jwk, jwks};

use super::{CliError, block_on, on_database, ready_database, time};
use crate::clock::{Clock, plus_seconds};
use crate::config::{Config, JwtSettings, Signing};
use crate::plugins::jwt::key::KeyAlg;
use crate::plugins::jwt::keyring::{KEPT_FOR_MS, LEAD, new_row, open, signing_row};

/// What to do with the keys.
#[derive(Subcommand)]
pub enum Action {
    /// List the keys, newest first; never their private parts
    List,
    /// Make a new key; in two minutes, when backends know it, it signs in place of the others, which stay published
    /// for AUTH_JWT_GRACE_PERIOD
    Rotate {
        /// Sign with it at once: backends may refuse tokens until they fetch the key set again
        #[arg(long)]
        now: bool,
        /// Even though the key in use cannot be decrypted with these secrets
        #[arg(long)]
        force: bool,
    },
    /// Remove a key at once: tokens it signed are refused from now on
    Revoke {
        /// Its id, as `keys list` prints it
        kid: String,
        /// Even though the key in use cannot be decrypted with these secrets
        #[arg(long)]
        force: bool,
    },
}

/// Runs the action.
pub fn keys(config: &Config, action: Action) -> Result<(), CliError> {
    let Some(settings) = &config.plugins.jwt else {
        return Err(CliError::Config("AUTH_PLUGINS does not have jwt: nothing is signed".to_owned()));
    };
    let now = Clock::System.now();
    let rows = stored(config)?;
    match action {
        Action::List => {
            print!("{}", table(&rows, settings, now));
            Ok(())
        }
        Action::Rotate { now: at_once, force } => {
            check_secrets(config, settings, &rows, now, force)?;
            rotate(config, settings, now, at_once)
        }
        Action::Revoke { kid, force } => {
            check_secrets(config, settings, &rows, now, force)?;
            revoke(config, settings, now, &kid)
        }
    }
}

fn stored(config: &Config) -> Result<Vec<Jwk>, CliError> {
    block_on(async { Ok(ready_database(&config.database).await?.read(jwks::list_keys).await?) })
}

/// A new key is sealed under the secrets of this command: those of the running service have to be the same, or it
/// could sign nothing any more. That they open the key in use shows it.
fn check_secrets(
    config: &Config,
    settings: &JwtSettings,
    rows: &[Jwk],
    now: NaiveDateTime,
    force: bool,
) -> Result<(), CliError> {
    let Signing::Keys(alg) = &settings.signing else { return Ok(()) };
    match signing_row(rows, *alg, now).map(|row| open(&config.secrets, row, *alg)) {
        Some(Err(error)) if !force => Err(CliError::Failed(format!(
            "nothing was changed: {error}. If the running service has these secrets all the same, add --force"
        ))),
        _ => Ok(()),
    }
}

fn rotate(config: &Config, settings: &JwtSettings, now: NaiveDateTime, at_once: bool) -> Result<(), CliError> {
    let Signing::Keys(alg) = &settings.signing else {
        return Err(CliError::Config("AUTH_JWT_ALG is HS256: there are no keys, change AUTH_JWT_SECRET".to_owned()));
    };
    let from = if at_once { now } else { plus_seconds(now, LEAD) };
    let row = new_key(config, settings, *alg, from)?;
    let (kid, ended) = on_database(config, move |conn| {
        jwks::lock_keys(conn)?;
        let ended = jwks::retire_keys(conn, from)?;
        Ok((jwks::insert_key(conn, &row)?.id, ended))
    })?;
    let when = if at_once { format!("within {} s", KEPT_FOR_MS / 1_000) } else { format!("in {LEAD} s") };
    println!("{kid} ({}) is published and signs {when}; keys that end then: {ended}", alg.name());
    Ok(())
}

fn revoke(config: &Config, settings: &JwtSettings, now: NaiveDateTime, kid: &str) -> Result<(), CliError> {
    // Backends that fetch the key set meanwhile must not find it empty.
    let successor = match &settings.signing {
        Signing::Keys(alg) => Some((*alg, new_key(config, settings, *alg, now)?)),
        Signing::Shared(_) => None,
    };
    let wanted = kid.to_owned();
    let revoked = on_database(config, move |conn| {
        jwks::lock_keys(conn)?;
        if !jwks::delete_key(conn, &wanted)? {
            return Ok(None);
        }
        let left = jwks::list_keys(conn)?;
        let successor = successor.filter(|(alg, _)| signing_row(&left, *alg, now).is_none());
        let successor = successor.map(|(_, row)| jwks::insert_key(conn, &row)).transpose()?;
        Ok(Some(successor.map(|row| row.id)))
    })?;
    let Some(successor) = revoked else { return Err(CliError::Failed(format!("there is no key {kid}"))) };
    println!("{kid} is gone: running services drop it within {} s,", KEPT_FOR_MS / 1_000);
    println!("backends when they fetch the key set next; restart those that keep it for long");
    if let Some(successor) = successor {
        println!("{successor} signs instead");
    }
    Ok(())
}

fn new_key(config: &Config, settings: &JwtSettings, alg: KeyAlg, from: NaiveDateTime) -> Result<Jwk, CliError> {
    new_row(&config.secrets, alg, from, settings.expiry_of_new_keys(from))
        .map_err(|error| CliError::Failed(error.to_string()))
}

/// One line a key, the one that signs being told apart.
fn table(rows: &[Jwk], settings: &JwtSettings, now: NaiveDateTime) -> String {
    let configured = match &settings.signing {
        Signing::Keys(alg) => Some(*alg),
        Signing::Shared(_) => None,
    };
    let signing = configured.and_then(|alg| signing_row(rows, alg, now)).map(|row| &row.id);
    let mut text = format!("{:<32}  {:<5}  {:<19}  {:<19}  STATE\n", "KID", "ALG", "SIGNS FROM", "UNTIL");
    for row in rows {
        let state = if signing == Some(&row.id) {
            "signing"
        } else if row.created_at > now {
            "next"
        } else if settings.publishes(row, now) {
            "published"
        } else {
            "over"
        };
        let alg = row.alg.as_deref().unwrap_or("?");
        let until = row.expires_at.map_or_else(|| "-".to_owned(), time);
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{:<32}  {alg:<5}  {:<19}  {until:<19}  {state}", row.id, time(row.created_at));
    }
    text
}
