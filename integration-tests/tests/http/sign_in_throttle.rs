//! Attempts at one account's password, whatever client they come from (`AUTH_SIGN_IN_ATTEMPTS`).
//! The attack itself: `security/stuffing.rs`.

use actix_web::http::Method;
use integration_tests::{PASSWORD, Reply, TestApp, email, on_both_databases};
use serde_json::json;

use crate::support::*;

const THREE: (&str, &str) = ("AUTH_SIGN_IN_ATTEMPTS", "3");
const MINUTE: (&str, &str) = ("AUTH_SIGN_IN_ATTEMPTS_WINDOW", "1m");

async fn attempt(app: &TestApp, path: &str, address: &str, password: &str, from: &str) -> Reply {
    let body = json!({ "email": address, "password": password });
    let call = app.browser().absolute(Method::POST, path).json(body);
    if from.is_empty() { call.send().await } else { call.header("x-forwarded-for", from).send().await }
}

async fn sign_in(app: &TestApp, name: &str, password: &str, from: &str) -> Reply {
    attempt(app, "/api/auth/sign-in/email", &email(name), password, from).await
}

async fn statuses(app: &TestApp, name: &str, from: &str, times: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..times {
        statuses.push(sign_in(app, name, "wrong-password", from).await.status.as_u16());
    }
    statuses
}

