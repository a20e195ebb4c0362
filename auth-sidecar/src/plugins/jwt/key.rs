//! One signing key: made, read from its JWK (RFC 7517, 7518, 8037), signing and verifying
//! (upstream: `plugins/jwt/utils`, which uses the npm package `jose`).
//!
//! The `jsonwebtoken` crate knows no ES512 and reads a private key anew for each token, so the keys
//! here are those of `aws-lc-rs`, its own backend.

use aws_lc_rs::encoding::{AsBigEndian as _, AsDer as _, Curve25519SeedBin, EcPrivateKeyBin, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPairComponents, KeySize};
use aws_lc_rs::signature::{
    self, ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED,
    ECDSA_P521_SHA512_FIXED_SIGNING, ED25519, EcdsaKeyPair, EcdsaSigningAlgorithm, EcdsaVerificationAlgorithm,
    Ed25519KeyPair, KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_SHA256, RsaEncoding, RsaKeyPair, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use crate::cookies::JsonObject;

/// The algorithms a key may have (upstream: `JWKOptions`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyAlg {
    /// Ed25519 (RFC 8037).
    EdDsa,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-521 with SHA-512.
    Es512,
    /// RSASSA-PKCS1-v1_5 with SHA-256, 2048 bits.
    Rs256,
    /// RSASSA-PSS with SHA-256, 2048 bits.
    Ps256,
}

impl KeyAlg {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::EdDsa, Self::Es256, Self::Es512, Self::Rs256, Self::Ps256];

    /// The name in a token's header.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Es512 => "ES512",
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
        }
    }

    /// The algorithm of a name; `None` for any other.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|alg| alg.name() == name)
    }

    /// The algorithm of a stored key: the one its row names, else, as early versions of upstream
    /// named none, the one of its form. `None` for a key nothing can be signed with here.
    #[must_use]
    pub fn of(row: &schema::Jwk, configured: Self) -> Option<Self> {
        if let Some(name) = &row.alg {
            return Self::parse(name);
        }
        let jwk: JsonObject = serde_json::from_str(&row.public_key).ok()?;
        let text = |member: &str| jwk.get(member).and_then(Value::as_str);
        match (text("kty")?, text("crv")) {
            ("OKP", Some("Ed25519")) => Some(Self::EdDsa),
            ("EC", Some("P-256")) => Some(Self::Es256),
            ("EC", Some("P-521")) => Some(Self::Es512),
            ("RSA", _) if configured == Self::Ps256 => Some(Self::Ps256),
            ("RSA", _) => Some(Self::Rs256),
            _ => None,
        }
    }
}

/// Why a key cannot be made or used; safe to log.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The cryptographic library refused.
    #[error("the key could not be made or used for signing")]
    Crypto,
    /// The JWK lacks a member, or a member is not what it should be.
    #[error("the stored key is no private JWK of its algorithm")]
    Malformed,
}

impl From<aws_lc_rs::error::Unspecified> for KeyError {
    fn from(_: aws_lc_rs::error::Unspecified) -> Self {
        Self::Crypto
    }
}

impl From<aws_lc_rs::error::KeyRejected> for KeyError {
    fn from(_: aws_lc_rs::error::KeyRejected) -> Self {
        Self::Malformed
    }
}

/// A fresh pair of keys as JWKs, their members in the order of npm's `jose`.
pub struct NewKey {
    /// The curve, for keys that are on one.
    pub crv: Option<&'static str>,
    /// What everybody may see.
    pub public: JsonObject,
    /// The private key; a secret.
    pub private: JsonObject,
}

/// Makes a pair of keys. RSA takes a tenth of a second and more: call it off the async threads.
///
/// # Errors
/// [`KeyError::Crypto`] when the library fails.
pub fn generate(alg: KeyAlg) -> Result<NewKey, KeyError> {
    match alg {
        KeyAlg::EdDsa => {
            let pair = Ed25519KeyPair::generate()?;
            let seed: Curve25519SeedBin<'_> = pair.seed()?.as_be_bytes()?;
            let (x, d) = (encode(pair.public_key().as_ref()), encode(seed.as_ref()));
            Ok(NewKey {
                crv: Some("Ed25519"),
                public: object(json!({ "crv": "Ed25519", "x": x, "kty": "OKP" })),
                private: object(json!({ "crv": "Ed25519", "d": d, "x": x, "kty": "OKP" })),
            })
        }
        KeyAlg::Es256 => generate_ec(&ECDSA_P256_SHA256_FIXED_SIGNING, "P-256"),
        KeyAlg::Es512 => generate_ec(&ECDSA_P521_SHA512_FIXED_SIGNING, "P-521"),
        KeyAlg::Rs256 | KeyAlg::Ps256 => generate_rsa(),
    }
}

