//! Tokens for other services: `/token`, `/jwks`, `set-auth-jwt`, and the keys behind them.

use actix_web::http::Method;
use auth_sidecar::config::Signing;
use auth_sidecar::jobs::purge_once;
use auth_sidecar::plugins::jwt::key::{KeyAlg, verify};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::join_all;
use integration_tests::{BASE_URL, Browser, Reply, TestApp, on_both_databases};
use serde_json::{Value, json};

use crate::support::*;

/// A token of the browser's session.
pub async fn jwt(browser: &Browser) -> String {
    browser.get("/token").await.json()["token"].as_str().unwrap().to_owned()
}

/// The key set.
pub async fn key_set(app: &TestApp) -> Vec<Value> {
    app.browser().get("/jwks").await.json()["keys"].as_array().unwrap().clone()
}

/// The header of a JWS, unverified.
pub fn header(token: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap()).unwrap()
}

fn kid(token: &str) -> String {
    header(token)["kid"].as_str().unwrap().to_owned()
}

fn kids(keys: &[Value]) -> Vec<&str> {
    keys.iter().map(|key| key["kid"].as_str().unwrap()).collect()
}

/// Whether one of the published keys made the token.
async fn verifies(app: &TestApp, token: &str) -> bool {
    let (message, signature) = token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    key_set(app).await.iter().any(|key| {
        key["kid"] == header(token)["kid"]
            && key["alg"] == header(token)["alg"]
            && verify(
                KeyAlg::parse(key["alg"].as_str().unwrap()).unwrap(),
                key.as_object().unwrap(),
                message.as_bytes(),
                &signature,
            )
    })
}

/// What a running service does for its keys every half a minute.
pub async fn look_after(app: &TestApp) {
    let settings = app.state.config.plugins.jwt.as_ref().unwrap();
    let Signing::Keys(alg) = &settings.signing else { panic!("there are no keys") };
    app.state.keyring.look_after(settings, *alg).await.unwrap();
}

async fn jwks(app: &TestApp, etag: Option<&str>) -> Reply {
    let call = app.browser().request(Method::GET, "/jwks");
    match etag {
        Some(etag) => call.header("if-none-match", etag).send().await,
        None => call.send().await,
    }
}

