//! `POST /verify-password`.

use integration_tests::{PASSWORD, on_both_databases};
use serde_json::json;

use crate::support::*;

on_both_databases! {
    async fn verify_password_knows_the_right_one_from_others(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        let bob = json!({ "name": "bob", "email": "bob@example.com", "password": "bobs-password" });
        app.browser().post("/sign-up/email", bob).await;
        assert_eq!(answer(&ada.post("/verify-password", json!({ "password": PASSWORD })).await), status_true());
        for wrong in ["wrong-password", "bobs-password", ""] {
            let reply = ada.post("/verify-password", json!({ "password": wrong })).await;
            assert_eq!(answer(&reply), refusal(400, "INVALID_PASSWORD", "Invalid password"));
        }
        let reply = ada.post("/verify-password", json!({ "password": "a".repeat(129) })).await;
        assert_eq!(answer(&reply), refusal(400, "PASSWORD_TOO_LONG", "Password too long"));
    }

    async fn without_a_password_none_is_right(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        execute(&app, "DELETE FROM accounts").await;
        let reply = ada.post("/verify-password", json!({ "password": PASSWORD })).await;
        assert_eq!(reply.outcome(), (400, "INVALID_PASSWORD".to_owned()));
    }

    async fn verify_password_needs_a_session_and_a_good_body(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        assert_eq!(
            answer(&app.browser().post("/verify-password", json!({ "password": PASSWORD })).await),
            unauthorized()
        );
        let missing = "[body.password] Invalid input: expected string, received undefined";
        assert_eq!(answer(&ada.post("/verify-password", json!({})).await), invalid(missing));
    }
}
