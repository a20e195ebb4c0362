//! `POST /delete-user` and `GET /delete-user/callback`.

use actix_web::http::Method;
use integration_tests::{PASSWORD, on_both_databases};
use serde_json::json;

use crate::support::*;

const ON: (&str, &str) = ("AUTH_USER_DELETE_USER_ENABLED", "true");

fn deleted() -> (u16, String) {
    (200, r#"{"success":true,"message":"User deleted"}"#.to_owned())
}

on_both_databases! {
    async fn delete_user_removes_everything_of_the_user_and_nothing_of_others(db: TestDb) {
        let (app, ada) = with_ada(db, &[ON]).await;
        let phone = second_device(&app, "ada").await;
        let bob = app.browser();
        bob.sign_up("bob").await;
        let reply = ada.post("/delete-user", json!({})).await;
        assert_eq!(answer(&reply), deleted());
        assert_eq!(cookies(&reply), SIGNED_OUT);
        assert_eq!(
            (count(&app, "users").await, count(&app, "accounts").await, count(&app, "sessions").await),
            (1, 1, 1)
        );
        assert_eq!(phone.get("/get-session").await.body, "null");
        assert_eq!(bob.user().await["name"], "bob");
        assert_eq!(app.browser().sign_in("ada").await.status.as_u16(), 401);
        app.browser().sign_up("ada").await;
    }

    async fn delete_user_is_off_unless_switched_on(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        let reply = ada.post("/delete-user", json!({ "password": PASSWORD })).await;
        assert_eq!(answer(&reply), (404, String::new()));
        assert_eq!(reply.header("content-type"), "application/json");
        assert_eq!(count(&app, "users").await, 1);
    }

    async fn delete_user_needs_a_session_and_a_body(db: TestDb) {
        let (app, ada) = with_ada(db, &[ON]).await;
        assert_eq!(answer(&app.browser().post("/delete-user", json!({})).await), unauthorized());
        let reply = ada.request(Method::POST, "/delete-user").send().await;
        assert_eq!(answer(&reply), invalid("[body] Invalid input: expected object, received undefined"));
        let reply = ada.post("/delete-user", json!({ "password": 5 })).await;
        assert_eq!(answer(&reply), invalid("[body.password] Invalid input: expected string, received number"));
        execute(&app, "DELETE FROM sessions").await;
        assert_eq!(answer(&ada.post("/delete-user", json!({})).await), unauthorized());
        assert_eq!(count(&app, "users").await, 1);
    }

    async fn a_wrong_password_deletes_nobody(db: TestDb) {
        let (app, ada) = with_ada(db, &[ON]).await;
        let reply = ada.post("/delete-user", json!({ "password": "wrong-password" })).await;
        assert_eq!(answer(&reply), refusal(400, "INVALID_PASSWORD", "Invalid password"));
        let reply = ada.post("/delete-user", json!({ "password": "a".repeat(129) })).await;
        assert_eq!(reply.outcome(), (400, "PASSWORD_TOO_LONG".to_owned()));
        execute(&app, "DELETE FROM accounts").await;
        let reply = ada.post("/delete-user", json!({ "password": PASSWORD })).await;
        assert_eq!(reply.outcome(), (400, "CREDENTIAL_ACCOUNT_NOT_FOUND".to_owned()));
        assert_eq!(count(&app, "users").await, 1);
    }

    async fn an_old_session_needs_the_password(db: TestDb) {
        let (app, ada) = with_ada(db, &[ON]).await;
        app.clock.advance(DAY);
        let expired = "Session expired. Re-authenticate to perform this action.";
        assert_eq!(answer(&ada.post("/delete-user", json!({})).await), refusal(400, "SESSION_EXPIRED", expired));
        assert_eq!(answer(&ada.post("/delete-user", json!({ "password": PASSWORD })).await), deleted());
        assert_eq!(count(&app, "users").await, 0);
    }

    async fn a_token_that_nobody_was_mailed_deletes_nobody(db: TestDb) {
        let (app, ada) = with_ada(db, &[ON]).await;
        let unknown = refusal(404, "INVALID_TOKEN", "Invalid token");
        let reply = ada.post("/delete-user", json!({ "token": "x", "password": PASSWORD })).await;
        assert_eq!(answer(&reply), unknown);
        assert_eq!(answer(&ada.get("/delete-user/callback?token=x&callbackURL=/bye").await), unknown);
        assert_eq!(count(&app, "users").await, 1);
    }

    async fn the_link_refuses_strangers_untrusted_callbacks_and_a_missing_token(db: TestDb) {
        let (app, ada) = with_ada(db, &[ON]).await;
        let reply = app.browser().get("/delete-user/callback?token=x").await;
        assert_eq!(answer(&reply), refusal(404, "FAILED_TO_GET_USER_INFO", "Failed to get user info"));
        let reply = ada.get("/delete-user/callback?token=x&callbackURL=https://evil.example").await;
        assert_eq!(answer(&reply), refusal(403, "INVALID_CALLBACK_URL", "Invalid callbackURL"));
        let reply = ada.get("/delete-user/callback").await;
        assert_eq!(answer(&reply), invalid("[query.token] Invalid input: expected string, received undefined"));
    }

    async fn the_link_is_not_found_while_deletion_is_off(db: TestDb) {
        let (_app, ada) = with_ada(db, &[]).await;
        let reply = ada.get("/delete-user/callback?token=x").await;
        assert_eq!(answer(&reply), refusal(404, "NOT_FOUND", "Not found"));
    }
}