on_both_databases! {
    async fn an_empty_bucket_refuses_until_a_quiet_window_is_over(db: TestDb) {
        let (app, _ada) = with_ada(db, &[THREE, MINUTE]).await;
        assert_eq!(statuses(&app, "ada", "203.0.113.1", 3).await, [401; 3]);
        let reply = sign_in(&app, "ada", PASSWORD, "203.0.113.2").await;
        assert_eq!((reply.status.as_u16(), reply.header("x-retry-after"), reply.set_cookies.len()), (429, "60", 0));
        assert_eq!(reply.body, r#"{"message":"Too many requests. Please try again later."}"#);
        app.clock.advance(59);
        let reply = sign_in(&app, "ada", PASSWORD, "203.0.113.2").await;
        assert_eq!((reply.status.as_u16(), reply.header("x-retry-after")), (429, "1"));
        // What was refused does not count: the window is that of the last attempt let through.
        app.clock.advance(1);
        assert_eq!(sign_in(&app, "ada", PASSWORD, "203.0.113.2").await.status.as_u16(), 200);
        assert_eq!(count(&app, "sessions").await, 2);
    }

    async fn twenty_attempts_in_five_minutes_are_the_default(db: TestDb) {
        let (app, _ada) = with_ada(db, &[]).await;
        assert_eq!(statuses(&app, "ada", "", 20).await, [401; 20]);
        let reply = sign_in(&app, "ada", PASSWORD, "").await;
        assert_eq!((reply.status.as_u16(), reply.header("x-retry-after")), (429, "300"));
    }

    async fn every_address_has_a_bucket_of_its_own_known_or_not(db: TestDb) {
        let (app, _ada) = with_ada(db, &[THREE]).await;
        app.browser().sign_up("bob").await;
        for name in ["ada", "nobody"] {
            assert_eq!(statuses(&app, name, "203.0.113.1", 5).await, [401, 401, 401, 429, 429], "{name}");
        }
        assert_eq!(sign_in(&app, "bob", PASSWORD, "203.0.113.1").await.status.as_u16(), 200);
    }

    async fn an_address_in_any_case_and_both_doors_share_a_bucket(db: TestDb) {
        let (app, _ada) = with_ada(db, &[THREE]).await;
        for (address, path) in
            [("ADA@example.com", "/auth/login"), ("ada@EXAMPLE.com", "/api/auth/sign-in/email"), ("aDa@example.com", "/auth/login")]
        {
            assert_eq!(attempt(&app, path, address, "wrong-password", "203.0.113.1").await.status.as_u16(), 401);
        }
        for path in ["/auth/login", "/api/auth/sign-in/email"] {
            assert_eq!(attempt(&app, path, "ada@example.com", PASSWORD, "203.0.113.2").await.status.as_u16(), 429);
        }
    }

    async fn what_is_refused_before_the_password_takes_no_attempt(db: TestDb) {
        let (app, _ada) = with_ada(db, &[THREE]).await;
        for _ in 0..5 {
            assert_eq!(sign_in(&app, "ada", &"x".repeat(129), "").await.status.as_u16(), 400);
            let body = json!({ "email": email("ada"), "password": 5 });
            assert_eq!(app.browser().post("/sign-in/email", body).await.status.as_u16(), 400);
            let body = json!({ "email": email("ada"), "password": PASSWORD, "callbackURL": "//evil.example" });
            assert_eq!(app.browser().post("/sign-in/email", body).await.status.as_u16(), 403);
        }
        assert_eq!(sign_in(&app, "ada", PASSWORD, "").await.status.as_u16(), 200);
    }

    async fn who_is_signed_in_from_an_address_is_let_through_from_there(db: TestDb) {
        let (app, _ada) = with_ada(db, &[THREE]).await;
        assert_eq!(sign_in(&app, "ada", PASSWORD, "198.51.100.7").await.status.as_u16(), 200);
        assert_eq!(statuses(&app, "ada", "203.0.113.1", 4).await, [401, 401, 401, 429]);
        assert_eq!(sign_in(&app, "ada", PASSWORD, "198.51.100.8").await.status.as_u16(), 429);
        assert_eq!(sign_in(&app, "ada", PASSWORD, "198.51.100.7").await.status.as_u16(), 200);
        // That door has a bucket, too; the common one stays empty.
        assert_eq!(statuses(&app, "ada", "198.51.100.7", 4).await, [401, 401, 401, 429]);
        assert_eq!(sign_in(&app, "ada", PASSWORD, "198.51.100.7").await.status.as_u16(), 429);
    }

    async fn a_right_password_gives_the_attempts_back(db: TestDb) {
        let (app, _ada) = with_ada(db, &[THREE]).await;
        for _ in 0..3 {
            assert_eq!(statuses(&app, "ada", "203.0.113.1", 2).await, [401; 2]);
            assert_eq!(sign_in(&app, "ada", PASSWORD, "203.0.113.1").await.status.as_u16(), 200);
        }
    }

    async fn a_session_that_is_over_or_somebody_elses_opens_no_door(db: TestDb) {
        let (app, _ada) = with_ada(db, &[THREE, MINUTE, ("AUTH_SESSION_EXPIRES_IN", "1h")]).await;
        app.browser().sign_up("bob").await;
        assert_eq!(sign_in(&app, "ada", PASSWORD, "198.51.100.7").await.status.as_u16(), 200);
        assert_eq!(sign_in(&app, "bob", PASSWORD, "198.51.100.8").await.status.as_u16(), 200);
        app.clock.advance(3_601);
        assert_eq!(statuses(&app, "ada", "203.0.113.1", 4).await, [401, 401, 401, 429]);
        for from in ["198.51.100.7", "198.51.100.8"] {
            assert_eq!(sign_in(&app, "ada", PASSWORD, from).await.status.as_u16(), 429, "{from}");
        }
    }

    async fn a_client_without_an_address_is_at_home_nowhere(db: TestDb) {
        // Ada's session has no address either.
        let (app, _ada) = with_ada(db, &[THREE]).await;
        assert_eq!(statuses(&app, "ada", "", 3).await, [401; 3]);
        assert_eq!(sign_in(&app, "ada", PASSWORD, "").await.status.as_u16(), 429);
    }

    async fn zero_switches_it_off(db: TestDb) {
        let (app, _ada) = with_ada(db, &[("AUTH_SIGN_IN_ATTEMPTS", "0")]).await;
        assert_eq!(statuses(&app, "ada", "203.0.113.1", 30).await, [401; 30]);
        assert_eq!(sign_in(&app, "ada", PASSWORD, "203.0.113.1").await.status.as_u16(), 200);
    }

    async fn it_does_not_need_the_rate_limiter_and_a_mailed_reset_does_not_wait_for_it(db: TestDb) {
        let (app, _ada, mut mailbox) = with_mailbox(db, &[THREE, MINUTE, ("AUTH_RATE_LIMIT", "false")]).await;
        assert_eq!(statuses(&app, "ada", "203.0.113.1", 4).await, [401, 401, 401, 429]);
        let token = reset_token(&app, &mut mailbox, "ada").await;
        assert_eq!(reset(&app, &token, "another-password-2").await, status_true());
        app.clock.advance(60);
        assert_eq!(sign_in(&app, "ada", "another-password-2", "").await.status.as_u16(), 200);
    }
}
