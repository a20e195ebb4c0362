//! What a password reset does to the rest of the account, and what ends its link.
//! The endpoints themselves: `reset_password.rs`.

use integration_tests::{PASSWORD, on_both_databases};
use serde_json::json;

use crate::support::*;

const NEW: &str = "another-password-2";
const HOUR: i64 = 3_600;
const CHANGE: (&str, &str) = ("AUTH_USER_CHANGE_EMAIL_ENABLED", "true");

on_both_databases! {
    async fn a_reset_ends_the_users_other_links_and_nobody_elses(db: TestDb) {
        let (app, _ada, mut mailbox) = with_mailbox(db, &[]).await;
        app.browser().sign_up("bob").await;
        let first = reset_token(&app, &mut mailbox, "ada").await;
        let second = reset_token(&app, &mut mailbox, "ada").await;
        let bobs = reset_token(&app, &mut mailbox, "bob").await;
        assert_ne!(first, second);
        assert_eq!(reset(&app, &first, NEW).await, status_true());
        assert_eq!(reset(&app, &second, "evil-password-3").await, bad_token(400));
        assert!(signs_in(&app, NEW).await);
        let reply = app.browser().get(&format!("/reset-password/{second}?callbackURL=/new")).await;
        assert_eq!(reply.header("location"), "http://localhost:4000/new?error=INVALID_TOKEN");
        assert_eq!(reset(&app, &bobs, NEW).await, status_true());
        assert_eq!(count(&app, "verifications").await, 0);
    }

    async fn changing_the_password_ends_links_to_reset_it(db: TestDb) {
        let (app, ada, mut mailbox) = with_mailbox(db, &[]).await;
        app.browser().sign_up("bob").await;
        let token = reset_token(&app, &mut mailbox, "ada").await;
        let bobs = reset_token(&app, &mut mailbox, "bob").await;
        let wrong = json!({ "currentPassword": "wrong-password", "newPassword": NEW });
        assert_eq!(ada.post("/change-password", wrong).await.status.as_u16(), 400);
        assert_eq!(count(&app, "verifications").await, 2);
        let change = json!({ "currentPassword": PASSWORD, "newPassword": NEW });
        assert_eq!(ada.post("/change-password", change).await.status.as_u16(), 200);
        assert_eq!(reset(&app, &token, "evil-password-3").await, bad_token(400));
        assert!(signs_in(&app, NEW).await);
        assert_eq!(reset(&app, &bobs, NEW).await, status_true());
    }

    async fn changing_the_address_ends_links_mailed_to_the_old_one(db: TestDb) {
        let backend = db.backend;
        let at_once = ("AUTH_USER_CHANGE_EMAIL_UPDATE_WITHOUT_VERIFICATION", "true");
        for settings in [vec![CHANGE], vec![CHANGE, at_once]] {
            let db = schema::test_support::TestDb::new(backend).await;
            let (app, ada, mut mailbox) = with_mailbox(db, &settings).await;
            app.browser().sign_up("bob").await;
            let token = reset_token(&app, &mut mailbox, "ada").await;
            let bobs = reset_token(&app, &mut mailbox, "bob").await;
            assert_eq!(ada.post("/change-email", json!({ "newEmail": "new@example.com" })).await.status.as_u16(), 200);
            if settings.len() == 1 {
                follow(&ada, &mailbox.of("verify-email").await).await;
            }
            assert_eq!(ada.user().await["email"], "new@example.com");
            assert_eq!(reset(&app, &token, "evil-password-3").await, bad_token(400));
            assert_eq!(app.browser().sign_in("new").await.status.as_u16(), 200);
            assert_eq!(reset(&app, &bobs, NEW).await, status_true());
        }
    }

    async fn asking_for_another_address_ends_nothing_yet(db: TestDb) {
        let (app, ada, mut mailbox) = with_mailbox(db, &[CHANGE]).await;
        let token = reset_token(&app, &mut mailbox, "ada").await;
        ada.post("/change-email", json!({ "newEmail": "new@example.com" })).await;
        assert_eq!(reset(&app, &token, NEW).await, status_true());
        assert!(signs_in(&app, NEW).await);
    }

    async fn a_link_lives_as_long_as_configured(db: TestDb) {
        let (app, _ada, mut mailbox) = with_mailbox(db, &[("AUTH_EMAIL_PASSWORD_RESET_TOKEN_EXPIRES_IN", "2h")]).await;
        let token = reset_token(&app, &mut mailbox, "ada").await;
        app.clock.advance(2 * HOUR + 1);
        assert_eq!(reset(&app, &token, NEW).await, bad_token(400));
        let reply = app.browser().get(&format!("/reset-password/{token}?callbackURL=/new")).await;
        assert_eq!(reply.header("location"), "http://localhost:4000/new?error=INVALID_TOKEN");
        let token = reset_token(&app, &mut mailbox, "ada").await;
        app.clock.advance(2 * HOUR);
        assert_eq!(reset(&app, &token, NEW).await, status_true());
    }

    async fn whoever_signs_in_elsewhere_gets_a_password_beside_it(db: TestDb) {
        let (app, _ada, mut mailbox) = with_mailbox(db, &[]).await;
        execute(&app, "UPDATE accounts SET provider_id = 'github', account_id = '1'").await;
        let token = reset_token(&app, &mut mailbox, "ada").await;
        assert_eq!(reset(&app, &token, NEW).await, status_true());
        assert_eq!(count(&app, "accounts").await, 2);
        assert_eq!(count(&app, "accounts WHERE provider_id = 'credential' AND account_id = user_id").await, 1);
        assert!(signs_in(&app, NEW).await);
    }

    async fn one_request_makes_one_mail_and_one_stored_token(db: TestDb) {
        let (app, _ada, mut mailbox) = with_mailbox(db, &[]).await;
        let token = reset_token(&app, &mut mailbox, "ada").await;
        let stored = select(&app, "identifier FROM verifications").await;
        assert_eq!(stored, format!("reset-password:{token}"));
        assert_eq!(app.mails().await, ["reset-password ada@example.com"]);
    }
}
