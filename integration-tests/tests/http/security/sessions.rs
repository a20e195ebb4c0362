//! P38, P39, P41–P43, P46: how sessions are shown, end and grow old.

use actix_web::http::Method;
use auth_sidecar::cookies::sign::sign;
use auth_sidecar::secrets::Secret;
use integration_tests::mail::Mailbox;
use integration_tests::{Browser, PASSWORD, SECRET, TestApp, email, on_both_databases};
use serde_json::{Value, json};

use super::support::{Rows, credential, rows, session, token};

const DAY: i64 = 86_400;

/// Whose session the REST face finds by this `Authorization` header.
async fn bearer(browser: &Browser, authorization: &str) -> Value {
    let reply = browser.absolute(Method::GET, "/auth/me").header("authorization", authorization).send().await;
    if reply.status == 200 {
        return reply.json()["user"]["email"].take();
    }
    assert_eq!(reply.outcome(), (401, "UNAUTHORIZED".to_owned()), "{authorization}");
    Value::Null
}

on_both_databases! {
    async fn p38_a_bearer_token_counts_in_every_form_and_throws_in_none(db: TestDb) {
        let app = TestApp::builder().start(db).await;
        let ada = app.browser();
        ada.sign_up("ada").await;
        let raw = token(&ada);
        let signed = sign(&Secret::new(SECRET), &raw);
        let stranger = app.browser();
        let encoded = ada.cookie("session_token").unwrap();
        for good in [
            format!("Bearer {raw}"), format!("bearer   {raw}"), format!("BEARER {raw} "), format!("Bearer {signed}"),
            format!("Bearer {encoded}"),
        ] {
            assert_eq!(bearer(&stranger, &good).await, email("ada"), "{good}");
            let call = stranger.request(Method::GET, "/get-session").header("authorization", &good);
            assert_eq!(call.send().await.json()["user"]["email"], email("ada"), "{good}");
        }
        let bad = [
            "Bearer bad.bad".to_owned(), "Bearer bad".to_owned(), "Bearer".to_owned(), "Bearer ".to_owned(), "Bearer .".to_owned(),
            "Basic x".to_owned(), format!("Basic {raw}"), format!("Token {raw}"), raw.clone(), format!("Bearer{raw}"),
            format!("Bearer {}", raw.to_lowercase()), format!("Bearer {raw}x"), format!("Bearer {raw} {raw}"),
            format!("Bearer {raw}.bad"), format!("Bearer {}", sign(&Secret::new("another"), &raw)), "Bearer é".to_owned(),
            "Bearer %".to_owned(), "Bearer %ff.%fe".to_owned(), "Bearer %00.%00".to_owned(), "é".to_owned(), String::new(),
            format!("Bearer {}", "x".repeat(60_000)), format!("Bearer {}", ".".repeat(60_000)), "Bearer ' OR 1=1 --".to_owned(),
        ];
        for bad in bad {
            assert_eq!(bearer(&stranger, &bad).await, Value::Null, "{bad}");
            let call = stranger.request(Method::GET, "/get-session").header("authorization", &bad);
            assert_eq!(call.send().await.body, "null", "{bad}");
        }
        assert_eq!(rows(&app).await.sessions, 1);
    }

    async fn p39_a_session_that_was_signed_out_is_gone_by_every_way(db: TestDb) {
        let app = TestApp::builder().start(db).await;
        let (ada, other) = (app.browser(), app.browser());
        ada.sign_up("ada").await;
        other.sign_in("ada").await;
        let (stolen, raw) = (ada.copy(), token(&ada));
        let reply = ada.post("/sign-out", json!({})).await;
        assert_eq!((reply.status.as_u16(), reply.json()), (200, json!({ "success": true })));
        for name in ["session_token", "session_data", "dont_remember"] {
            let gone = format!("better-auth.{name}=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax");
            assert!(reply.set_cookies.contains(&gone), "{name}: {:?}", reply.set_cookies);
        }
        assert_eq!(stolen.copy().get("/get-session").await.body, "null");
        assert_eq!(stolen.copy().get("/list-sessions").await.outcome(), (401, "UNAUTHORIZED".to_owned()));
        let change = json!({ "currentPassword": PASSWORD, "newPassword": "another-horse-1" });
        assert_eq!(stolen.copy().post("/change-password", change).await.status, 401);
        assert_eq!(bearer(&app.browser(), &format!("Bearer {raw}")).await, Value::Null);
        assert!(session(&app, &raw).await.is_none());
        // Only this one.
        assert_eq!(other.user().await["email"], email("ada"));
        // Once more is no error.
        assert_eq!(stolen.post("/sign-out", json!({})).await.status, 200);
    }

    async fn p41_no_answer_with_a_session_or_token_may_be_kept_by_a_cache(db: TestDb) {
        let mailbox = Mailbox::open();
        let app = TestApp::builder()
            .set("AUTH_MAIL", &mailbox.setting)
            .set("AUTH_USER_CHANGE_EMAIL_ENABLED", true)
            .set("AUTH_USER_DELETE_USER_ENABLED", true)
            .start(db).await;
        let ada = app.browser();
        ada.sign_up("ada").await;
        for base_and_routes in [("/api/auth", auth_sidecar::routes::ROUTES), ("/auth", auth_sidecar::routes::PROFILE_ROUTES)] {
            let (base, routes) = base_and_routes;
            for route in routes.iter().filter(|route| !matches!(route.path, "/ok" | "/error")) {
                // As somebody and as nobody, with a body that is right and one that is not.
                for browser in [ada.copy(), app.browser()] {
                    for body in [json!({ "email": email("ada"), "password": PASSWORD }), json!([])] {
                        let path = format!("{base}{}?callbackURL=/", route.path);
                        let call = browser.absolute(route.method.clone(), &path);
                        let call = if route.method == Method::GET { call } else { call.json(body) };
                        let reply = call.send().await;
                        assert_eq!(reply.header("cache-control"), "no-store", "{path} {}", reply.status);
                    }
                }
                if !ada.user().await.is_object() {
                    ada.sign_up(&format!("ada-{}", route.path.replace('/', "-").trim_matches('-'))).await;
                }
            }
        }
        for path in ["/get-session", "/get-session?disableRefresh=1"] {
            let reply = app.browser().get(path).await;
            assert_eq!((reply.header("cache-control"), reply.header("pragma")), ("no-store", "no-cache"));
        }
    }

    async fn p42_a_session_past_its_end_is_no_session_and_its_row_goes(db: TestDb) {
        let app = TestApp::builder().start(db).await;
        let (ada, other) = (app.browser(), app.browser());
        ada.sign_up("ada").await;
        other.sign_in("ada").await;
        let raw = token(&ada);
        app.clock.advance(7 * DAY);
        // The last instant still counts; reading it without extending it.
        assert_eq!(ada.get("/get-session?disableRefresh=1").await.json()["user"]["email"], email("ada"));
        app.clock.advance(1);
        let (stolen, bystander) = (ada.copy(), ada.copy());
        let reply = bystander.get("/list-accounts").await;
        assert_eq!(reply.outcome(), (401, "UNAUTHORIZED".to_owned()));
        assert_eq!(bearer(&app.browser(), &format!("Bearer {raw}")).await, Value::Null);
        let reply = ada.get("/get-session").await;
        assert_eq!((reply.status.as_u16(), reply.body.as_str()), (200, "null"));
        assert!(ada.cookie("session_token").is_none());
        assert!(session(&app, &raw).await.is_none());
        // Back in time it would not help: the row is gone. The other's row waits for its own reading.
        app.clock.advance(-2 * DAY);
        assert_eq!(stolen.get("/get-session").await.body, "null");
        assert_eq!(other.user().await["email"], email("ada"));
    }

    async fn p42_a_session_is_extended_once_per_update_age(db: TestDb) {
        let app = TestApp::builder().start(db).await;
        let ada = app.browser();
        ada.sign_up("ada").await;
        let raw = token(&ada);
        let end = async || session(&app, &raw).await.unwrap().expires_at;
        let first = end().await;
        app.clock.advance(DAY - 1);
        assert!(ada.get("/get-session").await.set_cookies.is_empty());
        assert_eq!(end().await, first);
        app.clock.advance(1);
        assert_eq!(ada.get("/get-session").await.set_cookies.len(), 1);
        let second = end().await;
        assert_eq!((second - first).num_seconds(), DAY);
        assert!(ada.get("/get-session").await.set_cookies.is_empty());
        assert_eq!(end().await, second);
        // The token stays; being read does not make it fresh.
        assert_eq!(token(&ada), raw);
        assert_eq!(ada.get("/list-sessions").await.outcome(), (403, "SESSION_NOT_FRESH".to_owned()));
    }

    async fn p42_a_session_that_is_not_to_be_remembered_ends_after_a_day_whatever_it_does(db: TestDb) {
        let app = TestApp::builder().start(db).await;
        app.browser().sign_up("ada").await;
        let ada = app.browser();
        let body = json!({ "email": email("ada"), "password": PASSWORD, "rememberMe": false });
        ada.post("/sign-in/email", body).await;
        for _ in 0..4 {
            app.clock.advance(DAY / 4);
            assert_eq!(ada.user().await["email"], email("ada"));
        }
        app.clock.advance(1);
        assert_eq!(ada.get("/get-session").await.body, "null");
    }

    async fn p43_a_deleted_user_leaves_nothing_that_still_works(db: TestDb) {
        let mut mailbox = Mailbox::open();
        let app = TestApp::builder()
            .set("AUTH_MAIL", &mailbox.setting)
            .set("AUTH_USER_DELETE_USER_ENABLED", true)
            .start(db).await;
        let (ada, phone) = (app.browser(), app.browser());
        let first_id = ada.sign_up("ada").await.json()["user"]["id"].clone();
        phone.sign_in("ada").await;
        app.browser().sign_up("bystander").await;
        ada.post("/request-password-reset", json!({ "email": email("ada") })).await;
        let reset = mailbox.next().await["token"].clone();
        ada.post("/send-verification-email", json!({ "email": email("ada") })).await;
        let proof = mailbox.next().await["token"].as_str().unwrap().to_owned();

        let stolen = ada.copy();
        let reply = ada.post("/delete-user", json!({ "password": PASSWORD })).await;
        assert_eq!((reply.status.as_u16(), reply.json()["success"].take()), (200, json!(true)));
        assert!(ada.cookie("session_token").is_none());
        for browser in [&stolen, &phone] {
            assert_eq!(browser.copy().get("/get-session").await.body, "null");
            assert_eq!(browser.copy().post("/update-user", json!({ "name": "x" })).await.status, 401);
        }
        assert_eq!(ada.sign_in("ada").await.outcome(), (401, "INVALID_EMAIL_OR_PASSWORD".to_owned()));
        let reset_again = json!({ "token": reset, "newPassword": "another-horse-1" });
        assert_eq!(ada.post("/reset-password", reset_again.clone()).await.status, 400);

        // Somebody signs up with the address again: none of the old things are about them.
        let second_id = ada.sign_up("ada").await.json()["user"]["id"].clone();
        assert_ne!(first_id, second_id);
        assert_eq!(ada.post("/reset-password", reset_again).await.status, 400);
        let verify = format!("/verify-email?token={proof}");
        assert_eq!(app.browser().get(&verify).await.outcome(), (401, "INVALID_TOKEN".to_owned()));
        assert!(!credential(&app, &email("ada")).await.0.email_verified);
        assert_eq!(phone.get("/get-session").await.body, "null");
        assert_eq!(ada.copy().sign_in("ada").await.status, 200);
    }

    async fn p43_the_rows_of_a_deleted_user_are_gone(db: TestDb) {
        let mut mailbox = Mailbox::open();
        let app = TestApp::builder()
            .set("AUTH_MAIL", &mailbox.setting)
            .set("AUTH_USER_DELETE_USER_ENABLED", true)
            .start(db).await;
        let ada = app.browser();
        ada.sign_up("ada").await;
        app.browser().sign_in("ada").await;
        app.browser().sign_up("bystander").await;
        for name in ["ada", "bystander"] {
            ada.post("/request-password-reset", json!({ "email": email(name) })).await;
            mailbox.next().await;
        }
        assert_eq!(rows(&app).await, Rows { users: 2, accounts: 2, sessions: 3, verifications: 2 });
        assert_eq!(ada.post("/delete-user", json!({ "password": PASSWORD })).await.status, 200);
        assert_eq!(rows(&app).await, Rows { users: 1, accounts: 1, sessions: 1, verifications: 1 });
    }

    async fn p46_what_needs_a_fresh_session_refuses_an_old_one(db: TestDb) {
        let app = TestApp::builder()
            .set("AUTH_USER_DELETE_USER_ENABLED", true)
            .set("AUTH_ACCOUNT_LINKING_ALLOW_UNLINKING_ALL", true)
            .start(db).await;
        let ada = app.browser();
        ada.sign_up("ada").await;
        let unlink = json!({ "accountId": "unknown" });
        app.clock.advance(DAY - 1);
        assert_eq!(ada.get("/list-sessions").await.status, 200);
        assert_eq!(ada.post("/unlink-account", unlink.clone()).await.outcome(), (400, "ACCOUNT_NOT_FOUND".to_owned()));
        app.clock.advance(1);
        let stale = (403, "SESSION_NOT_FRESH".to_owned());
        for _ in 0..2 {
            assert_eq!(ada.get("/list-sessions").await.outcome(), stale);
            assert_eq!(ada.post("/unlink-account", unlink.clone()).await.outcome(), stale);
            let reply = ada.post("/delete-user", json!({})).await;
            assert_eq!(reply.outcome(), (400, "SESSION_EXPIRED".to_owned()));
            let reply = ada.post("/delete-user", json!({ "password": "" })).await;
            assert_eq!(reply.outcome(), (400, "SESSION_EXPIRED".to_owned()));
            // Neither using the session nor changing it makes it fresh.
            assert_eq!(ada.user().await["email"], email("ada"));
            assert_eq!(ada.post("/update-user", json!({ "name": "Ada L." })).await.status, 200);
        }
        assert_eq!(rows(&app).await.users, 1);
        assert_eq!(ada.post("/delete-user", json!({ "password": "wrong-horse-1" })).await.code(), "INVALID_PASSWORD");
        // A password is as good as a fresh session; a new sign-in is one.
        let fresh = app.browser();
        fresh.sign_in("ada").await;
        assert_eq!(fresh.get("/list-sessions").await.status, 200);
        assert_eq!(ada.post("/delete-user", json!({ "password": PASSWORD })).await.status, 200);
    }

    async fn p46_a_cookie_cache_does_not_make_an_old_session_fresh(db: TestDb) {
        let app = TestApp::builder()
            .set("AUTH_SESSION_COOKIE_CACHE", "jwe")
            .set("AUTH_SESSION_COOKIE_CACHE_MAX_AGE", "2d")
            .start(db).await;
        let ada = app.browser();
        ada.sign_up("ada").await;
        assert_eq!(ada.get("/list-sessions").await.status, 200);
        app.clock.advance(DAY);
        assert!(ada.cookie("session_data").is_some());
        assert_eq!(ada.get("/list-sessions").await.outcome(), (403, "SESSION_NOT_FRESH".to_owned()));
    }
}
