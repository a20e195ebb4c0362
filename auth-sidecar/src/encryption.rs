//! Text kept encrypted in the database (upstream: `crypto/index.mjs`, `symmetricEncrypt` and `symmetricDecrypt`):
//! XChaCha20-Poly1305 under SHA-256 of the secret, `hex(nonce ‖ ciphertext ‖ tag)`, with versioned secrets
//! behind `$ba$<version>$`.

use chacha20poly1305::aead::Aead as _;
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use sha2::{Digest as _, Sha256};

use crate::secrets::{Secret, Secrets};

const NONCE_LENGTH: usize = 24;

/// A text that could not be encrypted.
#[derive(Debug, thiserror::Error)]
pub enum EncryptError {
    /// The system gave no random bytes.
    #[error("the system's random source failed")]
    Random(#[from] getrandom::Error),
    /// The cipher refused, as it does for texts of many gigabytes.
    #[error("the text cannot be encrypted")]
    Cipher,
}

/// `plaintext` under the current secret.
///
/// # Errors
/// [`EncryptError`]; neither is seen in practice.
pub fn symmetric_encrypt(secrets: &Secrets, plaintext: &str) -> Result<String, EncryptError> {
    let mut nonce = [0; NONCE_LENGTH];
    getrandom::fill(&mut nonce)?;
    encrypt_with(secrets, plaintext, nonce)
}

fn encrypt_with(secrets: &Secrets, plaintext: &str, nonce: [u8; NONCE_LENGTH]) -> Result<String, EncryptError> {
    let sealed = cipher(secrets.current()).encrypt(&XNonce::from(nonce), plaintext.as_bytes());
    let hex = hex::encode([nonce.as_slice(), &sealed.map_err(|_| EncryptError::Cipher)?].concat());
    Ok(secrets.current_version().map_or_else(|| hex.clone(), |version| format!("$ba${version}${hex}")))
}

/// The text, if any of the secrets opens it. The tag tells for certain which one does, so unlike upstream the version
/// is not needed to find it: what was sealed before secrets had versions stays readable under them.
#[must_use]
pub fn symmetric_decrypt(secrets: &Secrets, sealed: &str) -> Option<String> {
    let hex = match sealed.strip_prefix("$ba$") {
        Some(versioned) => versioned.split_once('$')?.1,
        None => sealed,
    };
    let bytes = hex::decode(hex).ok()?;
    let (nonce, ciphertext) = bytes.split_at_checked(NONCE_LENGTH)?;
    let nonce = XNonce::from(<[u8; NONCE_LENGTH]>::try_from(nonce).ok()?);
    let plaintext = secrets.all().find_map(|secret| cipher(secret).decrypt(&nonce, ciphertext).ok())?;
    String::from_utf8(plaintext).ok()
}

fn cipher(secret: &Secret) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(&Sha256::digest(secret.expose().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The secret of the vectors, which the npm package made.
    const S: &str = "contract-lab-secret-0123456789abcdefghijklmnop";

    #[test]
    fn upstreams_texts_open_and_are_made_byte_by_byte() {
        let nonce: [u8; NONCE_LENGTH] = std::array::from_fn(|i| u8::try_from(i).unwrap());
        let secrets = Secrets::single(Secret::new(S));
        let versioned = Secrets::versions(vec![(2, Secret::new(S))], None).unwrap();
        for (text, sealed) in [
            (
                "hello world",
                "000102030405060708090a0b0c0d0e0f1011121314151617091970acaca9773eec96355cf09dfcd7419a248d089c349a15c587",
            ),
            (
                "{\"kty\":\"OKP\"}",
                "000102030405060708090a0b0c0d0e0f10111213141516171a5e77b4baab3a73d1b101a0fb6a097b8f86fe8b37679fe3b783d148f2",
            ),
        ] {
            assert_eq!(encrypt_with(&secrets, text, nonce).unwrap(), sealed);
            assert_eq!(symmetric_decrypt(&secrets, sealed).as_deref(), Some(text));
            assert_eq!(encrypt_with(&versioned, text, nonce).unwrap(), format!("$ba$2${sealed}"));
        }
    }

    #[test]
    fn what_is_sealed_opens_again_under_every_secret_that_is_kept() {
        let old = Secrets::single(Secret::new("the-old-secret"));
        let sealed = symmetric_encrypt(&old, "{\"d\":\"é\"}").unwrap();
        assert!(!sealed.starts_with('$'));
        let rotated =
            Secrets::versions(vec![(2, Secret::new("new")), (1, Secret::new("the-old-secret"))], None).unwrap();
        assert_eq!(symmetric_decrypt(&rotated, &sealed).as_deref(), Some("{\"d\":\"é\"}"));
        let versioned = symmetric_encrypt(&rotated, "x").unwrap();
        assert!(versioned.starts_with("$ba$2$"), "{versioned}");
        assert_eq!(symmetric_decrypt(&rotated, &versioned).as_deref(), Some("x"));
        assert_eq!(symmetric_decrypt(&old, &versioned), None);
    }

    #[test]
    fn odd_and_changed_texts_do_not_open() {
        let secrets = Secrets::single(Secret::new(S));
        let sealed = symmetric_encrypt(&secrets, "hello").unwrap();
        let mut changed = sealed.clone().into_bytes();
        let last = changed.len() - 1;
        changed[last] = if changed[last] == b'0' { b'1' } else { b'0' };
        let changed = String::from_utf8(changed).unwrap();
        for odd in ["", "x", "00", "$ba$", "$ba$1$", "$ba$1$00", "zz", changed.as_str(), sealed.get(2..).unwrap()] {
            assert_eq!(symmetric_decrypt(&secrets, odd), None, "{odd}");
        }
    }
}
