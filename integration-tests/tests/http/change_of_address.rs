//! A change of address in two steps: the old one approves (`AUTH_USER_CHANGE_EMAIL_CONFIRMATION`),
//! then the new one proves itself. One step: `change_email.rs`.

use futures_util::future::join_all;
use integration_tests::mail::{Mail, Mailbox};
use integration_tests::{Browser, SECRET, START_MS, TestApp, on_both_databases};
use schema::test_support::TestDb;
use serde_json::{Value, json};

use crate::support::*;

const ON: (&str, &str) = ("AUTH_USER_CHANGE_EMAIL_ENABLED", "true");
const CONFIRM: (&str, &str) = ("AUTH_USER_CHANGE_EMAIL_CONFIRMATION", "true");
const NOTICES: (&str, &str) = ("AUTH_MAIL_NOTICES", "true");
const HOUR: i64 = 3_600;
const OLD: &str = "ada@example.com";
const NEW: &str = "new@example.com";

/// The service with approval on, and ada, whose address is proven.
async fn open(db: TestDb) -> (TestApp, Browser, Mailbox) {
    let (app, ada, mailbox) = with_mailbox(db, &[ON, CONFIRM, NOTICES]).await;
    execute(&app, "UPDATE users SET email_verified = TRUE").await;
    (app, ada, mailbox)
}

async fn ask(ada: &Browser, new: &str) -> (u16, String) {
    answer(&ada.post("/change-email", json!({ "newEmail": new, "callbackURL": "/done" })).await)
}

/// Asks; the link that the old address gets.
async fn approval(ada: &Browser, mailbox: &mut Mailbox) -> Mail {
    assert_eq!(ask(ada, NEW).await, status_true());
    mailbox.of("change-email").await
}

/// Asks and approves; the link that the new address gets.
async fn proof(ada: &Browser, mailbox: &mut Mailbox) -> Mail {
    let mail = approval(ada, mailbox).await;
    follow(ada, &mail).await;
    mailbox.of("verify-email").await
}

async fn address(app: &TestApp) -> (String, i64) {
    let email = select(app, "email FROM users WHERE name = 'ada'").await;
    (email, count(app, "users WHERE name = 'ada' AND email_verified").await)
}

/// A token as an older Better Auth made it: without the step it belongs to.
fn legacy_token(user_id: &str) -> String {
    let (now, header) = (START_MS / 1_000, json!({ "alg": "HS256" }));
    let claims = json!({ "email": OLD, "updateTo": NEW, "userId": user_id, "iat": now, "exp": now + HOUR });
    jws(&header, &claims, SECRET)
}

