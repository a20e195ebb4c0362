//! P58–P61: tokens for other services that somebody forged, changed or kept, and the keys behind them.

use actix_web::http::Method;
use auth_sidecar::encryption::symmetric_decrypt;
use auth_sidecar::plugins::jwt::key::{KeyAlg, SigningKey, generate};
use diesel::prelude::*;
use integration_tests::{BASE_URL, SECRET, START_MS, TestApp, on_both_databases};
use schema::Jwk;
use schema::tables::jwks;
use serde_json::{Value, json};

use super::super::jwt::{header, jwt, key_set, look_after};
use super::super::support::{claims, jws, with_ada};
use super::support::sql;

const NOW: i64 = START_MS / 1000;
const SHARED: &str = "a-secret-that-a-backend-keeps-0123456789";

async fn me(app: &TestApp, token: &str) -> u16 {
    let call = app.browser().absolute(Method::GET, "/auth/me").header("authorization", &format!("Bearer {token}"));
    call.send().await.status.as_u16()
}

async fn stored_key(app: &TestApp) -> Jwk {
    app.db.db.read(|conn| jwks::table.select(Jwk::as_select()).first(conn)).await.unwrap()
}

/// The service's own key, for tokens it would never make.
async fn own_key(app: &TestApp) -> SigningKey {
    let row = stored_key(app).await;
    let sealed: String = serde_json::from_str(&row.private_key).unwrap();
    let jwk = symmetric_decrypt(&app.state.config.secrets, &sealed).unwrap();
    SigningKey::from_jwk(&row.id, KeyAlg::EdDsa, &serde_json::from_str(&jwk).unwrap()).unwrap()
}

/// `claims` with these members instead; null takes one away.
fn with(claims: &Value, changes: Value) -> serde_json::Map<String, Value> {
    let mut claims = claims.as_object().unwrap().clone();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            claims.shift_remove(name)
        } else {
            claims.insert(name.clone(), value.clone())
        };
    }
    claims
}

