//! `POST /sign-out`.

use actix_web::http::Method;
use integration_tests::on_both_databases;
use serde_json::json;

use crate::support::*;

fn success() -> (u16, String) {
    (200, r#"{"success":true}"#.to_owned())
}

on_both_databases! {
    async fn sign_out_ends_the_session_and_expires_its_cookies(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        let stolen = ada.copy();
        let reply = ada.post("/sign-out", json!({})).await;
        assert_eq!(answer(&reply), success());
        assert_eq!(cookies(&reply), SIGNED_OUT);
        assert_eq!(count(&app, "sessions").await, 0);
        assert_eq!(stolen.get("/get-session").await.body, "null");
    }

    async fn sign_out_leaves_other_sessions_alone(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        let phone = second_device(&app, "ada").await;
        app.browser().sign_up("bob").await;
        ada.post("/sign-out", json!({})).await;
        assert_eq!(phone.user().await["name"], "ada");
        assert_eq!(count(&app, "sessions").await, 2);
    }

    async fn sign_out_without_a_session_or_body_succeeds(db: TestDb) {
        let app = start(db, &[]).await;
        let reply = app.browser().request(Method::POST, "/sign-out").send().await;
        assert_eq!(answer(&reply), success());
        assert_eq!(cookies(&reply), SIGNED_OUT);
    }

    async fn sign_out_under_a_forged_signature_leaves_the_session_alone(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        let forger = app.browser();
        forger.set_cookie("better-auth.session_token", &format!("{}.{}%3D", token(&ada), "A".repeat(43)));
        assert_eq!(answer(&forger.post("/sign-out", json!({})).await), success());
        assert_eq!(ada.user().await["name"], "ada");
    }

    async fn a_cache_cookie_and_its_chunks_are_expired_by_name(db: TestDb) {
        let (_app, ada) = with_ada(db, &[]).await;
        ada.set_cookie("better-auth.session_data.0", "x");
        let reply = ada.post("/sign-out", json!({})).await;
        let chunk = SIGNED_OUT[1].replace("session_data", "session_data.0");
        assert_eq!(cookies(&reply), [SIGNED_OUT[0], SIGNED_OUT[1], chunk.as_str(), SIGNED_OUT[2]]);
    }

    async fn sign_out_refuses_a_bad_body_and_keeps_the_session(db: TestDb) {
        let (_app, ada) = with_ada(db, &[]).await;
        for (body, message) in [
            (json!(null), "[body] Invalid input: expected object, received null"),
            (json!([]), "[body] Invalid input: expected object, received array"),
            (
                json!({ "disableRedirect": 1 }),
                "[body.disableRedirect] Invalid input: expected boolean, received number",
            ),
        ] {
            assert_eq!(answer(&ada.post("/sign-out", body).await), invalid(message));
        }
        assert_eq!(ada.user().await["name"], "ada");
    }
}
