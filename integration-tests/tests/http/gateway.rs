//! `GET /auth/verify`, the check that gateways make. Real nginx and Caddy: `integration-tests/gateway`.

use actix_web::http::Method;
use integration_tests::{Browser, PASSWORD, Reply, on_both_databases};
use serde_json::json;

use crate::jwt::jwt;
use crate::support::*;

async fn check(browser: &Browser) -> Reply {
    browser.absolute(Method::GET, "/auth/verify").without("origin").send().await
}

async fn check_by(browser: &Browser, token: &str) -> u16 {
    let call = browser.absolute(Method::GET, "/auth/verify").header("authorization", &format!("Bearer {token}"));
    call.send().await.status.as_u16()
}

on_both_databases! {
    async fn who_is_signed_in_stands_in_headers(db: TestDb) {
        let app = start(db, &[]).await;
        let ada = app.browser();
        let body = json!({
            "name": "ada", "email": "ada@example.com", "password": PASSWORD, "software_background": "50% C, 50% Größe\n\u{4e2d}",
        });
        let id = ada.post("/sign-up/email", body).await.json()["user"]["id"].as_str().unwrap().to_owned();
        let reply = check(&ada).await;
        assert_eq!((reply.status.as_u16(), reply.body.as_str()), (204, ""));
        for (name, value) in [
            ("x-auth-user-id", id.as_str()),
            ("x-auth-user-email", "ada@example.com"),
            ("x-auth-user-email-verified", "false"),
            ("x-auth-software-background", "50%25 C, 50%25 Gr%C3%B6%C3%9Fe%0A%E4%B8%AD"),
            // There although empty: it has to overwrite what a client made up.
            ("x-auth-hardware-background", ""),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(reply.headers.get(name).map(String::as_str), Some(value), "{name}");
        }
        assert_eq!(reply.headers.get("x-auth-jwt").map(String::as_str), Some(""));
    }

    async fn nobody_is_401_and_a_database_that_cannot_tell_503(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        let reply = check(&app.browser()).await;
        assert_eq!(answer(&reply), unauthorized());
        assert!(!reply.headers.keys().any(|name| name.starts_with("x-auth-user")));
        ada.post("/sign-out", json!({})).await;
        assert_eq!(check(&ada).await.status.as_u16(), 401);
        let bob = app.browser();
        bob.sign_up("bob").await;
        assert!(try_execute(&app, "ALTER TABLE sessions RENAME TO sessions_gone").await.is_ok());
        assert_eq!(check(&bob).await.status.as_u16(), 503);
    }

    async fn session_tokens_and_jwts_count_too(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        let stranger = app.browser();
        assert_eq!(check_by(&stranger, &token(&ada)).await, 204);
        assert_eq!(check_by(&stranger, &jwt(&ada).await).await, 204);
        assert_eq!(check_by(&stranger, "nope").await, 401);
    }

    async fn a_jwt_can_be_handed_on(db: TestDb) {
        let (app, ada) = with_ada(db, &[("AUTH_VERIFY_JWT", "true")]).await;
        let reply = check(&ada).await;
        assert_eq!(claims(reply.header("x-auth-jwt"))["sub"], select(&app, "id FROM users").await);
    }

    async fn a_check_changes_nothing_and_is_not_limited(db: TestDb) {
        let (app, ada) = with_ada(db, &[("AUTH_RATE_LIMIT", "true"), ("AUTH_RATE_LIMIT_MAX", "1")]).await;
        app.clock.advance(2 * DAY);
        for _ in 0..5 {
            let reply = check(&ada).await;
            assert_eq!((reply.status.as_u16(), reply.set_cookies.len()), (204, 0));
        }
        assert_eq!(expires_at(&ada).await, "2030-01-08T00:00:00.000Z");
        // Where strangers reach it, a rule of its own counts.
        let limited = app.restart(&[("AUTH_RATE_LIMIT_RULES", "/verify=1/60")]).await;
        let statuses = [check(&limited.carry(&ada)).await.status.as_u16(), check(&limited.browser()).await.status.as_u16()];
        assert_eq!(statuses, [204, 429]);
    }

    async fn a_list_is_json_and_a_hidden_field_is_left_out(db: TestDb) {
        let settings = [
            ("AUTH_FIELD_SOFTWARE_BACKGROUND_TYPE", "string[]"),
            ("AUTH_FIELD_HARDWARE_BACKGROUND_CLAIM", "false"),
            ("AUTH_FIELD_SOFTWARE_BACKGROUND_KEY", "softwareBackground"),
        ];
        let (_app, ada) = with_ada(db, &settings).await;
        ada.post("/update-user", json!({ "softwareBackground": ["C", "Rust"] })).await;
        let reply = check(&ada).await;
        assert_eq!(reply.header("x-auth-software-background"), r#"["C","Rust"]"#);
        assert!(!reply.headers.contains_key("x-auth-hardware-background"));
    }
}