on_both_databases! {
    async fn the_old_address_approves_and_the_new_one_proves_itself(db: TestDb) {
        let (app, ada, mut mailbox) = open(db).await;
        let approval = approval(&ada, &mut mailbox).await;
        let keys: Vec<&String> = approval.0.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["type", "to", "url", "token", "newEmail"]);
        assert_eq!((&approval["to"], &approval["newEmail"]), (&json!(OLD), &json!(NEW)));
        assert!(approval.path().ends_with("&callbackURL=%2Fdone"));
        assert_eq!(claims(approval.text("token"))["requestType"], "change-email-confirmation");

        let reply = follow(&ada, &approval).await;
        assert_eq!((reply.status.as_u16(), reply.header("location"), reply.set_cookies.len()), (302, "/done", 0));
        assert_eq!(address(&app).await, (OLD.to_owned(), 1));
        let proof = mailbox.of("verify-email").await;
        assert_eq!((&proof["to"], &proof["newEmail"]), (&json!(NEW), &Value::Null));
        assert!(proof.path().ends_with("&callbackURL=%2Fdone"));
        assert_eq!(claims(proof.text("token"))["requestType"], "change-email-verification");

        let reply = follow(&ada, &proof).await;
        assert_eq!((reply.header("location"), cookies(&reply)), ("/done", vec![SIGNED_IN.to_owned()]));
        assert_eq!(address(&app).await, (NEW.to_owned(), 1));
        assert_eq!(ada.user().await["email"], NEW);
        assert_eq!(app.browser().sign_in("new").await.status.as_u16(), 200);
        assert_eq!(app.browser().sign_in("ada").await.status.as_u16(), 401);
        let mails = ["change-email ada@example.com", "email-changed ada@example.com", "verify-email new@example.com"];
        assert_eq!(app.mails().await, mails);
    }

    async fn without_callback_both_steps_answer_json(db: TestDb) {
        let (app, ada, mut mailbox) = open(db).await;
        let token = approval(&ada, &mut mailbox).await.text("token").to_owned();
        // Approved on a device without a session.
        let reply = app.browser().get(&format!("/verify-email?token={token}")).await;
        assert_eq!((answer(&reply), reply.set_cookies.len()), (status_true(), 0));
        let token = mailbox.of("verify-email").await.text("token").to_owned();
        let reply = app.browser().get(&format!("/verify-email?token={token}")).await;
        let user = user_json("ada").replace(OLD, NEW).replace(r#""emailVerified":false"#, r#""emailVerified":true"#);
        assert_eq!(answer(&reply), (200, format!(r#"{{"status":true,"user":{user}}}"#)));
        assert!(reply.set_cookies.is_empty());
    }

    async fn an_unproven_address_has_no_say(db: TestDb) {
        let (app, ada, mut mailbox) = with_mailbox(db, &[ON, CONFIRM]).await;
        assert_eq!(ask(&ada, NEW).await, status_true());
        let mail = mailbox.of("verify-email").await;
        assert_eq!(mail["to"], NEW);
        follow(&ada, &mail).await;
        // upstream: the new address stays unproven, too.
        assert_eq!(address(&app).await, (NEW.to_owned(), 0));
    }

    async fn a_change_asked_for_before_the_mailbox_was_proven_dies_with_the_proof(db: TestDb) {
        // Somebody signs up with ada's address and has a link mailed to their own.
        let (app, ada, mut mailbox) = with_mailbox(db, &[ON, CONFIRM, NOTICES]).await;
        assert_eq!(ask(&ada, NEW).await, status_true());
        let taking = mailbox.of("verify-email").await;
        assert_eq!(taking["to"], NEW);
        ada.post("/send-verification-email", json!({ "email": OLD })).await;
        follow(&app.browser(), &mailbox.of("verify-email").await).await;
        for browser in [&ada, &app.browser()] {
            assert_eq!(follow(browser, &taking).await.header("location"), "/done?error=INVALID_TOKEN");
        }
        assert_eq!(address(&app).await, (OLD.to_owned(), 1));
        // Asked for anew, by a proven address.
        follow(&ada, &proof(&ada, &mut mailbox).await).await;
        assert_eq!(address(&app).await, (NEW.to_owned(), 1));
    }

    async fn each_step_ends_after_an_hour(db: TestDb) {
        let (app, ada, mut mailbox) = open(db).await;
        let approval = approval(&ada, &mut mailbox).await;
        app.clock.advance(HOUR);
        assert_eq!(follow(&ada, &approval).await.header("location"), "/done?error=TOKEN_EXPIRED");
        let proof = proof(&ada, &mut mailbox).await;
        app.clock.advance(HOUR);
        assert_eq!(follow(&ada, &proof).await.header("location"), "/done?error=TOKEN_EXPIRED");
        assert_eq!(address(&app).await, (OLD.to_owned(), 1));
        let mails = ["change-email ada@example.com", "change-email ada@example.com", "verify-email new@example.com"];
        assert_eq!(app.mails().await, mails);
    }

    async fn neither_step_works_in_somebody_elses_session(db: TestDb) {
        let (app, ada, mut mailbox) = open(db).await;
        let bob = app.browser();
        bob.sign_up("bob").await;
        let approval = approval(&ada, &mut mailbox).await;
        assert_eq!(follow(&bob, &approval).await.header("location"), "/done?error=INVALID_USER");
        follow(&ada, &approval).await;
        let proof = mailbox.of("verify-email").await;
        assert_eq!(follow(&bob, &proof).await.header("location"), "/done?error=INVALID_USER");
        let reply = bob.get(&format!("/verify-email?token={}", proof.text("token"))).await;
        assert_eq!(answer(&reply), refusal(401, "INVALID_USER", "Invalid user"));
        assert_eq!(address(&app).await, (OLD.to_owned(), 1));
        assert_eq!(bob.user().await["email"], "bob@example.com");
        assert_eq!(app.mails().await, ["change-email ada@example.com", "verify-email new@example.com"]);
    }

    async fn after_the_change_every_older_link_is_dead(db: TestDb) {
        let (app, ada, mut mailbox) = open(db).await;
        assert_eq!(ask(&ada, "other@example.com").await, status_true());
        let other = mailbox.of("change-email").await;
        let approval = approval(&ada, &mut mailbox).await;
        follow(&ada, &approval).await;
        let proof = mailbox.of("verify-email").await;
        follow(&ada, &proof).await;
        for mail in [&other, &approval, &proof] {
            assert_eq!(follow(&ada, mail).await.header("location"), "/done?error=INVALID_TOKEN");
        }
        assert_eq!(address(&app).await, (NEW.to_owned(), 1));
    }

    async fn a_cut_or_changed_link_does_nothing(db: TestDb) {
        let (app, ada, mut mailbox) = open(db).await;
        let token = approval(&ada, &mut mailbox).await.text("token").to_owned();
        let swapped = {
            let mut claims = claims(&token);
            claims["requestType"] = json!("change-email-verification");
            let forged = jws(&json!({ "alg": "HS256" }), &claims, "another-secret-0123456789-abcdefgh");
            let (_, signature) = token.rsplit_once('.').unwrap();
            [format!("{}.{signature}", forged.rsplit_once('.').unwrap().0), forged]
        };
        for bad in [&token[..token.len() - 1], &token[1..], &swapped[0], &swapped[1]] {
            let reply = ada.get(&format!("/verify-email?token={bad}&callbackURL=/done")).await;
            assert_eq!(reply.header("location"), "/done?error=INVALID_TOKEN", "{bad}");
        }
        assert_eq!(address(&app).await, (OLD.to_owned(), 1));
        assert_eq!(app.mails().await, ["change-email ada@example.com"]);
    }

    async fn of_ten_at_once_one_changes_the_address(db: TestDb) {
        let (app, ada, mut mailbox) = open(db).await;
        let proof = proof(&ada, &mut mailbox).await;
        let browsers: Vec<Browser> = (0..10).map(|_| ada.copy()).collect();
        let replies = join_all(browsers.iter().map(|browser| follow(browser, &proof))).await;
        let mut places: Vec<&str> = replies.iter().map(|reply| reply.header("location")).collect();
        places.sort_unstable();
        let mut expected = vec!["/done"];
        expected.resize(10, "/done?error=INVALID_TOKEN");
        assert_eq!(places, expected);
        assert_eq!(address(&app).await, (NEW.to_owned(), 1));
        let notices = app.mails().await.into_iter().filter(|mail| mail.starts_with("email-changed")).count();
        assert_eq!(notices, 1);
    }

    async fn an_address_taken_between_the_steps_stays_with_its_owner(db: TestDb) {
        let (app, ada, mut mailbox) = open(db).await;
        let proof = proof(&ada, &mut mailbox).await;
        app.browser().sign_up("new").await;
        assert_eq!(follow(&ada, &proof).await.header("location"), "/done?error=USER_ALREADY_EXISTS");
        assert_eq!(address(&app).await, (OLD.to_owned(), 1));
        assert_eq!(app.mails().await, ["change-email ada@example.com", "verify-email new@example.com"]);
    }

    async fn a_deleted_user_changes_nothing(db: TestDb) {
        let (app, ada, mut mailbox) = open(db).await;
        let (first, second) = (approval(&ada, &mut mailbox).await, proof(&ada, &mut mailbox).await);
        execute(&app, "DELETE FROM users").await;
        for mail in [first, second] {
            assert_eq!(follow(&ada, &mail).await.header("location"), "/done?error=USER_NOT_FOUND");
        }
    }

    async fn a_token_of_an_older_better_auth_changes_at_once_and_asks_for_proof(db: TestDb) {
        let (app, ada, mut mailbox) = open(db).await;
        let token = legacy_token(&select(&app, "id FROM users").await);
        let reply = ada.get(&format!("/verify-email?token={token}")).await;
        let user = user_json("ada").replace(OLD, NEW);
        assert_eq!(answer(&reply), (200, format!(r#"{{"status":true,"user":{user}}}"#)));
        assert_eq!(cookies(&reply), [SIGNED_IN]);
        assert_eq!(address(&app).await, (NEW.to_owned(), 0));
        let mail = mailbox.of("verify-email").await;
        assert_eq!(mail["to"], NEW);
        follow(&ada, &mail).await;
        assert_eq!(address(&app).await, (NEW.to_owned(), 1));
        let again = ada.get(&format!("/verify-email?token={token}")).await;
        assert_eq!(answer(&again), bad_token(401));
    }

    async fn a_token_that_changes_an_address_names_its_user(db: TestDb) {
        let (app, ada, _mailbox) = open(db).await;
        for (user_id, code) in [("", "INVALID_TOKEN"), ("nobody", "USER_NOT_FOUND")] {
            let reply = ada.get(&format!("/verify-email?token={}", legacy_token(user_id))).await;
            assert_eq!(reply.outcome(), (401, code.to_owned()));
        }
        assert_eq!(address(&app).await, (OLD.to_owned(), 1));
        assert!(app.mails().await.is_empty());
    }
}
