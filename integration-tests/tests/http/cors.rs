//! CORS: which pages of other origins may read an answer.

use actix_web::http::Method;
use integration_tests::{APP_ORIGIN, Browser, Reply, on_both_databases};
use serde_json::json;

use crate::support::*;

const EVIL: &str = "https://evil.example";

async fn preflight(browser: &Browser, origin: &str, method: &str, headers: &str) -> Reply {
    let call = browser.request(Method::OPTIONS, "/sign-in/email").header("origin", origin);
    let call = call.header("access-control-request-method", method);
    call.header("access-control-request-headers", headers).send().await
}

fn list(header: &str) -> Vec<String> {
    let mut items: Vec<String> = header.split(',').map(|item| item.trim().to_ascii_lowercase()).collect();
    items.sort();
    items
}

/// The page at `origin` may read the answer, with credentials.
fn readable_by(reply: &Reply, origin: &str) {
    assert_eq!(reply.header("access-control-allow-origin"), origin);
    assert_eq!(reply.header("access-control-allow-credentials"), "true");
    assert!(list(reply.header("vary")).contains(&"origin".to_owned()));
}

/// No page of another origin may read the answer.
fn unreadable(reply: &Reply) {
    assert_eq!(reply.header("access-control-allow-origin"), "");
}

on_both_databases! {
    async fn a_preflight_of_a_trusted_origin_is_granted(db: TestDb) {
        let app = start(db, &[]).await;
        let reply = preflight(&app.browser(), APP_ORIGIN, "POST", "content-type, authorization").await;
        assert!(reply.status.is_success());
        readable_by(&reply, APP_ORIGIN);
        assert_eq!(list(reply.header("access-control-allow-methods")), ["get", "post", "put"]);
        assert_eq!(list(reply.header("access-control-allow-headers")), ["accept", "authorization", "content-type"]);
        assert_eq!(reply.header("access-control-max-age"), "600");
        assert!(reply.set_cookies.is_empty());
    }

    async fn a_preflight_of_an_untrusted_origin_is_not(db: TestDb) {
        let app = start(db, &[]).await;
        for origin in [
            EVIL,
            "null",
            "https://app.example.com.evil.example",
            "http://app.example.com",
            "https://app.example.com:444",
        ] {
            let reply = preflight(&app.browser(), origin, "POST", "content-type").await;
            unreadable(&reply);
            assert_eq!(reply.header("access-control-allow-methods"), "", "{origin}");
        }
    }

    async fn a_preflight_for_another_method_or_header_is_not_granted(db: TestDb) {
        let app = start(db, &[]).await;
        for (method, headers) in [("DELETE", "content-type"), ("POST", "x-custom")] {
            let reply = preflight(&app.browser(), APP_ORIGIN, method, headers).await;
            assert!(!reply.status.is_success(), "{method} {headers}");
        }
    }

    async fn a_trusted_page_reads_answers_with_credentials(db: TestDb) {
        let (_app, ada) = with_ada(db, &[]).await;
        let reply = ada.get("/get-session").await;
        readable_by(&reply, APP_ORIGIN);
        assert_eq!(
            list(reply.header("access-control-expose-headers")),
            ["set-auth-jwt", "set-auth-token", "set-ott", "x-auth-sidecar-warning", "x-retry-after"]
        );
        readable_by(&ada.post("/update-user", json!({})).await, APP_ORIGIN);
        readable_by(&ada.get("/nope").await, APP_ORIGIN);
        readable_by(&ada.absolute(Method::GET, "/auth/me").send().await, APP_ORIGIN);
    }

    async fn a_wildcard_is_answered_with_the_exact_origin(db: TestDb) {
        let app = start(db, &[]).await;
        for (origin, trusted) in [
            ("https://pr-1.preview.example.com", true),
            ("https://a.b.preview.example.com", true),
            ("https://preview.example.com", false),
            ("http://pr-1.preview.example.com", false),
        ] {
            let reply = app.browser().request(Method::GET, "/ok").header("origin", origin).send().await;
            if trusted { readable_by(&reply, origin) } else { unreadable(&reply) }
        }
    }

    async fn the_service_trusts_its_own_origin(db: TestDb) {
        let app = start(db, &[]).await;
        let reply =
            app.browser().request(Method::GET, "/ok").header("origin", integration_tests::BASE_URL).send().await;
        readable_by(&reply, integration_tests::BASE_URL);
    }

    async fn an_untrusted_page_cannot_read_answers(db: TestDb) {
        let (_app, ada) = with_ada(db, &[]).await;
        for origin in [EVIL, "null", "*"] {
            let reply = ada.request(Method::GET, "/get-session").header("origin", origin).send().await;
            assert_eq!(reply.json()["user"]["name"], "ada");
            unreadable(&reply);
            assert!(list(reply.header("vary")).contains(&"origin".to_owned()));
        }
    }

    async fn a_429_can_be_read_by_the_page_too(db: TestDb) {
        let app = start(db, &[("AUTH_RATE_LIMIT", "true"), ("AUTH_RATE_LIMIT_RULES", "/ok=1/10")]).await;
        app.browser().get("/ok").await;
        let reply = app.browser().get("/ok").await;
        assert_eq!(reply.status.as_u16(), 429);
        readable_by(&reply, APP_ORIGIN);
    }

    async fn cors_can_be_left_to_a_proxy(db: TestDb) {
        let app = start(db, &[("AUTH_CORS", "false")]).await;
        let reply = app.browser().get("/ok").await;
        assert!(!reply.headers.keys().any(|name| name.starts_with("access-control-")), "{:?}", reply.headers);
        let reply = preflight(&app.browser(), APP_ORIGIN, "POST", "content-type").await;
        assert_eq!(answer(&reply), (404, String::new()));
        unreadable(&reply);
    }
}
