//! The declared fields of users, as configured.

use integration_tests::{Browser, PASSWORD, Reply, TestApp, on_both_databases};
use schema::DbError;
use serde_json::{Value, json};

use crate::support::*;

const VALUES: (&str, &str) = ("AUTH_FIELD_SOFTWARE_BACKGROUND_VALUES", "beginner,intermediate,advanced");
const ONE_OF: &str = "software_background must be one of: beginner, intermediate, advanced";

async fn sign_up(browser: &Browser, fields: Value) -> Reply {
    let mut body = json!({ "name": "ada", "email": "ada@example.com", "password": PASSWORD });
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    browser.post("/sign-up/email", body).await
}

/// The user object after a sign-up with these fields.
async fn signed_up(app: &TestApp, fields: Value) -> Value {
    let reply = sign_up(&app.browser(), fields).await;
    assert_eq!(reply.status.as_u16(), 200, "{}", reply.body);
    execute(app, "DELETE FROM users").await;
    reply.json()["user"].take()
}

/// The refusal of a sign-up with these fields.
async fn refused(app: &TestApp, fields: Value) -> (u16, String) {
    let reply = sign_up(&app.browser(), fields).await;
    assert_eq!(count(app, "users").await, 0);
    answer(&reply)
}

/// The database refuses a column's value that the service never saw.
async fn refused_by_the_database(app: &TestApp, column: &str, value: &str) {
    let insert = format!(
        "INSERT INTO users (id, name, email, email_verified, created_at, updated_at, {column}, additional_fields) \
         VALUES ('raw', 'raw', 'raw@example.com', FALSE, '2030-01-01 00:00:00', '2030-01-01 00:00:00', {value}, '{{}}')"
    );
    let outcome = try_execute(app, &insert).await;
    let expected = format!("users_{column}_check");
    assert!(
        matches!(&outcome, Err(DbError::CheckViolation { constraint }) if *constraint == expected),
        "{insert}: {outcome:?}"
    );
    let plain = insert.replace(value, "NULL");
    execute(app, &plain).await;
    let update = format!("UPDATE users SET {column} = {value}");
    assert!(matches!(try_execute(app, &update).await, Err(DbError::CheckViolation { .. })), "{update}");
    execute(app, "DELETE FROM users").await;
}

