//! Password hashes: making them, checking them, and checking what other programs made.
//!
//! | stored | made by | checked as |
//! |---|---|---|
//! | `$2b$`, `$2a$`, `$2y$` | this service below 72 bytes; passlib, pwdlib, PHP, Node | bcrypt over the first 72 bytes |
//! | `$bcrypt-sha256$v=2,…` | this service from 72 bytes on; passlib from 1.7.3 | bcrypt of HMAC-SHA256 |
//! | `$bcrypt-sha256$2b,…` | passlib before 1.7.3 | bcrypt of SHA-256 |
//! | `$argon2id$`, `$argon2i$` | this service by setting; pwdlib, argon2-cffi, passlib | as its own parameters say, within caps |
//! | `salt:key` | this service by setting; Better Auth | Better Auth's scrypt |
//!
//! A password is hashed in its NFKC form, as upstream does. Most Python code hashes what was typed, so a password whose
//! two forms differ is checked in both, NFKC first.
//!
//! **Time.** [`verify`] that fails costs one hash of the stored kind, [`burn`] one hash of the policy; both twice if
//! the password differs from its NFKC form. So an unknown user cannot be told by time from one whose hash follows the
//! policy, nor from one with a cheaper bcrypt hash (the missing work is done as well) or with a refused one (all of it
//! is). bcrypt of cost 10 and Better Auth's scrypt are near each other. A dearer bcrypt hash and argon2id against
//! bcrypt *can* be told apart until the user's next sign-in replaces the hash (argon2id) or for good (dearer bcrypt:
//! set the cost to that of the imported hashes).

mod argon2id;
mod bcrypt_family;
mod better_auth_scrypt;
mod hasher;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;

use std::fmt;
use std::hint::black_box;
use std::str::FromStr;

use unicode_normalization::UnicodeNormalization as _;

pub use self::bcrypt_family::MAX_COST as MAX_BCRYPT_COST;
pub use self::hasher::{Hasher, HasherError};

/// The lowest bcrypt cost a running service may use for new hashes (the OWASP password storage cheat sheet's floor);
/// tests go lower.
pub const MIN_BCRYPT_COST: u32 = 10;

/// What new hashes are: the setting `AUTH_PASSWORD_HASH`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// bcrypt `$2b$`; passlib's `$bcrypt-sha256$v=2` for passwords bcrypt would cut.
    Bcrypt,
    /// argon2id with OWASP's parameters: 19456 KiB, 2 passes, 1 lane.
    Argon2id,
    /// Better Auth's own scrypt, for a database shared with a Node server.
    Scrypt,
    /// passlib's `$bcrypt-sha256$v=2` for every password; no setting, but what an adopted table may hold.
    BcryptSha256,
}

/// The text names no [`Scheme`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected bcrypt, argon2id or scrypt")]
pub struct UnknownScheme;

impl FromStr for Scheme {
    type Err = UnknownScheme;

    fn from_str(name: &str) -> Result<Self, UnknownScheme> {
        match name {
            "bcrypt" => Ok(Self::Bcrypt),
            "argon2id" => Ok(Self::Argon2id),
            "scrypt" => Ok(Self::Scrypt),
            "bcrypt-sha256" => Ok(Self::BcryptSha256),
            _ => Err(UnknownScheme),
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bcrypt => "bcrypt",
            Self::Argon2id => "argon2id",
            Self::Scrypt => "scrypt",
            Self::BcryptSha256 => "bcrypt-sha256",
        })
    }
}

/// How new hashes are made, and so which stored ones are out of date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashPolicy {
    /// The kind of new hashes.
    pub scheme: Scheme,
    /// The base-2 logarithm of bcrypt's rounds, [`MIN_BCRYPT_COST`] to [`MAX_BCRYPT_COST`] (from 4 in tests). The
    /// configuration checks the range: outside of it [`hash`] fails and [`burn`] does nothing.
    pub bcrypt_cost: u32,
    /// Who else verifies the hashes. Of theirs none is replaced by one of the same kind.
    pub shared_with: SharedWith,
    /// Whether hashes of another kind than [`HashPolicy::scheme`] are replaced.
    pub replaces: bool,
}

