use proptest::prelude::*;

use super::*;
use crate::cookies::attributes::serialize;
use crate::cookies::jwt::{sign_jwt, verify_jwt, verify_signature};
use crate::cookies::sign::{encode_uri_component, sign, verify};
use crate::cookies::{CookieSettings, ResponseCookies, SameSite};

#[test]
fn signed_values_are_the_recorded_ones() {
    for (payload, signature) in [
        (TOKEN, "vgDT7yqEQ5sUxqXY6m7wH4EIMj27m9do9zyUcfXDv8Y="),
        ("true", "Tazt10q/i+/ITrWRiAHTHiwhNABkwhsPiEHH/rmfJf4="),
        ("0123456789abcdefghijABCDEFGHIJKL", "ukG4/z9/V+ouM4fELTYlX/eoqx8ItWQV/+tpMYiFnUA="),
    ] {
        let signed = sign(&secret(), payload);
        assert_eq!(signed, format!("{payload}.{signature}"));
        assert_eq!(verify(&secret(), &signed), Some(payload));
    }
    assert_eq!(encode_uri_component(&sign(&secret(), TOKEN)), SIGNED_TOKEN);
    assert_eq!(encode_uri_component(&sign(&secret(), "true")), SIGNED_TRUE);
}

#[test]
fn malformed_and_foreign_signatures_are_refused() {
    let signed = sign(&secret(), TOKEN);
    let (_, signature) = signed.rsplit_once('.').unwrap();
    let url_safe = signature.replace('+', "-").replace('/', "_");
    for value in [
        "",
        ".",
        "=",
        TOKEN,
        &format!(".{signature}"),
        &format!("{TOKEN}."),
        &format!("{TOKEN}.{}", signature.trim_end_matches('=')),
        &format!("{TOKEN}.{signature}="),
        &format!("{TOKEN}x.{signature}"),
        &format!("{TOKEN}.{}=", "é".repeat(21)),
        &format!("{}.{}", "true", url_safe),
    ] {
        assert_eq!(verify(&secret(), value), None, "{value}");
    }
    assert_eq!(verify(&Secret::new("other"), &signed), None);
}

#[test]
fn a_payload_may_hold_dots_but_not_be_empty() {
    assert_eq!(verify(&secret(), &sign(&secret(), "a.b.c")), Some("a.b.c"));
    assert_eq!(verify(&secret(), &sign(&secret(), "")), None);
}

#[test]
fn the_unreserved_set_is_encode_uri_components() {
    assert_eq!(encode_uri_component("AZaz09-_.!~*'()"), "AZaz09-_.!~*'()");
    assert_eq!(encode_uri_component("+/= ;,%\"é𝒳"), "%2B%2F%3D%20%3B%2C%25%22%C3%A9%F0%9D%92%B3");
}

#[test]
fn set_cookie_lines_are_the_recorded_ones() {
    let plain = CookieSettings::default();
    let name = plain.name("session_token");
    assert_eq!(
        serialize(&name, SIGNED_TOKEN, Some(604_800), &plain),
        format!("better-auth.session_token={SIGNED_TOKEN}; Max-Age=604800; Path=/; HttpOnly; SameSite=Lax")
    );
    assert_eq!(
        serialize(&name, "", Some(0), &plain),
        "better-auth.session_token=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax"
    );
    assert_eq!(serialize(&name, "x", None, &plain), "better-auth.session_token=x; Path=/; HttpOnly; SameSite=Lax");

    let secure =
        CookieSettings { secure: true, domain: Some("auth.example.com".to_owned()), ..CookieSettings::default() };
    assert_eq!(
        serialize(&secure.name("session_token"), "x", Some(604_800), &secure),
        "__Secure-better-auth.session_token=x; Max-Age=604800; Domain=auth.example.com; Path=/; HttpOnly; Secure; SameSite=Lax"
    );
}

#[test]
fn cross_site_and_partitioned_cookies_are_always_secure() {
    let cross_site = CookieSettings { same_site: SameSite::None, ..CookieSettings::default() };
    assert_eq!(serialize("a", "x", None, &cross_site), "a=x; Path=/; HttpOnly; Secure; SameSite=None");
    let partitioned = CookieSettings { partitioned: true, ..CookieSettings::default() };
    assert_eq!(serialize("a", "x", None, &partitioned), "a=x; Path=/; HttpOnly; Secure; SameSite=Lax; Partitioned");
}

#[test]
fn name_prefixes_force_what_browsers_demand() {
    let settings = CookieSettings { domain: Some("example.com".to_owned()), ..CookieSettings::default() };
    assert_eq!(serialize("__Host-a", "x", None, &settings), "__Host-a=x; Path=/; HttpOnly; Secure; SameSite=Lax");
    assert_eq!(
        serialize("__secure-a", "x", None, &settings),
        "__secure-a=x; Domain=example.com; Path=/; HttpOnly; Secure; SameSite=Lax"
    );
}

#[test]
fn max_age_is_cut_at_400_days_and_left_out_when_negative() {
    let settings = CookieSettings::default();
    assert_eq!(serialize("a", "x", Some(i64::MAX), &settings), "a=x; Max-Age=34560000; Path=/; HttpOnly; SameSite=Lax");
    assert_eq!(serialize("a", "x", Some(-1), &settings), "a=x; Path=/; HttpOnly; SameSite=Lax");
}

#[test]
fn expiring_removes_earlier_lines_of_the_cookie_and_its_chunks_only() {
    let settings = CookieSettings::default();
    let mut response = ResponseCookies::default();
    for name in ["a", "a.0", "ab", "b", "a", "a_multi"] {
        response.set(name, "1", None, &settings);
    }
    response.expire("a", &settings);
    let names: Vec<&str> = response.lines().iter().map(|line| line.split('=').next().unwrap()).collect();
    assert_eq!(names, ["ab", "b", "a_multi", "a"]);
    assert_eq!(response.lines()[3], "a=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax");
}