on_both_databases! {
    async fn allowed_values_are_stored_as_configured_and_others_refused(db: TestDb) {
        let app = start(db, &[VALUES]).await;
        for given in ["advanced", "Advanced", "ADVANCED"] {
            assert_eq!(
                signed_up(&app, json!({ "software_background": given })).await["software_background"],
                "advanced"
            );
        }
        for given in ["expert", "advanced ", "advanced,beginner"] {
            assert_eq!(refused(&app, json!({ "software_background": given })).await, invalid(ONE_OF));
        }
        assert_eq!(signed_up(&app, json!({ "software_background": null })).await["software_background"], Value::Null);
    }

    async fn update_user_checks_as_sign_up_does(db: TestDb) {
        let (_app, ada) = with_ada(db, &[VALUES]).await;
        let reply = ada.post("/update-user", json!({ "software_background": "expert", "name": "A" })).await;
        assert_eq!(answer(&reply), invalid(ONE_OF));
        assert_eq!(ada.user().await["name"], "ada");
        assert_eq!(
            answer(&ada.post("/update-user", json!({ "software_background": "BEGINNER" })).await),
            status_true()
        );
        assert_eq!(ada.user().await["software_background"], "beginner");
    }

    async fn the_longest_text_is_counted_in_code_points(db: TestDb) {
        let app = start(db, &[("AUTH_FIELD_HARDWARE_BACKGROUND_MAX_LENGTH", "3")]).await;
        for text in ["abc", "\u{1f980}\u{1f980}\u{1f980}", "a\u{308}b"] {
            assert_eq!(signed_up(&app, json!({ "hardware_background": text })).await["hardware_background"], text);
        }
        let long = invalid("hardware_background must be at most 3 characters");
        for text in ["abcd", "\u{1f980}\u{1f980}\u{1f980}\u{1f980}"] {
            assert_eq!(refused(&app, json!({ "hardware_background": text })).await, long);
        }
    }

    async fn a_text_has_at_most_a_thousand_characters(db: TestDb) {
        let app = start(db, &[]).await;
        let text = "x".repeat(1_000);
        assert_eq!(signed_up(&app, json!({ "software_background": text })).await["software_background"], text.as_str());
        let long = invalid("software_background must be at most 1000 characters");
        assert_eq!(refused(&app, json!({ "software_background": format!("{text}x") })).await, long);
    }

    async fn a_required_field_must_have_a_visible_value(db: TestDb) {
        let app = start(db, &[("AUTH_FIELD_SOFTWARE_BACKGROUND_REQUIRED", "true")]).await;
        let missing = refusal(400, "MISSING_FIELD", "software_background is required");
        for fields in [json!({}), json!({ "software_background": null }), json!({ "software_background": " \t" })] {
            assert_eq!(refused(&app, fields).await, missing);
        }
        let ada = app.browser();
        assert_eq!(sign_up(&ada, json!({ "software_background": "C" })).await.status.as_u16(), 200);
        assert_eq!(answer(&ada.post("/update-user", json!({ "name": "A" })).await), status_true());
        assert_eq!(answer(&ada.post("/update-user", json!({ "software_background": "" })).await), missing);
    }

    async fn a_default_is_taken_where_nothing_is_given(db: TestDb) {
        let app = start(
            db,
            &[
                VALUES,
                ("AUTH_FIELD_SOFTWARE_BACKGROUND_DEFAULT", "beginner"),
                ("AUTH_FIELD_SOFTWARE_BACKGROUND_REQUIRED", "true"),
            ],
        )
        .await;
        assert_eq!(signed_up(&app, json!({})).await["software_background"], "beginner");
        assert_eq!(
            signed_up(&app, json!({ "software_background": "advanced" })).await["software_background"],
            "advanced"
        );
    }

    async fn a_field_that_takes_no_input_cannot_be_set(db: TestDb) {
        let (app, ada) = with_ada(db, &[("AUTH_FIELD_SOFTWARE_BACKGROUND_INPUT", "false")]).await;
        let forbidden = refusal(400, "FIELD_NOT_ALLOWED", "software_background is not allowed to be set");
        assert_eq!(
            answer(&ada.post("/update-user", json!({ "software_background": "C", "name": "A" })).await),
            forbidden
        );
        let body =
            json!({ "name": "bob", "email": "bob@example.com", "password": PASSWORD, "software_background": "C" });
        assert_eq!(answer(&app.browser().post("/sign-up/email", body).await), forbidden);
        assert_eq!(
            answer(&ada.post("/update-user", json!({ "software_background": "", "name": "A" })).await),
            status_true()
        );
        assert_eq!(count(&app, "users WHERE software_background IS NULL").await, 1);
    }

    async fn a_field_that_takes_no_input_has_its_default_whatever_is_sent(db: TestDb) {
        let app = start(
            db,
            &[("AUTH_USER_FIELDS", "plan"), ("AUTH_FIELD_PLAN_INPUT", "false"), ("AUTH_FIELD_PLAN_DEFAULT", "free")],
        )
        .await;
        for fields in [json!({}), json!({ "plan": "gold" })] {
            assert_eq!(signed_up(&app, fields).await["plan"], "free");
        }
    }

    async fn a_field_that_is_not_returned_is_stored_and_never_shown(db: TestDb) {
        let app = start(db, &[("AUTH_FIELD_SOFTWARE_BACKGROUND_RETURNED", "false")]).await;
        let ada = app.browser();
        let reply = sign_up(&ada, json!({ "software_background": "C" })).await;
        assert!(!reply.body.contains("software_background"));
        assert!(!ada.get("/get-session").await.body.contains("software_background"));
        assert!(!app.browser().sign_in("ada").await.body.contains("software_background"));
        assert_eq!(select(&app, "software_background FROM users").await, "C");
    }

    async fn a_renamed_key_is_the_only_one_on_the_wire(db: TestDb) {
        let app = start(db, &[("AUTH_FIELD_SOFTWARE_BACKGROUND_KEY", "softwareBackground")]).await;
        let ada = app.browser();
        sign_up(&ada, json!({ "softwareBackground": "C" })).await;
        let user = ada.user().await;
        assert_eq!((&user["softwareBackground"], user.get("software_background")), (&json!("C"), None));
        let reply = ada.post("/update-user", json!({ "software_background": "D" })).await;
        assert_eq!(answer(&reply), (400, r#"{"message":"No fields to update"}"#.to_owned()));
        assert_eq!(select(&app, "software_background FROM users").await, "C");
    }

    async fn a_list_is_checked_item_by_item(db: TestDb) {
        let app = start(db, &[VALUES, ("AUTH_FIELD_SOFTWARE_BACKGROUND_TYPE", "string[]")]).await;
        let user = signed_up(&app, json!({ "software_background": ["Beginner", " ", "advanced"] })).await;
        assert_eq!(user["software_background"], json!(["beginner", "advanced"]));
        assert_eq!(signed_up(&app, json!({ "software_background": [] })).await["software_background"], Value::Null);
        let only = "software_background must contain only: beginner, intermediate, advanced";
        assert_eq!(refused(&app, json!({ "software_background": ["expert"] })).await, invalid(only));
        for fields in [json!({ "software_background": "C" }), json!({ "software_background": [1] })] {
            assert_eq!(refused(&app, fields).await, invalid("software_background must be a list of strings"));
        }
    }

    async fn a_list_has_at_most_a_hundred_items(db: TestDb) {
        let app = start(db, &[("AUTH_FIELD_HARDWARE_BACKGROUND_TYPE", "string[]")]).await;
        let items = |n: usize| json!({ "hardware_background": vec!["x"; n] });
        assert_eq!(signed_up(&app, items(100)).await["hardware_background"].as_array().unwrap().len(), 100);
        assert_eq!(refused(&app, items(101)).await, invalid("hardware_background must have at most 100 items"));
    }

    async fn blank_text_is_null_unless_it_is_kept(db: TestDb) {
        let app = start(db, &[("AUTH_FIELD_HARDWARE_BACKGROUND_BLANK", "keep")]).await;
        let user = signed_up(&app, json!({ "software_background": "  ", "hardware_background": "  " })).await;
        assert_eq!((&user["software_background"], &user["hardware_background"]), (&Value::Null, &json!("  ")));
    }

    async fn wrong_types_are_refused(db: TestDb) {
        let app = start(db, &[]).await;
        for wrong in [json!(1), json!(true), json!(["C"]), json!({})] {
            let answer = refused(&app, json!({ "software_background": wrong })).await;
            assert_eq!(answer, invalid("software_background must be a string"));
        }
    }

    async fn further_fields_have_types_and_come_after_the_two(db: TestDb) {
        let app = start(
            db,
            &[
                ("AUTH_USER_FIELDS", "age,newsletter"),
                ("AUTH_FIELD_AGE_TYPE", "number"),
                ("AUTH_FIELD_NEWSLETTER_TYPE", "boolean"),
            ],
        )
        .await;
        let ada = app.browser();
        sign_up(&ada, json!({ "newsletter": "true", "age": "36" })).await;
        let user = ada.user().await;
        let keys: Vec<&String> = user.as_object().unwrap().keys().collect();
        assert_eq!(keys[6..], ["software_background", "hardware_background", "age", "newsletter", "id"]);
        assert_eq!((&user["age"], &user["newsletter"]), (&json!(36), &json!(true)));
        assert_eq!(answer(&ada.post("/update-user", json!({ "age": "many" })).await), invalid("age must be a number"));
        assert_eq!(answer(&ada.post("/update-user", json!({ "age": 37 })).await), status_true());
        let user = ada.user().await;
        assert_eq!((&user["age"], &user["newsletter"]), (&json!(37), &json!(true)));
    }

    async fn the_database_keeps_the_same_rules_of_a_text(db: TestDb) {
        let app = start(db, &[VALUES, ("AUTH_FIELD_HARDWARE_BACKGROUND_MAX_LENGTH", "3")]).await;
        refused_by_the_database(&app, "software_background", "'expert'").await;
        refused_by_the_database(&app, "software_background", "'Advanced'").await;
        refused_by_the_database(&app, "hardware_background", "'abcd'").await;
        refused_by_the_database(&app, "hardware_background", "' '").await;
    }

    async fn the_database_keeps_the_rules_that_hold_without_settings(db: TestDb) {
        let app = start(db, &[]).await;
        refused_by_the_database(&app, "software_background", &format!("'{}'", "x".repeat(1_001))).await;
        refused_by_the_database(&app, "hardware_background", "''").await;
    }

    async fn dev_mode_names_a_member_that_looks_like_a_field(db: TestDb) {
        let app = start(db, &[("AUTH_DEV", "true")]).await;
        let ada = app.browser();
        let reply = sign_up(&ada, json!({ "softwareBackground": "C", "nickname": "countess" })).await;
        let warning = r#"unknown field "softwareBackground" was ignored; did you mean "software_background"?"#;
        assert_eq!(reply.header("x-auth-sidecar-warning"), warning);
        assert_eq!(ada.user().await["software_background"], Value::Null);
        let reply = ada.post("/update-user", json!({ "HARDWARE-BACKGROUND": "x", "name": "A" })).await;
        assert!(reply.header("x-auth-sidecar-warning").contains("HARDWARE-BACKGROUND"));
        assert_eq!(ada.post("/update-user", json!({ "name": "A" })).await.header("x-auth-sidecar-warning"), "");
    }

    async fn outside_dev_mode_nothing_is_said_of_unknown_members(db: TestDb) {
        let app = start(db, &[]).await;
        let reply = sign_up(&app.browser(), json!({ "softwareBackground": "C" })).await;
        assert_eq!((reply.status.as_u16(), reply.header("x-auth-sidecar-warning")), (200, ""));
    }
}