fn generate_ec(alg: &'static EcdsaSigningAlgorithm, crv: &'static str) -> Result<NewKey, KeyError> {
    let pair = EcdsaKeyPair::generate(alg)?;
    let d: EcPrivateKeyBin<'_> = pair.private_key().as_be_bytes()?;
    // An uncompressed point: 4, then both coordinates at full length (SEC 1, 2.3.3).
    let Some((4, point)) = pair.public_key().as_ref().split_first() else { return Err(KeyError::Crypto) };
    let (x, y) = point.split_at(point.len() / 2);
    let (x, y, d) = (encode(x), encode(y), encode(d.as_ref()));
    Ok(NewKey {
        crv: Some(crv),
        public: object(json!({ "kty": "EC", "x": x, "y": y, "crv": crv })),
        private: object(json!({ "kty": "EC", "x": x, "y": y, "crv": crv, "d": d })),
    })
}

fn generate_rsa() -> Result<NewKey, KeyError> {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048)?;
    let der: Pkcs8V1Der<'_> = pair.as_der()?;
    let outer = pkcs8::PrivateKeyInfoRef::try_from(der.as_ref()).map_err(|_| KeyError::Crypto)?;
    let key = pkcs1::RsaPrivateKey::try_from(outer.private_key.as_bytes()).map_err(|_| KeyError::Crypto)?;
    let member = |number: pkcs1::UintRef<'_>| encode(number.as_bytes());
    let (n, e) = (member(key.modulus), member(key.public_exponent));
    Ok(NewKey {
        crv: None,
        public: object(json!({ "kty": "RSA", "n": n, "e": e })),
        private: object(json!({
            "kty": "RSA",
            "n": n,
            "e": e,
            "d": member(key.private_exponent),
            "p": member(key.prime1),
            "q": member(key.prime2),
            "dp": member(key.exponent1),
            "dq": member(key.exponent2),
            "qi": member(key.coefficient),
        })),
    })
}

/// A key that signs. There is no `Debug`: it is a secret.
pub struct SigningKey {
    /// Its id.
    pub kid: String,
    /// The encoded header of every token it signs.
    header: String,
    signer: Signer,
}

enum Signer {
    Ed25519(Ed25519KeyPair),
    Ecdsa(EcdsaKeyPair),
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
}

impl SigningKey {
    /// The key of a private JWK.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] when it is none of this algorithm.
    pub fn from_jwk(kid: &str, alg: KeyAlg, jwk: &JsonObject) -> Result<Self, KeyError> {
        let jwk = Members(jwk);
        let signer = match alg {
            KeyAlg::EdDsa => {
                Signer::Ed25519(Ed25519KeyPair::from_seed_and_public_key(&jwk.bytes("d")?, &jwk.bytes("x")?)?)
            }
            KeyAlg::Es256 => Signer::Ecdsa(jwk.ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING)?),
            KeyAlg::Es512 => Signer::Ecdsa(jwk.ecdsa(&ECDSA_P521_SHA512_FIXED_SIGNING)?),
            KeyAlg::Rs256 => Signer::Rsa(jwk.rsa()?, &RSA_PKCS1_SHA256),
            KeyAlg::Ps256 => Signer::Rsa(jwk.rsa()?, &RSA_PSS_SHA256),
        };
        let header = json!({ "alg": alg.name(), "kid": kid }).to_string();
        Ok(Self { kid: kid.to_owned(), header: encode(header.as_bytes()), signer })
    }

    /// The token of these claims: a compact JWS (RFC 7515).
    ///
    /// # Errors
    /// [`KeyError::Crypto`] when the library fails.
    pub fn sign(&self, claims: &JsonObject) -> Result<String, KeyError> {
        let payload = serde_json::to_vec(claims).map_err(|_| KeyError::Crypto)?;
        let message = format!("{}.{}", self.header, encode(&payload));
        let bytes = message.as_bytes();
        let signature = match &self.signer {
            Signer::Ed25519(pair) => encode(pair.try_sign(bytes)?.as_ref()),
            Signer::Ecdsa(pair) => encode(pair.sign(&SystemRandom::new(), bytes)?.as_ref()),
            Signer::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &SystemRandom::new(), bytes, &mut signature)?;
                encode(&signature)
            }
        };
        Ok(format!("{message}.{signature}"))
    }
}

