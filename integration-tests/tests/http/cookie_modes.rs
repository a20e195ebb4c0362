//! Names and attributes of cookies by setting, and the order of several.

use integration_tests::{PASSWORD, Reply, TestApp, on_both_databases};
use schema::test_support::TestDb;
use serde_json::{Value, json};

use crate::support::*;

const HTTPS: (&str, &str) = ("BETTER_AUTH_URL", "https://auth.example.com");

async fn sign_in(app: &TestApp, remember: Value) -> Reply {
    let body = json!({ "email": "ada@example.com", "password": PASSWORD, "rememberMe": remember });
    app.browser().post("/sign-in/email", body).await
}

/// What ada's sign-in and sign-out set under these settings.
async fn lines(db: TestDb, settings: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
    let (app, ada) = with_ada(db, settings).await;
    assert_eq!(ada.user().await["name"], "ada");
    (cookies(&sign_in(&app, json!(true)).await), cookies(&ada.post("/sign-out", json!({})).await))
}

fn signed_out(name: &str, attributes: &str) -> [String; 3] {
    ["session_token", "session_data", "dont_remember"]
        .map(|cookie| format!("{name}.{cookie}=; Max-Age=0; {attributes}"))
}

on_both_databases! {
    async fn https_gives_secure_cookies_with_the_prefix(db: TestDb) {
        let (on, off) = lines(db, &[HTTPS]).await;
        let attributes = "Path=/; HttpOnly; Secure; SameSite=Lax";
        assert_eq!(on, [format!("__Secure-better-auth.session_token=<value>; Max-Age=604800; {attributes}")]);
        assert_eq!(off, signed_out("__Secure-better-auth", attributes));
    }

    async fn secure_cookies_are_the_only_ones_read_under_https(db: TestDb) {
        let (app, ada) = with_ada(db, &[HTTPS]).await;
        let plain = app.browser();
        plain.set_cookie("better-auth.session_token", &ada.cookie("session_token").unwrap());
        assert_eq!(plain.get("/get-session").await.body, "null");
    }

    async fn secure_can_be_switched_against_the_scheme(db: TestDb) {
        let (on, _) = lines(db, &[("AUTH_COOKIE_SECURE", "true")]).await;
        assert_eq!(
            on,
            ["__Secure-better-auth.session_token=<value>; Max-Age=604800; Path=/; HttpOnly; Secure; SameSite=Lax"]
        );
    }

    async fn cross_site_cookies_are_none_secure_and_partitioned(db: TestDb) {
        let (on, off) = lines(db, &[HTTPS, ("AUTH_COOKIE_MODE", "cross-site")]).await;
        let attributes = "Path=/; HttpOnly; Secure; SameSite=None; Partitioned";
        assert_eq!(on, [format!("__Secure-better-auth.session_token=<value>; Max-Age=604800; {attributes}")]);
        assert_eq!(off, signed_out("__Secure-better-auth", attributes));
    }

    async fn cookies_can_be_shared_below_a_domain(db: TestDb) {
        let (on, off) = lines(db, &[HTTPS, ("AUTH_COOKIE_DOMAIN", "example.com")]).await;
        let attributes = "Domain=example.com; Path=/; HttpOnly; Secure; SameSite=Lax";
        assert_eq!(on, [format!("__Secure-better-auth.session_token=<value>; Max-Age=604800; {attributes}")]);
        assert_eq!(off, signed_out("__Secure-better-auth", attributes));
    }

    async fn the_name_can_be_set(db: TestDb) {
        let (on, off) = lines(db, &[("AUTH_COOKIE_PREFIX", "acme")]).await;
        assert_eq!(on, [SIGNED_IN.replace("better-auth", "acme")]);
        assert_eq!(off, signed_out("acme", "Path=/; HttpOnly; SameSite=Lax"));
    }

    async fn max_age_follows_the_lifetime(db: TestDb) {
        let (on, _) = lines(db, &[("AUTH_SESSION_EXPIRES_IN", "1h")]).await;
        assert_eq!(on, [SIGNED_IN.replace("604800", "3600")]);
    }

    async fn token_then_dont_remember_then_cache(db: TestDb) {
        let (app, _ada) = with_ada(db, &[("AUTH_SESSION_COOKIE_CACHE", "compact")]).await;
        let data = "better-auth.session_data=<value>; Max-Age=300; Path=/; HttpOnly; SameSite=Lax";
        assert_eq!(cookies(&sign_in(&app, json!(true)).await), [SIGNED_IN, data]);
        let [token, dont_remember] = SIGNED_IN_FOR_NOW;
        let expected = [token, dont_remember, &data.replace("; Max-Age=300", "")];
        assert_eq!(cookies(&sign_in(&app, json!(false)).await), expected);
    }

    async fn every_cookie_is_signed_and_encoded(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        let value = ada.cookie("session_token").unwrap();
        let (token, signature) = value.split_once('.').unwrap();
        assert_eq!(token.len(), 32);
        assert!(signature.ends_with("%3D") && !signature.contains(['+', '/', '=']), "{signature}");
        let reply = sign_in(&app, json!(false)).await;
        assert!(reply.set_cookies[1].starts_with("better-auth.dont_remember=true."));
    }

    async fn a_cookie_that_comes_back_unencoded_or_quoted_is_read(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        let encoded = ada.cookie("session_token").unwrap();
        let plain = encoded.replace("%2B", "+").replace("%2F", "/").replace("%3D", "=");
        for value in [plain, format!("\"{encoded}\"")] {
            let browser = app.browser();
            browser.set_cookie("better-auth.session_token", &value);
            assert_eq!(browser.user().await["name"], "ada", "{value}");
        }
    }
}
