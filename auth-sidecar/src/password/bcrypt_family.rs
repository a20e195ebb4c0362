//! bcrypt in its modular form, and passlib's bcrypt-sha256 around it
//! (`passlib/handlers/bcrypt.py`, `class bcrypt_sha256`).

use std::hint::black_box;

use base64::Engine as _;
use base64::alphabet::BCRYPT;
use base64::engine::general_purpose::{NO_PAD, STANDARD};
use base64::engine::{DecodePaddingMode, GeneralPurpose};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::{HashError, Refused};

/// The lowest cost bcrypt defines.
const MIN_COST: u32 = 4;

/// The highest bcrypt cost that is checked or made: 32 times the work of cost 10, about two seconds. Cost 31 would take
/// more than a day of one thread.
pub const MAX_COST: u32 = 15;

/// bcrypt reads this many bytes and the closing NUL is one of them. From this length on a password goes into
/// bcrypt-sha256: plain bcrypt would take a password of 72 bytes and a longer one that begins with it for the same.
pub(super) const PLAIN_LIMIT: usize = 72;

/// The length of a checksum in bcrypt's base64: 23 bytes.
const CHECKSUM_CHARS: usize = 31;

/// Salts with unused bits set are read as passlib and OpenBSD read them: the bits do not count.
const SALT_BASE64: GeneralPurpose = GeneralPurpose::new(
    &BCRYPT,
    NO_PAD.with_decode_allow_trailing_bits(true).with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

/// What bcrypt is fed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// The password, its first 72 bytes.
    Plain,
    /// The base64 of its SHA-256.
    Sha256V1,
    /// The base64 of its HMAC-SHA256 under the salt's text.
    Sha256V2,
}

/// A stored hash of this family.
pub(super) struct Hash<'a> {
    form: Form,
    cost: u32,
    salt: [u8; 16],
    checksum: &'a str,
}

impl<'a> Hash<'a> {
    pub(super) fn parse(stored: &'a str) -> Result<Self, Refused> {
        let hash = Self::fields(stored).ok_or(Refused::Malformed)?;
        if hash.cost > MAX_COST { Err(Refused::TooExpensive) } else { Ok(hash) }
    }

    fn fields(stored: &'a str) -> Option<Self> {
        let (form, cost, salt, checksum) = if let Some(rest) = stored.strip_prefix("$bcrypt-sha256$") {
            let (head, rest) = rest.split_once('$')?;
            let (salt, checksum) = rest.split_once('$')?;
            if let Some(cost) = head.strip_prefix("v=2,t=2b,r=") {
                (Form::Sha256V2, cost, salt, checksum)
            } else {
                let cost = head.strip_prefix("2a,").or_else(|| head.strip_prefix("2b,"))?;
                (Form::Sha256V1, cost, salt, checksum)
            }
        } else {
            // `$2x$` marks hashes of a broken implementation and `$2$` one without the closing NUL: neither is read.
            let rest = ["$2a$", "$2b$", "$2y$"].iter().find_map(|prefix| stored.strip_prefix(prefix))?;
            let (cost, rest) = rest.split_once('$')?;
            let (salt, checksum) = rest.split_at_checked(22)?;
            (Form::Plain, cost, salt, checksum)
        };
        if !(1..=2).contains(&cost.len()) || !cost.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        let cost = cost.parse().ok().filter(|cost| *cost >= MIN_COST)?;
        let salt = SALT_BASE64.decode(salt).ok()?.try_into().ok()?;
        let alphabet = BCRYPT.as_str();
        (checksum.len() == CHECKSUM_CHARS && checksum.chars().all(|c| alphabet.contains(c))).then_some(Self {
            form,
            cost,
            salt,
            checksum,
        })
    }

    pub(super) fn matches(&self, password: &[u8]) -> bool {
        compute(self.form, password, self.cost, self.salt).is_ok_and(|line| {
            let (_, checksum) = split_checksum(&line);
            checksum.as_bytes().ct_eq(self.checksum.as_bytes()).into()
        })
    }

    /// Whether a new hash of this password would cost more or be of a form that neither cuts it nor is superseded.
    pub(super) fn is_outdated(&self, cost: u32, password: &[u8]) -> bool {
        self.cost < cost
            || match self.form {
                Form::Plain => password.len() >= PLAIN_LIMIT,
                Form::Sha256V1 => true,
                Form::Sha256V2 => false,
            }
    }

    /// The work by which this hash is cheaper than one of `cost`: 2ⁿ + 2ⁿ⁺¹ + … + 2ᵐ⁻¹ = 2ᵐ − 2ⁿ rounds.
    pub(super) fn make_up_work(&self, cost: u32, password: &[u8]) {
        for cost in self.cost..cost.min(MAX_COST) {
            let _ = black_box(compute(self.form, password, cost, self.salt));
        }
    }
}

/// A new hash: `$2b$`, or `$bcrypt-sha256$v=2` for a password that bcrypt would cut.
pub(super) fn make(password: &[u8], cost: u32, salt: [u8; 16]) -> Result<String, HashError> {
    if cost > MAX_COST {
        return Err(HashError::Failed);
    }
    if password.len() < PLAIN_LIMIT {
        return compute(Form::Plain, password, cost, salt);
    }
    make_sha256(password, cost, salt)
}

/// A new `$bcrypt-sha256$v=2` hash.
pub(super) fn make_sha256(password: &[u8], cost: u32, salt: [u8; 16]) -> Result<String, HashError> {
    if cost > MAX_COST {
        return Err(HashError::Failed);
    }
    let line = compute(Form::Sha256V2, password, cost, salt)?;
    let (_, checksum) = split_checksum(&line);
    Ok(format!("$bcrypt-sha256$v=2,t=2b,r={cost}${}${checksum}", salt_text(salt)))
}

/// The `$2b$` line of what the form makes of the password.
fn compute(form: Form, password: &[u8], cost: u32, salt: [u8; 16]) -> Result<String, HashError> {
    let digest;
    let key = match form {
        Form::Plain => password,
        Form::Sha256V1 => {
            digest = STANDARD.encode(Sha256::digest(password));
            digest.as_bytes()
        }
        Form::Sha256V2 => {
            let mut mac = Hmac::<Sha256>::new_from_slice(salt_text(salt).as_bytes()).map_err(|_| HashError::Failed)?;
            mac.update(password);
            digest = STANDARD.encode(mac.finalize().into_bytes());
            digest.as_bytes()
        }
    };
    #[cfg(test)]
    super::tests::count_work(1_u64.wrapping_shl(cost));
    // Not `non_truncating_…`: a plain hash made elsewhere covers only the first 72 bytes.
    let parts = bcrypt::hash_with_salt(key, cost, salt).map_err(|_| HashError::Failed)?;
    Ok(parts.format_for_version(bcrypt::Version::TwoB))
}

/// The salt as bcrypt writes it; in bcrypt-sha256 this text is the HMAC's key.
fn salt_text(salt: [u8; 16]) -> String {
    bcrypt::BASE_64.encode(salt)
}

/// Cuts a `$2b$` line before its checksum.
fn split_checksum(line: &str) -> (&str, &str) {
    line.split_at_checked(line.len().saturating_sub(CHECKSUM_CHARS)).unwrap_or((line, ""))
}
