//! `POST /sign-in/email`.

use actix_web::http::Method;
use integration_tests::{PASSWORD, on_both_databases};
use serde_json::{Value, json};

use crate::support::*;

/// What Better Auth stores for `correct horse battery` (contract: password hash).
const BETTER_AUTH_HASH: &str = "00112233445566778899aabbccddeeff:267a33c2ae63f1c2d542f84d50b7d87c68900c8b9475f6a47ade71cf44b234822e0a34af1d226572b5caf52809319d4c486f3d209cc2fd022fb53bb4eaeb35b1";

fn ada() -> Value {
    json!({ "email": "ada@example.com", "password": PASSWORD })
}

fn with(key: &str, value: Value) -> Value {
    let mut body = ada();
    body[key] = value;
    body
}

fn wrong() -> (u16, String) {
    refusal(401, "INVALID_EMAIL_OR_PASSWORD", "Invalid email or password")
}

on_both_databases! {
    async fn sign_in_answers_token_and_user_and_adds_a_session(db: TestDb) {
        let (app, first) = with_ada(db, &[]).await;
        let browser = app.browser();
        let reply = browser.post("/sign-in/email", ada()).await;
        assert_eq!(
            answer(&reply),
            (200, format!(r#"{{"redirect":false,"token":"<id>","user":{}}}"#, user_json("ada")))
        );
        assert_eq!(cookies(&reply), [SIGNED_IN]);
        assert_eq!(reply.header("location"), "");
        assert_eq!(reply.json()["token"], token(&browser));
        assert_eq!(count(&app, "sessions").await, 2);
        assert_eq!(first.user().await, browser.user().await);
    }

    async fn a_callback_is_told_in_body_and_location(db: TestDb) {
        let (app, _ada) = with_ada(db, &[]).await;
        let reply = app.browser().post("/sign-in/email", with("callbackURL", json!("/welcome?a=1"))).await;
        assert_eq!(
            answer(&reply),
            (200, format!(r#"{{"redirect":true,"token":"<id>","url":"/welcome?a=1","user":{}}}"#, user_json("ada")))
        );
        assert_eq!(reply.header("location"), "/welcome?a=1");
        let reply = app.browser().post("/sign-in/email", with("callbackURL", json!(""))).await;
        assert!(reply.body.starts_with(r#"{"redirect":false,"token":""#));
        assert_eq!((reply.json()["url"].as_str(), reply.header("location")), (Some(""), ""));
    }

    async fn an_untrusted_callback_is_refused_before_the_password_is_looked_at(db: TestDb) {
        let (app, _ada) = with_ada(db, &[]).await;
        let refused = refusal(403, "INVALID_CALLBACK_URL", "Invalid callbackURL");
        for url in ["https://evil.example", "//evil.example", "javascript:alert(1)"] {
            let reply = app.browser().post("/sign-in/email", with("callbackURL", json!(url))).await;
            assert_eq!(answer(&reply), refused);
        }
        let reply = app.browser().post("/sign-in/email", json!({ "callbackURL": 5 })).await;
        assert_eq!(answer(&reply), (400, r#"{"message":"Invalid callbackURL: expected a string"}"#.to_owned()));
        assert_eq!(count(&app, "sessions").await, 1);
    }

    async fn wrong_password_and_unknown_address_get_one_answer(db: TestDb) {
        let (app, _ada) = with_ada(db, &[]).await;
        for body in [
            with("password", json!("wrong-password")),
            with("password", json!("")),
            with("password", json!(PASSWORD.to_uppercase())),
            with("email", json!("nobody@example.com")),
        ] {
            let reply = app.browser().post("/sign-in/email", body).await;
            assert_eq!((answer(&reply), reply.set_cookies.len()), (wrong(), 0));
        }
        assert_eq!(count(&app, "sessions").await, 1);
    }

    async fn somebody_elses_password_is_refused(db: TestDb) {
        let (app, _ada) = with_ada(db, &[]).await;
        let bob = json!({ "name": "bob", "email": "bob@example.com", "password": "bobs-password" });
        app.browser().post("/sign-up/email", bob).await;
        let reply = app.browser().post("/sign-in/email", with("password", json!("bobs-password"))).await;
        assert_eq!(answer(&reply), wrong());
    }

    async fn an_account_without_password_or_of_another_provider_is_refused(db: TestDb) {
        let (app, _ada) = with_ada(db, &[]).await;
        let hash = select(&app, "password FROM accounts").await;
        for (break_it, mend_it) in [
            ("UPDATE accounts SET password = NULL".to_owned(), format!("UPDATE accounts SET password = '{hash}'")),
            (
                "UPDATE accounts SET provider_id = 'github'".to_owned(),
                "UPDATE accounts SET provider_id = 'credential'".to_owned(),
            ),
            (
                "UPDATE accounts SET account_id = 'other'".to_owned(),
                "UPDATE accounts SET account_id = user_id".to_owned(),
            ),
        ] {
            execute(&app, &break_it).await;
            assert_eq!(answer(&app.browser().sign_in("ada").await), wrong(), "{break_it}");
            execute(&app, &mend_it).await;
            assert_eq!(app.browser().sign_in("ada").await.status.as_u16(), 200);
        }
        execute(&app, "DELETE FROM accounts").await;
        assert_eq!(answer(&app.browser().sign_in("ada").await), wrong());
    }

    async fn what_is_no_address_is_refused_as_such(db: TestDb) {
        let (app, _ada) = with_ada(db, &[]).await;
        for email in ["ada", "ada@example.com ", "a@b", "\u{fc}@x.de", ""] {
            let reply = app.browser().post("/sign-in/email", with("email", json!(email))).await;
            assert_eq!(answer(&reply), refusal(400, "INVALID_EMAIL", "Invalid email"), "{email:?}");
        }
    }

    async fn a_password_over_the_limit_is_refused_unhashed(db: TestDb) {
        let (app, _ada) = with_ada(db, &[]).await;
        let reply = app.browser().post("/sign-in/email", with("password", json!("a".repeat(129)))).await;
        assert_eq!(answer(&reply), refusal(400, "PASSWORD_TOO_LONG", "Password too long"));
    }

    async fn sign_in_refuses_a_bad_body(db: TestDb) {
        let app = start(db, &[]).await;
        for (body, message) in [
            (json!([]), "[body] Invalid input: expected object, received array"),
            (
                json!({}),
                "[body.email] Invalid input: expected string, received undefined; [body.password] Invalid input: expected string, received undefined",
            ),
            (with("password", json!([])), "[body.password] Invalid input: expected string, received array"),
            (with("callbackURL", json!(null)), "[body.callbackURL] Invalid input: expected string, received null"),
            (with("rememberMe", json!("true")), "[body.rememberMe] Invalid input: expected boolean, received string"),
        ] {
            assert_eq!(answer(&app.browser().post("/sign-in/email", body).await), invalid(message));
        }
    }

    async fn the_letter_case_of_an_address_does_not_matter(db: TestDb) {
        let (app, _ada) = with_ada(db, &[]).await;
        let reply = app.browser().post("/sign-in/email", with("email", json!("ADA@Example.COM"))).await;
        assert_eq!(reply.json()["user"]["email"], "ada@example.com");
    }

    async fn a_password_typed_with_other_code_points_for_the_same_letters_is_right(db: TestDb) {
        let app = start(db, &[]).await;
        let body = json!({ "name": "ada", "email": "ada@example.com", "password": "p\u{e4}ssw\u{f6}rd\u{1d4b3}" });
        app.browser().post("/sign-up/email", body).await;
        for (password, status) in [("pa\u{308}sswo\u{308}rdX", 200), ("passwordX", 401)] {
            assert_eq!(
                app.browser().post("/sign-in/email", with("password", json!(password))).await.status.as_u16(),
                status
            );
        }
    }

    async fn a_hash_made_by_better_auth_signs_in_and_is_renewed(db: TestDb) {
        let (app, _ada) = with_ada(db, &[]).await;
        execute(&app, &format!("UPDATE accounts SET password = '{BETTER_AUTH_HASH}'")).await;
        let sign_in = async |password: &str| {
            app.browser().post("/sign-in/email", with("password", json!(password))).await.status.as_u16()
        };
        assert_eq!(sign_in("correct horse batter").await, 401);
        assert_eq!(select(&app, "password FROM accounts").await, BETTER_AUTH_HASH);
        assert_eq!(sign_in("correct horse battery").await, 200);
        assert!(select(&app, "password FROM accounts").await.starts_with("$2b$04$"));
        assert_eq!(sign_in("correct horse battery").await, 200);
    }

    async fn a_stored_hash_of_no_known_form_is_no_password(db: TestDb) {
        let (app, _ada) = with_ada(db, &[]).await;
        execute(&app, &format!("UPDATE accounts SET password = '{PASSWORD}'")).await;
        assert_eq!(answer(&app.browser().sign_in("ada").await), wrong());
    }

    async fn sign_in_can_be_switched_off(db: TestDb) {
        let app = start(db, &[("AUTH_EMAIL_PASSWORD_ENABLED", "false")]).await;
        let off = refusal(400, "EMAIL_PASSWORD_DISABLED", "Email and password is not enabled");
        assert_eq!(answer(&app.browser().sign_in("ada").await), off);
    }

    async fn a_sign_in_that_is_not_remembered_lasts_a_day_and_the_next_remembered_one_ends_that(db: TestDb) {
        let (app, _ada) = with_ada(db, &[]).await;
        let browser = app.browser();
        let reply = browser.post("/sign-in/email", with("rememberMe", json!(false))).await;
        assert_eq!(cookies(&reply), SIGNED_IN_FOR_NOW);
        assert_eq!(expires_at(&browser).await, "2030-01-02T00:00:00.000Z");

        let reply = browser.post("/sign-in/email", with("rememberMe", json!(true))).await;
        assert_eq!(cookies(&reply), [SIGNED_IN, SIGNED_OUT[2]]);
        assert_eq!(expires_at(&browser).await, "2030-01-08T00:00:00.000Z");
    }

    async fn address_and_user_agent_of_the_client_are_kept_with_the_session(db: TestDb) {
        let (app, _ada) = with_ada(db, &[]).await;
        let browser = app.browser();
        let call = browser.request(Method::POST, "/sign-in/email").json(ada());
        call.header("x-forwarded-for", "2001:db8::1").header("user-agent", "Tester/1.0").send().await;
        let session = browser.get("/get-session").await.json()["session"].take();
        assert_eq!(session["ipAddress"], "2001:0db8:0000:0000:0000:0000:0000:0000");
        assert_eq!(session["userAgent"], "Tester/1.0");
    }

    async fn a_form_on_another_site_can_neither_sign_in_nor_sign_up(db: TestDb) {
        let (app, _ada) = with_ada(db, &[]).await;
        let blocked = "Cross-site navigation login blocked. This request appears to be a CSRF attack.";
        let new = json!({ "name": "bob", "email": "bob@example.com", "password": PASSWORD });
        for (path, body) in [("/sign-in/email", ada()), ("/sign-up/email", new)] {
            let call = || app.browser().request(Method::POST, path).json(body.clone());
            let navigation = call().header("sec-fetch-site", "cross-site").header("sec-fetch-mode", "navigate");
            let refused = refusal(403, "CROSS_SITE_NAVIGATION_LOGIN_BLOCKED", blocked);
            assert_eq!(answer(&navigation.send().await), refused);
            let elsewhere = call().header("origin", "https://evil.example");
            assert_eq!(answer(&elsewhere.send().await), refusal(403, "INVALID_ORIGIN", "Invalid origin"));
            let hidden = call().header("sec-fetch-mode", "cors").without("origin");
            let missing = refusal(403, "MISSING_OR_NULL_ORIGIN", "Missing or null Origin");
            assert_eq!(answer(&hidden.send().await), missing);
            assert_eq!(call().without("origin").send().await.status.as_u16(), 200, "a program, not a browser");
        }
    }

    async fn sign_in_takes_a_form_in_which_remember_me_is_a_text(db: TestDb) {
        let (app, _ada) = with_ada(db, &[]).await;
        let send = async |form: &'static str| {
            let call = app.browser().request(Method::POST, "/sign-in/email");
            call.header("content-type", "application/x-www-form-urlencoded").body(form).send().await
        };
        assert_eq!(send("email=ada%40example.com&password=correct-horse-1").await.status.as_u16(), 200);
        let reply = send("email=ada%40example.com&password=correct-horse-1&rememberMe=true").await;
        assert_eq!(answer(&reply), invalid("[body.rememberMe] Invalid input: expected boolean, received string"));
    }
}
