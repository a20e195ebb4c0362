//! Deletion that waits for a mailed link (`AUTH_USER_DELETE_USER_VERIFICATION`).

use futures_util::future::join_all;
use integration_tests::mail::{Mail, Mailbox};
use integration_tests::{Browser, PASSWORD, TestApp, email, on_both_databases};
use schema::test_support::TestDb;
use serde_json::{Value, json};

use crate::support::*;

const SETTINGS: [(&str, &str); 2] =
    [("AUTH_USER_DELETE_USER_ENABLED", "true"), ("AUTH_USER_DELETE_USER_VERIFICATION", "true")];

async fn open(db: TestDb, more: &[(&str, &str)]) -> (TestApp, Browser, Mailbox) {
    let settings: Vec<_> = SETTINGS.into_iter().chain(more.iter().copied()).collect();
    with_mailbox(db, &settings).await
}

fn mailed() -> (u16, String) {
    (200, r#"{"success":true,"message":"Verification email sent"}"#.to_owned())
}

fn deleted() -> (u16, String) {
    (200, r#"{"success":true,"message":"User deleted"}"#.to_owned())
}

fn nobody() -> (u16, String) {
    refusal(404, "FAILED_TO_GET_USER_INFO", "Failed to get user info")
}

/// Asks for the link.
async fn ask(browser: &Browser, mailbox: &mut Mailbox, body: Value) -> Mail {
    assert_eq!(answer(&browser.post("/delete-user", body).await), mailed());
    mailbox.of("delete-account").await
}

async fn present(browser: &Browser, token: &str) -> (u16, String) {
    answer(&browser.get(&format!("/delete-user/callback?token={token}")).await)
}

on_both_databases! {
    async fn the_mailed_link_deletes_the_user_and_what_was_mailed_before(db: TestDb) {
        let (app, ada, mut mailbox) = open(db, &[]).await;
        app.browser().sign_up("bob").await;
        let reset = reset_token(&app, &mut mailbox, "ada").await;
        reset_token(&app, &mut mailbox, "bob").await;
        let mail = ask(&ada, &mut mailbox, json!({ "callbackURL": "/bye?a=1" })).await;
        let token = mail.text("token");
        let keys: Vec<&String> = mail.0.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["type", "to", "url", "token"]);
        assert_eq!(mail["to"], "ada@example.com");
        assert_eq!(mail.path(), format!("/api/auth/delete-user/callback?token={token}&callbackURL=%2Fbye%3Fa%3D1"));
        assert!(token.len() == 32 && token.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()));
        assert_eq!(count(&app, &format!("verifications WHERE identifier = 'delete-account-{token}'")).await, 1);
        assert_eq!((&ada.user().await["name"], count(&app, "users").await), (&json!("ada"), 2));

        let reply = follow(&ada, &mail).await;
        assert_eq!((reply.status.as_u16(), reply.header("location"), reply.body.as_str()), (302, "/bye?a=1", ""));
        assert_eq!(cookies(&reply), SIGNED_OUT);
        let rows = (count(&app, "users").await, count(&app, "accounts").await, count(&app, "sessions").await);
        assert_eq!(rows, (1, 1, 1));
        // Bob's link alone is left.
        assert_eq!(count(&app, "verifications").await, 1);
        assert_eq!(crate::support::reset(&app, &reset, "another-password-2").await, bad_token(400));
        assert_eq!(app.browser().sign_in("ada").await.status.as_u16(), 401);
    }

    async fn without_a_callback_the_answer_is_json(db: TestDb) {
        let (app, ada, mut mailbox) = open(db, &[]).await;
        let mail = ask(&ada, &mut mailbox, json!({})).await;
        assert!(mail.path().ends_with("&callbackURL=%2F"));
        let reply = ada.get(&format!("/delete-user/callback?token={}", mail.text("token"))).await;
        assert_eq!((answer(&reply), cookies(&reply)), (deleted(), SIGNED_OUT.map(str::to_owned).to_vec()));
        assert_eq!(count(&app, "users").await, 0);
    }

    async fn a_page_may_post_the_token(db: TestDb) {
        let (app, ada, mut mailbox) = open(db, &[]).await;
        let token = ask(&ada, &mut mailbox, json!({})).await.text("token").to_owned();
        let wrong = json!({ "token": token, "password": "wrong-password" });
        let reply = ada.post("/delete-user", wrong).await;
        assert_eq!(answer(&reply), refusal(400, "INVALID_PASSWORD", "Invalid password"));
        let reply = ada.post("/delete-user", json!({ "token": token })).await;
        assert_eq!((answer(&reply), cookies(&reply)), (deleted(), SIGNED_OUT.map(str::to_owned).to_vec()));
        assert_eq!((count(&app, "users").await, count(&app, "verifications").await), (0, 0));
    }

    async fn a_password_or_an_old_session_changes_nothing_about_the_mail(db: TestDb) {
        let (app, ada, mut mailbox) = open(db, &[]).await;
        ask(&ada, &mut mailbox, json!({ "password": PASSWORD })).await;
        let reply = ada.post("/delete-user", json!({ "password": "wrong-password" })).await;
        assert_eq!(answer(&reply), refusal(400, "INVALID_PASSWORD", "Invalid password"));
        app.clock.advance(DAY);
        let mail = ask(&ada, &mut mailbox, json!({})).await;
        assert_eq!(count(&app, "users").await, 1);
        assert_eq!(follow(&ada, &mail).await.header("location"), "/");
        assert_eq!(count(&app, "users").await, 0);
        assert_eq!(app.mails().await, ["delete-account ada@example.com"; 2]);
    }

    async fn a_used_link_deletes_nobody_else(db: TestDb) {
        let (_app, ada, mut mailbox) = open(db, &[]).await;
        let token = ask(&ada, &mut mailbox, json!({})).await.text("token").to_owned();
        assert_eq!(present(&ada, &token).await, deleted());
        assert_eq!(present(&ada, &token).await, nobody());
        // Somebody who takes the address anew is another user.
        ada.sign_up("ada").await;
        assert_eq!(present(&ada, &token).await, bad_token(404));
        assert_eq!(ada.user().await["name"], "ada");
    }

    async fn a_link_lives_a_day_or_as_long_as_configured(db: TestDb) {
        let backend = db.backend;
        for (settings, life) in [(vec![], DAY), (vec![("AUTH_USER_DELETE_USER_TOKEN_EXPIRES_IN", "60")], 60)] {
            let (app, ada, mut mailbox) = open(TestDb::new(backend).await, &settings).await;
            let token = ask(&ada, &mut mailbox, json!({})).await.text("token").to_owned();
            app.clock.advance(life + 1);
            let old = ada.get(&format!("/delete-user/callback?token={token}&callbackURL=/bye")).await;
            assert_eq!(answer(&old), bad_token(404));
            assert_eq!(count(&app, "users").await, 1);
            let token = ask(&ada, &mut mailbox, json!({})).await.text("token").to_owned();
            app.clock.advance(life);
            assert_eq!(present(&ada, &token).await, deleted(), "{life}");
        }
    }

    async fn a_stranger_deletes_nobody_and_leaves_the_link_good(db: TestDb) {
        let (app, ada, mut mailbox) = open(db, &[]).await;
        let mail = ask(&ada, &mut mailbox, json!({})).await;
        assert_eq!(answer(&follow(&app.browser(), &mail).await), nobody());
        assert_eq!(answer(&app.browser().post("/delete-user", json!({ "token": mail["token"] })).await), unauthorized());
        assert_eq!(count(&app, "users").await, 1);
        assert_eq!(follow(&ada, &mail).await.header("location"), "/");
    }

    async fn somebody_elses_link_deletes_nobody_and_is_spent(db: TestDb) {
        let (app, ada, mut mailbox) = open(db, &[]).await;
        let bob = app.browser();
        bob.sign_up("bob").await;
        let mail = ask(&ada, &mut mailbox, json!({})).await;
        let reply = follow(&bob, &mail).await;
        assert_eq!((answer(&reply), reply.set_cookies.len()), (bad_token(404), 0));
        // upstream: the attempt uses it up.
        assert_eq!(answer(&follow(&ada, &mail).await), bad_token(404));
        assert_eq!((count(&app, "users").await, &bob.user().await["name"]), (2, &json!("bob")));
        let mail = ask(&ada, &mut mailbox, json!({})).await;
        assert_eq!(bob.post("/delete-user", json!({ "token": mail["token"] })).await.outcome(), (404, "INVALID_TOKEN".into()));
        assert_eq!(count(&app, "users").await, 2);
    }

    async fn a_cut_token_and_those_of_other_mails_delete_nobody(db: TestDb) {
        let (app, ada, mut mailbox) = open(db, &[]).await;
        let token = ask(&ada, &mut mailbox, json!({})).await.text("token").to_owned();
        let reset = reset_token(&app, &mut mailbox, "ada").await;
        ada.post("/send-verification-email", json!({ "email": email("ada") })).await;
        let proof = mailbox.of("verify-email").await.text("token").to_owned();
        for wrong in [&token[..31], &token[1..], &token.to_uppercase(), &format!("{token}x"), "%25", &reset, &proof, "-"] {
            assert_eq!(present(&ada, wrong).await, bad_token(404), "{wrong}");
            let reply = ada.post("/delete-user", json!({ "token": wrong })).await;
            assert_eq!(answer(&reply), bad_token(404), "{wrong}");
        }
        assert_eq!(present(&ada, "").await, bad_token(404));
        assert_eq!((count(&app, "users").await, count(&app, "verifications").await), (1, 2));
        assert_eq!(present(&ada, &token).await, deleted());
    }

    async fn of_ten_at_once_one_deletes(db: TestDb) {
        let (app, ada, mut mailbox) = open(db, &[]).await;
        let token = ask(&ada, &mut mailbox, json!({})).await.text("token").to_owned();
        let browsers: Vec<Browser> = (0..10).map(|_| ada.copy()).collect();
        let answers = join_all(browsers.iter().map(|browser| present(browser, &token))).await;
        assert_eq!(answers.iter().filter(|answer| **answer == deleted()).count(), 1, "{answers:?}");
        assert!(answers.iter().all(|(status, _)| matches!(status, 200 | 404)), "{answers:?}");
        assert_eq!(count(&app, "users").await, 0);
    }

    async fn the_link_refuses_an_untrusted_page_and_stays_good(db: TestDb) {
        let (_app, ada, mut mailbox) = open(db, &[]).await;
        let evil = ada.post("/delete-user", json!({ "callbackURL": "https://evil.example" })).await;
        assert_eq!(answer(&evil), refusal(403, "INVALID_CALLBACK_URL", "Invalid callbackURL"));
        let token = ask(&ada, &mut mailbox, json!({})).await.text("token").to_owned();
        let reply = ada.get(&format!("/delete-user/callback?token={token}&callbackURL=//evil.example")).await;
        assert_eq!(answer(&reply), refusal(403, "INVALID_CALLBACK_URL", "Invalid callbackURL"));
        assert_eq!(present(&ada, &token).await, deleted());
    }

    async fn only_a_session_asks_for_the_link(db: TestDb) {
        let (app, _ada, _mailbox) = open(db, &[]).await;
        assert_eq!(answer(&app.browser().post("/delete-user", json!({})).await), unauthorized());
        assert!(app.mails().await.is_empty());
        assert_eq!(count(&app, "verifications").await, 0);
    }
}
