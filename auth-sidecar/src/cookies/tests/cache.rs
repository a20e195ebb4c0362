use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::{Just, TestCaseError, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use proptest::strategy::Strategy as _;
use serde_json::json;

use super::*;
use crate::cookies::cache::{decode, encode};
use crate::cookies::jwe::{SESSION_SALT, symmetric_encode_jwt};
use crate::cookies::jwt::sign_jwt;
use crate::cookies::{CacheSettings, CachedSession, Strategy};

const COMPACT: &str = "eyJzZXNzaW9uIjp7InNlc3Npb24iOnsiZXhwaXJlc0F0IjoiMjAzMC0wMS0wOFQwMDowMDowMC4wMDBaIiwidG9rZW4iOiJBNkV3T3ZkeThXZDdhR3puZVVrODNxZjRlWmRIWGkyRiIsImNyZWF0ZWRBdCI6IjIwMzAtMDEtMDFUMDA6MDA6MDAuMDAwWiIsInVwZGF0ZWRBdCI6IjIwMzAtMDEtMDFUMDA6MDA6MDAuMDAwWiIsImlwQWRkcmVzcyI6IiIsInVzZXJBZ2VudCI6IiIsInVzZXJJZCI6InUxIiwiaWQiOiJzMSJ9LCJ1c2VyIjp7Im5hbWUiOiJBbm4iLCJlbWFpbCI6ImFubkBleGFtcGxlLmNvbSIsImVtYWlsVmVyaWZpZWQiOmZhbHNlLCJpbWFnZSI6bnVsbCwiY3JlYXRlZEF0IjoiMjAzMC0wMS0wMVQwMDowMDowMC4wMDBaIiwidXBkYXRlZEF0IjoiMjAzMC0wMS0wMVQwMDowMDowMC4wMDBaIiwiaWQiOiJ1MSJ9LCJ1cGRhdGVkQXQiOjE4OTM0NTYwMDAwMDAsInZlcnNpb24iOiIxIn0sImV4cGlyZXNBdCI6MTg5MzQ1NjMwMDAwMCwic2lnbmF0dXJlIjoibzlZcmdMczdicVdKall6MFpwUDVJLWpsenBJWVN3YVp1Z2RSek9YbDRLNCJ9";
const JWT_SIGNATURE: &str = "WXMqkPST1HN4bZmrwuVKvNmdSpgqFgqO0sBPutEe1qQ";
const STRATEGIES: [Strategy; 3] = [Strategy::Compact, Strategy::Jwt, Strategy::Jwe];

fn settings(strategy: Strategy) -> CacheSettings {
    CacheSettings { strategy, max_age: 300, version: "1".to_owned() }
}

fn encoded(strategy: Strategy, session: &Map<String, Value>, user: &Map<String, Value>) -> String {
    encode(&settings(strategy), &secrets(), session, user, NOW_MS, true).unwrap()
}

fn decoded(strategy: Strategy, value: &str) -> Option<CachedSession> {
    decode(&settings(strategy), &secrets(), value, NOW_MS)
}

fn keys(object: &Map<String, Value>) -> Vec<&str> {
    object.keys().map(String::as_str).collect()
}

#[test]
fn the_compact_cookie_is_the_recorded_one() {
    assert_eq!(encoded(Strategy::Compact, &object(SESSION), &object(USER)), COMPACT);
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(COMPACT).unwrap()).unwrap();
    assert!(text.ends_with(r#","expiresAt":1893456300000,"signature":"o9YrgLs7bqWJjYz0ZpP5I-jlzpIYSwaZugdRzOXl4K4"}"#));
}

#[test]
fn the_jwt_cookie_is_the_recorded_one() {
    let cookie = encoded(Strategy::Jwt, &object(SESSION), &object(USER));
    let [header, payload, signature] = cookie.split('.').collect::<Vec<_>>().try_into().unwrap();
    assert_eq!(header, "eyJhbGciOiJIUzI1NiJ9");
    assert_eq!(signature, JWT_SIGNATURE);
    let payload = String::from_utf8(URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
    assert!(payload.ends_with(r#","updatedAt":1893456000000,"version":"1","iat":1893456000,"exp":1893456300}"#));
}

#[test]
fn every_strategy_gives_back_the_objects_in_the_schemas_order() {
    let mut session = object(SESSION);
    session.insert("extra".to_owned(), json!("é𝒳"));
    let mut user = object(USER);
    user.insert("software_background".to_owned(), json!(["Rust", "\u{2028}"]));
    for strategy in STRATEGIES {
        let cached = decoded(strategy, &encoded(strategy, &session, &user)).unwrap();
        assert_eq!(
            keys(&cached.session),
            ["id", "createdAt", "updatedAt", "userId", "expiresAt", "token", "ipAddress", "userAgent", "extra"]
        );
        assert_eq!(
            keys(&cached.user),
            ["id", "createdAt", "updatedAt", "email", "emailVerified", "name", "image", "software_background"]
        );
        assert_eq!(cached.session, session);
        assert_eq!(cached.user, user);
        assert_eq!((cached.updated_at, cached.expires_at), (NOW_MS, NOW_MS + 300_000));
        assert_eq!(cached.version.as_deref(), Some("1"));
        assert!(cached.is_current(TOKEN, "1", NOW_MS));
    }
}

#[test]
fn a_cookie_that_is_not_remembered_holds_a_shorter_cache() {
    for (strategy, lifetime_ms) in [(Strategy::Compact, 60_000), (Strategy::Jwt, 300_000), (Strategy::Jwe, 300_000)] {
        let settings = CacheSettings { max_age: 900, ..settings(strategy) };
        for (remember, lifetime_ms) in [(true, 900_000), (false, lifetime_ms)] {
            let value = encode(&settings, &secrets(), &object(SESSION), &object(USER), NOW_MS, remember).unwrap();
            assert_eq!(decoded(strategy, &value).unwrap().expires_at, NOW_MS + lifetime_ms, "{strategy:?} {remember}");
        }
    }
}

#[test]
fn tokens_end_when_upstream_ends_them() {
    for (strategy, last_ms) in [(Strategy::Jwt, 299_999), (Strategy::Jwe, 314_999)] {
        let value = encoded(strategy, &object(SESSION), &object(USER));
        let at = |now_ms| decode(&settings(strategy), &secrets(), &value, now_ms);
        assert!(at(NOW_MS + last_ms).is_some());
        assert!(at(NOW_MS + last_ms + 1).is_none());
    }
    let late = decode(&settings(Strategy::Compact), &secrets(), COMPACT, NOW_MS + 300_001).unwrap();
    assert!(!late.is_current(TOKEN, "1", NOW_MS + 300_001));
}

#[test]
fn a_cache_stands_only_for_its_token_version_and_time() {
    let cached = decoded(Strategy::Compact, COMPACT).unwrap();
    assert!(cached.is_current(TOKEN, "1", NOW_MS + 300_000));
    assert!(!cached.is_current(TOKEN, "1", NOW_MS + 300_001));
    assert!(!cached.is_current("another", "1", NOW_MS));
    assert!(!cached.is_current(TOKEN, "2", NOW_MS));
    assert!(CachedSession { version: None, ..cached.clone() }.is_current(TOKEN, "1", NOW_MS));
    let ended = CachedSession { expires_at: i64::MAX, ..cached };
    let session_end_ms = NOW_MS + 7 * 86_400_000;
    assert!(ended.is_current(TOKEN, "1", session_end_ms));
    assert!(!ended.is_current(TOKEN, "1", session_end_ms + 1));
}

#[test]
fn caches_of_another_secret_or_strategy_are_refused() {
    let stranger = Secrets::single(Secret::new("other"));
    for author in STRATEGIES {
        let value = encoded(author, &object(SESSION), &object(USER));
        assert!(decode(&settings(author), &stranger, &value, NOW_MS).is_none());
        for reader in STRATEGIES.into_iter().filter(|reader| *reader != author) {
            assert!(decoded(reader, &value).is_none());
        }
    }
}

#[test]
fn after_rotation_only_encrypted_caches_are_still_read() {
    let rotated = Secrets::versions(vec![(2, Secret::new("new")), (1, secret())], None).unwrap();
    for (strategy, readable) in [(Strategy::Compact, false), (Strategy::Jwt, false), (Strategy::Jwe, true)] {
        let value = encoded(strategy, &object(SESSION), &object(USER));
        assert_eq!(decode(&settings(strategy), &rotated, &value, NOW_MS).is_some(), readable, "{strategy:?}");
    }
}

#[test]
fn every_altered_byte_of_a_compact_cache_is_noticed() {
    for position in 0..COMPACT.len() {
        let mut bytes = COMPACT.as_bytes().to_vec();
        bytes[position] = if bytes[position] == b'A' { b'B' } else { b'A' };
        let altered = String::from_utf8(bytes).unwrap();
        assert!(decoded(Strategy::Compact, &altered).is_none(), "altered at {position}");
    }
}

#[test]
fn a_date_without_milliseconds_in_a_user_field_costs_the_compact_cache_only() {
    let mut user = object(USER);
    user.insert("since".to_owned(), json!("2030-01-01T00:00:00Z"));
    assert!(decoded(Strategy::Compact, &encoded(Strategy::Compact, &object(SESSION), &user)).is_none());
    for strategy in [Strategy::Jwt, Strategy::Jwe] {
        let cached = decoded(strategy, &encoded(strategy, &object(SESSION), &user)).unwrap();
        assert_eq!(cached.user["since"], json!("2030-01-01T00:00:00.000Z"));
    }
}

/// The base objects with one field replaced (or removed for `None`), through every strategy.
fn accepted(part: &str, key: &str, value: Option<Value>) -> bool {
    let (mut session, mut user) = (object(SESSION), object(USER));
    let target = if part == "session" { &mut session } else { &mut user };
    match value {
        Some(value) => target.insert(key.to_owned(), value),
        None => target.shift_remove(key),
    };
    let verdicts = STRATEGIES.map(|strategy| decoded(strategy, &encoded(strategy, &session, &user)).is_some());
    assert!(verdicts.iter().all(|verdict| *verdict == verdicts[0]), "{part}.{key}: {verdicts:?}");
    verdicts[0]
}

#[test]
fn the_payload_must_be_a_session_and_a_user() {
    for (part, required) in [
        ("session", ["id", "userId", "token", "expiresAt", "createdAt", "updatedAt"]),
        ("user", ["id", "email", "name", "emailVerified", "createdAt", "updatedAt"]),
    ] {
        for key in required {
            assert!(!accepted(part, key, None), "{part}.{key} absent");
            assert!(!accepted(part, key, Some(Value::Null)), "{part}.{key} null");
            assert!(!accepted(part, key, Some(json!(1))), "{part}.{key} a number");
        }
    }
    for (part, optional) in [("session", "ipAddress"), ("session", "userAgent"), ("user", "image")] {
        assert!(accepted(part, optional, None));
        assert!(accepted(part, optional, Some(Value::Null)));
        assert!(accepted(part, optional, Some(json!("text"))));
        assert!(!accepted(part, optional, Some(json!(1))));
    }
    assert!(!accepted("session", "expiresAt", Some(json!("tomorrow"))));
    assert!(
        !accepted("user", "name", Some(json!("2030-01-01T00:00:00.000Z"))),
        "a name that looks like a date is a date to upstream"
    );
    assert!(accepted("user", "name", Some(json!("2030-01-01"))));
}

#[test]
fn tokens_with_other_payloads_are_refused() {
    let good = object(&format!(r#"{{"session":{SESSION},"user":{USER},"updatedAt":1}}"#));
    let signed = |payload: &Map<String, Value>| {
        let jwt = sign_jwt(payload, &secret(), 300, NOW_MS).unwrap();
        let jwe = symmetric_encode_jwt(payload, &secrets(), SESSION_SALT, 300, NOW_MS).unwrap();
        [decoded(Strategy::Jwt, &jwt), decoded(Strategy::Jwe, &jwe)].map(|cached| cached.map(|cached| cached.version))
    };
    assert_eq!(signed(&good), [Some(None), Some(None)], "the version may be absent");
    for (key, value) in [
        ("session", json!([])),
        ("user", Value::Null),
        ("updatedAt", json!("1")),
        ("version", json!(1)),
        ("version", Value::Null),
    ] {
        let mut bad = good.clone();
        bad.insert(key.to_owned(), value);
        assert_eq!(signed(&bad), [None, None], "{key}");
    }
    assert_eq!(signed(&object(r#"{"email":"ann@example.com"}"#)), [None, None]);
}

#[test]
fn the_email_is_lower_cased_as_upstreams_schema_does() {
    let mut user = object(USER);
    user.insert("email".to_owned(), json!("Ann@Example.com"));
    let cached = decoded(Strategy::Compact, &encoded(Strategy::Compact, &object(SESSION), &user)).unwrap();
    assert_eq!(cached.user["email"], json!("ann@example.com"));
}

#[test]
fn non_ascii_text_is_written_raw() {
    assert_eq!(URL_SAFE_NO_PAD.encode(crate::cookies::js_json::stringify(&json!({"n": "é𝒳"}))), "eyJuIjoiw6nwnZKzIn0");
}

#[test]
fn deep_and_long_garbage_is_refused() {
    for text in [
        "[".repeat(100_000),
        format!("{{\"session\":{}", "{\"a\":".repeat(50_000)),
        "\u{0}".repeat(1_000),
        "9".repeat(60_000),
    ] {
        let value = URL_SAFE_NO_PAD.encode(text);
        for strategy in STRATEGIES {
            assert!(decoded(strategy, &value).is_none());
        }
    }
    for value in ["", ".", "....", "!!!", "é", &"A".repeat(65_536), &".".repeat(65_536)] {
        for strategy in STRATEGIES {
            assert!(decoded(strategy, value).is_none());
        }
    }
}

fn field() -> impl proptest::strategy::Strategy<Value = Value> {
    prop_oneof![
        "(?s).{0,20}".prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        (-1_000_000_i64..1_000_000).prop_map(Value::from),
        proptest::collection::vec("(?s).{0,8}", 0..3).prop_map(Value::from),
        Just(Value::Null),
        proptest::collection::hash_map("[a-z0-9]{1,3}", ".{0,5}", 0..4).prop_map(|map| json!(map)),
    ]
}

proptest! {
    #[test]
    fn what_was_encoded_is_decoded(
        name in "[^0-9](?s).{0,30}",
        agent in "[^0-9](?s).{0,30}",
        extra in proptest::collection::hash_map("x_[a-z]{1,6}", field(), 0..5),
    ) {
        let (mut session, mut user) = (object(SESSION), object(USER));
        user.insert("name".to_owned(), name.into());
        session.insert("userAgent".to_owned(), agent.into());
        user.extend(extra);
        for strategy in STRATEGIES {
            let cached = decoded(strategy, &encoded(strategy, &session, &user));
            let Some(cached) = cached else { return Err(TestCaseError::fail(format!("{strategy:?} lost {user:?}"))) };
            prop_assert_eq!(&cached.session, &session);
            prop_assert_eq!(&cached.user, &user);
        }
    }

    #[test]
    fn any_text_is_refused(value in "(?s).{0,200}", json in "[\\{\\}\\[\\]\",:a0]{0,60}") {
        for strategy in STRATEGIES {
            prop_assert!(decoded(strategy, &value).is_none());
            prop_assert!(decoded(strategy, &URL_SAFE_NO_PAD.encode(&json)).is_none());
        }
    }
}
