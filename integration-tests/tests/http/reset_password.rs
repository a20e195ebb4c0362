//! `request-password-reset`, `reset-password/:token` and `reset-password`.

use integration_tests::mail::{Mail, Mailbox};
use integration_tests::{PASSWORD, TestApp, on_both_databases};
use serde_json::json;

use crate::support::*;

const NEW: &str = "another-password-2";
const HOUR: i64 = 3_600;

fn requested() -> (u16, String) {
    let message = "If this email exists in our system, check your email for the reset link";
    (200, json!({ "status": true, "message": message }).to_string())
}

fn bad_token() -> (u16, String) {
    refusal(400, "INVALID_TOKEN", "Invalid token")
}

/// Has a reset mailed to ada.
async fn request(app: &TestApp, mailbox: &mut Mailbox) -> Mail {
    let body = json!({ "email": "ada@example.com", "redirectTo": "/new-password" });
    assert_eq!(answer(&app.browser().post("/request-password-reset", body).await), requested());
    mailbox.next().await
}

async fn reset(app: &TestApp, token: &str) -> (u16, String) {
    answer(&app.browser().post("/reset-password", json!({ "newPassword": NEW, "token": token })).await)
}

on_both_databases! {
    async fn a_mailed_token_sets_a_new_password_and_leaves_sessions_alone(db: TestDb) {
        let (app, ada, mut mailbox) = with_mailbox(db, &[]).await;
        let mail = request(&app, &mut mailbox).await;
        let token = mail.text("token").to_owned();
        let keys: Vec<&String> = mail.0.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["type", "to", "url", "token"]);
        assert_eq!((mail.text("type"), mail.text("to")), ("reset-password", "ada@example.com"));
        assert_eq!(mail.path(), format!("/api/auth/reset-password/{token}?callbackURL=%2Fnew-password"));
        assert!(token.len() == 24 && token.chars().all(|c| c.is_ascii_alphanumeric()));

        let reply = app.browser().post("/reset-password", json!({ "newPassword": NEW, "token": token })).await;
        assert_eq!((answer(&reply), reply.set_cookies.len()), (status_true(), 0));
        assert!(!signs_in(&app, PASSWORD).await);
        assert!(signs_in(&app, NEW).await);
        assert_eq!(ada.user().await["name"], "ada");
    }

    async fn a_used_token_is_refused(db: TestDb) {
        let (app, _ada, mut mailbox) = with_mailbox(db, &[]).await;
        let token = request(&app, &mut mailbox).await.text("token").to_owned();
        assert_eq!(reset(&app, &token).await, status_true());
        assert_eq!(reset(&app, &token).await, bad_token());
        assert_eq!(count(&app, "verifications").await, 0);
    }

    async fn one_token_used_twice_at_once_works_once(db: TestDb) {
        let (app, _ada, mut mailbox) = with_mailbox(db, &[]).await;
        let token = request(&app, &mut mailbox).await.text("token").to_owned();
        let (one, two) = futures_util::future::join(reset(&app, &token), reset(&app, &token)).await;
        let mut both = [one, two];
        both.sort();
        assert_eq!(both, [status_true(), bad_token()]);
    }

    async fn a_token_lives_an_hour(db: TestDb) {
        let (app, _ada, mut mailbox) = with_mailbox(db, &[]).await;
        let token = request(&app, &mut mailbox).await.text("token").to_owned();
        app.clock.advance(HOUR + 1);
        assert_eq!(reset(&app, &token).await, bad_token());
        assert!(signs_in(&app, PASSWORD).await);
        let token = request(&app, &mut mailbox).await.text("token").to_owned();
        app.clock.advance(HOUR - 1);
        assert_eq!(reset(&app, &token).await, status_true());
    }

    async fn an_unknown_token_is_refused(db: TestDb) {
        let (app, _ada, _mailbox) = with_mailbox(db, &[]).await;
        for token in ["", "AAAAAAAAAAAAAAAAAAAAAAAA", "%"] {
            assert_eq!(reset(&app, token).await, bad_token());
        }
        let reply = app.browser().post("/reset-password", json!({ "newPassword": NEW })).await;
        assert_eq!(answer(&reply), bad_token());
    }

    async fn a_token_of_somebody_else_changes_that_password_alone(db: TestDb) {
        let (app, _ada, mut mailbox) = with_mailbox(db, &[]).await;
        app.browser().sign_up("bob").await;
        app.browser().post("/request-password-reset", json!({ "email": "bob@example.com" })).await;
        let token = mailbox.next().await.text("token").to_owned();
        assert_eq!(reset(&app, &token).await, status_true());
        assert!(signs_in(&app, PASSWORD).await);
    }

    async fn limits_are_checked_before_the_token_and_do_not_use_it_up(db: TestDb) {
        let (app, _ada, mut mailbox) = with_mailbox(db, &[]).await;
        let token = request(&app, &mut mailbox).await.text("token").to_owned();
        for (password, code) in [("1234567".to_owned(), "PASSWORD_TOO_SHORT"), ("a".repeat(129), "PASSWORD_TOO_LONG")] {
            for token in [token.as_str(), "unknown"] {
                let body = json!({ "newPassword": password, "token": token });
                assert_eq!(app.browser().post("/reset-password", body).await.outcome(), (400, code.to_owned()));
            }
        }
        assert_eq!(reset(&app, &token).await, status_true());
    }

    async fn the_token_may_come_in_the_query_and_the_body_beats_it(db: TestDb) {
        let (app, _ada, mut mailbox) = with_mailbox(db, &[]).await;
        let token = request(&app, &mut mailbox).await.text("token").to_owned();
        let path = format!("/reset-password?token={token}");
        let reply = app.browser().post(&path, json!({ "newPassword": NEW, "token": "unknown" })).await;
        assert_eq!(answer(&reply), bad_token());
        assert_eq!(answer(&app.browser().post(&path, json!({ "newPassword": NEW })).await), status_true());
    }

    async fn a_user_without_password_gets_one(db: TestDb) {
        let (app, _ada, mut mailbox) = with_mailbox(db, &[]).await;
        execute(&app, "DELETE FROM accounts").await;
        let token = request(&app, &mut mailbox).await.text("token").to_owned();
        assert_eq!(reset(&app, &token).await, status_true());
        assert!(signs_in(&app, NEW).await);
    }

    async fn the_token_of_a_deleted_user_is_refused(db: TestDb) {
        let (app, _ada, mut mailbox) = with_mailbox(db, &[]).await;
        let token = request(&app, &mut mailbox).await.text("token").to_owned();
        execute(&app, "DELETE FROM users").await;
        assert_eq!(reset(&app, &token).await, refusal(400, "USER_NOT_FOUND", "User not found"));
    }

    async fn an_unknown_address_gets_the_same_answer_and_no_mail(db: TestDb) {
        let (app, _ada, mut mailbox) = with_mailbox(db, &[]).await;
        let reply = app.browser().post("/request-password-reset", json!({ "email": "nobody@example.com" })).await;
        assert_eq!(answer(&reply), requested());
        assert_eq!(count(&app, "verifications").await, 0);
        let body = json!({ "email": "ADA@example.com" });
        assert_eq!(answer(&app.browser().post("/request-password-reset", body).await), requested());
        let mail = mailbox.next().await;
        assert_eq!(mail.text("to"), "ada@example.com");
        assert!(mail.path().ends_with("?callbackURL="));
        assert!(mailbox.is_empty());
    }

    async fn a_request_is_refused_for_a_bad_body_or_an_untrusted_page(db: TestDb) {
        let (app, _ada, mailbox) = with_mailbox(db, &[]).await;
        let post = async |body| answer(&app.browser().post("/request-password-reset", body).await);
        assert_eq!(post(json!({ "email": "nope" })).await, invalid("[body.email] Invalid email address"));
        assert_eq!(post(json!({})).await, invalid("[body.email] Invalid input: expected string, received undefined"));
        let evil = json!({ "email": "ada@example.com", "redirectTo": "https://evil.example" });
        assert_eq!(post(evil).await, refusal(403, "INVALID_REDIRECT_URL", "Invalid redirectURL"));
        let number = json!({ "email": "ada@example.com", "redirectTo": 5 });
        assert_eq!(post(number).await, (400, r#"{"message":"Invalid redirectURL: expected a string"}"#.to_owned()));
        assert!(mailbox.is_empty());
        assert_eq!(count(&app, "verifications").await, 0);
    }

    async fn without_mail_there_is_no_reset(db: TestDb) {
        let (app, _ada) = with_ada(db, &[]).await;
        let reply = app.browser().post("/request-password-reset", json!({ "email": "ada@example.com" })).await;
        assert_eq!(answer(&reply), refusal(400, "RESET_PASSWORD_DISABLED", "Reset password isn't enabled"));
    }

    async fn the_mailed_link_leads_to_the_page_and_keeps_the_token_good(db: TestDb) {
        let (app, _ada, mut mailbox) = with_mailbox(db, &[]).await;
        let mail = request(&app, &mut mailbox).await;
        let token = mail.text("token");
        for _ in 0..2 {
            let reply = app.browser().absolute(actix_web::http::Method::GET, mail.path()).send().await;
            assert_eq!((reply.status.as_u16(), reply.body.as_str()), (302, ""));
            assert_eq!(reply.header("location"), format!("http://localhost:4000/new-password?token={token}"));
        }
        let reply = app
            .browser()
            .get(&format!("/reset-password/{token}?callbackURL=https%3A%2F%2Fapp.example.com%2Freset%3Fa%3D1%23top"))
            .await;
        assert_eq!(reply.header("location"), format!("https://app.example.com/reset?a=1&token={token}#top"));
        assert_eq!(reset(&app, token).await, status_true());
        let reply = app.browser().absolute(actix_web::http::Method::GET, mail.path()).send().await;
        assert_eq!(reply.header("location"), "http://localhost:4000/new-password?error=INVALID_TOKEN");
    }

    async fn a_bad_link_leads_to_the_page_with_an_error(db: TestDb) {
        let (app, _ada, mut mailbox) = with_mailbox(db, &[]).await;
        let to = async |path: &str| app.browser().get(path).await.header("location").to_owned();
        assert_eq!(
            to("/reset-password/unknown?callbackURL=/new").await,
            "http://localhost:4000/new?error=INVALID_TOKEN"
        );
        assert_eq!(
            to("/reset-password/x?callbackURL=").await,
            "http://localhost:4000/api/auth/error?error=INVALID_TOKEN"
        );
        let mail = request(&app, &mut mailbox).await;
        app.clock.advance(HOUR + 1);
        let reply = app.browser().absolute(actix_web::http::Method::GET, mail.path()).send().await;
        assert_eq!(reply.header("location"), "http://localhost:4000/new-password?error=INVALID_TOKEN");
    }

    async fn a_link_to_an_untrusted_page_or_without_one_is_refused(db: TestDb) {
        let (app, _ada, mut mailbox) = with_mailbox(db, &[]).await;
        let token = request(&app, &mut mailbox).await.text("token").to_owned();
        let reply = app.browser().get(&format!("/reset-password/{token}?callbackURL=https://evil.example")).await;
        assert_eq!(answer(&reply), refusal(403, "INVALID_CALLBACK_URL", "Invalid callbackURL"));
        let reply = app.browser().get(&format!("/reset-password/{token}")).await;
        assert_eq!(answer(&reply), invalid("[query.callbackURL] Invalid input: expected string, received undefined"));
    }
}