on_both_databases! {
    async fn p58_a_token_of_another_algorithm_key_or_recipient_is_refused(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        let token = jwt(&ada).await;
        let (header, claims) = (header(&token), claims(&token));
        assert_eq!(me(&app, &token).await, 200);
        let key = &key_set(&app).await[0];
        let x = key["x"].as_str().unwrap();
        let public_text = stored_key(&app).await.public_key;
        // The public key, in every form of it that is known, as the secret of HS256.
        for secret in [x, &public_text, &key.to_string(), SECRET] {
            for alg in ["HS256", "EdDSA", "none", "NONE", ""] {
                let forged = jws(&json!({ "alg": alg, "kid": header["kid"] }), &claims, secret);
                assert_eq!(me(&app, &forged).await, 401, "{alg} under {secret}");
            }
        }
        for alg in ["none", "None", "NONE", "HS256", "EdDSA"] {
            assert_eq!(me(&app, &jws(&json!({ "alg": alg, "kid": header["kid"] }), &claims, "")).await, 401, "{alg}");
        }
        // Another key under the id of ours, and ours under other ids.
        let strange = generate(KeyAlg::EdDsa).unwrap().private;
        let kid = header["kid"].as_str().unwrap();
        for (id, jwk) in [(kid, &strange), ("nobody", &strange)] {
            let key = SigningKey::from_jwk(id, KeyAlg::EdDsa, jwk).unwrap();
            assert_eq!(me(&app, &key.sign(claims.as_object().unwrap()).unwrap()).await, 401, "{id}");
        }
        let own = own_key(&app).await;
        assert_eq!(me(&app, &own.sign(claims.as_object().unwrap()).unwrap()).await, 200, "the key is ours");
        for changes in [
            json!({ "aud": "https://other.example.com" }), json!({ "aud": [BASE_URL] }), json!({ "aud": null }),
            json!({ "iss": "https://other.example.com" }), json!({ "iss": null }),
            json!({ "sub": "nobody" }), json!({ "sub": null }), json!({ "sub": 5 }), json!({ "sub": "a\0b" }),
            json!({ "exp": NOW }), json!({ "exp": NOW - 1 }),
        ] {
            assert_eq!(me(&app, &own.sign(&with(&claims, changes.clone())).unwrap()).await, 401, "{changes}");
        }
    }

    async fn p58_a_token_with_any_byte_changed_is_refused(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        let token = jwt(&ada).await;
        for place in (0..token.len()).step_by(7) {
            let mut changed = token.clone().into_bytes();
            changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(me(&app, &changed).await, 401, "{place}");
        }
        for odd in [
            format!("{token}."), format!(".{token}"), format!("{token}="), token.replace('.', ".."), "..".to_owned(),
            format!("{}.", token.rsplit_once('.').unwrap().0), "a.b.c".to_owned(), format!("{token}.{token}"),
            format!("{}.{}.{}", "A".repeat(20_000), "B".repeat(20_000), "C".repeat(20_000)),
        ] {
            assert_eq!(me(&app, &odd).await, 401, "{odd:.80}");
        }
    }

    async fn p59_header_and_key_set_agree_and_nothing_private_is_published(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        for alg in KeyAlg::ALL {
            let app = app.restart(&[("AUTH_JWT_ALG", alg.name())]).await;
            let header = header(&jwt(&app.carry(&ada)).await);
            assert_eq!(header["alg"], alg.name());
            let keys = key_set(&app).await;
            assert!(keys.iter().any(|key| key["kid"] == header["kid"] && key["alg"] == alg.name()), "{alg:?}");
            for key in &keys {
                for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
                    assert!(key.get(private).is_none(), "{private} of {alg:?}");
                }
            }
        }
    }

    async fn p60_claims_of_a_wrong_type_are_refused_not_ignored(db: TestDb) {
        let (app, ada) = with_ada(db, &[("AUTH_JWT_ALG", "HS256"), ("AUTH_JWT_SECRET", SHARED)]).await;
        let token = jwt(&ada).await;
        let (header, claims) = (header(&token), claims(&token));
        let forged = |changes: Value| jws(&header, &Value::Object(with(&claims, changes)), SHARED);
        assert_eq!(me(&app, &forged(json!({}))).await, 200, "the secret is right");
        assert_eq!(me(&app, &forged(json!({ "nbf": NOW }))).await, 200);
        for changes in [
            json!({ "exp": null }), json!({ "exp": "9999999999" }), json!({ "exp": 1e30 }), json!({ "exp": 9_999_999_999.5 }),
            json!({ "exp": true }), json!({ "exp": [9_999_999_999_i64] }), json!({ "exp": -1 }), json!({ "exp": {} }),
            json!({ "nbf": "0" }), json!({ "nbf": NOW + 60 }), json!({ "nbf": 1e30 }), json!({ "nbf": -1 }),
            json!({ "iat": -1 }), json!({ "iat": "0" }), json!({ "iat": null }), json!({ "iat": NOW + 60 }), json!({ "iat": 1e30 }),
        ] {
            assert_eq!(me(&app, &forged(changes.clone())).await, 401, "{changes}");
        }
        let null_exp = jws(&header, &{ let mut c = claims.clone(); c["exp"] = Value::Null; c }, SHARED);
        assert_eq!(me(&app, &null_exp).await, 401);
        // Nor does an extension that has to be understood pass.
        assert_eq!(me(&app, &jws(&json!({ "alg": "HS256", "crit": ["exp"] }), &claims, SHARED)).await, 401);
        assert_eq!(me(&app, &jws(&json!({ "alg": "HS256", "kid": "a\0" }), &claims, SHARED)).await, 401);
    }

    async fn p61_private_keys_are_kept_encrypted(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        jwt(&ada).await;
        let stored = stored_key(&app).await.private_key;
        let sealed: String = serde_json::from_str(&stored).unwrap();
        assert!(sealed.len() > 100 && sealed.chars().all(|c| c.is_ascii_hexdigit()), "{sealed}");
        let jwk = symmetric_decrypt(&app.state.config.secrets, &sealed).unwrap();
        assert!(jwk.contains(r#""d":"#), "{jwk}");
    }

    async fn p61_keys_are_sealed_anew_when_the_secret_is_rotated(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        let kid = header(&jwt(&ada).await)["kid"].clone();
        let new = "another-secret-0123456789-abcdefghijkl";
        let rotated = app.restart(&[("BETTER_AUTH_SECRET", ""), ("BETTER_AUTH_SECRETS", &format!("2:{new},1:{SECRET}"))]).await;
        look_after(&rotated).await;
        assert!(stored_key(&app).await.private_key.starts_with("\"$ba$2$"));
        let dropped = app.restart(&[("BETTER_AUTH_SECRET", ""), ("BETTER_AUTH_SECRETS", &format!("2:{new}"))]).await;
        let bob = dropped.browser();
        bob.sign_up("bob").await;
        assert_eq!(header(&jwt(&bob).await)["kid"], kid);
        // A process that has only the old secret goes on with the key it opened before.
        app.clock.advance(5);
        assert_eq!(header(&jwt(&ada).await)["kid"], kid);
    }

    async fn p61_under_a_wrong_secret_no_new_key_is_made_and_nobody_is_signed_out(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        let token = jwt(&ada).await;
        let versions = format!("2:{},1:{SECRET}", "another-secret-0123456789-abcdefghijkl");
        let rotated = app.restart(&[("BETTER_AUTH_SECRET", ""), ("BETTER_AUTH_SECRETS", &versions)]).await;
        assert_eq!(header(&jwt(&rotated.carry(&ada)).await)["kid"], header(&token)["kid"], "the old secret still opens it");

        let wrong = app.restart(&[("BETTER_AUTH_SECRET", "another-secret-0123456789-abcdefghijkl")]).await;
        let bob = wrong.browser();
        bob.sign_up("bob").await;
        let reply = bob.get("/token").await;
        assert_eq!((reply.status.as_u16(), reply.body.as_str()), (500, ""));
        let session = bob.get("/get-session").await;
        assert_eq!((session.json()["user"]["name"].clone(), session.header("set-auth-jwt")), (json!("bob"), ""));
        assert_eq!(key_set(&wrong).await.len(), 1);
        // What the old key signed is still good: only making new tokens needs the private part.
        assert_eq!(me(&wrong, &token).await, 200);
    }

    async fn p61_a_private_key_that_is_none_is_an_error_not_a_reason_for_a_new_one(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        for stored in ["", "x", "null", "5", "[]", "{}", "\"\"", "\"zz\"", r#"{"crv":"Ed25519","d":"x","x":"y","kty":"OKP"}"#] {
            jwt(&app.restart(&[]).await.carry(&ada)).await;
            sql(&app, format!("CREATE TABLE kept AS SELECT * FROM jwks; UPDATE jwks SET private_key = '{stored}'")).await;
            let broken = app.restart(&[]).await;
            assert_eq!(broken.carry(&ada).get("/token").await.status.as_u16(), 500, "{stored}");
            assert_eq!(key_set(&broken).await.len(), 1, "{stored}");
            sql(&app, "DELETE FROM jwks; INSERT INTO jwks SELECT * FROM kept; DROP TABLE kept").await;
        }
    }
}
