//! Encrypted tokens: compact JWE, `dir` with A256CBC-HS512 (RFC 7516; RFC 7518 §5.2; upstream: `crypto/jwt.mjs`,
//! `symmetricEncodeJWT` and `symmetricDecodeJWT`).
//!
//! The tag is checked in constant time before anything is decrypted, as RFC 7518 §5.2.2.2 demands. Upstream's list also names
//! A256GCM, but its 64-byte key does not fit that cipher, so no such token is ever accepted there, and none is here.

use aes::Aes256;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt as _, BlockModeEncrypt as _, KeyIvInit as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::{Digest as _, Sha256, Sha512};

use super::js_json::stringify_object;
use super::jwt::{is_unexpired, with_times};
use super::{EncodeError, JsonObject};
use crate::ids::generate_uuid;
use crate::secrets::{Secret, Secrets};

/// The key salt of `session_data`.
pub const SESSION_SALT: &str = "better-auth-session";
/// The key salt of `account_data`.
pub const ACCOUNT_SALT: &str = "better-auth-account";

const KEY_INFO: &[u8] = b"BetterAuth.js Generated Encryption Key";
const ENCRYPTION: &str = "A256CBC-HS512";
/// Seconds by which a token may be past its `exp`.
const CLOCK_TOLERANCE: i64 = 15;
const IV_LENGTH: usize = 16;
const TAG_LENGTH: usize = 32;

/// Encrypts `payload` with `iat`, `exp` and `jti` appended, under the current secret. `expires_in` is in seconds.
///
/// # Errors
/// [`EncodeError::Random`] when the system gives no random bytes.
pub fn symmetric_encode_jwt(
    payload: &JsonObject,
    secrets: &Secrets,
    salt: &str,
    expires_in: i64,
    now_ms: i64,
) -> Result<String, EncodeError> {
    let mut claims = with_times(payload, expires_in, now_ms);
    claims.insert("jti".to_owned(), generate_uuid().into());
    let mut iv = [0; IV_LENGTH];
    getrandom::fill(&mut iv)?;
    Ok(Key::derive(secrets.current(), salt).encrypt(&stringify_object(&claims), iv))
}

/// The claims of a token encrypted under any of the secrets and at most 15 seconds past its `exp`; `None` for anything else.
/// A token with a key id is tried with the secret of that id only.
pub fn symmetric_decode_jwt(token: &str, secrets: &Secrets, salt: &str, now_ms: i64) -> Option<JsonObject> {
    let parts = Parts::parse(token)?;
    let plaintext = secrets
        .all()
        .map(|secret| Key::derive(secret, salt))
        .filter(|key| parts.key_id.as_ref().is_none_or(|key_id| *key_id == key.id))
        .find_map(|key| key.decrypt(&parts))?;
    let claims: JsonObject = serde_json::from_slice(&plaintext).ok()?;
    is_unexpired(&claims, CLOCK_TOLERANCE, now_ms).then_some(claims)
}

/// A token taken apart, nothing of it trusted yet.
struct Parts<'a> {
    encoded_header: &'a str,
    key_id: Option<String>,
    iv: [u8; IV_LENGTH],
    ciphertext: Vec<u8>,
    tag: Vec<u8>,
}

impl<'a> Parts<'a> {
    fn parse(token: &'a str) -> Option<Self> {
        let mut parts = token.split('.');
        let encoded_header = parts.next()?;
        // With `dir` there is no encrypted key.
        let "" = parts.next()? else { return None };
        let mut bytes = || URL_SAFE_NO_PAD.decode(parts.next()?).ok();
        let (iv, ciphertext, tag) = (bytes()?, bytes()?, bytes()?);
        if parts.next().is_some() || tag.len() != TAG_LENGTH {
            return None;
        }

        let header: JsonObject = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(encoded_header).ok()?).ok()?;
        let is = |name: &str, expected: &str| header.get(name).and_then(Value::as_str) == Some(expected);
        if !is("alg", "dir") || !is("enc", ENCRYPTION) || header.contains_key("crit") || header.contains_key("zip") {
            return None;
        }
        let key_id = match header.get("kid") {
            None => None,
            Some(Value::String(key_id)) => Some(key_id.clone()),
            Some(_) => return None,
        };
        Some(Self { encoded_header, key_id, iv: iv.try_into().ok()?, ciphertext, tag })
    }
}

