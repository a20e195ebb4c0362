//! P01–P04: members of a body that would set what no client may set.

use actix_web::http::Method;
use auth_sidecar::config::{Config, ThisMachine};
use integration_tests::{TestApp, email, on_both_databases};
use serde_json::{Value, json};

use super::support::{credential, rows, session, token};

/// The two doors to a new user.
const SIGN_UPS: [&str; 2] = ["/api/auth/sign-up/email", "/auth/register"];

fn sign_up_body(name: &str, extra: Value) -> Value {
    let mut body = json!({ "name": name, "email": email(name), "password": "correct-horse-1" });
    body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    body
}

on_both_databases! {
    // The core without plugins drops unknown keys silently (recorded from 1.7.25: 200, no such member);
    // FIELD_NOT_ALLOWED for a role needs the admin plugin, which declares the field.
    async fn p01_sign_up_drops_a_role_and_whatever_else_is_not_declared(db: TestDb) {
        let app = TestApp::builder().start(db).await;
        let planted = json!({
            "role": "admin", "isAdmin": true, "banned": false, "twoFactorEnabled": true,
            "additionalFields": { "role": "admin" }, "additional_fields": "{\"role\":\"admin\"}",
            "__proto__": { "role": "admin" }, "constructor": { "prototype": { "role": "admin" } },
        });
        for (n, path) in SIGN_UPS.into_iter().enumerate() {
            let name = format!("ada{n}");
            let ada = app.browser();
            let reply = ada.absolute(Method::POST, path).json(sign_up_body(&name, planted.clone())).send().await;
            assert!(reply.status.is_success(), "{path}: {}", reply.body);
            assert!(!reply.body.contains("role") && !reply.body.contains("dmin"), "{path}: {}", reply.body);
            let user = ada.user().await;
            let keys: Vec<&String> = user.as_object().unwrap().keys().collect();
            assert_eq!(keys, [
                "name", "email", "emailVerified", "image", "createdAt", "updatedAt",
                "software_background", "hardware_background", "id",
            ]);
            assert_eq!(credential(&app, &email(&name)).await.0.additional_fields, "{}", "{path}");
        }
    }

    async fn p01_sign_up_refuses_a_field_that_clients_may_not_set(db: TestDb) {
        let app = TestApp::builder()
            .set("AUTH_USER_FIELDS", "plan")
            .set("AUTH_FIELD_PLAN_INPUT", false)
            .start(db).await;
        for path in SIGN_UPS {
            for value in [json!("gold"), json!(1), json!(["gold"]), json!({ "a": 1 }), json!(true)] {
                let body = sign_up_body("ada", json!({ "plan": value }));
                let reply = app.browser().absolute(Method::POST, path).json(body).send().await;
                assert_eq!(reply.outcome(), (400, "FIELD_NOT_ALLOWED".to_owned()), "{path} {value}");
            }
        }
        assert_eq!(rows(&app).await.users, 0);
    }

    async fn p01_sign_up_puts_the_default_where_clients_may_not_set_a_field(db: TestDb) {
        let app = TestApp::builder()
            .set("AUTH_USER_FIELDS", "plan")
            .set("AUTH_FIELD_PLAN_INPUT", false)
            .set("AUTH_FIELD_PLAN_DEFAULT", "free")
            .start(db).await;
        let ada = app.browser();
        let reply = ada.post("/sign-up/email", sign_up_body("ada", json!({ "plan": "gold" }))).await;
        assert_eq!(reply.json()["user"]["plan"], "free");
        assert_eq!(credential(&app, &email("ada")).await.0.additional_fields, r#"{"plan":"free"}"#);
        let reply = ada.post("/update-user", json!({ "name": "Ada", "plan": "gold" })).await;
        assert_eq!(reply.outcome(), (400, "FIELD_NOT_ALLOWED".to_owned()));
        let (user, _) = credential(&app, &email("ada")).await;
        assert_eq!((user.name.as_str(), user.additional_fields.as_str()), ("ada", r#"{"plan":"free"}"#));
    }

    async fn p02_sign_up_ignores_core_columns_in_the_body(db: TestDb) {
        let app = TestApp::builder().start(db).await;
        let planted = json!({
            "emailVerified": true, "email_verified": true, "id": "x", "userId": "x",
            "createdAt": "2001-01-01T00:00:00.000Z", "created_at": "2001-01-01T00:00:00.000Z",
            "updatedAt": "2001-01-01T00:00:00.000Z", "accountId": "x", "providerId": "x",
            "token": "x", "expiresAt": "2999-01-01T00:00:00.000Z", "session": { "token": "x" },
        });
        for (n, path) in SIGN_UPS.into_iter().enumerate() {
            let name = format!("ada{n}");
            let ada = app.browser();
            let reply = ada.absolute(Method::POST, path).json(sign_up_body(&name, planted.clone())).send().await;
            let user = &reply.json()["user"];
            assert_eq!(user["emailVerified"], false, "{path}");
            assert_eq!(user["createdAt"], "2030-01-01T00:00:00.000Z", "{path}");
            assert_eq!(user["updatedAt"], "2030-01-01T00:00:00.000Z", "{path}");
            assert_eq!(user["id"].as_str().unwrap().len(), 32, "{path}");
            let (row, account) = credential(&app, &email(&name)).await;
            assert!(!row.email_verified);
            assert_eq!(user["id"], row.id);
            assert_eq!((account.account_id, account.provider_id.as_str()), (row.id, "credential"));
            let session = ada.get("/get-session").await.json()["session"].take();
            assert_eq!(session["expiresAt"], "2030-01-08T00:00:00.000Z", "{path}");
            assert_eq!(session["token"], token(&ada), "{path}");
        }
    }

    async fn p03_update_user_changes_no_core_column(db: TestDb) {
        let app = TestApp::builder().start(db).await;
        let ada = app.browser();
        ada.sign_up("ada").await;
        let before = credential(&app, &email("ada")).await;
        let refusals = [
            (json!({ "role": "admin" }), ""),
            (json!({ "emailVerified": true }), ""),
            (json!({ "email_verified": true }), ""),
            (json!({ "id": "x", "userId": "x" }), ""),
            (json!({ "createdAt": "2001-01-01T00:00:00.000Z", "updatedAt": 1 }), ""),
            (json!({ "password": "another-horse-1", "additionalFields": { "a": 1 } }), ""),
            (json!({ "Email": "b@example.com", "email": "" }), ""),
            (json!({ "email": "b@example.com" }), "EMAIL_CAN_NOT_BE_UPDATED"),
            (json!({ "email": ["b@example.com"] }), "EMAIL_CAN_NOT_BE_UPDATED"),
            (json!({ "email": { "set": "b@example.com" } }), "EMAIL_CAN_NOT_BE_UPDATED"),
            (json!({ "email": true, "name": "Eve" }), "EMAIL_CAN_NOT_BE_UPDATED"),
        ];
        for (body, code) in refusals {
            let reply = ada.post("/update-user", body.clone()).await;
            assert_eq!(reply.outcome(), (400, code.to_owned()), "{body}");
            let reply = ada.absolute(Method::PUT, "/auth/profile").json(body.clone()).send().await;
            assert_eq!(reply.status, 400, "{body}");
        }
        assert_eq!(credential(&app, &email("ada")).await, before);

        // Beside a member that may change, the others still do nothing.
        let body = json!({ "name": "Ada L.", "role": "admin", "emailVerified": true, "id": "x", "email": null });
        assert_eq!(ada.post("/update-user", body).await.status, 200);
        let (user, account) = credential(&app, &email("ada")).await;
        assert_eq!(user.name, "Ada L.");
        assert_eq!((schema::User { name: before.0.name.clone(), ..user }, account), before);
    }

    async fn p04_update_session_changes_no_core_column(db: TestDb) {
        let app = TestApp::builder().set("AUTH_SESSION_FIELDS", "theme").start(db).await;
        let (ada, eve) = (app.browser(), app.browser());
        ada.sign_up("ada").await;
        eve.sign_up("eve").await;
        let token = token(&eve);
        let before = session(&app, &token).await.unwrap();
        let victim = ada.user().await["id"].clone();
        let planted = [
            json!({ "activeOrganizationId": "x" }),
            json!({ "impersonatedBy": "x" }),
            json!({ "userId": victim }),
            json!({ "user_id": victim, "token": "x", "id": "x" }),
            json!({ "expiresAt": "2999-01-01T00:00:00.000Z", "createdAt": "2999-01-01T00:00:00.000Z" }),
            json!({ "ipAddress": "192.0.2.1", "userAgent": "x", "additionalFields": { "a": 1 } }),
            json!({}),
        ];
        for body in planted {
            let reply = eve.post("/update-session", body.clone()).await;
            assert_eq!(reply.status, 400, "{body}");
            assert_eq!(reply.json(), json!({ "message": "No fields to update" }), "{body}");
        }
        assert_eq!(session(&app, &token).await.unwrap(), before);

        let body = json!({ "theme": "dark", "userId": victim, "token": "x" });
        assert_eq!(eve.post("/update-session", body).await.status, 200);
        let after = session(&app, &token).await.unwrap();
        assert_eq!(after.additional_fields, r#"{"theme":"dark"}"#);
        assert_eq!(schema::Session { additional_fields: before.additional_fields.clone(), ..after }, before);
    }
}

#[test]
fn p01_a_role_cannot_be_declared_as_an_open_field() {
    for declared in ["role", "banned", "two_factor_enabled", "email_verified"] {
        let vars = [
            ("BETTER_AUTH_URL", "https://auth.example.com"),
            ("BETTER_AUTH_SECRET", integration_tests::SECRET),
            ("DATABASE_URL", "sqlite://unused.db"),
            ("AUTH_USER_FIELDS", declared),
        ];
        let vars = vars.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        let errors = Config::from_env(vars, &ThisMachine).expect_err(declared).to_string();
        assert!(errors.contains("built in"), "{errors}");
    }
}