on_both_databases! {
    async fn a_token_says_who_somebody_is_in_upstreams_order(db: TestDb) {
        let app = start(db, &[]).await;
        let ada = app.browser();
        let body = json!({
            "name": "ada", "email": "ada@example.com", "password": integration_tests::PASSWORD, "software_background": "C",
        });
        let id = ada.post("/sign-up/email", body).await.json()["user"]["id"].as_str().unwrap().to_owned();
        let token = jwt(&ada).await;
        let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
        assert_eq!(
            String::from_utf8(payload).unwrap().replace(&id, "<id>"),
            concat!(
                r#"{"iat":1893456000,"name":"ada","email":"ada@example.com","emailVerified":false,"image":null,"#,
                r#""createdAt":"2030-01-01T00:00:00.000Z","updatedAt":"2030-01-01T00:00:00.000Z","#,
                r#""software_background":"C","hardware_background":null,"id":"<id>","sub":"<id>","#,
                r#""exp":1893456900,"iss":"http://localhost:4000","aud":"http://localhost:4000"}"#,
            )
        );
        assert_eq!(header(&token), json!({ "alg": "EdDSA", "kid": key_set(&app).await[0]["kid"] }));
        assert!(verifies(&app, &token).await);
    }

    async fn nobody_gets_no_token(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        assert_eq!(answer(&app.browser().get("/token").await), unauthorized());
        ada.post("/sign-out", json!({})).await;
        assert_eq!(answer(&ada.get("/token").await), unauthorized());
    }

    async fn a_token_follows_the_user(db: TestDb) {
        let (_app, ada) = with_ada(db, &[]).await;
        ada.post("/update-user", json!({ "name": "Ada L.", "hardware_background": "FPGA" })).await;
        let claims = claims(&jwt(&ada).await);
        assert_eq!((&claims["name"], &claims["hardware_background"]), (&json!("Ada L."), &json!("FPGA")));
    }

    async fn every_algorithm_signs_what_its_key_verifies(db: TestDb) {
        let app = start(db, &[]).await;
        let sign_up = app.browser();
        sign_up.sign_up("ada").await;
        for alg in KeyAlg::ALL {
            let app = app.restart(&[("AUTH_JWT_ALG", alg.name())]).await;
            let ada = app.browser();
            ada.sign_in("ada").await;
            let token = jwt(&ada).await;
            // Unlike upstream, the setting holds although there is a live key of another algorithm.
            assert_eq!(header(&token)["alg"], alg.name());
            assert!(verifies(&app, &token).await, "{alg:?}");
            let mut changed = token.clone();
            changed.replace_range(token.len() / 2..=token.len() / 2, if token.as_bytes()[token.len() / 2] == b'A' { "B" } else { "A" });
            assert!(!verifies(&app, &changed).await, "{alg:?}");
        }
        assert_eq!(key_set(&app).await.len(), KeyAlg::ALL.len());
    }

    async fn the_key_set_is_public_and_its_members_are_in_upstreams_order(db: TestDb) {
        let app = start(db, &[]).await;
        let reply = jwks(&app, None).await;
        assert_eq!(reply.header("cache-control"), "public, max-age=60");
        let key = key_set(&app).await.remove(0);
        let x = key["x"].as_str().unwrap();
        assert_eq!(
            answer(&reply),
            (200, format!(r#"{{"keys":[{{"alg":"EdDSA","crv":"Ed25519","x":"{x}","kty":"OKP","kid":"<id>"}}]}}"#))
        );
        assert_eq!(app.browser().absolute(Method::GET, "/.well-known/jwks.json").send().await.body, reply.body);
        assert_eq!(app.browser().get("/.well-known/jwks.json").await.body, reply.body);
    }

    async fn whoever_has_the_key_set_is_not_sent_it_again(db: TestDb) {
        let app = start(db, &[]).await;
        let first = jwks(&app, None).await;
        let etag = first.header("etag").to_owned();
        for tag in [etag.clone(), format!("W/{etag}"), format!("\"other\", {etag}"), "*".to_owned()] {
            let again = jwks(&app, Some(&tag)).await;
            assert_eq!((again.status.as_u16(), again.body.as_str(), again.header("etag")), (304, "", etag.as_str()));
        }
        assert_eq!(jwks(&app, Some("\"other\"")).await.body, first.body);
        execute(&app, "DELETE FROM jwks").await;
        app.clock.advance(5);
        assert_ne!(jwks(&app, Some(&etag)).await.body, first.body);
    }

    async fn a_private_part_that_stands_in_a_public_key_is_not_published(db: TestDb) {
        let app = start(db, &[]).await;
        let public = key_set(&app).await[0]["x"].as_str().unwrap().to_owned();
        execute(&app, &format!(r#"UPDATE jwks SET public_key = '{{"crv":"Ed25519","d":"hush","x":"{public}","kty":"OKP"}}'"#)).await;
        assert!(!jwks(&app, None).await.body.contains("hush"));
    }

    async fn get_session_gives_a_token_in_a_header(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        let reply = ada.get("/get-session").await;
        assert!(verifies(&app, reply.header("set-auth-jwt")).await);
        assert_eq!(claims(reply.header("set-auth-jwt"))["sub"], reply.json()["user"]["id"]);
        let bare = app.restart(&[("AUTH_CORS", "false")]).await;
        assert_eq!(bare.carry(&ada).get("/get-session").await.header("access-control-expose-headers"), "set-auth-jwt");
        assert_eq!(app.browser().get("/get-session").await.header("set-auth-jwt"), "");
        assert_eq!(ada.get("/list-sessions").await.header("set-auth-jwt"), "");
        let app = app.restart(&[("AUTH_JWT_DISABLE_SETTING_JWT_HEADER", "true")]).await;
        let ada = app.browser();
        ada.sign_in("ada").await;
        assert_eq!(ada.get("/get-session").await.header("set-auth-jwt"), "");
    }

    async fn issuer_audience_and_lifetime_can_be_set(db: TestDb) {
        let settings = [
            ("AUTH_JWT_ISSUER", "https://issuer.example.com"), ("AUTH_JWT_AUDIENCE", "api"), ("AUTH_JWT_EXPIRES_IN", "1h"),
        ];
        let (_app, ada) = with_ada(db, &settings).await;
        let claims = claims(&jwt(&ada).await);
        assert_eq!((&claims["iss"], &claims["aud"]), (&json!("https://issuer.example.com"), &json!("api")));
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 3600);
    }

    async fn what_a_token_says_can_be_cut_down(db: TestDb) {
        let settings = [("AUTH_JWT_PAYLOAD", "email"), ("AUTH_FIELD_HARDWARE_BACKGROUND_CLAIM", "false")];
        let (app, ada) = with_ada(db, &settings).await;
        let claims = claims(&jwt(&ada).await);
        let keys: Vec<&str> = claims.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, ["iat", "email", "software_background", "sub", "exp", "iss", "aud"]);
        assert_eq!(claims["sub"], select(&app, "id FROM users").await);
    }

    async fn the_first_key_is_made_once_whoever_asks(db: TestDb) {
        let (app, ada) = with_ada(db, &[("AUTH_JWT_ALG", "ES256")]).await;
        let other = app.restart(&[("AUTH_JWT_ALG", "ES256")]).await;
        let browsers: Vec<Browser> = (0..10).flat_map(|_| [ada.copy(), other.carry(&ada)]).collect();
        let tokens = join_all(browsers.iter().map(jwt)).await;
        assert_eq!(count(&app, "jwks").await, 1);
        for token in tokens {
            assert!(verifies(&app, &token).await);
        }
    }

    async fn a_key_that_is_there_is_used_and_no_request_makes_another(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        let first = kid(&jwt(&ada).await);
        for _ in 0..3 {
            app.clock.advance(3600);
            assert_eq!(kid(&jwt(&ada).await), first);
            ada.get("/get-session").await;
            jwks(&app, None).await;
        }
        assert_eq!(count(&app, "jwks").await, 1);
    }

    async fn a_rotated_key_stays_published_for_its_grace(db: TestDb) {
        let settings = [("AUTH_JWT_ROTATION_INTERVAL", "1h"), ("AUTH_JWT_GRACE_PERIOD", "30m")];
        let (app, ada) = with_ada(db, &settings).await;
        let old = jwt(&ada).await;
        app.clock.advance(3600 - 121);
        look_after(&app).await;
        assert_eq!(kid(&jwt(&ada).await), kid(&old));
        assert_eq!(key_set(&app).await.len(), 1);
        // The next key is published two minutes before it signs.
        app.clock.advance(1);
        look_after(&app).await;
        look_after(&app).await;
        assert_eq!(key_set(&app).await.len(), 2);
        app.clock.advance(119);
        assert_eq!(kid(&jwt(&ada).await), kid(&old));
        app.clock.advance(1);
        let new = jwt(&ada).await;
        assert_ne!(kid(&new), kid(&old));
        assert_eq!(kids(&key_set(&app).await), [kid(&old), kid(&new)]);
        assert!(verifies(&app, &old).await && verifies(&app, &new).await);
        assert_eq!(purge_once(&app.db.db, &app.state.config, app.clock.now()).await.unwrap(), 0);
        app.clock.advance(1800);
        assert_eq!(kids(&key_set(&app).await), [kid(&new)]);
        app.clock.advance(1);
        assert_eq!(purge_once(&app.db.db, &app.state.config, app.clock.now()).await.unwrap(), 1);
        assert_eq!(count(&app, "jwks").await, 1);
    }

    async fn a_key_from_before_keys_rotated_ends_too(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        let old = jwt(&ada).await;
        app.clock.advance(7200);
        let app = app.restart(&[("AUTH_JWT_ROTATION_INTERVAL", "1h")]).await;
        let ada = app.carry(&ada);
        look_after(&app).await;
        look_after(&app).await;
        // It is over long ago, but not before its successor is known.
        assert_eq!(kid(&jwt(&ada).await), kid(&old));
        assert_eq!(key_set(&app).await.len(), 2);
        app.clock.advance(120);
        assert_ne!(kid(&jwt(&ada).await), kid(&old));
    }

    async fn the_key_at_hand_goes_on_for_a_minute_without_its_table(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        let first = kid(&jwt(&ada).await);
        app.clock.advance(5);
        assert!(try_execute(&app, "ALTER TABLE jwks RENAME TO jwks_gone").await.is_ok());
        assert_eq!(kid(&jwt(&ada).await), first);
        app.clock.advance(54);
        assert_eq!(kid(&jwt(&ada).await), first);
        app.clock.advance(1);
        assert_eq!(ada.get("/token").await.outcome(), (503, "SERVICE_UNAVAILABLE".to_owned()));
        let session = ada.get("/get-session").await;
        assert_eq!((session.status.as_u16(), session.header("set-auth-jwt")), (200, ""));
        assert!(try_execute(&app, "ALTER TABLE jwks_gone RENAME TO jwks").await.is_ok());
        assert_eq!(kid(&jwt(&ada).await), first);
        assert_eq!(count(&app, "jwks").await, 1);
    }

    async fn a_token_too_long_for_a_header_is_left_out_of_it(db: TestDb) {
        let (_app, ada) = with_ada(db, &[]).await;
        ada.post("/update-user", json!({ "software_background": "\u{4e2d}".repeat(1000) })).await;
        let reply = ada.get("/get-session").await;
        assert_eq!((reply.status.as_u16(), reply.header("set-auth-jwt")), (200, ""));
        assert!(jwt(&ada).await.len() > 3072);
        ada.post("/update-user", json!({ "software_background": "\u{4e2d}".repeat(300) })).await;
        assert_ne!(ada.get("/get-session").await.header("set-auth-jwt"), "");
    }

    async fn all_paths_of_the_key_set_are_disabled_together(db: TestDb) {
        let app = start(db, &[("AUTH_DISABLED_PATHS", "/jwks,/token")]).await;
        for path in ["/api/auth/jwks", "/api/auth/.well-known/jwks.json", "/.well-known/jwks.json", "/api/auth/token", "/auth/token"] {
            assert_eq!(app.browser().absolute(Method::GET, path).send().await.status.as_u16(), 404, "{path}");
        }
        let body = json!({ "username": "a@b.co", "password": "wrong-password" });
        let reply = app.browser().absolute(Method::POST, "/auth/token").json(body).send().await;
        assert_eq!(reply.outcome(), (404, "NOT_FOUND".to_owned()));
    }

    async fn a_service_that_slept_through_the_end_of_its_key_makes_one_at_once(db: TestDb) {
        let (app, ada) = with_ada(db, &[("AUTH_JWT_ROTATION_INTERVAL", "1h"), ("AUTH_JWT_GRACE_PERIOD", "0")]).await;
        let old = jwt(&ada).await;
        app.clock.advance(7200);
        assert_ne!(kids(&key_set(&app).await), [kid(&old)], "a key set without a key would be of no use");
        assert!(verifies(&app, &jwt(&ada).await).await);
        assert_eq!(count(&app, "jwks").await, 2);
    }

    async fn a_key_of_a_replica_whose_clock_is_ahead_is_used(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        let ahead = app.restart(&[]).await;
        ahead.clock.advance(1);
        let first = jwt(&ahead.carry(&ada)).await;
        ahead.clock.advance(-1);
        assert_eq!(kid(&jwt(&ada).await), kid(&first));
        assert_eq!(count(&app, "jwks").await, 1);
    }

    async fn a_key_that_was_removed_signs_nothing_after_five_seconds(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        let old = jwt(&ada).await;
        execute(&app, "DELETE FROM jwks").await;
        assert!(!verifies(&app, &old).await);
        app.clock.advance(5);
        let new = jwt(&ada).await;
        assert_ne!(kid(&new), kid(&old));
        assert!(verifies(&app, &new).await);
    }

    async fn a_shared_secret_signs_where_a_backend_must_keep_one(db: TestDb) {
        const SHARED: &str = "a-secret-that-a-backend-keeps-0123456789";
        let (app, ada) = with_ada(db, &[("AUTH_JWT_ALG", "HS256"), ("AUTH_JWT_SECRET", SHARED)]).await;
        let token = jwt(&ada).await;
        assert_eq!(header(&token), json!({ "alg": "HS256" }));
        assert_eq!(jws(&header(&token), &claims(&token), SHARED), token);
        assert_eq!(jwks(&app, None).await.body, r#"{"keys":[]}"#);
        assert_eq!(count(&app, "jwks").await, 0);
        let me = app.browser().absolute(Method::GET, "/auth/me").header("authorization", &format!("Bearer {token}"));
        assert_eq!(me.send().await.json()["user"]["name"], "ada");
    }

    async fn keys_of_a_node_server_go_on_signing(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        // As `disablePrivateKeyEncryption` leaves them, and without an algorithm as early versions did.
        let private = json!({
            "crv": "Ed25519", "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kty": "OKP",
        });
        let public = json!({ "crv": "Ed25519", "x": private["x"], "kty": "OKP" });
        execute(&app, &format!(
            "INSERT INTO jwks (id, public_key, private_key, created_at) \
             VALUES ('node-key', '{public}', '{private}', '2029-12-31 00:00:00')"
        )).await;
        app.clock.advance(5);
        let token = jwt(&ada).await;
        assert_eq!(header(&token), json!({ "alg": "EdDSA", "kid": "node-key" }));
        assert_eq!(kids(&key_set(&app).await), ["node-key"]);
        let me = app.browser().absolute(Method::GET, "/auth/me").header("authorization", &format!("Bearer {token}"));
        assert_eq!(me.send().await.json()["user"]["name"], "ada");
    }

    async fn without_the_plugin_there_are_no_tokens(db: TestDb) {
        let (app, ada) = with_ada(db, &[("AUTH_PLUGINS", "none")]).await;
        for path in ["/api/auth/token", "/api/auth/jwks", "/.well-known/jwks.json", "/auth/token"] {
            assert_eq!(ada.absolute(Method::GET, path).send().await.status.as_u16(), 404, "{path}");
        }
        assert_eq!(ada.get("/get-session").await.header("set-auth-jwt"), "");
        assert_eq!(count(&app, "jwks").await, 0);
        let login = json!({ "email": "ada@example.com", "password": integration_tests::PASSWORD });
        let reply = ada.absolute(Method::POST, "/auth/login").json(login).send().await.json();
        assert_eq!(reply.as_object().unwrap().keys().collect::<Vec<_>>(), ["user", "token"]);
    }

    async fn the_issuer_is_the_origin_without_the_path(db: TestDb) {
        let (app, ada) = with_ada(db, &[("BETTER_AUTH_URL", "http://localhost:4000/accounts")]).await;
        assert_eq!(claims(&jwt(&ada).await)["iss"], BASE_URL);
        assert_eq!(app.browser().absolute(Method::GET, "/.well-known/jwks.json").send().await.status.as_u16(), 200);
    }
}
