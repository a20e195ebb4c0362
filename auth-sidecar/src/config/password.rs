//! Email and password: what is allowed, and how passwords are hashed.

use schema::Adoption;
use schema::adoption::Source;

use super::env::Reader;
use crate::password::{HashPolicy, Scheme, SharedWith};

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
    /// Only users with a proven address sign in, and sign-up begins no session.
    pub require_verification: bool,
    /// Life of a mailed link to set a new password, in seconds.
    pub reset_token_expires_in: i64,
    /// A reset ends every session of the user.
    pub revoke_sessions_on_reset: bool,
}

/// Settings of proving an address (upstream `emailVerification`).
#[derive(Clone, Debug)]
pub struct EmailVerificationSettings {
    /// Sign-up mails the link.
    pub send_on_sign_up: bool,
    /// A sign-in that fails for an unproven address mails the link again.
    pub send_on_sign_in: bool,
    /// Opening the link signs in.
    pub auto_sign_in: bool,
    /// Life of the link, in seconds.
    pub expires_in: i64,
}

/// Settings of password hashes.
#[derive(Clone, Debug)]
pub struct PasswordSettings {
    /// How new hashes are made.
    pub policy: HashPolicy,
    /// Whether the kind was set: it is then made in adopted tables, too.
    pub explicit: bool,
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
    EmailPasswordSettings {
        enabled,
        disable_sign_up,
        auto_sign_in,
        min_password_length,
        max_password_length,
        require_verification: r.flag("AUTH_EMAIL_PASSWORD_REQUIRE_VERIFICATION"),
        reset_token_expires_in: r.number("AUTH_EMAIL_PASSWORD_RESET_TOKEN_EXPIRES_IN").into(),
        revoke_sessions_on_reset: r.flag("AUTH_EMAIL_PASSWORD_REVOKE_SESSIONS_ON_RESET"),
    }
}

pub(super) fn read_email_verification(r: &mut Reader<'_>, required: bool) -> EmailVerificationSettings {
    let send_on_sign_up = r.optional_flag("AUTH_EMAIL_VERIFICATION_SEND_ON_SIGN_UP").unwrap_or_else(|| {
        r.told("AUTH_EMAIL_VERIFICATION_SEND_ON_SIGN_UP", required);
        required
    });
    EmailVerificationSettings {
        send_on_sign_up,
        send_on_sign_in: r.flag("AUTH_EMAIL_VERIFICATION_SEND_ON_SIGN_IN"),
        auto_sign_in: r.flag("AUTH_EMAIL_VERIFICATION_AUTO_SIGN_IN"),
        expires_in: r.number("AUTH_EMAIL_VERIFICATION_EXPIRES_IN").into(),
    }
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
    let policy = HashPolicy { scheme, bcrypt_cost, shared_with: SharedWith::Nobody, replaces: true };
    PasswordSettings { policy, explicit: r.present("AUTH_PASSWORD_HASH"), threads, queue }
}

impl PasswordSettings {
    /// How new hashes are made where these tables were adopted: of the kind that is set, else of the kind that most of
    /// their rows have, so that the other program goes on verifying them.
    #[must_use]
    pub fn policy_on(&self, adoption: &Adoption) -> HashPolicy {
        let shared_with = match adoption.source {
            Source::UsersTable => SharedWith::Program,
            Source::BetterAuth => SharedWith::BetterAuth,
        };
        let theirs = adoption.hash.parse().unwrap_or(self.policy.scheme);
        let scheme = if self.explicit { self.policy.scheme } else { theirs };
        HashPolicy { scheme, shared_with, replaces: self.explicit, ..self.policy }
    }
}