/// Who else verifies the hashes that are made, and so may know fewer kinds than this service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SharedWith {
    /// Nobody, or whoever knows what the setting says: a hash that is out of date is replaced.
    #[default]
    Nobody,
    /// Another program on an adopted table, which hashes what was typed.
    Program,
    /// A Better Auth server, which hashes the NFKC form.
    BetterAuth,
}

/// What [`verify`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not the password, or no usable hash.
    Wrong,
    /// The password.
    Right {
        /// The hash is not what the policy would make now (another scheme, a lower bcrypt cost, other argon2
        /// parameters, a form that cuts or does not normalise this password): store a new one.
        rehash: bool,
    },
}

/// Why [`hash`] made none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// The password holds U+0000, where implementations of bcrypt end the password or repeat it.
    #[error("the password contains a NUL character")]
    Nul,
    /// No random bytes, no memory, or a cost outside its range.
    #[error("the password could not be hashed")]
    Failed,
}

/// Why a stored hash is not even tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Not one of the table above.
    #[error("it is malformed or of an unknown kind")]
    Malformed,
    /// Checking it would take more than a sign-in may.
    #[error("its cost is above the cap")]
    TooExpensive,
}

/// The kind of a stored hash that [`verify`] accepts: `bcrypt`, `bcrypt-sha256`, `argon2` or `scrypt`.
///
/// # Errors
/// Why [`verify`] would refuse it.
pub fn kind_of(stored: &str) -> Result<&'static str, Refused> {
    Stored::parse(stored).map(|hash| match hash {
        Stored::Bcrypt(_) if stored.starts_with("$bcrypt-sha256$") => "bcrypt-sha256",
        Stored::Bcrypt(_) => "bcrypt",
        Stored::Argon2(_) => "argon2",
        Stored::Scrypt(_) => "scrypt",
    })
}

/// Hashes the NFKC form of `password` as the policy says (what was typed for [`SharedWith::Program`]), with a fresh
/// random salt.
///
/// # Errors
/// [`HashError::Nul`] for a password with U+0000; [`HashError::Failed`] if the system gives no random bytes or the
/// policy's cost is out of range.
pub fn hash(policy: &HashPolicy, password: &str) -> Result<String, HashError> {
    if password.contains('\0') {
        return Err(HashError::Nul);
    }
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|_| HashError::Failed)?;
    match policy.shared_with {
        SharedWith::Program => make(policy, password.as_bytes(), salt),
        SharedWith::Nobody | SharedWith::BetterAuth => make(policy, spellings(password).0.as_bytes(), salt),
    }
}

/// Checks `password` against a stored hash of any known kind. It never fails: a stored hash that is malformed or costs
/// more than the caps allow raises an alarm in the log (without the hash), does the work of [`burn`] and is
/// [`Verdict::Wrong`]. A password with U+0000 is always wrong.
#[must_use]
pub fn verify(policy: &HashPolicy, password: &str, stored: &str) -> Verdict {
    let stored = match Stored::parse(stored) {
        Ok(stored) => stored,
        Err(refused) => {
            tracing::error!(reason = %refused, "a stored password hash is refused");
            burn(policy, password);
            return Verdict::Wrong;
        }
    };
    let (normal, raw) = spellings(password);
    let verdict = if stored.matches(normal.as_bytes()) {
        Verdict::Right { rehash: stored.is_outdated(policy, normal.as_bytes()) }
    } else if raw.is_some_and(|raw| stored.matches(raw.as_bytes())) {
        Verdict::Right { rehash: policy.shared_with == SharedWith::Nobody }
    } else {
        for spelling in [Some(normal.as_str()), raw].into_iter().flatten() {
            stored.make_up_work(policy, spelling.as_bytes());
        }
        Verdict::Wrong
    };
    // Decided last, so that it costs the same. bcrypt repeats its key: `x` and `x\0x` would verify against one hash.
    if password.contains('\0') { Verdict::Wrong } else { verdict }
}

