//! Signed cookie values (upstream: `better-call/dist/crypto.mjs`; `context.mjs`, `getSignedCookie`).

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::Sha256;

use crate::secrets::Secret;

/// What `encodeURIComponent` leaves alone besides letters and digits (ECMA-262, 19.2.6.4).
const URI_COMPONENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');

/// The length of a SHA-256 HMAC in padded base64.
const SIGNATURE_LENGTH: usize = 44;

/// HMAC-SHA256 of `message`, not yet finished, keyed by the UTF-8 bytes of the secret.
#[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
pub(super) fn hmac_sha256(secret: &Secret, message: &str) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).expect("HMAC takes keys of any length");
    mac.update(message.as_bytes());
    mac
}

/// `<payload>.<signature>`, to be percent-encoded before it goes into a cookie. The signature is padded base64.
pub fn sign(secret: &Secret, payload: &str) -> String {
    let signature = STANDARD.encode(hmac_sha256(secret, payload).finalize().into_bytes());
    format!("{payload}.{signature}")
}

/// The payload of a signed value, or `None` when the form or the signature is wrong. Compares in constant time.
///
/// The split is at the last dot, so a payload may contain dots; it may not be empty.
pub fn verify<'a>(secret: &Secret, value: &'a str) -> Option<&'a str> {
    let (payload, signature) = value.rsplit_once('.')?;
    if payload.is_empty() || signature.len() != SIGNATURE_LENGTH || !signature.ends_with('=') {
        return None;
    }
    let signature = STANDARD.decode(signature).ok()?;
    hmac_sha256(secret, payload).verify_slice(&signature).ok()?;
    Some(payload)
}

/// Whether the part after the first dot is the signature of the part before it, in any form of base64; a third part is
/// not looked at (upstream: `plugins/bearer`, with `@better-auth/utils/hmac`). What passes is not yet what [`verify`]
/// accepts. Compares in constant time.
#[must_use]
pub fn verify_loosely(secret: &Secret, value: &str) -> bool {
    let mut parts = value.split('.');
    let (Some(payload), Some(signature)) = (parts.next(), parts.next()) else { return false };
    let signature = signature.trim_end_matches('=').replace('+', "-").replace('/', "_");
    URL_SAFE_NO_PAD
        .decode(signature)
        .is_ok_and(|signature| hmac_sha256(secret, payload).verify_slice(&signature).is_ok())
}

/// JavaScript's `encodeURIComponent` (ECMA-262, 19.2.6.4).
pub fn encode_uri_component(text: &str) -> String {
    utf8_percent_encode(text, URI_COMPONENT).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loose_check_forgives_the_form_of_a_signature_never_its_value() {
        let secret = Secret::new("contract-lab-secret-0123456789abcdefghijklmnop");
        let signed = "0123456789abcdefghijABCDEFGHIJKL.ukG4/z9/V+ouM4fELTYlX/eoqx8ItWQV/+tpMYiFnUA=";
        assert!(verify(&secret, signed).is_some());
        let url_safe = signed.replace('/', "_").replace('+', "-");
        for spelling in [signed.to_owned(), signed.replace('=', ""), url_safe, format!("{signed}.x")] {
            assert!(verify_loosely(&secret, &spelling), "{spelling}");
        }
        for odd in ["", ".", "a", "a.", ".b", "a.b", "..", &signed.replace('u', "v"), &signed.replace("012", "013")] {
            assert!(!verify_loosely(&secret, odd), "{odd}");
        }
    }
}
