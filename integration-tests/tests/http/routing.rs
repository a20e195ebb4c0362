//! Paths, bodies and the order in which a request is refused.

use actix_web::http::Method;
use integration_tests::{Call, PASSWORD, Reply, on_both_databases};
use serde_json::json;

use crate::support::*;

/// 404 without body and type.
fn plain_404(reply: &Reply) {
    assert_eq!((answer(reply), reply.header("content-type")), ((404, String::new()), ""));
}

fn json_body(call: Call, body: impl Into<Vec<u8>>) -> Call {
    call.header("content-type", "application/json").body(body)
}

const BAD_JSON: (&str, &str) = ("BAD_REQUEST", "Invalid JSON in request body");

on_both_databases! {
    async fn ok_answers(db: TestDb) {
        let app = start(db, &[]).await;
        let reply = app.browser().get("/ok").await;
        assert_eq!(answer(&reply), (200, r#"{"ok":true}"#.to_owned()));
        assert_eq!((reply.header("content-type"), reply.header("cache-control")), ("application/json", ""));
    }

    async fn only_the_exact_path_and_method_are_found(db: TestDb) {
        let (_app, ada) = with_ada(db, &[]).await;
        for (method, path) in [
            (Method::GET, "/api/authx/ok"),
            (Method::GET, "/api/auth"),
            (Method::GET, "/api/auth/"),
            (Method::GET, "/api/auth//ok"),
            (Method::GET, "/api/auth/ok/"),
            (Method::GET, "/api/auth/OK"),
            (Method::GET, "/api/auth/%6Fk"),
            (Method::GET, "/ok"),
            (Method::GET, "/api/auth/nope"),
            (Method::GET, "/"),
            (Method::POST, "/api/auth/ok"),
            (Method::GET, "/api/auth/sign-in/email"),
            (Method::PUT, "/api/auth/update-user"),
            (Method::DELETE, "/api/auth/delete-user"),
            (Method::HEAD, "/api/auth/ok"),
            (Method::OPTIONS, "/api/auth/ok"),
            (Method::POST, "/api/auth/set-password"),
            (Method::GET, "/api/auth/reset-password/"),
            (Method::GET, "/api/auth/reset-password/a/b"),
            (Method::POST, "/api/auth/token"),
            (Method::POST, "/api/auth/jwks"),
            (Method::GET, "/api/auth/one-time-token/generate"),
        ] {
            plain_404(&ada.absolute(method, path).send().await);
        }
        let reply = ada.absolute(Method::GET, "/api/auth/nope/../ok").send().await;
        assert_eq!(reply.status.as_u16(), 200);
    }

    async fn the_base_path_can_be_set(db: TestDb) {
        let app = start(db, &[("AUTH_BASE_PATH", "/id")]).await;
        let ada = app.browser();
        ada.sign_up("ada").await;
        assert_eq!(ada.absolute(Method::GET, "/id/get-session").send().await.json()["user"]["name"], "ada");
        plain_404(&ada.absolute(Method::GET, "/api/auth/get-session").send().await);
    }

    async fn the_base_path_can_be_none(db: TestDb) {
        let app = start(db, &[("AUTH_BASE_PATH", "/")]).await;
        assert_eq!(app.browser().absolute(Method::GET, "/ok").send().await.status.as_u16(), 200);
    }

    async fn a_path_in_the_public_address_is_the_base_path(db: TestDb) {
        let app = start(db, &[("BETTER_AUTH_URL", "http://localhost:4000/accounts")]).await;
        assert_eq!(app.browser().absolute(Method::GET, "/accounts/ok").send().await.status.as_u16(), 200);
        plain_404(&app.browser().absolute(Method::GET, "/api/auth/ok").send().await);
    }

    async fn a_disabled_path_is_not_found_with_a_text(db: TestDb) {
        let (app, ada) = with_ada(db, &[("AUTH_DISABLED_PATHS", "/verify-password,/ok")]).await;
        for reply in
            [ada.post("/verify-password", json!({ "password": PASSWORD })).await, app.browser().get("/ok/").await]
        {
            assert_eq!(answer(&reply), (404, "Not Found".to_owned()));
            assert_eq!(reply.header("content-type"), "text/plain;charset=UTF-8");
        }
        assert_eq!(ada.get("/get-session").await.status.as_u16(), 200);
    }

    async fn other_media_types_are_refused_even_where_the_body_is_not_used(db: TestDb) {
        let (_app, ada) = with_ada(db, &[]).await;
        for (path, media, allowed) in [
            ("/update-user", "text/plain", "application/json"),
            ("/update-user", "application/x-www-form-urlencoded", "application/json"),
            ("/sign-out", "text/plain", "application/json"),
            ("/revoke-sessions", "multipart/form-data; boundary=x", "application/json"),
            ("/update-user", "application/vnd.api+json", "application/json"),
            ("/sign-in/email", "text/plain", "application/x-www-form-urlencoded, application/json"),
        ] {
            let reply = ada.request(Method::POST, path).header("content-type", media).body("{}").send().await;
            let message = format!("Content-Type \"{media}\" is not allowed. Allowed types: {allowed}");
            assert_eq!(answer(&reply), refusal(415, "UNSUPPORTED_MEDIA_TYPE", &message));
        }
        assert_eq!(ada.user().await["name"], "ada");
    }

    async fn json_with_a_charset_or_a_byte_order_mark_is_read(db: TestDb) {
        let (_app, ada) = with_ada(db, &[]).await;
        let call = ada.request(Method::POST, "/update-user").header("content-type", "Application/JSON; charset=utf-8");
        assert_eq!(answer(&call.body(r#"{"name":"A"}"#).send().await), status_true());
        let call = json_body(ada.request(Method::POST, "/update-user"), "\u{feff}{\"name\":\"B\"}");
        assert_eq!(answer(&call.send().await), status_true());
        assert_eq!(ada.user().await["name"], "B");
    }

    async fn the_last_of_duplicate_members_counts(db: TestDb) {
        let (_app, ada) = with_ada(db, &[]).await;
        json_body(ada.request(Method::POST, "/update-user"), r#"{"name":"A","name":"B"}"#).send().await;
        assert_eq!(ada.user().await["name"], "B");
    }

    async fn malformed_json_is_refused_before_the_session_is_looked_at(db: TestDb) {
        let app = start(db, &[]).await;
        for body in ["{", "{\"name\":}", "nope", "{}{}", "\u{feff}"] {
            let reply = json_body(app.browser().request(Method::POST, "/update-user"), body).send().await;
            assert_eq!(answer(&reply), refusal(400, BAD_JSON.0, BAD_JSON.1), "{body}");
        }
        let nested = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        let reply = json_body(app.browser().request(Method::POST, "/sign-in/email"), nested).send().await;
        assert_eq!(reply.outcome(), (400, BAD_JSON.0.to_owned()));
    }

    async fn a_body_without_a_type_is_no_body(db: TestDb) {
        let (_app, ada) = with_ada(db, &[]).await;
        let reply = ada.request(Method::POST, "/update-user").body(r#"{"name":"A"}"#).send().await;
        assert_eq!(answer(&reply), invalid("[body] Invalid input: expected record, received undefined"));
    }

    async fn a_body_over_the_limit_is_refused(db: TestDb) {
        let (_app, ada) = with_ada(db, &[("AUTH_BODY_LIMIT", "1024")]).await;
        let body = |bytes: usize| json!({ "image": "x".repeat(bytes - r#"{"image":""}"#.len()) });
        assert_eq!(answer(&ada.post("/update-user", body(1024)).await), status_true());
        let reply = ada.post("/update-user", body(1025)).await;
        assert_eq!(answer(&reply), refusal(413, "PAYLOAD_TOO_LARGE", "Request body is too large"));
    }

    async fn a_repeated_query_key_is_a_list(db: TestDb) {
        let app = start(db, &[]).await;
        let reply = app.browser().get("/verify-email?token=a&token=b").await;
        assert_eq!(answer(&reply), invalid("[query.token] Invalid input: expected string, received array"));
    }

    async fn a_nul_character_is_refused_anywhere(db: TestDb) {
        let (_app, ada) = with_ada(db, &[]).await;
        for body in [json!({ "name": "a\0b" }), json!({ "a": [{ "b": "\0" }] }), json!({ "a\0": 1 })] {
            let reply = ada.post("/update-user", body).await;
            assert_eq!(answer(&reply), invalid("[body] Invalid input: NUL characters are not allowed"));
        }
        let reply = ada.get("/verify-email?token=%00").await;
        assert_eq!(answer(&reply), invalid("[query] Invalid input: NUL characters are not allowed"));
        assert_eq!(ada.user().await["name"], "ada");
    }

    async fn earlier_checks_win(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        let evil = |path: &str| ada.request(Method::POST, path).header("origin", "https://evil.example");
        let text = evil("/update-user").header("content-type", "text/plain").body("x").send().await;
        assert_eq!(text.outcome(), (415, "UNSUPPORTED_MEDIA_TYPE".to_owned()));
        plain_404(&evil("/nope").json(json!({})).send().await);
        assert_eq!(json_body(evil("/update-user"), "{").send().await.outcome(), (400, "BAD_REQUEST".to_owned()));
        assert_eq!(evil("/sign-in/email").json(json!([])).send().await.outcome(), (403, "INVALID_ORIGIN".to_owned()));
        let stranger = app.browser().request(Method::POST, "/sign-in/email").header("origin", "https://evil.example");
        assert_eq!(stranger.json(json!([])).send().await.outcome(), (400, "VALIDATION_ERROR".to_owned()));
    }

    async fn answers_that_may_hold_a_secret_are_not_stored(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        assert_eq!(ada.get("/list-sessions").await.header("cache-control"), "no-store");
        assert_eq!(app.browser().sign_in("ada").await.header("cache-control"), "no-store");
        assert_eq!(app.browser().get("/list-accounts").await.header("cache-control"), "no-store");
    }

    async fn without_the_rule_on_storing_only_upstreams_answers_have_it(db: TestDb) {
        let (_app, ada) = with_ada(db, &[("AUTH_NO_STORE", "false")]).await;
        assert_eq!(ada.get("/list-sessions").await.header("cache-control"), "");
        assert_eq!(ada.get("/get-session").await.header("cache-control"), "no-store");
    }

    async fn health_is_told_outside_the_base_path(db: TestDb) {
        let app = start(db, &[]).await;
        let browser = app.browser();
        let live = browser.absolute(Method::GET, "/health/live").send().await;
        assert_eq!(answer(&live), (200, r#"{"status":"live"}"#.to_owned()));
        let ready = browser.absolute(Method::GET, "/health/ready").send().await;
        assert_eq!(answer(&ready), (200, r#"{"status":"ready"}"#.to_owned()));
        app.state.start_draining();
        let ready = browser.absolute(Method::GET, "/health/ready").send().await;
        assert_eq!(answer(&ready), (503, r#"{"status":"stopping"}"#.to_owned()));
        assert_eq!(browser.absolute(Method::GET, "/health/live").send().await.status.as_u16(), 200);
    }
}