/// Does the work of one failing [`verify`] against a hash of the policy, for a user who does not exist or has no
/// password.
pub fn burn(policy: &HashPolicy, password: &str) {
    let (normal, raw) = spellings(password);
    for spelling in [Some(normal.as_str()), raw].into_iter().flatten() {
        let _ = black_box(make(policy, spelling.as_bytes(), [0; 16]));
    }
}

/// The NFKC form, and the password as typed if that is another.
fn spellings(password: &str) -> (String, Option<&str>) {
    let normal: String = password.nfkc().collect();
    let raw = (normal != password).then_some(password);
    (normal, raw)
}

fn make(policy: &HashPolicy, password: &[u8], salt: [u8; 16]) -> Result<String, HashError> {
    match policy.scheme {
        Scheme::Bcrypt => bcrypt_family::make(password, policy.bcrypt_cost, salt),
        Scheme::Argon2id => argon2id::make(password, salt),
        Scheme::Scrypt => better_auth_scrypt::make(password, salt),
        Scheme::BcryptSha256 => bcrypt_family::make_sha256(password, policy.bcrypt_cost, salt),
    }
}

/// A stored hash, understood and within the caps.
enum Stored<'a> {
    Bcrypt(bcrypt_family::Hash<'a>),
    Argon2(Box<argon2id::Hash>),
    Scrypt(better_auth_scrypt::Hash<'a>),
}

impl<'a> Stored<'a> {
    fn parse(stored: &'a str) -> Result<Self, Refused> {
        if stored.starts_with("$argon2") {
            argon2id::Hash::parse(stored).map(|hash| Self::Argon2(Box::new(hash)))
        } else if stored.starts_with('$') {
            bcrypt_family::Hash::parse(stored).map(Self::Bcrypt)
        } else {
            better_auth_scrypt::Hash::parse(stored).map(Self::Scrypt)
        }
    }

    /// Whether the hash is that of these bytes; the comparison takes the same time for every answer.
    fn matches(&self, password: &[u8]) -> bool {
        match self {
            Self::Bcrypt(hash) => hash.matches(password),
            Self::Argon2(hash) => hash.matches(password),
            Self::Scrypt(hash) => hash.matches(password),
        }
    }

    /// Whether [`make`] would now make another kind of hash of this password.
    fn is_outdated(&self, policy: &HashPolicy, password: &[u8]) -> bool {
        let is_of_the_kind = match self {
            Self::Bcrypt(_) => matches!(policy.scheme, Scheme::Bcrypt | Scheme::BcryptSha256),
            Self::Argon2(_) => policy.scheme == Scheme::Argon2id,
            Self::Scrypt(_) => policy.scheme == Scheme::Scrypt,
        };
        if policy.shared_with != SharedWith::Nobody {
            // One that bcrypt would cut gets a kind that fewer programs know: theirs is better.
            let is_cut = policy.scheme == Scheme::Bcrypt && password.len() >= bcrypt_family::PLAIN_LIMIT;
            return policy.replaces && !is_of_the_kind && !is_cut;
        }
        if !is_of_the_kind {
            return policy.replaces;
        }
        match self {
            Self::Bcrypt(hash) => hash.is_outdated(policy.bcrypt_cost, password),
            Self::Argon2(hash) => hash.is_outdated(),
            Self::Scrypt(_) => false,
        }
    }

    /// After a failed check, the work by which this hash is cheaper than one of the policy, where that can be told.
    fn make_up_work(&self, policy: &HashPolicy, password: &[u8]) {
        if let (Self::Bcrypt(hash), Scheme::Bcrypt | Scheme::BcryptSha256) = (self, policy.scheme) {
            hash.make_up_work(policy.bcrypt_cost, password);
        }
    }
}
