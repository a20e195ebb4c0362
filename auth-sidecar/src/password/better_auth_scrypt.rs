//! Better Auth's own hash, `<salt>:<key in hex>` (`@better-auth/utils/password`, `hashPassword` and `verifyPassword`).
//! Its cost is fixed: N=16384, r=16, p=1, which takes 32 MiB.

use scrypt::{Params, scrypt};
use subtle::ConstantTimeEq as _;

use super::{HashError, Refused};

const LOG_N: u8 = 14;
const R: u32 = 16;
const P: u32 = 1;
/// Bytes of the key, twice as many hex digits.
const KEY_BYTES: usize = 64;

/// A stored hash of this kind.
pub(super) struct Hash<'a> {
    salt: &'a str,
    key: &'a str,
}

impl<'a> Hash<'a> {
    pub(super) fn parse(stored: &'a str) -> Result<Self, Refused> {
        // upstream: any salt text counts, and the key is compared as lower-case hex, so upper case never matches.
        stored
            .split_once(':')
            .filter(|(salt, _)| !salt.is_empty())
            .filter(|(_, key)| key.len() == 2 * KEY_BYTES)
            .filter(|(_, key)| key.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')))
            .map(|(salt, key)| Self { salt, key })
            .ok_or(Refused::Malformed)
    }

    pub(super) fn matches(&self, password: &[u8]) -> bool {
        key(password, self.salt).is_ok_and(|key| key.as_bytes().ct_eq(self.key.as_bytes()).into())
    }
}

/// A new hash.
pub(super) fn make(password: &[u8], salt: [u8; 16]) -> Result<String, HashError> {
    let salt = hex::encode(salt);
    let key = key(password, &salt)?;
    Ok(format!("{salt}:{key}"))
}

/// The salt is its text, not the bytes the text stands for.
fn key(password: &[u8], salt: &str) -> Result<String, HashError> {
    let params = Params::new(LOG_N, R, P).map_err(|_| HashError::Failed)?;
    #[cfg(test)]
    super::tests::count_work(1);
    let mut key = [0; KEY_BYTES];
    scrypt(password, salt.as_bytes(), &params, &mut key).map_err(|_| HashError::Failed)?;
    Ok(hex::encode(key))
}
