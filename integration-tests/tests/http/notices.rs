//! Mails that tell a user what was done to the account (`AUTH_MAIL_NOTICES`).

use integration_tests::{Browser, PASSWORD, on_both_databases};
use schema::test_support::TestDb;
use serde_json::json;

use crate::support::*;

const NEW: &str = "another-password-2";
const CHANGE: (&str, &str) = ("AUTH_USER_CHANGE_EMAIL_ENABLED", "true");
const AT_ONCE: (&str, &str) = ("AUTH_USER_CHANGE_EMAIL_UPDATE_WITHOUT_VERIFICATION", "true");
const ON: (&str, &str) = ("AUTH_MAIL_NOTICES", "true");
const OFF: (&str, &str) = ("AUTH_MAIL_NOTICES", "false");

async fn change_password(browser: &Browser, current: &str) -> u16 {
    let body = json!({ "currentPassword": current, "newPassword": NEW });
    browser.post("/change-password", body).await.status.as_u16()
}

async fn change_email(browser: &Browser) -> u16 {
    browser.post("/change-email", json!({ "newEmail": "new@example.com" })).await.status.as_u16()
}

on_both_databases! {
    async fn a_changed_password_is_told_and_a_refused_change_is_not(db: TestDb) {
        let (app, ada, mut mailbox) = with_mailbox(db, &[ON]).await;
        assert_eq!(change_password(&ada, "wrong-password").await, 400);
        assert_eq!(change_password(&ada, PASSWORD).await, 200);
        let mail = mailbox.of("password-changed").await;
        assert_eq!(mail.0, json!({ "type": "password-changed", "to": "ada@example.com" }));
        assert_eq!(app.mails().await, ["password-changed ada@example.com"]);
    }

    async fn a_reset_is_told_and_a_refused_one_is_not(db: TestDb) {
        let (app, _ada, mut mailbox) = with_mailbox(db, &[ON]).await;
        let token = reset_token(&app, &mut mailbox, "ada").await;
        assert_eq!(reset(&app, &token[1..], NEW).await, bad_token(400));
        assert_eq!(reset(&app, &token, "short").await.0, 400);
        assert_eq!(reset(&app, &token, NEW).await, status_true());
        assert_eq!(reset(&app, &token, NEW).await, bad_token(400));
        let mail = mailbox.of("password-changed").await;
        assert_eq!(mail.0, json!({ "type": "password-changed", "to": "ada@example.com" }));
        assert_eq!(app.mails().await, ["password-changed ada@example.com", "reset-password ada@example.com"]);
    }

    async fn a_changed_address_is_told_to_the_old_one(db: TestDb) {
        let backend = db.backend;
        for settings in [vec![CHANGE, ON], vec![CHANGE, ON, AT_ONCE]] {
            let (app, ada, mut mailbox) = with_mailbox(TestDb::new(backend).await, &settings).await;
            assert_eq!(change_email(&ada).await, 200);
            let link = mailbox.of("verify-email").await;
            if settings.len() == 2 {
                assert_eq!(count(&app, "mails").await, 1, "nothing is changed yet");
                follow(&ada, &link).await;
            }
            let mail = mailbox.of("email-changed").await;
            let told = json!({ "type": "email-changed", "to": "ada@example.com", "newEmail": "new@example.com" });
            assert_eq!(mail.0, told);
            assert_eq!(app.mails().await, ["email-changed ada@example.com", "verify-email new@example.com"]);
        }
    }

    async fn a_taken_address_is_told_to_nobody(db: TestDb) {
        let (app, ada, _mailbox) = with_mailbox(db, &[CHANGE, AT_ONCE, ON]).await;
        app.browser().sign_up("new").await;
        assert_eq!(change_email(&ada).await, 200);
        assert!(app.mails().await.is_empty());
    }

    async fn switched_off_they_stay_away_and_links_still_come(db: TestDb) {
        let (app, ada, mut mailbox) = with_mailbox(db, &[CHANGE, OFF]).await;
        assert_eq!(change_password(&ada, PASSWORD).await, 200);
        let token = reset_token(&app, &mut mailbox, "ada").await;
        assert_eq!(reset(&app, &token, "yet-another-password-3").await, status_true());
        assert_eq!(change_email(&ada).await, 200);
        follow(&ada, &mailbox.of("verify-email").await).await;
        assert_eq!(ada.user().await["email"], "new@example.com");
        assert_eq!(app.mails().await, ["reset-password ada@example.com", "verify-email new@example.com"]);
    }

    async fn without_mail_changes_work_as_before(db: TestDb) {
        let (app, ada) = with_ada(db, &[CHANGE, AT_ONCE, ON]).await;
        assert_eq!(change_password(&ada, PASSWORD).await, 200);
        assert_eq!(change_email(&ada).await, 200);
        assert!(app.mails().await.is_empty());
    }
}
