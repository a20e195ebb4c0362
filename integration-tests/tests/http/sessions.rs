//! `GET /list-sessions` and `POST /revoke-…`.

use integration_tests::{Browser, on_both_databases};
use serde_json::json;

use crate::support::*;

const NOT_FRESH: (&str, &str) = ("SESSION_NOT_FRESH", "Session is not fresh");

async fn is_alive(browser: &Browser) -> bool {
    browser.get("/get-session").await.body != "null"
}

on_both_databases! {
    async fn list_sessions_shows_the_users_sessions_oldest_first(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        app.browser().sign_up("bob").await;
        app.clock.advance(60);
        let phone = second_device(&app, "ada").await;
        let reply = ada.get("/list-sessions").await;
        let (first, second) = (
            session_json(START, "2030-01-08T00:00:00.000Z"),
            concat!(
                r#"{"expiresAt":"2030-01-08T00:01:00.000Z","token":"<id>","createdAt":"2030-01-01T00:01:00.000Z","#,
                r#""updatedAt":"2030-01-01T00:01:00.000Z","ipAddress":"","userAgent":"","userId":"<id>","id":"<id>"}"#,
            ),
        );
        assert_eq!(answer(&reply), (200, format!("[{first},{second}]")));
        assert_eq!(reply.json()[0]["token"], token(&ada));
        assert_eq!(reply.json()[1]["token"], token(&phone));
    }

    async fn list_sessions_leaves_out_expired_ones(db: TestDb) {
        let (app, ada) = with_ada(db, &[("AUTH_SESSION_FRESH_AGE", "0")]).await;
        sign_in_for_now(&app).await;
        assert_eq!(ada.get("/list-sessions").await.json().as_array().unwrap().len(), 2);
        app.clock.advance(DAY);
        let left = ada.get("/list-sessions").await.json();
        assert_eq!(left.as_array().unwrap().len(), 1);
        assert_eq!(left[0]["token"], token(&ada));
    }

    async fn a_session_is_fresh_for_a_day_and_extending_it_does_not_help(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        app.clock.advance(DAY - 1);
        assert_eq!(ada.get("/list-sessions").await.status.as_u16(), 200);
        app.clock.advance(1);
        assert_eq!(cookies(&ada.get("/get-session").await), [SIGNED_IN]);
        let stale = refusal(403, NOT_FRESH.0, NOT_FRESH.1);
        assert_eq!(answer(&ada.get("/list-sessions").await), stale);
        assert_eq!(answer(&ada.post("/unlink-account", json!({ "accountId": "x" })).await), stale);
        assert_eq!(second_device(&app, "ada").await.get("/list-sessions").await.status.as_u16(), 200);
    }

    async fn the_fresh_age_can_be_set_or_switched_off(db: TestDb) {
        let (app, ada) = with_ada(db, &[("AUTH_SESSION_FRESH_AGE", "10m")]).await;
        app.clock.advance(600);
        assert_eq!(ada.get("/list-sessions").await.outcome(), (403, NOT_FRESH.0.to_owned()));
    }

    async fn a_fresh_age_of_zero_takes_any_session_for_fresh(db: TestDb) {
        let (app, ada) = with_ada(db, &[("AUTH_SESSION_FRESH_AGE", "0")]).await;
        app.clock.advance(6 * DAY);
        assert_eq!(ada.get("/list-sessions").await.status.as_u16(), 200);
    }

    async fn without_a_session_nothing_is_listed_or_revoked(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        let nobody = app.browser();
        assert_eq!(answer(&nobody.get("/list-sessions").await), unauthorized());
        assert_eq!(answer(&nobody.post("/revoke-session", json!({ "token": token(&ada) })).await), unauthorized());
        assert_eq!(answer(&nobody.post("/revoke-sessions", json!({})).await), unauthorized());
        assert_eq!(answer(&nobody.post("/revoke-other-sessions", json!({})).await), unauthorized());
        assert!(is_alive(&ada).await);
    }

    async fn a_cookie_of_a_revoked_session_is_refused_and_expired(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        execute(&app, "DELETE FROM sessions").await;
        let reply = ada.copy().post("/revoke-other-sessions", json!({})).await;
        assert_eq!(answer(&reply), unauthorized());
        assert_eq!(cookies(&reply), SIGNED_OUT);
    }

    async fn revoke_session_ends_another_session_of_the_user(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        let phone = second_device(&app, "ada").await;
        let reply = ada.post("/revoke-session", json!({ "token": token(&phone) })).await;
        assert_eq!((answer(&reply), reply.set_cookies.len()), (status_true(), 0));
        assert!(!is_alive(&phone).await);
        assert!(is_alive(&ada).await);
    }

    async fn revoking_the_own_session_signs_out(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        let phone = second_device(&app, "ada").await;
        let stolen = ada.copy();
        let reply = ada.post("/revoke-session", json!({ "token": token(&ada) })).await;
        assert_eq!(answer(&reply), status_true());
        assert_eq!(cookies(&reply), SIGNED_OUT);
        assert!(!is_alive(&stolen).await);
        assert!(is_alive(&phone).await);
    }

    async fn revoking_somebody_elses_or_no_session_looks_the_same_and_does_nothing(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        let bob = app.browser();
        bob.sign_up("bob").await;
        for token in [token(&bob), UNKNOWN_TOKEN.to_owned(), String::new()] {
            let reply = ada.post("/revoke-session", json!({ "token": token })).await;
            assert_eq!((answer(&reply), reply.set_cookies.len()), (status_true(), 0));
        }
        assert!(is_alive(&bob).await);
        assert_eq!(count(&app, "sessions").await, 2);
    }

    async fn revoke_session_refuses_a_bad_body(db: TestDb) {
        let (_app, ada) = with_ada(db, &[]).await;
        let missing = "[body.token] Invalid input: expected string, received undefined";
        assert_eq!(answer(&ada.post("/revoke-session", json!({})).await), invalid(missing));
        let number = "[body.token] Invalid input: expected string, received number";
        assert_eq!(answer(&ada.post("/revoke-session", json!({ "token": 1 })).await), invalid(number));
    }

    async fn revoke_sessions_ends_all_of_the_user_and_none_of_others(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        let phone = second_device(&app, "ada").await;
        let bob = app.browser();
        bob.sign_up("bob").await;
        let reply = ada.post("/revoke-sessions", json!({})).await;
        assert_eq!(answer(&reply), status_true());
        assert_eq!(cookies(&reply), SIGNED_OUT);
        assert!(!is_alive(&phone).await);
        assert!(is_alive(&bob).await);
        assert_eq!(count(&app, "sessions").await, 1);
    }

    async fn revoke_other_sessions_keeps_this_one_and_those_of_others(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        let phone = second_device(&app, "ada").await;
        let bob = app.browser();
        bob.sign_up("bob").await;
        let reply = ada.post("/revoke-other-sessions", json!({})).await;
        assert_eq!((answer(&reply), reply.set_cookies.len()), (status_true(), 0));
        assert!(is_alive(&ada).await);
        assert!(!is_alive(&phone).await);
        assert!(is_alive(&bob).await);
    }
}
