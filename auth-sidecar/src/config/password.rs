//! Email and password: what is allowed, and how passwords are hashed.

use super::env::Reader;
use crate::password::{HashPolicy, Scheme};

/// Settings of sign-up and sign-in with email and password (upstream `emailAndPassword`).
#[derive(Clone, Debug)]
pub struct EmailPasswordSettings {
    /// Sign-up and sign-in are there.
    pub enabled: bool,
    /// New users are refused.
    pub disable_sign_up: bool,
    /// Sign-up begins a session.
    pub auto_sign_in: bool,
    /// Shortest password, in UTF-16 units.
    pub min_password_length: usize,
    /// Longest password, in UTF-16 units.
    pub max_password_length: usize,
}

/// Settings of password hashes.
#[derive(Clone, Debug)]
pub struct PasswordSettings {
    /// How new hashes are made.
    pub policy: HashPolicy,
    /// Hashes made at a time.
    pub threads: usize,
    /// Hashes that may wait.
    pub queue: usize,
}

pub(super) fn read_email_password(r: &mut Reader<'_>) -> EmailPasswordSettings {
    let enabled = r.flag("AUTH_EMAIL_PASSWORD_ENABLED");
    let disable_sign_up = r.flag("AUTH_EMAIL_PASSWORD_DISABLE_SIGN_UP");
    let auto_sign_in = r.flag("AUTH_EMAIL_PASSWORD_AUTO_SIGN_IN");
    let min_password_length = r.size("AUTH_EMAIL_PASSWORD_MIN_LENGTH");
    let max_password_length = r.size("AUTH_EMAIL_PASSWORD_MAX_LENGTH");
    if min_password_length > max_password_length {
        r.problem("AUTH_EMAIL_PASSWORD_MAX_LENGTH", "is below AUTH_EMAIL_PASSWORD_MIN_LENGTH");
    } else {
        if min_password_length < 8 {
            r.warn("AUTH_EMAIL_PASSWORD_MIN_LENGTH is below 8: short passwords are guessed");
        }
        if max_password_length < 64 {
            r.warn("AUTH_EMAIL_PASSWORD_MAX_LENGTH is below 64: passphrases may not fit");
        }
    }
    EmailPasswordSettings { enabled, disable_sign_up, auto_sign_in, min_password_length, max_password_length }
}

pub(super) fn read_hashing(r: &mut Reader<'_>) -> PasswordSettings {
    let scheme = match r.choice("AUTH_PASSWORD_HASH") {
        "argon2id" => Scheme::Argon2id,
        "scrypt" => Scheme::Scrypt,
        _ => Scheme::Bcrypt,
    };
    let bcrypt_cost = r.number("AUTH_BCRYPT_COST");
    let threads = r.cores("AUTH_HASH_THREADS");
    let queue = r.size("AUTH_HASH_QUEUE");
    PasswordSettings { policy: HashPolicy { scheme, bcrypt_cost }, threads, queue }
}
