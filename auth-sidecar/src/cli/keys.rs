//! `auth-sidecar keys`: the keys that sign tokens for other services.

use std::fmt::Write as _;

use chrono::NaiveDateTime;
use clap::Subcommand;
use schema::{Jwk, jwks};

use super::{CliError, on_database};
use crate::clock::Clock;
use crate::config::{Config, JwtSettings, Signing};
use crate::plugins::jwt::key::KeyAlg;
use crate::plugins::jwt::keyring::{KEPT_FOR_MS, new_row};

/// What to do with the keys.
#[derive(Subcommand)]
pub enum Action {
    /// List the keys, newest first; never their private parts
    List,
    /// Make a new key; the others sign nothing more, and stay published for AUTH_JWT_GRACE_PERIOD
    Rotate,
    /// Remove a key at once: tokens it signed are refused from now on
    Revoke {
        /// Its id, as `keys list` prints it
        kid: String,
    },
}

/// Runs the action.
pub fn keys(config: &Config, action: Action) -> Result<(), CliError> {
    let Some(settings) = &config.plugins.jwt else {
        return Err(CliError::Config("AUTH_PLUGINS does not have jwt: nothing is signed".to_owned()));
    };
    let now = Clock::System.now();
    match action {
        Action::List => {
            print!("{}", table(&on_database(config, jwks::list_keys)?, settings, now));
            Ok(())
        }
        Action::Rotate => rotate(config, settings, now),
        Action::Revoke { kid } => revoke(config, kid),
    }
}

fn rotate(config: &Config, settings: &JwtSettings, now: NaiveDateTime) -> Result<(), CliError> {
    let Signing::Keys(alg) = &settings.signing else {
        return Err(CliError::Config("AUTH_JWT_ALG is HS256: there are no keys, change AUTH_JWT_SECRET".to_owned()));
    };
    let row = new_row(&config.secrets, *alg, now, settings.expiry_of_new_keys(now))
        .map_err(|error| CliError::Failed(error.to_string()))?;
    let kid = row.id.clone();
    let ended = on_database(config, move |conn| {
        jwks::lock_keys(conn)?;
        let ended = jwks::retire_keys(conn, now)?;
        jwks::insert_key(conn, &row)?;
        Ok(ended)
    })?;
    println!("{kid} signs from now on ({}); keys that ended: {ended}", alg.name());
    println!("running services take it up within {} s", KEPT_FOR_MS / 1_000);
    Ok(())
}

fn revoke(config: &Config, kid: String) -> Result<(), CliError> {
    let wanted = kid.clone();
    if !on_database(config, move |conn| jwks::delete_key(conn, &wanted))? {
        return Err(CliError::Failed(format!("there is no key {kid}")));
    }
    println!("{kid} is gone; if no key is left, the next token makes one");
    println!(
        "running services drop it within {} s, backends that keep the key set when they fetch it next",
        KEPT_FOR_MS / 1_000
    );
    Ok(())
}

fn table(rows: &[Jwk], settings: &JwtSettings, now: NaiveDateTime) -> String {
    let configured = match &settings.signing {
        Signing::Keys(alg) => Some(*alg),
        Signing::Shared(_) => None,
    };
    let mut text = format!("{:<32}  {:<7}  {:<19}  {:<19}  STATE\n", "KID", "ALG", "MADE", "SIGNS UNTIL");
    let mut signing = false;
    for row in rows {
        let alg = KeyAlg::of(row, configured.unwrap_or(KeyAlg::EdDsa));
        let state = if !row.is_live(now) {
            if settings.publishes(row, now) { "published" } else { "over" }
        } else if !signing && alg.is_some() && alg == configured {
            signing = true;
            "signing"
        } else {
            "published"
        };
        let name = row.alg.as_deref().or(alg.map(KeyAlg::name)).unwrap_or("?");
        let until = row.expires_at.map_or_else(|| "-".to_owned(), time);
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{:<32}  {name:<7}  {:<19}  {until:<19}  {state}", row.id, time(row.created_at));
    }
    text
}

fn time(at: NaiveDateTime) -> String {
    at.format("%Y-%m-%d %H:%M:%S").to_string()
}
