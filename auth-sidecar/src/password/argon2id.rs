//! argon2 in PHC strings: new ones argon2id with OWASP's parameters, stored ones with any within the caps.

use argon2::password_hash::Error;
use argon2::password_hash::phc::PasswordHash;
use argon2::{
    ARGON2I_IDENT, ARGON2ID_IDENT, Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version,
};

use super::{HashError, Refused};

/// Memory of a new hash in KiB, its passes and its lanes (OWASP password storage cheat sheet, argon2id).
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// Bytes of a new hash's output.
const OUTPUT: usize = 32;

/// The most memory a stored hash may ask for, in KiB: 256 MiB for each hashing thread. The RFC 9106 profile that
/// pwdlib and argon2-cffi use by default asks for a quarter of it.
const MAX_MEMORY_KIB: u32 = 262_144;
/// The most passes a stored hash may ask for.
const MAX_PASSES: u32 = 16;
/// The most lanes a stored hash may ask for; they are computed one after the other.
const MAX_LANES: u32 = 16;

/// A stored hash of this family.
pub(super) struct Hash {
    phc: PasswordHash,
    params: Params,
}

impl Hash {
    pub(super) fn parse(stored: &str) -> Result<Self, Refused> {
        let mut phc = PasswordHash::new(stored).map_err(|_| Refused::Malformed)?;
        // Before the field existed there was only version 0x10; the library would assume 0x13.
        let version = *phc.version.get_or_insert_with(|| Version::V0x10.into());
        let params = Params::try_from(&phc).map_err(|_| Refused::Malformed)?;
        if params.m_cost() > MAX_MEMORY_KIB || params.t_cost() > MAX_PASSES || params.p_cost() > MAX_LANES {
            return Err(Refused::TooExpensive);
        }
        let complete = [ARGON2ID_IDENT, ARGON2I_IDENT].contains(&phc.algorithm)
            && Version::try_from(version).is_ok()
            && phc.salt.is_some()
            && phc.hash.is_some();
        if complete { Ok(Self { phc, params }) } else { Err(Refused::Malformed) }
    }

    /// `verify_password` compares in constant time (`phc::Output`).
    pub(super) fn matches(&self, password: &[u8]) -> bool {
        #[cfg(test)]
        super::tests::count_work(u64::from(self.params.m_cost()) * u64::from(self.params.t_cost()));
        match Argon2::default().verify_password(password, &self.phc) {
            Ok(()) => true,
            Err(Error::PasswordInvalid) => false,
            Err(error) => {
                tracing::error!(%error, "a stored argon2 hash could not be checked");
                false
            }
        }
    }

    /// Whether anything but the salt differs from what a new hash has.
    pub(super) fn is_outdated(&self) -> bool {
        self.phc.algorithm != ARGON2ID_IDENT
            || self.phc.version != Some(Version::V0x13.into())
            || Params::new(MEMORY_KIB, PASSES, LANES, Some(OUTPUT)).as_ref() != Ok(&self.params)
    }
}

/// A new hash.
pub(super) fn make(password: &[u8], salt: [u8; 16]) -> Result<String, HashError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, Some(OUTPUT)).map_err(|_| HashError::Failed)?;
    #[cfg(test)]
    super::tests::count_work(u64::from(MEMORY_KIB) * u64::from(PASSES));
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_with_salt(password, &salt)
        .map(|phc| phc.to_string())
        .map_err(|_| HashError::Failed)
}
