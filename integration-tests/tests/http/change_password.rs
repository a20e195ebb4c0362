//! `POST /change-password`.

use integration_tests::{PASSWORD, on_both_databases};
use serde_json::{Value, json};

use crate::support::*;

const NEW: &str = "another-password-2";

fn good() -> Value {
    json!({ "currentPassword": PASSWORD, "newPassword": NEW })
}

fn with(key: &str, value: Value) -> Value {
    let mut body = good();
    body[key] = value;
    body
}

on_both_databases! {
    async fn change_password_sets_the_new_one_and_keeps_every_session(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        let phone = second_device(&app, "ada").await;
        let reply = ada.post("/change-password", good()).await;
        assert_eq!(answer(&reply), (200, format!(r#"{{"token":null,"user":{}}}"#, user_json("ada"))));
        assert!(reply.set_cookies.is_empty());
        assert!(!signs_in(&app, PASSWORD).await);
        assert!(signs_in(&app, NEW).await);
        assert_eq!(phone.user().await["name"], "ada");
    }

    async fn change_password_with_revocation_ends_every_session_and_begins_one(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        let (phone, stolen) = (second_device(&app, "ada").await, ada.copy());
        app.browser().sign_up("bob").await;
        let reply = ada.post("/change-password", with("revokeOtherSessions", json!(true))).await;
        assert_eq!(answer(&reply), (200, format!(r#"{{"token":"<id>","user":{}}}"#, user_json("ada"))));
        assert_eq!(cookies(&reply), [SIGNED_IN]);
        assert_eq!(reply.json()["token"], token(&ada));
        assert_ne!(token(&ada), token(&stolen));
        assert_eq!(ada.user().await["name"], "ada");
        for browser in [phone, stolen] {
            assert_eq!(browser.get("/get-session").await.body, "null");
        }
        assert_eq!(count(&app, "sessions").await, 2);
    }

    async fn a_wrong_current_password_changes_nothing(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        for wrong in ["wrong-password", ""] {
            let mut body = with("currentPassword", json!(wrong));
            body["revokeOtherSessions"] = json!(true);
            let reply = ada.post("/change-password", body).await;
            assert_eq!(answer(&reply), refusal(400, "INVALID_PASSWORD", "Invalid password"));
        }
        assert!(signs_in(&app, PASSWORD).await);
        assert_eq!(ada.user().await["name"], "ada");
    }

    async fn limits_are_checked_before_the_current_password(db: TestDb) {
        let (_app, ada) = with_ada(db, &[]).await;
        let (short, long) = ("1234567", "a".repeat(129));
        for (new, current, code) in [
            (short, "wrong", "PASSWORD_TOO_SHORT"),
            (long.as_str(), "wrong", "PASSWORD_TOO_LONG"),
            (NEW, long.as_str(), "PASSWORD_TOO_LONG"),
            (short, long.as_str(), "PASSWORD_TOO_SHORT"),
        ] {
            let reply = ada.post("/change-password", json!({ "newPassword": new, "currentPassword": current })).await;
            assert_eq!(reply.outcome(), (400, code.to_owned()));
        }
    }

    async fn a_user_without_password_has_none_to_change(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        let none = refusal(400, "CREDENTIAL_ACCOUNT_NOT_FOUND", "Credential account not found");
        for sql in ["UPDATE accounts SET password = NULL", "DELETE FROM accounts"] {
            execute(&app, sql).await;
            assert_eq!(answer(&ada.post("/change-password", good()).await), none);
        }
    }

    async fn change_password_needs_a_session_and_a_good_body(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        assert_eq!(answer(&app.browser().post("/change-password", good()).await), unauthorized());
        for (body, message) in [
            (
                json!({}),
                "[body.newPassword] Invalid input: expected string, received undefined; [body.currentPassword] Invalid input: expected string, received undefined",
            ),
            (
                with("revokeOtherSessions", json!("yes")),
                "[body.revokeOtherSessions] Invalid input: expected boolean, received string",
            ),
        ] {
            assert_eq!(answer(&ada.post("/change-password", body).await), invalid(message));
        }
        execute(&app, "DELETE FROM sessions").await;
        assert_eq!(answer(&ada.post("/change-password", good()).await), unauthorized());
        assert!(signs_in(&app, PASSWORD).await);
    }
}
