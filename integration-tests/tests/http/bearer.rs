//! Sessions in the `Authorization` header, and `set-auth-token`.

use actix_web::http::Method;
use integration_tests::{Browser, Reply, TestApp, on_both_databases};
use serde_json::json;

use crate::support::*;

async fn session_by(app: &TestApp, authorization: &str) -> Reply {
    app.browser().request(Method::GET, "/get-session").header("authorization", authorization).send().await
}

/// `<token>.<signature>`, as `set-auth-token` gives it.
fn signed(browser: &Browser) -> String {
    browser.cookie("session_token").unwrap().replace("%2B", "+").replace("%2F", "/").replace("%3D", "=")
}

on_both_databases! {
    async fn a_new_session_comes_in_a_header_that_opens_it(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        let reply = app.browser().sign_in("ada").await;
        let token = reply.header("set-auth-token").to_owned();
        assert!(token.starts_with(reply.json()["token"].as_str().unwrap()) && token.ends_with('='), "{token}");
        assert_eq!(session_by(&app, &format!("Bearer {token}")).await.json()["user"]["name"], "ada");
        let bare = app.restart(&[("AUTH_CORS", "false")]).await;
        let exposed = bare.browser().sign_in("ada").await;
        assert_eq!(exposed.header("access-control-expose-headers"), "set-auth-token");
        // Where no session begins, nothing is handed out.
        assert_eq!(ada.get("/get-session").await.header("set-auth-token"), "");
        assert_eq!(ada.get("/list-sessions").await.header("set-auth-token"), "");
        assert_eq!(ada.post("/sign-out", json!({})).await.header("set-auth-token"), "");
    }

    async fn an_extended_session_comes_in_the_header_too(db: TestDb) {
        let (app, ada) = with_ada(db, &[("AUTH_CORS", "false")]).await;
        app.clock.advance(DAY);
        let call = ada.get("/get-session").await;
        assert_eq!(call.header("set-auth-token"), signed(&ada));
        assert_eq!(call.header("access-control-expose-headers"), "set-auth-jwt, set-auth-token");
    }

    async fn the_plain_token_and_every_spelling_of_the_signed_one_open_the_session(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        let (raw, encoded) = (token(&ada), ada.cookie("session_token").unwrap());
        for good in [
            format!("Bearer {raw}"), format!("bearer   {raw}"), format!("BEARER {raw} "), format!("Bearer {}", signed(&ada)),
            format!("Bearer {encoded}"),
        ] {
            assert_eq!(session_by(&app, &good).await.json()["user"]["name"], "ada", "{good}");
        }
    }

    async fn with_a_signature_required_the_plain_token_opens_nothing(db: TestDb) {
        let (app, ada) = with_ada(db, &[("AUTH_BEARER_REQUIRE_SIGNATURE", "true")]).await;
        assert_eq!(session_by(&app, &format!("Bearer {}", token(&ada))).await.body, "null");
        assert_eq!(session_by(&app, &format!("Bearer {}", signed(&ada))).await.json()["user"]["name"], "ada");
        let me = async |token: String| {
            let call = app.browser().absolute(Method::GET, "/auth/me").header("authorization", &format!("Bearer {token}"));
            call.send().await.status.as_u16()
        };
        assert_eq!((me(token(&ada)).await, me(signed(&ada)).await), (401, 200));
    }

    async fn a_good_bearer_beats_the_cookie_and_a_bad_one_does_no_harm(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        let bob = app.browser();
        bob.sign_up("bob").await;
        let as_ada = async |authorization: String| {
            ada.request(Method::GET, "/get-session").header("authorization", &authorization).send().await.json()["user"]["name"].take()
        };
        assert_eq!(as_ada(format!("Bearer {}", token(&bob))).await, "bob");
        assert_eq!(as_ada("Bearer garbage.garbage".to_owned()).await, "ada");
        assert_eq!(as_ada("Basic YTpi".to_owned()).await, "ada");
    }

    async fn a_bearer_without_a_cookie_needs_no_origin_and_with_one_it_does(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        let authorization = format!("Bearer {}", token(&ada));
        let update = |browser: &Browser| {
            browser.request(Method::POST, "/update-user").without("origin").header("authorization", &authorization)
        };
        assert_eq!(update(&app.browser()).json(json!({ "name": "B" })).send().await.status.as_u16(), 200);
        let refused = update(&ada).json(json!({ "name": "C" })).send().await;
        assert_eq!(refused.outcome(), (403, "MISSING_OR_NULL_ORIGIN".to_owned()));
        assert_eq!(ada.user().await["name"], "B");
    }

    async fn signing_out_by_bearer_ends_the_session_for_the_cookie_too(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        let authorization = format!("Bearer {}", token(&ada));
        let call = app.browser().request(Method::POST, "/sign-out").header("authorization", &authorization);
        assert_eq!(call.json(json!({})).send().await.status.as_u16(), 200);
        assert_eq!(ada.get("/get-session").await.body, "null");
        assert_eq!(session_by(&app, &authorization).await.body, "null");
    }

    async fn without_the_plugin_a_bearer_means_nothing_to_the_protocols_endpoints(db: TestDb) {
        let (app, ada) = with_ada(db, &[("AUTH_PLUGINS", "jwt")]).await;
        assert_eq!(session_by(&app, &format!("Bearer {}", token(&ada))).await.body, "null");
        assert_eq!(app.browser().sign_in("ada").await.header("set-auth-token"), "");
    }
}
