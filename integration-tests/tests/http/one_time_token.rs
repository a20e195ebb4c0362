//! A session handed from one site to another by a token that works once.

use integration_tests::{Browser, on_both_databases};
use serde_json::{Value, json};

use crate::support::*;

const PLUGIN: (&str, &str) = ("AUTH_PLUGINS", "one-time-token");

async fn generate(browser: &Browser) -> String {
    let reply = browser.get("/one-time-token/generate").await.json();
    let token = reply["token"].as_str().unwrap().to_owned();
    assert_eq!(reply, json!({ "token": token }));
    token
}

async fn verify(browser: &Browser, token: &str) -> (u16, Value) {
    let reply = browser.post("/one-time-token/verify", json!({ "token": token })).await;
    (reply.status.as_u16(), reply.json())
}

fn refused(message: &str) -> (u16, Value) {
    (400, json!({ "message": message }))
}

on_both_databases! {
    async fn a_token_opens_the_same_session_elsewhere_once(db: TestDb) {
        let (app, ada) = with_ada(db, &[PLUGIN]).await;
        let one_time = generate(&ada).await;
        assert_eq!(one_time.len(), 32);
        let elsewhere = app.browser();
        let reply = elsewhere.post("/one-time-token/verify", json!({ "token": one_time })).await;
        assert_eq!(
            answer(&reply),
            (200, format!(r#"{{"session":{},"user":{}}}"#, session_json(START, "2030-01-08T00:00:00.000Z"), user_json("ada")))
        );
        assert_eq!(cookies(&reply), [SIGNED_IN]);
        assert_eq!(token(&elsewhere), token(&ada));
        assert_eq!(verify(&app.browser(), &one_time).await, refused("Invalid token"));
        assert_eq!(count(&app, "verifications").await, 0);
    }

    async fn of_many_at_once_exactly_one_gets_in(db: TestDb) {
        let (app, ada) = with_ada(db, &[PLUGIN]).await;
        let one_time = generate(&ada).await;
        let browsers: Vec<Browser> = (0..10).map(|_| app.browser()).collect();
        let answers = futures_util::future::join_all(browsers.iter().map(|browser| verify(browser, &one_time))).await;
        assert_eq!(answers.iter().filter(|(status, _)| *status == 200).count(), 1);
    }

    async fn a_token_is_over_after_its_time(db: TestDb) {
        let (app, ada) = with_ada(db, &[PLUGIN, ("AUTH_ONE_TIME_TOKEN_EXPIRES_IN", "1m")]).await;
        let (good, late) = (generate(&ada).await, generate(&ada).await);
        app.clock.advance(60);
        assert_eq!(verify(&app.browser(), &good).await.0, 200);
        app.clock.advance(1);
        assert_eq!(verify(&app.browser(), &late).await, refused("Invalid token"));
    }

    async fn a_token_of_a_session_that_ended_sets_no_cookie(db: TestDb) {
        let (app, ada) = with_ada(db, &[PLUGIN, ("AUTH_ONE_TIME_TOKEN_EXPIRES_IN", "1d"), ("AUTH_SESSION_EXPIRES_IN", "1h")]).await;
        let (expired, signed_out) = (generate(&ada).await, generate(&ada).await);
        app.clock.advance(3601);
        let stranger = app.browser();
        assert_eq!(verify(&stranger, &expired).await, refused("Session expired"));
        assert!(stranger.cookie("session_token").is_none());
        execute(&app, "DELETE FROM sessions").await;
        assert_eq!(verify(&stranger, &signed_out).await, refused("Session not found"));
    }

    async fn only_hashes_are_kept_where_that_is_set(db: TestDb) {
        let (app, ada) = with_ada(db, &[PLUGIN, ("AUTH_ONE_TIME_TOKEN_STORE_TOKEN", "hashed")]).await;
        let one_time = generate(&ada).await;
        assert!(!select(&app, "identifier FROM verifications").await.contains(&one_time));
        assert_eq!(verify(&app.browser(), &one_time).await.0, 200);
    }

    async fn every_new_session_can_come_with_one(db: TestDb) {
        let (app, ada) = with_ada(db, &[PLUGIN, ("AUTH_ONE_TIME_TOKEN_SET_OTT_HEADER_ON_NEW_SESSION", "true")]).await;
        let reply = app.browser().sign_in("ada").await;
        let (status, body) = verify(&app.browser(), reply.header("set-ott")).await;
        assert_eq!((status, body["session"]["token"].clone()), (200, reply.json()["token"].clone()));
        assert_eq!(ada.get("/get-session").await.header("set-ott"), "");
    }

    async fn the_cookie_can_be_left_out(db: TestDb) {
        let (app, ada) = with_ada(db, &[PLUGIN, ("AUTH_ONE_TIME_TOKEN_DISABLE_SET_SESSION_COOKIE", "true")]).await;
        let (one_time, elsewhere) = (generate(&ada).await, app.browser());
        assert_eq!(verify(&elsewhere, &one_time).await.1["session"]["token"], token(&ada));
        assert!(elsewhere.cookie("session_token").is_none());
    }

    async fn bad_requests_are_refused(db: TestDb) {
        let (app, _ada) = with_ada(db, &[PLUGIN]).await;
        let stranger = app.browser();
        assert_eq!(answer(&stranger.get("/one-time-token/generate").await), unauthorized());
        let reply = stranger.post("/one-time-token/verify", json!({})).await;
        assert_eq!(answer(&reply), invalid("[body.token] Invalid input: expected string, received undefined"));
        for token in ["", "nope", &"x".repeat(10_000)] {
            assert_eq!(verify(&stranger, token).await, refused("Invalid token"));
        }
    }

    async fn p53_what_another_flow_made_opens_no_session(db: TestDb) {
        let (app, ada, mut mailbox) = with_mailbox(db, &[PLUGIN]).await;
        let mailed = reset_token(&app, &mut mailbox, "ada").await;
        let one_time = generate(&ada).await;
        // A token of one purpose is none for another, and is not spent by the attempt.
        let reset = json!({ "token": one_time, "newPassword": "another-horse-1" });
        assert_eq!(app.browser().post("/reset-password", reset).await.outcome(), (400, "INVALID_TOKEN".to_owned()));
        let identifier = format!("reset-password:{mailed}");
        for other in [identifier.as_str(), mailed.as_str(), &token(&ada)] {
            assert_eq!(verify(&app.browser(), other).await, refused("Invalid token"), "{other}");
        }
        assert_eq!(verify(&app.browser(), &one_time).await.0, 200);
        assert_eq!(verify(&app.browser(), &one_time).await, refused("Invalid token"), "replayed");
    }
}
