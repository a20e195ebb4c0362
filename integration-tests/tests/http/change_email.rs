//! `POST /change-email` and the link that completes it.

use actix_web::http::Method;
use integration_tests::{Browser, on_both_databases};
use serde_json::json;

use crate::support::*;

const ON: (&str, &str) = ("AUTH_USER_CHANGE_EMAIL_ENABLED", "true");
const AT_ONCE: (&str, &str) = ("AUTH_USER_CHANGE_EMAIL_UPDATE_WITHOUT_VERIFICATION", "true");

async fn change(browser: &Browser, new_email: &str) -> (u16, String) {
    answer(&browser.post("/change-email", json!({ "newEmail": new_email, "callbackURL": "/done" })).await)
}

fn message(text: &str) -> (u16, String) {
    (400, json!({ "message": text }).to_string())
}

on_both_databases! {
    async fn a_link_mailed_to_the_new_address_changes_it(db: TestDb) {
        let (app, ada, mut mailbox) = with_mailbox(db, &[ON]).await;
        assert_eq!(change(&ada, "NEW@example.com").await, status_true());
        assert_eq!(ada.user().await["email"], "ada@example.com");
        let mail = mailbox.next().await;
        assert_eq!((mail.text("type"), mail.text("to")), ("verify-email", "new@example.com"));
        assert!(mail.path().ends_with("&callbackURL=%2Fdone"));
        let reply = ada.absolute(Method::GET, mail.path()).send().await;
        assert_eq!((reply.status.as_u16(), reply.header("location")), (302, "/done"));
        assert_eq!(cookies(&reply), [SIGNED_IN]);
        assert_eq!(ada.user().await["email"], "new@example.com");
        assert_eq!(app.browser().sign_in("new").await.status.as_u16(), 200);
        assert_eq!(app.browser().sign_in("ada").await.status.as_u16(), 401);
    }

    async fn without_session_and_callback_the_link_answers_the_user(db: TestDb) {
        let (app, ada, mut mailbox) = with_mailbox(db, &[ON]).await;
        change(&ada, "new@example.com").await;
        let token = mailbox.next().await.text("token").to_owned();
        let reply = app.browser().get(&format!("/verify-email?token={token}")).await;
        let user = user_json("ada").replace("ada@example.com", "new@example.com");
        assert_eq!(
            (answer(&reply), reply.set_cookies.len()),
            ((200, format!(r#"{{"status":true,"user":{user}}}"#)), 0)
        );
        let again = app.browser().get(&format!("/verify-email?token={token}")).await;
        assert_eq!(answer(&again), refusal(401, "INVALID_TOKEN", "Invalid token"));
    }

    async fn the_link_is_refused_in_somebody_elses_browser(db: TestDb) {
        let (app, ada, mut mailbox) = with_mailbox(db, &[ON]).await;
        change(&ada, "new@example.com").await;
        let mail = mailbox.next().await;
        let bob = app.browser();
        bob.sign_up("bob").await;
        let reply = bob.absolute(Method::GET, mail.path()).send().await;
        assert_eq!(reply.header("location"), "/done?error=INVALID_USER");
        assert_eq!(
            (&ada.user().await["email"], &bob.user().await["email"]),
            (&json!("ada@example.com"), &json!("bob@example.com"))
        );
    }

    async fn the_link_ends_after_an_hour(db: TestDb) {
        let (app, ada, mut mailbox) = with_mailbox(db, &[ON]).await;
        change(&ada, "new@example.com").await;
        let mail = mailbox.next().await;
        app.clock.advance(3_600);
        let reply = ada.absolute(Method::GET, mail.path()).send().await;
        assert_eq!(reply.header("location"), "/done?error=TOKEN_EXPIRED");
        assert_eq!(ada.user().await["email"], "ada@example.com");
    }

    async fn an_address_taken_in_the_meantime_stays_with_its_owner(db: TestDb) {
        let (app, ada, mut mailbox) = with_mailbox(db, &[ON]).await;
        change(&ada, "new@example.com").await;
        let mail = mailbox.next().await;
        app.browser().sign_up("new").await;
        let reply = ada.absolute(Method::GET, mail.path()).send().await;
        assert_eq!(reply.header("location"), "/done?error=USER_ALREADY_EXISTS");
        assert_eq!(ada.user().await["email"], "ada@example.com");
    }

    async fn a_taken_address_gets_the_same_answer_and_no_mail(db: TestDb) {
        let (app, ada, mut mailbox) = with_mailbox(db, &[ON]).await;
        app.browser().sign_up("bob").await;
        assert_eq!(change(&ada, "bob@example.com").await, status_true());
        assert_eq!(change(&ada, "new@example.com").await, status_true());
        assert_eq!(mailbox.next().await.text("to"), "new@example.com");
        assert!(mailbox.is_empty());
    }

    async fn an_unproven_address_can_be_changed_at_once(db: TestDb) {
        let (_app, ada, mut mailbox) = with_mailbox(db, &[ON, AT_ONCE]).await;
        let reply = ada.post("/change-email", json!({ "newEmail": "new@example.com" })).await;
        assert_eq!(answer(&reply), status_true());
        assert_eq!(cookies(&reply), [SIGNED_IN]);
        assert_eq!(ada.user().await["email"], "new@example.com");
        let mail = mailbox.of("verify-email").await;
        assert_eq!(mail.text("to"), "new@example.com");
        ada.absolute(Method::GET, mail.path()).send().await;
        assert_eq!(ada.user().await["emailVerified"], true);
    }

    async fn a_proven_address_is_never_changed_at_once(db: TestDb) {
        let (app, ada, mut mailbox) = with_mailbox(db, &[ON, AT_ONCE]).await;
        execute(&app, "UPDATE users SET email_verified = TRUE").await;
        assert_eq!(change(&ada, "new@example.com").await, status_true());
        assert_eq!(mailbox.next().await.text("to"), "new@example.com");
        assert_eq!(ada.user().await["email"], "ada@example.com");
    }

    async fn without_mail_only_an_unproven_address_can_be_changed(db: TestDb) {
        let (app, ada) = with_ada(db, &[ON, AT_ONCE]).await;
        assert_eq!(change(&ada, "new@example.com").await, status_true());
        assert_eq!(ada.user().await["email"], "new@example.com");
        execute(&app, "UPDATE users SET email_verified = TRUE").await;
        assert_eq!(change(&ada, "newer@example.com").await, message("Verification email isn't enabled"));
    }

    async fn change_email_is_off_unless_switched_on(db: TestDb) {
        let (_app, ada) = with_ada(db, &[]).await;
        let off = refusal(400, "CHANGE_EMAIL_DISABLED", "Change email is disabled");
        assert_eq!(change(&ada, "new@example.com").await, off);
    }

    async fn change_email_refuses_the_same_address_a_bad_one_and_strangers(db: TestDb) {
        let (app, ada, mailbox) = with_mailbox(db, &[ON]).await;
        assert_eq!(change(&ada, "ADA@example.com").await, message("Email is the same"));
        assert_eq!(change(&ada, "nope").await, invalid("[body.newEmail] Invalid email address"));
        assert_eq!(change(&app.browser(), "new@example.com").await, unauthorized());
        let evil = json!({ "newEmail": "new@example.com", "callbackURL": "https://evil.example" });
        let reply = ada.post("/change-email", evil).await;
        assert_eq!(answer(&reply), refusal(403, "INVALID_CALLBACK_URL", "Invalid callbackURL"));
        assert!(mailbox.is_empty());
    }
}
