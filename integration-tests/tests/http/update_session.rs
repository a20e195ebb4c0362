//! `POST /update-session` and the declared fields of sessions.

use integration_tests::on_both_databases;
use serde_json::{Value, json};

use crate::support::*;

const THEME: (&str, &str) = ("AUTH_SESSION_FIELDS", "theme,org");

on_both_databases! {
    async fn update_session_changes_declared_fields_of_this_session_alone(db: TestDb) {
        let (app, ada) = with_ada(db, &[THEME]).await;
        let phone = second_device(&app, "ada").await;
        app.clock.advance(60);
        let reply = ada.post("/update-session", json!({ "theme": "dark" })).await;
        assert_eq!(answer(&reply), (200, concat!(
            r#"{"session":{"expiresAt":"2030-01-08T00:00:00.000Z","token":"<id>","createdAt":"2030-01-01T00:00:00.000Z","#,
            r#""updatedAt":"2030-01-01T00:01:00.000Z","ipAddress":"","userAgent":"","userId":"<id>","#,
            r#""theme":"dark","org":null,"id":"<id>"}}"#,
        ).to_owned()));
        assert_eq!(cookies(&reply), [SIGNED_IN]);
        ada.post("/update-session", json!({ "org": "acme" })).await;
        let session = ada.get("/get-session").await.json()["session"].take();
        assert_eq!((&session["theme"], &session["org"]), (&json!("dark"), &json!("acme")));
        assert_eq!(phone.get("/get-session").await.json()["session"]["theme"], Value::Null);
    }

    async fn core_columns_and_unknown_members_of_a_session_are_not_changed(db: TestDb) {
        let (_app, ada) = with_ada(db, &[THEME]).await;
        let nothing = (400, r#"{"message":"No fields to update"}"#.to_owned());
        for body in [
            json!({}),
            json!({ "token": "x", "userId": "y", "expiresAt": "2999-01-01T00:00:00.000Z" }),
            json!({ "color": "red" }),
        ] {
            assert_eq!(answer(&ada.post("/update-session", body).await), nothing);
        }
        let both = json!({ "theme": "dark", "userId": "y" });
        let reply = ada.post("/update-session", both).await;
        assert_eq!(reply.json()["session"]["userId"], ada.user().await["id"]);
    }

    async fn without_declared_session_fields_there_is_nothing_to_update(db: TestDb) {
        let (_app, ada) = with_ada(db, &[]).await;
        let reply = ada.post("/update-session", json!({ "theme": "dark" })).await;
        assert_eq!(answer(&reply), (400, r#"{"message":"No fields to update"}"#.to_owned()));
    }

    async fn a_session_field_has_its_default_from_the_start(db: TestDb) {
        let (_app, ada) = with_ada(db, &[THEME, ("AUTH_SESSION_FIELD_THEME_DEFAULT", "light")]).await;
        assert_eq!(ada.get("/get-session").await.json()["session"]["theme"], "light");
    }

    async fn session_fields_are_checked(db: TestDb) {
        let (_app, ada) = with_ada(
            db,
            &[THEME, ("AUTH_SESSION_FIELD_ORG_INPUT", "false"), ("AUTH_SESSION_FIELD_THEME_VALUES", "light,dark")],
        )
        .await;
        let reply = ada.post("/update-session", json!({ "theme": "blue" })).await;
        assert_eq!(answer(&reply), invalid("theme must be one of: light, dark"));
        let reply = ada.post("/update-session", json!({ "theme": "dark", "org": "acme" })).await;
        assert_eq!(answer(&reply), refusal(400, "FIELD_NOT_ALLOWED", "org is not allowed to be set"));
        assert_eq!(ada.get("/get-session").await.json()["session"]["theme"], Value::Null);
    }

    async fn a_session_field_can_be_renamed_and_hidden(db: TestDb) {
        let (app, ada) = with_ada(
            db,
            &[THEME, ("AUTH_SESSION_FIELD_THEME_KEY", "uiTheme"), ("AUTH_SESSION_FIELD_ORG_RETURNED", "false")],
        )
        .await;
        let reply = ada.post("/update-session", json!({ "uiTheme": "dark", "org": "acme" })).await;
        let session = reply.json()["session"].take();
        assert_eq!((&session["uiTheme"], session.get("theme"), session.get("org")), (&json!("dark"), None, None));
        assert_eq!(select(&app, "additional_fields FROM sessions").await, r#"{"theme":"dark","org":"acme"}"#);
    }

    async fn update_session_refuses_a_bad_body_and_a_missing_session(db: TestDb) {
        let (app, ada) = with_ada(db, &[THEME]).await;
        let reply = ada.post("/update-session", json!([])).await;
        assert_eq!(answer(&reply), invalid("[body] Invalid input: expected record, received array"));
        assert_eq!(answer(&app.browser().post("/update-session", json!({ "theme": "x" })).await), unauthorized());
    }
}