/// Whether `signature` is one of `message` by the key of a public JWK under exactly this algorithm.
#[must_use]
pub fn verify(alg: KeyAlg, public: &JsonObject, message: &[u8], signature: &[u8]) -> bool {
    let jwk = Members(public);
    let verified = match alg {
        KeyAlg::EdDsa => jwk.bytes("x").and_then(|x| {
            UnparsedPublicKey::new(&ED25519, x).verify(message, signature)?;
            Ok(())
        }),
        KeyAlg::Es256 => jwk.verify_ecdsa(&ECDSA_P256_SHA256_FIXED, message, signature),
        KeyAlg::Es512 => jwk.verify_ecdsa(&ECDSA_P521_SHA512_FIXED, message, signature),
        KeyAlg::Rs256 => jwk.verify_rsa(&RSA_PKCS1_2048_8192_SHA256, message, signature),
        KeyAlg::Ps256 => jwk.verify_rsa(&RSA_PSS_2048_8192_SHA256, message, signature),
    };
    verified.is_ok()
}

/// The base64url members of a JWK.
struct Members<'a>(&'a JsonObject);

impl Members<'_> {
    fn bytes(&self, name: &str) -> Result<Vec<u8>, KeyError> {
        let text = self.0.get(name).and_then(Value::as_str).ok_or(KeyError::Malformed)?;
        URL_SAFE_NO_PAD.decode(text).map_err(|_| KeyError::Malformed)
    }

    /// The uncompressed point.
    fn point(&self) -> Result<Vec<u8>, KeyError> {
        Ok([vec![4], self.bytes("x")?, self.bytes("y")?].concat())
    }

    fn ecdsa(&self, alg: &'static EcdsaSigningAlgorithm) -> Result<EcdsaKeyPair, KeyError> {
        Ok(EcdsaKeyPair::from_private_key_and_public_key(alg, &self.bytes("d")?, &self.point()?)?)
    }

    fn rsa(&self) -> Result<RsaKeyPair, KeyError> {
        Ok(RsaKeyPair::from_components(&KeyPairComponents {
            public_key: RsaPublicKeyComponents { n: self.bytes("n")?, e: self.bytes("e")? },
            d: self.bytes("d")?,
            p: self.bytes("p")?,
            q: self.bytes("q")?,
            dP: self.bytes("dp")?,
            dQ: self.bytes("dq")?,
            qInv: self.bytes("qi")?,
        })?)
    }

    fn verify_ecdsa(
        &self,
        alg: &'static EcdsaVerificationAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), KeyError> {
        Ok(UnparsedPublicKey::new(alg, self.point()?).verify(message, signature)?)
    }

    fn verify_rsa(&self, parameters: &'static RsaParameters, message: &[u8], signature: &[u8]) -> Result<(), KeyError> {
        let key = signature::RsaPublicKeyComponents { n: self.bytes("n")?, e: self.bytes("e")? };
        Ok(key.verify(parameters, message, signature)?)
    }
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn object(value: Value) -> JsonObject {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_each_algorithm_survives_its_jwk_and_verifies_only_its_own() {
        for alg in KeyAlg::ALL {
            let made = generate(alg).unwrap();
            assert!(!made.public.contains_key("d"), "{alg:?}");
            let key = SigningKey::from_jwk("k1", alg, &made.private).unwrap();
            let token = key.sign(&object(json!({ "sub": "u1" }))).unwrap();
            let (message, signature) = token.rsplit_once('.').unwrap();
            let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
            assert!(verify(alg, &made.public, message.as_bytes(), &signature), "{alg:?}");
            assert!(!verify(alg, &made.public, b"other", &signature), "{alg:?}");
            let other = generate(alg).unwrap();
            assert!(!verify(alg, &other.public, message.as_bytes(), &signature), "{alg:?}");
            for wrong in KeyAlg::ALL.into_iter().filter(|other| *other != alg) {
                assert!(!verify(wrong, &made.public, message.as_bytes(), &signature), "{alg:?} as {wrong:?}");
            }
        }
    }

    #[test]
    fn the_token_of_upstreams_vector_is_made_byte_by_byte() {
        let private = object(json!({
            "crv": "Ed25519",
            "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
            "kty": "OKP",
        }));
        let claims = object(json!({
            "iat": 1_893_456_000,
            "name": "Ann",
            "email": "ann@example.com",
            "emailVerified": false,
            "image": null,
            "createdAt": "2030-01-01T00:00:00.000Z",
            "updatedAt": "2030-01-01T00:00:00.000Z",
            "id": "u1",
            "sub": "u1",
            "exp": 1_893_456_900,
            "iss": "http://localhost:4100",
            "aud": "http://localhost:4100",
        }));
        let key = SigningKey::from_jwk("r3n1ICnsuQjUsdF9xqIGwOkX2ueCBpyk", KeyAlg::EdDsa, &private).unwrap();
        assert_eq!(
            key.sign(&claims).unwrap(),
            "eyJhbGciOiJFZERTQSIsImtpZCI6InIzbjFJQ25zdVFqVXNkRjl4cUlHd09rWDJ1ZUNCcHlrIn0.eyJpYXQiOjE4OTM0NTYwMDAsIm5hbWUiOiJBbm4iLCJlbWFpbCI6ImFubkBleGFtcGxlLmNvbSIsImVtYWlsVmVyaWZpZWQiOmZhbHNlLCJpbWFnZSI6bnVsbCwiY3JlYXRlZEF0IjoiMjAzMC0wMS0wMVQwMDowMDowMC4wMDBaIiwidXBkYXRlZEF0IjoiMjAzMC0wMS0wMVQwMDowMDowMC4wMDBaIiwiaWQiOiJ1MSIsInN1YiI6InUxIiwiZXhwIjoxODkzNDU2OTAwLCJpc3MiOiJodHRwOi8vbG9jYWxob3N0OjQxMDAiLCJhdWQiOiJodHRwOi8vbG9jYWxob3N0OjQxMDAifQ.zICSjrkFntwiMebomUIS8U1vl7pnXOwwRlpbMWMg7SXCEwcXlbmhK0Hj8PtFV7FJWg773vFa5a8VZ48PWQDeBA"
        );
    }

    #[test]
    fn a_jwk_of_another_kind_is_refused() {
        let made = generate(KeyAlg::Es256).unwrap();
        for alg in [KeyAlg::EdDsa, KeyAlg::Es512, KeyAlg::Rs256] {
            assert!(SigningKey::from_jwk("k1", alg, &made.private).is_err(), "{alg:?}");
        }
        assert!(SigningKey::from_jwk("k1", KeyAlg::Es256, &made.public).is_err());
    }

    #[test]
    fn a_row_without_an_algorithm_has_that_of_its_form() {
        let row = |public: &JsonObject, alg: Option<&str>| schema::Jwk {
            id: "k1".to_owned(),
            public_key: Value::Object(public.clone()).to_string(),
            private_key: String::new(),
            created_at: crate::clock::from_ms(0),
            expires_at: None,
            alg: alg.map(str::to_owned),
            crv: None,
        };
        for alg in KeyAlg::ALL {
            let public = generate(alg).unwrap().public;
            assert_eq!(KeyAlg::of(&row(&public, None), alg), Some(alg));
            assert_eq!(KeyAlg::of(&row(&public, Some("ES384")), alg), None);
        }
        let rsa = generate(KeyAlg::Rs256).unwrap().public;
        assert_eq!(KeyAlg::of(&row(&rsa, None), KeyAlg::EdDsa), Some(KeyAlg::Rs256));
        assert_eq!(KeyAlg::of(&row(&object(json!({ "kty": "oct" })), None), KeyAlg::EdDsa), None);
    }
}
