//! P44, P45: other people's things, and one's own password.

use integration_tests::{PASSWORD, TestApp, email, on_both_databases};
use serde_json::json;

use super::support::{credential, rows, session, stored_hash, token};

const NEW_PASSWORD: &str = "another-horse-1";

on_both_databases! {
    async fn p44_nobody_ends_another_users_session(db: TestDb) {
        let app = TestApp::builder().start(db).await;
        let (ada, eve) = (app.browser(), app.browser());
        ada.sign_up("ada").await;
        eve.sign_up("eve").await;
        let (theirs, id) = (token(&ada), ada.user().await["id"].clone());
        // An unknown token gets the same answer, so that nobody can try tokens here.
        for other in [theirs.as_str(), "unknown", "", "%"] {
            let reply = eve.post("/revoke-session", json!({ "token": other, "userId": id })).await;
            assert_eq!((reply.status.as_u16(), reply.json()), (200, json!({ "status": true })), "{other}");
            assert!(reply.set_cookies.is_empty(), "{other}");
        }
        for path in ["/revoke-other-sessions", "/revoke-sessions"] {
            let reply = eve.post(path, json!({ "userId": id, "token": theirs })).await;
            assert_eq!(reply.status, 200, "{path}");
        }
        assert_eq!(ada.user().await["email"], email("ada"));
        assert!(session(&app, &theirs).await.is_some());
        // With the own token it works: the test above could fail.
        assert_eq!(ada.post("/revoke-session", json!({ "token": theirs })).await.status, 200);
        assert!(session(&app, &theirs).await.is_none());
    }

    async fn p44_nobody_unlinks_or_uses_another_users_account(db: TestDb) {
        let app = TestApp::builder().set("AUTH_ACCOUNT_LINKING_ALLOW_UNLINKING_ALL", true).start(db).await;
        let (ada, eve) = (app.browser(), app.browser());
        ada.sign_up("ada").await;
        eve.sign_up("eve").await;
        let (user, account) = credential(&app, &email("ada")).await;
        for id in [&account.id, &account.account_id, &user.id] {
            let body = json!({ "accountId": id, "userId": user.id, "providerId": "credential" });
            let reply = eve.post("/unlink-account", body).await;
            assert_eq!(reply.outcome(), (400, "ACCOUNT_NOT_FOUND".to_owned()), "{id}");
            let body = json!({ "accountId": id, "userId": user.id });
            for path in ["/get-access-token", "/refresh-token"] {
                let reply = eve.post(path, body.clone()).await;
                assert_eq!(reply.outcome(), (400, "ACCOUNT_NOT_FOUND".to_owned()), "{path} {id}");
                // GHSA-99h5-pjcv-gr6v: without a session a `userId` in the body makes nobody that user.
                let reply = app.browser().post(path, body.clone()).await;
                assert_eq!((reply.status.as_u16(), reply.body.as_str()), (401, ""), "{path} {id}");
            }
            let query = format!("/account-info?accountId={id}&userId={}", user.id);
            assert_eq!(eve.get(&query).await.outcome(), (400, "ACCOUNT_NOT_FOUND".to_owned()), "{id}");
            assert_eq!(app.browser().get(&query).await.status, 401, "{id}");
        }
        assert_eq!(rows(&app).await.accounts, 2);
        assert_eq!(app.browser().sign_in("ada").await.status, 200);
        assert_eq!(ada.post("/unlink-account", json!({ "accountId": account.id })).await.status, 200);
        assert_eq!(rows(&app).await.accounts, 1);
    }

    async fn p44_a_user_id_in_a_body_or_query_is_nobodys_identity(db: TestDb) {
        let app = TestApp::builder().set("AUTH_USER_DELETE_USER_ENABLED", true).start(db).await;
        let (ada, eve) = (app.browser(), app.browser());
        ada.sign_up("ada").await;
        eve.sign_up("eve").await;
        let before = credential(&app, &email("ada")).await;
        let id = &before.0.id;
        let bodies = [
            ("/update-user", json!({ "name": "Eve", "id": id, "userId": id })),
            ("/change-password", json!({ "currentPassword": PASSWORD, "newPassword": NEW_PASSWORD, "userId": id })),
            ("/verify-password", json!({ "password": NEW_PASSWORD, "userId": id })),
        ];
        for (path, body) in &bodies {
            assert_eq!(app.browser().post(path, body.clone()).await.status, 401, "{path}");
            assert_eq!(eve.post(path, body.clone()).await.status, 200, "{path}");
        }
        for path in ["/list-sessions", "/list-accounts"] {
            let list = eve.get(&format!("{path}?userId={id}")).await.json();
            assert!(list.as_array().unwrap().iter().all(|row| row["userId"] != **id), "{path}: {list}");
        }
        assert_eq!(eve.post("/delete-user", json!({ "userId": id, "id": id })).await.status, 200);
        assert_eq!(credential(&app, &email("ada")).await, before);
        assert_eq!(rows(&app).await.users, 1);
        assert_eq!(ada.user().await["name"], "ada");
    }

    async fn p45_a_wrong_current_password_changes_nothing(db: TestDb) {
        let app = TestApp::builder().start(db).await;
        let (ada, phone) = (app.browser(), app.browser());
        ada.sign_up("ada").await;
        phone.sign_in("ada").await;
        app.browser().sign_up("eve").await;
        let before = (rows(&app).await, stored_hash(&app, &email("ada")).await);
        let wrong = ["", " ", "wrong-horse-1", &PASSWORD[1..], "Correct-horse-1", "correct-horse-1 ", &before.1];
        for current in wrong {
            for revoke in [false, true] {
                let body = json!({ "currentPassword": current, "newPassword": NEW_PASSWORD, "revokeOtherSessions": revoke });
                let reply = ada.post("/change-password", body).await;
                assert_eq!(reply.outcome(), (400, "INVALID_PASSWORD".to_owned()), "{current:?}");
                assert!(reply.set_cookies.is_empty(), "{current:?}");
            }
        }
        for (new, code) in [("short-1", "PASSWORD_TOO_SHORT"), (&"x".repeat(129), "PASSWORD_TOO_LONG")] {
            let body = json!({ "currentPassword": PASSWORD, "newPassword": new, "revokeOtherSessions": true });
            assert_eq!(ada.post("/change-password", body).await.outcome(), (400, code.to_owned()));
        }
        assert_eq!((rows(&app).await, stored_hash(&app, &email("ada")).await), before);
        assert_eq!(phone.user().await["email"], email("ada"));
        assert_eq!(app.browser().sign_in("ada").await.status, 200);
    }

    async fn p45_changing_the_password_can_end_every_old_session(db: TestDb) {
        let app = TestApp::builder().start(db).await;
        let (ada, phone, eve) = (app.browser(), app.browser(), app.browser());
        ada.sign_up("ada").await;
        phone.sign_in("ada").await;
        eve.sign_up("eve").await;
        let (old, old_token) = (ada.copy(), token(&ada));
        let body = json!({ "currentPassword": PASSWORD, "newPassword": NEW_PASSWORD, "revokeOtherSessions": true });
        let reply = ada.post("/change-password", body).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        let new_token = token(&ada);
        assert_eq!(reply.json()["token"], new_token);
        assert_ne!(new_token, old_token);
        for browser in [&old, &phone] {
            assert_eq!(browser.get("/get-session").await.body, "null");
        }
        assert_eq!(ada.user().await["email"], email("ada"));
        assert_eq!(eve.user().await["email"], email("eve"));
        assert_eq!(ada.get("/list-sessions").await.json().as_array().unwrap().len(), 1);
        assert_eq!(app.browser().sign_in("ada").await.outcome(), (401, "INVALID_EMAIL_OR_PASSWORD".to_owned()));
        let body = json!({ "email": email("ada"), "password": NEW_PASSWORD });
        assert_eq!(app.browser().post("/sign-in/email", body).await.status, 200);
    }

    async fn p45_without_being_asked_a_password_change_keeps_other_sessions(db: TestDb) {
        let app = TestApp::builder().start(db).await;
        let (ada, phone) = (app.browser(), app.browser());
        ada.sign_up("ada").await;
        phone.sign_in("ada").await;
        for revoke in [json!(null), json!("true"), json!(1)] {
            let body = json!({ "currentPassword": PASSWORD, "newPassword": NEW_PASSWORD, "revokeOtherSessions": revoke });
            assert_eq!(ada.post("/change-password", body).await.outcome(), (400, "VALIDATION_ERROR".to_owned()));
        }
        let body = json!({ "currentPassword": PASSWORD, "newPassword": NEW_PASSWORD });
        let reply = ada.post("/change-password", body).await;
        assert_eq!((reply.status.as_u16(), reply.json()["token"].take()), (200, json!(null)));
        assert_eq!(phone.user().await["email"], email("ada"));
        assert_eq!(app.browser().sign_in("ada").await.status, 401);
    }
}
