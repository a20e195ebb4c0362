//! `GET /get-session`: lifetime, extension, and what is no session.

use actix_web::http::Method;
use integration_tests::on_both_databases;
use serde_json::json;

use crate::support::*;

const WEEK_LATER: &str = "2030-01-08T00:00:00.000Z";

fn both(session: &str) -> String {
    format!(r#"{{"session":{session},"user":{}}}"#, user_json("ada"))
}

on_both_databases! {
    async fn get_session_answers_session_and_user_in_upstreams_key_order(db: TestDb) {
        let (_app, ada) = with_ada(db, &[]).await;
        let reply = ada.get("/get-session").await;
        assert_eq!(answer(&reply), (200, concat!(
            r#"{"session":{"expiresAt":"2030-01-08T00:00:00.000Z","token":"<id>","createdAt":"2030-01-01T00:00:00.000Z","#,
            r#""updatedAt":"2030-01-01T00:00:00.000Z","ipAddress":"","userAgent":"","userId":"<id>","id":"<id>"},"#,
            r#""user":{"name":"ada","email":"ada@example.com","emailVerified":false,"image":null,"#,
            r#""createdAt":"2030-01-01T00:00:00.000Z","updatedAt":"2030-01-01T00:00:00.000Z","#,
            r#""software_background":null,"hardware_background":null,"id":"<id>"}}"#,
        ).to_owned()));
        assert!(reply.set_cookies.is_empty());
        assert_eq!((reply.header("cache-control"), reply.header("pragma")), ("no-store", "no-cache"));
    }

    async fn no_session_is_null_and_no_error(db: TestDb) {
        let app = start(db, &[]).await;
        let reply = app.browser().get("/get-session").await;
        assert_eq!(answer(&reply), (200, "null".to_owned()));
        assert!(reply.set_cookies.is_empty());
        assert_eq!(reply.header("content-type"), "application/json");
        assert_eq!((reply.header("cache-control"), reply.header("pragma")), ("no-store", "no-cache"));
    }

    async fn a_token_that_is_unsigned_or_forged_or_of_another_name_is_no_session(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        let (value, token) = (ada.cookie("session_token").unwrap(), token(&ada));
        let first = token.chars().next().unwrap();
        let other = if first == 'a' { "b" } else { "a" };
        for cookie in [
            format!("better-auth.session_token={token}"),
            format!("better-auth.session_token={token}.{}%3D", "A".repeat(43)),
            format!("better-auth.session_token={}", value.replacen(first, other, 1)),
            format!("__Secure-better-auth.session_token={value}"),
            format!("session_token={value}"),
        ] {
            let reply = app.browser().request(Method::GET, "/get-session").header("cookie", &cookie).send().await;
            assert_eq!((reply.body.as_str(), reply.set_cookies.len()), ("null", 0), "{cookie}");
        }
        assert_eq!(ada.user().await["name"], "ada");
    }

    async fn a_signed_token_of_no_session_is_null_and_its_cookies_are_expired(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        execute(&app, "DELETE FROM sessions").await;
        let reply = ada.get("/get-session").await;
        assert_eq!(reply.body, "null");
        assert_eq!(cookies(&reply), SIGNED_OUT);
    }

    async fn the_session_of_a_deleted_user_is_null(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        execute(&app, "DELETE FROM users").await;
        assert_eq!(count(&app, "sessions").await, 0);
        let reply = ada.get("/get-session").await;
        assert_eq!(reply.body, "null");
        assert_eq!(cookies(&reply), SIGNED_OUT);
    }

    async fn a_session_lives_to_its_last_second_and_then_its_row_is_removed(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        let phone = ada.copy();
        app.clock.advance(7 * DAY);
        assert_eq!(ada.get("/get-session?disableRefresh=1").await.json()["user"]["name"], "ada");
        app.clock.advance(1);
        let reply = ada.get("/get-session").await;
        assert_eq!(reply.body, "null");
        assert_eq!(cookies(&reply), SIGNED_OUT);
        assert_eq!(count(&app, "sessions").await, 0);
        assert_eq!(answer(&phone.get("/list-accounts").await), unauthorized());
    }

    async fn use_after_a_day_extends_a_session_once(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        app.clock.advance(DAY - 1);
        let reply = ada.get("/get-session").await;
        assert_eq!(answer(&reply), (200, both(&session_json(START, WEEK_LATER))));
        assert!(reply.set_cookies.is_empty());

        app.clock.advance(1);
        let before = token(&ada);
        let reply = ada.get("/get-session").await;
        assert_eq!(answer(&reply), (200, both(&session_json("2030-01-02T00:00:00.000Z", "2030-01-09T00:00:00.000Z"))));
        assert_eq!(cookies(&reply), [SIGNED_IN]);
        assert_eq!(token(&ada), before);

        let again = ada.get("/get-session").await;
        assert_eq!((answer(&again), again.set_cookies.len()), (answer(&reply), 0));
    }

    async fn an_extended_session_outlives_its_first_end(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        for _ in 0..3 {
            app.clock.advance(5 * DAY);
            assert_eq!(ada.user().await["name"], "ada");
        }
    }

    async fn an_update_age_of_zero_extends_at_every_read(db: TestDb) {
        let (app, ada) = with_ada(db, &[("AUTH_SESSION_UPDATE_AGE", "0")]).await;
        assert_eq!(cookies(&ada.get("/get-session").await), [SIGNED_IN]);
        app.clock.advance(1);
        let reply = ada.get("/get-session").await;
        assert_eq!(reply.json()["session"]["expiresAt"], "2030-01-08T00:00:01.000Z");
        assert_eq!(cookies(&reply), [SIGNED_IN]);
    }

    async fn lifetimes_can_be_set(db: TestDb) {
        let (app, ada) = with_ada(db, &[("AUTH_SESSION_EXPIRES_IN", "1h"), ("AUTH_SESSION_UPDATE_AGE", "10m")]).await;
        assert_eq!(expires_at(&ada).await, "2030-01-01T01:00:00.000Z");
        app.clock.advance(599);
        assert!(ada.get("/get-session").await.set_cookies.is_empty());
        app.clock.advance(1);
        assert_eq!(cookies(&ada.get("/get-session").await), [SIGNED_IN.replace("604800", "3600")]);
        app.clock.advance(3_601);
        assert_eq!(ada.get("/get-session").await.body, "null");
    }

    async fn disabled_refresh_never_extends(db: TestDb) {
        let (app, ada) =
            with_ada(db, &[("AUTH_SESSION_DISABLE_REFRESH", "true"), ("AUTH_SESSION_UPDATE_AGE", "0")]).await;
        app.clock.advance(6 * DAY);
        let reply = ada.get("/get-session").await;
        assert_eq!(answer(&reply), (200, both(&session_json(START, WEEK_LATER))));
        assert!(reply.set_cookies.is_empty());
        app.clock.advance(DAY + 1);
        assert_eq!(ada.get("/get-session").await.body, "null");
    }

    async fn a_session_that_is_not_remembered_is_never_extended_and_ends_after_a_day(db: TestDb) {
        let (app, _ada) = with_ada(db, &[("AUTH_SESSION_UPDATE_AGE", "0")]).await;
        let browser = sign_in_for_now(&app).await;
        app.clock.advance(DAY);
        let reply = browser.get("/get-session").await;
        assert_eq!(reply.json()["session"]["expiresAt"], "2030-01-02T00:00:00.000Z");
        assert!(reply.set_cookies.is_empty());
        app.clock.advance(1);
        assert_eq!(browser.get("/get-session").await.body, "null");
    }

    async fn any_text_but_the_empty_one_switches_the_extension_off_for_one_read(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        app.clock.advance(2 * DAY);
        for query in ["disableRefresh=true", "disableRefresh=false", "disableRefresh=0"] {
            let reply = ada.get(&format!("/get-session?{query}")).await;
            assert_eq!(reply.json()["session"]["expiresAt"], WEEK_LATER, "{query}");
            assert!(reply.set_cookies.is_empty());
        }
        let reply = ada.get("/get-session?disableRefresh=").await;
        assert_eq!(reply.json()["session"]["expiresAt"], "2030-01-10T00:00:00.000Z");
    }

    async fn post_is_refused_unless_extension_is_deferred(db: TestDb) {
        let (_app, ada) = with_ada(db, &[]).await;
        let refused = refusal(
            405,
            "METHOD_NOT_ALLOWED_DEFER_SESSION_REQUIRED",
            "POST method requires deferSessionRefresh to be enabled in session config",
        );
        assert_eq!(answer(&ada.post("/get-session", json!({})).await), refused);
    }

    async fn deferred_get_tells_that_an_extension_is_due_and_post_does_it(db: TestDb) {
        let (app, ada) = with_ada(db, &[("AUTH_SESSION_DEFER_REFRESH", "true")]).await;
        let with_flag = |flag: bool| {
            let both = both(&session_json(START, WEEK_LATER));
            format!(r#"{},"needsRefresh":{flag}}}"#, both.strip_suffix('}').unwrap())
        };
        assert_eq!(answer(&ada.get("/get-session").await), (200, with_flag(false)));
        app.clock.advance(DAY);
        for _ in 0..2 {
            let reply = ada.get("/get-session").await;
            assert_eq!((answer(&reply), reply.set_cookies.len()), ((200, with_flag(true)), 0));
        }
        let reply = ada.post("/get-session", json!({})).await;
        assert_eq!(answer(&reply), (200, both(&session_json("2030-01-02T00:00:00.000Z", "2030-01-09T00:00:00.000Z"))));
        assert_eq!(cookies(&reply), [SIGNED_IN]);
        assert_eq!(ada.get("/get-session").await.json()["needsRefresh"], false);
    }

    async fn deferred_get_leaves_an_expired_row_to_post(db: TestDb) {
        let (app, ada) = with_ada(db, &[("AUTH_SESSION_DEFER_REFRESH", "true")]).await;
        let other = ada.copy();
        app.clock.advance(7 * DAY + 1);
        let reply = ada.get("/get-session").await;
        assert_eq!(reply.body, "null");
        assert_eq!(cookies(&reply), SIGNED_OUT);
        assert_eq!(count(&app, "sessions").await, 1);
        assert_eq!(other.post("/get-session", json!({})).await.body, "null");
        assert_eq!(count(&app, "sessions").await, 0);
    }

    async fn the_body_of_a_deferred_post_is_never_read(db: TestDb) {
        let (_app, ada) = with_ada(db, &[("AUTH_SESSION_DEFER_REFRESH", "true")]).await;
        let call = ada.request(Method::POST, "/get-session").header("content-type", "text/plain").body("{");
        assert_eq!(call.send().await.json()["user"]["name"], "ada");
    }

    async fn a_cache_cookie_from_the_time_when_the_cache_was_on_is_expired(db: TestDb) {
        let (_app, ada) = with_ada(db, &[]).await;
        ada.set_cookie("better-auth.session_data", "old");
        let reply = ada.get("/get-session").await;
        assert_eq!(reply.json()["user"]["name"], "ada");
        assert_eq!(cookies(&reply), [SIGNED_OUT[1]]);
    }

    async fn the_first_of_two_cookies_of_one_name_counts(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        let bob = app.browser();
        bob.sign_up("bob").await;
        let pair = |browser: &integration_tests::Browser| {
            format!("better-auth.session_token={}", browser.cookie("session_token").unwrap())
        };
        let cookie = format!("{}; {}", pair(&bob), pair(&ada));
        let reply = ada.request(Method::GET, "/get-session").header("cookie", &cookie).send().await;
        assert_eq!(reply.json()["user"]["name"], "bob");
    }
}