/// The two halves of a content encryption key, and its id.
struct Key {
    id: String,
    mac: [u8; 32],
    cipher: [u8; 32],
}

impl Key {
    /// HKDF-SHA256 (RFC 5869); the id is the thumbprint of the key as a JWK (RFC 7638).
    #[expect(clippy::expect_used, reason = "64 bytes are within what HKDF-SHA256 can give")]
    fn derive(secret: &Secret, salt: &str) -> Self {
        let mut bytes = [0; 64];
        Hkdf::<Sha256>::new(Some(salt.as_bytes()), secret.expose().as_bytes())
            .expand(KEY_INFO, &mut bytes)
            .expect("64 bytes are within what HKDF-SHA256 can give");
        let jwk = format!(r#"{{"k":"{}","kty":"oct"}}"#, URL_SAFE_NO_PAD.encode(bytes));
        let id = URL_SAFE_NO_PAD.encode(Sha256::digest(jwk));
        let (mut mac, mut cipher) = ([0; 32], [0; 32]);
        mac.copy_from_slice(bytes.split_at(32).0);
        cipher.copy_from_slice(bytes.split_at(32).1);
        Self { id, mac, cipher }
    }

    fn encrypt(&self, plaintext: &str, iv: [u8; IV_LENGTH]) -> String {
        let header = format!(r#"{{"alg":"dir","enc":"{ENCRYPTION}","kid":"{}"}}"#, self.id);
        let header = URL_SAFE_NO_PAD.encode(header);
        let ciphertext = cbc::Encryptor::<Aes256>::new(&self.cipher.into(), &iv.into())
            .encrypt_padded_vec::<Pkcs7>(plaintext.as_bytes());
        let mac = self.mac(&header, &iv, &ciphertext).finalize().into_bytes();
        let tag = mac.split_at(TAG_LENGTH).0;
        let [iv, ciphertext, tag] = [iv.as_slice(), &ciphertext, tag].map(|bytes| URL_SAFE_NO_PAD.encode(bytes));
        format!("{header}..{iv}.{ciphertext}.{tag}")
    }

    fn decrypt(&self, parts: &Parts<'_>) -> Option<Vec<u8>> {
        // `Parts` has seen to it that the tag is whole.
        self.mac(parts.encoded_header, &parts.iv, &parts.ciphertext).verify_truncated_left(&parts.tag).ok()?;
        cbc::Decryptor::<Aes256>::new(&self.cipher.into(), &parts.iv.into())
            .decrypt_padded_vec::<Pkcs7>(&parts.ciphertext)
            .ok()
    }

    /// HMAC-SHA512 over header, IV, ciphertext and the header's length in bits (RFC 7518 §5.2.2.1).
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    fn mac(&self, header: &str, iv: &[u8], ciphertext: &[u8]) -> Hmac<Sha512> {
        let header_bits = u64::try_from(header.len()).unwrap_or(u64::MAX).saturating_mul(8);
        Hmac::<Sha512>::new_from_slice(&self.mac)
            .expect("HMAC takes keys of any length")
            .chain_update(header)
            .chain_update(iv)
            .chain_update(ciphertext)
            .chain_update(header_bits.to_be_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "contract-lab-secret-0123456789abcdefghijklmnop";
    const CLAIMS: &str = r#"{"session":{"token":"t"},"updatedAt":1,"iat":1893456000,"exp":4102444800,"jti":"00000000-0000-4000-8000-000000000000"}"#;
    const TOKEN: &str = "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2Q0JDLUhTNTEyIiwia2lkIjoiOFhkRmxJRi1hMXVJbFlpQkhLLTNZeDlCYjJzUmRVbXB0M1lEZVdOV0xjYyJ9..AAECAwQFBgcICQoLDA0ODw.hZo01NFtA7OLGoxeqsAP5xUXP3CVUzsaOZ6w0uI8994Ab8LpED1IkUgAFyhO1-WdD26r3wpcOR-RtHdOZoYzeEjvq5eIiPXAms5LqOmjDFA_D9AN7m4Sk085JXug29E4zUfUr8Bpxi-4iBYCpdq0YJ-RKI3Tjbq2hVqKQLjmOUE.S8lyMh-4TBqTJ-DF2SL_hE6yqwALIwkFOVyZy_Ut75c";
    const IV: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
    const EXPIRY_MS: i64 = 4_102_444_800_000;

    fn secret() -> Secret {
        Secret::new(SECRET)
    }

    fn decode(token: &str, now_ms: i64) -> Option<JsonObject> {
        symmetric_decode_jwt(token, &Secrets::single(secret()), SESSION_SALT, now_ms)
    }

    /// A well-made token with another header than ours.
    fn with_header(header: &str) -> String {
        let key = Key::derive(&secret(), SESSION_SALT);
        let header = URL_SAFE_NO_PAD.encode(header);
        let parts = TOKEN.split('.').collect::<Vec<_>>();
        let ciphertext = URL_SAFE_NO_PAD.decode(parts[3]).unwrap();
        let tag = key.mac(&header, &IV, &ciphertext).finalize().into_bytes();
        format!("{header}..{}.{}.{}", parts[2], parts[3], URL_SAFE_NO_PAD.encode(&tag[..32]))
    }

    #[test]
    fn keys_and_key_ids_are_the_recorded_ones() {
        for (salt, bytes, id) in [
            (
                SESSION_SALT,
                "332dd19548df61836e8639051608b057f4d4391ec58b586fe622816ce22c242f27645996e3ee881e074416027ab5d45257d3dc3ebd20413ed170bda41906c585",
                "8XdFlIF-a1uIlYiBHK-3Yx9Bb2sRdUmpt3YDeWNWLcc",
            ),
            (
                ACCOUNT_SALT,
                "c888b4e557dcc858ec351bada677cd8874a95cd1d242ed106910dcf4ff331084eba8e465e936d6479bd0e4dc50ba38d5b3ff93f3e2c1484a5b94e401369cc8b7",
                "veflcz_a-XnV1K7TBA2GhFtFrBfLxgWtOFoTKV1a-Mk",
            ),
        ] {
            let key = Key::derive(&secret(), salt);
            assert_eq!(hex::encode([key.mac, key.cipher].concat()), bytes);
            assert_eq!(key.id, id);
        }
    }

    #[test]
    fn the_recorded_token_is_made_and_read() {
        assert_eq!(Key::derive(&secret(), SESSION_SALT).encrypt(CLAIMS, IV), TOKEN);
        let claims = decode(TOKEN, 1_893_456_000_000).unwrap();
        assert_eq!(stringify_object(&claims), CLAIMS);
    }

    #[test]
    fn a_token_may_be_fifteen_seconds_late_and_no_more() {
        assert!(decode(TOKEN, EXPIRY_MS + 14_999).is_some());
        assert!(decode(TOKEN, EXPIRY_MS + 15_000).is_none());
    }

    #[test]
    fn any_altered_part_is_refused() {
        for (position, byte) in TOKEN.bytes().enumerate() {
            let other = if byte == b'A' { 'B' } else { 'A' };
            let mut altered = TOKEN.to_owned();
            altered.replace_range(position..=position, &other.to_string());
            assert!(decode(&altered, 0).is_none(), "altered at {position}");
        }
    }

    #[test]
    fn missing_short_and_superfluous_parts_are_refused() {
        let parts: Vec<&str> = TOKEN.split('.').collect();
        for index in 0..5 {
            for replacement in ["", "AAAA"] {
                if parts[index] == replacement {
                    continue;
                }
                let mut altered = parts.clone();
                altered[index] = replacement;
                assert!(decode(&altered.join("."), 0).is_none(), "part {index} as {replacement:?}");
            }
        }
        assert!(decode(&format!("{TOKEN}.AAAA"), 0).is_none());
        assert!(decode(&parts[..4].join("."), 0).is_none());
        let truncated_tag = URL_SAFE_NO_PAD.encode(&URL_SAFE_NO_PAD.decode(parts[4]).unwrap()[..16]);
        assert!(decode(&[parts[0], "", parts[2], parts[3], &truncated_tag].join("."), 0).is_none());
    }

    #[test]
    fn only_plain_dir_and_a256cbc_hs512_headers_are_read() {
        let id = Key::derive(&secret(), SESSION_SALT).id;
        assert!(
            decode(&with_header(r#"{"alg":"dir","enc":"A256CBC-HS512"}"#), 0).is_some(),
            "the key id may be absent"
        );
        for header in [
            format!(r#"{{"alg":"dir","enc":"A256GCM","kid":"{id}"}}"#),
            format!(r#"{{"alg":"A256KW","enc":"A256CBC-HS512","kid":"{id}"}}"#),
            format!(r#"{{"alg":"dir","enc":"A256CBC-HS512","zip":"DEF","kid":"{id}"}}"#),
            format!(r#"{{"alg":"dir","enc":"A256CBC-HS512","crit":["x"],"x":1,"kid":"{id}"}}"#),
            r#"{"alg":"dir","enc":"A256CBC-HS512","kid":"other"}"#.to_owned(),
            r#"{"alg":"dir","enc":"A256CBC-HS512","kid":1}"#.to_owned(),
            "[]".to_owned(),
        ] {
            assert!(decode(&with_header(&header), 0).is_none(), "{header}");
        }
    }

    #[test]
    fn tokens_of_older_and_legacy_secrets_are_read_after_rotation() {
        let payload = JsonObject::from_iter([("a".to_owned(), Value::from(1))]);
        let rotated =
            Secrets::versions(vec![(2, Secret::new("new")), (1, Secret::new("old"))], Some(Secret::new("legacy")))
                .unwrap();
        for (author, readable) in [("new", true), ("old", true), ("legacy", true), ("stranger", false)] {
            let token =
                symmetric_encode_jwt(&payload, &Secrets::single(Secret::new(author)), SESSION_SALT, 60, 0).unwrap();
            assert_eq!(symmetric_decode_jwt(&token, &rotated, SESSION_SALT, 0).is_some(), readable, "{author}");
        }
        let token = symmetric_encode_jwt(&payload, &rotated, SESSION_SALT, 60, 0).unwrap();
        assert!(symmetric_decode_jwt(&token, &Secrets::single(Secret::new("new")), SESSION_SALT, 0).is_some());
        assert!(symmetric_decode_jwt(&token, &rotated, ACCOUNT_SALT, 0).is_none(), "another salt is another key");
    }

    #[test]
    fn claims_end_with_iat_exp_and_a_version_4_uuid() {
        let token =
            symmetric_encode_jwt(&JsonObject::new(), &Secrets::single(secret()), SESSION_SALT, 300, 1_893_456_000_999)
                .unwrap();
        let claims = decode(&token, 1_893_456_000_999).unwrap();
        assert_eq!(claims.keys().collect::<Vec<_>>(), ["iat", "exp", "jti"]);
        assert_eq!((claims["iat"].as_i64(), claims["exp"].as_i64()), (Some(1_893_456_000), Some(1_893_456_300)));
        let uuid = claims["jti"].as_str().unwrap();
        let groups: Vec<&str> = uuid.split('-').collect();
        assert_eq!(groups.iter().map(|group| group.len()).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
        assert!(groups[2].starts_with('4') && groups[3].starts_with(['8', '9', 'a', 'b']), "{uuid}");
    }
}
