//! `POST /update-user`.

use futures_util::future::join;
use integration_tests::on_both_databases;
use serde_json::{Value, json};

use crate::support::*;

fn nothing() -> (u16, String) {
    (400, r#"{"message":"No fields to update"}"#.to_owned())
}

on_both_databases! {
    async fn update_user_changes_what_was_given_and_sets_the_cookie_again(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        app.clock.advance(60);
        let body = json!({ "name": "Ada L.", "image": "/a.png", "hardware_background": "FPGA" });
        let reply = ada.post("/update-user", body).await;
        assert_eq!(answer(&reply), status_true());
        assert_eq!(cookies(&reply), [SIGNED_IN]);
        assert_eq!(
            redact(&ada.user().await.to_string()),
            concat!(
                r#"{"name":"Ada L.","email":"ada@example.com","emailVerified":false,"image":"/a.png","#,
                r#""createdAt":"2030-01-01T00:00:00.000Z","updatedAt":"2030-01-01T00:01:00.000Z","#,
                r#""software_background":null,"hardware_background":"FPGA","id":"<id>"}"#,
            )
        );
    }

    async fn update_user_touches_nobody_else_and_keeps_what_was_not_given(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        let bob = app.browser();
        bob.sign_up("bob").await;
        let before = bob.user().await;
        ada.post("/update-user", json!({ "software_background": "C", "name": "A" })).await;
        ada.post("/update-user", json!({ "hardware_background": "FPGA" })).await;
        let user = ada.user().await;
        assert_eq!(
            (&user["name"], &user["software_background"], &user["hardware_background"]),
            (&json!("A"), &json!("C"), &json!("FPGA"))
        );
        assert_eq!(bob.user().await, before);
    }

    async fn null_clears_the_picture_and_a_field(db: TestDb) {
        let (_app, ada) = with_ada(db, &[]).await;
        ada.post("/update-user", json!({ "image": "/a.png", "software_background": "C" })).await;
        assert_eq!(
            answer(&ada.post("/update-user", json!({ "image": null, "software_background": null })).await),
            status_true()
        );
        let user = ada.user().await;
        assert_eq!((&user["image"], &user["software_background"]), (&Value::Null, &Value::Null));
    }

    async fn a_refresh_that_is_due_gives_two_equal_cookies(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        app.clock.advance(DAY);
        let reply = ada.post("/update-user", json!({ "name": "A" })).await;
        assert_eq!(cookies(&reply), [SIGNED_IN, SIGNED_IN]);
        assert_eq!(reply.set_cookies[0], reply.set_cookies[1]);
    }

    async fn a_session_that_is_not_remembered_stays_so(db: TestDb) {
        let (app, _ada) = with_ada(db, &[]).await;
        let browser = sign_in_for_now(&app).await;
        app.clock.advance(60);
        assert_eq!(cookies(&browser.post("/update-user", json!({ "name": "A" })).await), SIGNED_IN_FOR_NOW);
        assert_eq!(expires_at(&browser).await, "2030-01-02T00:00:00.000Z");
    }

    async fn the_address_is_not_changed_here(db: TestDb) {
        let (_app, ada) = with_ada(db, &[]).await;
        let refused = refusal(400, "EMAIL_CAN_NOT_BE_UPDATED", "Email can not be updated");
        for email in [json!("new@example.com"), json!(1), json!({}), json!(true)] {
            assert_eq!(answer(&ada.post("/update-user", json!({ "email": email, "name": "A" })).await), refused);
        }
        assert_eq!(answer(&ada.post("/update-user", json!({ "email": "", "name": "B" })).await), status_true());
        let user = ada.user().await;
        assert_eq!((&user["name"], &user["email"]), (&json!("B"), &json!("ada@example.com")));
    }

    async fn nothing_to_update_is_refused_without_a_code(db: TestDb) {
        let (_app, ada) = with_ada(db, &[]).await;
        for body in [
            json!({}),
            json!({ "email": null }),
            json!({ "role": "admin" }),
            json!({ "id": "x", "emailVerified": true }),
            json!({ "softwareBackground": "C" }),
            json!({ "additional_fields": "{}" }),
        ] {
            let reply = ada.post("/update-user", body).await;
            assert_eq!((answer(&reply), reply.set_cookies.len()), (nothing(), 0));
        }
        assert_eq!(redact(&ada.user().await.to_string()), user_json("ada"));
    }

    async fn update_user_refuses_a_bad_body(db: TestDb) {
        let (_app, ada) = with_ada(db, &[]).await;
        for (body, message) in [
            (json!([]), "[body] Invalid input: expected record, received array"),
            (json!("x"), "[body] Invalid input: expected record, received string"),
            (json!(null), "[body] Invalid input: expected record, received null"),
            (json!({ "name": null }), "[body.name] Invalid input: expected string, received null"),
            (json!({ "name": 5 }), "[body.name] Invalid input: expected string, received number"),
            (json!({ "image": [] }), "[body.image] Invalid input: expected string, received array"),
            (json!({ "software_background": 5, "name": "A" }), "software_background must be a string"),
        ] {
            assert_eq!(answer(&ada.post("/update-user", body).await), invalid(message));
        }
        assert_eq!(redact(&ada.user().await.to_string()), user_json("ada"));
    }

    async fn update_user_needs_a_session_that_lives(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        assert_eq!(answer(&app.browser().post("/update-user", json!({ "name": "A" })).await), unauthorized());
        app.clock.advance(7 * DAY + 1);
        let reply = ada.post("/update-user", json!({ "name": "A" })).await;
        assert_eq!(answer(&reply), unauthorized());
        assert_eq!(cookies(&reply), SIGNED_OUT);
        assert_eq!(select(&app, "name FROM users").await, "ada");
    }

    async fn two_changes_at_once_both_last(db: TestDb) {
        let (_app, ada) = with_ada(db, &[("AUTH_USER_FIELDS", "plan,team")]).await;
        let (one, two) = join(
            ada.post("/update-user", json!({ "plan": "pro", "software_background": "C" })),
            ada.post("/update-user", json!({ "team": "red", "hardware_background": "FPGA" })),
        )
        .await;
        assert_eq!((answer(&one), answer(&two)), (status_true(), status_true()));
        let user = ada.user().await;
        for (key, value) in
            [("plan", "pro"), ("team", "red"), ("software_background", "C"), ("hardware_background", "FPGA")]
        {
            assert_eq!(user[key], value);
        }
    }
}