#[test]
fn setting_appends_and_encodes() {
    let settings = CookieSettings::default();
    let mut response = ResponseCookies::default();
    response.set_signed("t", TOKEN, &secret(), None, &settings);
    response.set_signed("t", TOKEN, &secret(), None, &settings);
    response.append("raw=1".to_owned());
    let line = format!("t={SIGNED_TOKEN}; Path=/; HttpOnly; SameSite=Lax");
    assert_eq!(response.into_lines(), [line.clone(), line, "raw=1".to_owned()]);
}

#[test]
fn only_the_last_cookie_of_a_middleware_survives() {
    let mut middleware = ResponseCookies::default();
    middleware.keep_last();
    assert!(middleware.lines().is_empty());
    for line in ["a=1", "b=2", "c=3"] {
        middleware.append(line.to_owned());
    }
    middleware.keep_last();
    let mut response = ResponseCookies::default();
    response.append("first=1".to_owned());
    response.extend(middleware);
    assert_eq!(response.lines(), ["first=1", "c=3"]);
}

const EMAIL_VERIFICATION: &str = "eyJhbGciOiJIUzI1NiJ9.eyJlbWFpbCI6ImFubkBleGFtcGxlLmNvbSIsInVzZXJJZCI6InUxIiwiaWF0IjoxODkzNDU2MDAwLCJleHAiOjE4OTM0NTk2MDB9.yBQo2s43xGbqCA0UxqBEKTE5xTiRH30lDrMgpjbBfK8";

#[test]
fn the_recorded_verification_token_is_made_and_read_until_its_last_second() {
    let payload = object(r#"{"email":"ann@example.com","userId":"u1"}"#);
    assert_eq!(sign_jwt(&payload, &secret(), 3_600, NOW_MS + 999).unwrap(), EMAIL_VERIFICATION);
    let claims = verify_jwt(EMAIL_VERIFICATION, &secret(), NOW_MS + 3_599_999).unwrap();
    assert_eq!(claims.keys().collect::<Vec<_>>(), ["email", "userId", "iat", "exp"]);
    assert!(verify_jwt(EMAIL_VERIFICATION, &secret(), NOW_MS + 3_600_000).is_none());
    assert!(verify_jwt(EMAIL_VERIFICATION, &Secret::new("other"), NOW_MS).is_none());
}

/// A JWT under the test secret with any header and payload.
fn jwt(algorithm: jsonwebtoken::Algorithm, payload: &str) -> String {
    let key = jsonwebtoken::EncodingKey::from_secret(SECRET.as_bytes());
    jsonwebtoken::encode(&jsonwebtoken::Header::new(algorithm), &object(payload), &key).unwrap()
}

#[test]
fn jwts_of_other_algorithms_or_without_a_numeric_end_are_refused() {
    use jsonwebtoken::Algorithm::{HS256, HS512};
    assert!(verify_jwt(&jwt(HS256, r#"{"exp":1893456001,"aud":"x"}"#), &secret(), NOW_MS).is_some());
    for token in [
        jwt(HS512, r#"{"exp":1893456001}"#),
        jwt(HS256, "{}"),
        jwt(HS256, r#"{"exp":"1893456001"}"#),
        jwt(HS256, r#"{"exp":null}"#),
        "eyJhbGciOiJub25lIn0.eyJleHAiOjE4OTM0NTYwMDF9.".to_owned(),
        "a.b.c".to_owned(),
        String::new(),
    ] {
        assert!(verify_jwt(&token, &secret(), NOW_MS).is_none(), "{token}");
    }
}

#[test]
fn an_expired_token_can_be_told_from_a_forged_one() {
    assert!(verify_jwt(EMAIL_VERIFICATION, &secret(), i64::MAX).is_none());
    assert!(verify_signature(EMAIL_VERIFICATION, &secret()).is_some());
    assert!(verify_signature(EMAIL_VERIFICATION, &Secret::new("other")).is_none());
    let altered = EMAIL_VERIFICATION.replace(".eyJlbWFpbCI6", ".eyJlbWFpbCI7");
    assert!(verify_signature(&altered, &secret()).is_none());
    let other_algorithm = jwt(jsonwebtoken::Algorithm::HS384, r#"{"exp":1893456001}"#);
    assert!(verify_signature(&other_algorithm, &secret()).is_none());
}

proptest! {
    #[test]
    fn what_was_signed_verifies(payload in "(?s).{1,60}", key in ".{0,100}") {
        let key = Secret::new(key);
        let signed = sign(&key, &payload);
        prop_assert_eq!(verify(&key, &signed), Some(payload.as_str()));
    }

    #[test]
    fn any_changed_byte_is_noticed(payload in "[ -~]{1,60}", position in any::<prop::sample::Index>(), replacement in b' '..=b'~') {
        let signed = sign(&secret(), &payload);
        let mut bytes = signed.clone().into_bytes();
        let position = position.index(bytes.len());
        prop_assume!(bytes[position] != replacement);
        bytes[position] = replacement;
        let altered = String::from_utf8(bytes).unwrap();
        prop_assert_eq!(verify(&secret(), &altered), None);
    }

    #[test]
    fn any_text_is_refused_without_a_panic(value in "(?s).{0,80}") {
        prop_assert_eq!(verify(&secret(), &value), None);
        prop_assert!(verify_jwt(&value, &secret(), NOW_MS).is_none());
    }
}
