//! Sign-up, sign-in and the mailed proof where only proven addresses sign in
//! (`AUTH_EMAIL_PASSWORD_REQUIRE_VERIFICATION`), and the settings around it.

use actix_web::http::Method;
use integration_tests::mail::Mailbox;
use integration_tests::{Browser, PASSWORD, Reply, TestApp, email, on_both_databases};
use schema::test_support::TestDb;
use serde_json::{Value, json};

use crate::support::*;

const ON: (&str, &str) = ("AUTH_EMAIL_PASSWORD_REQUIRE_VERIFICATION", "true");
const ON_SIGN_IN: (&str, &str) = ("AUTH_EMAIL_VERIFICATION_SEND_ON_SIGN_IN", "true");
const AUTO: (&str, &str) = ("AUTH_EMAIL_VERIFICATION_AUTO_SIGN_IN", "true");

fn not_verified() -> (u16, String) {
    refusal(403, "EMAIL_NOT_VERIFIED", "Email not verified")
}

fn wrong() -> (u16, String) {
    refusal(401, "INVALID_EMAIL_OR_PASSWORD", "Invalid email or password")
}

fn signed_up_unproven(name: &str) -> (u16, String) {
    (200, format!(r#"{{"token":null,"user":{}}}"#, user_json(name)))
}

/// The service with these settings and a mailbox, and nobody in it.
async fn open(db: TestDb, settings: &[(&str, &str)]) -> (TestApp, Mailbox) {
    let mailbox = Mailbox::open();
    let mut all = vec![ON, ("AUTH_MAIL", mailbox.setting.as_str())];
    all.extend_from_slice(settings);
    (start(db, &all).await, mailbox)
}

async fn sign_up(browser: &Browser, name: &str, more: Value) -> Reply {
    let mut body = json!({ "name": name, "email": email(name), "password": PASSWORD });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    browser.post("/sign-up/email", body).await
}

async fn sign_in_with(app: &TestApp, name: &str, password: &str) -> Reply {
    let body = json!({ "email": email(name), "password": password, "callbackURL": "/inside" });
    app.browser().post("/sign-in/email", body).await
}

on_both_databases! {
    async fn sign_up_mails_the_proof_and_signs_nobody_in(db: TestDb) {
        let (app, mut mailbox) = open(db, &[]).await;
        let ada = app.browser();
        let reply = sign_up(&ada, "ada", json!({ "callbackURL": "/welcome?a=1", "rememberMe": false })).await;
        assert_eq!((answer(&reply), reply.set_cookies.len()), (signed_up_unproven("ada"), 0));
        let mail = mailbox.of("verify-email").await;
        let keys: Vec<&String> = mail.0.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["type", "to", "url", "token"]);
        assert_eq!(mail["to"], "ada@example.com");
        let path = format!("/api/auth/verify-email?token={}&callbackURL=%2Fwelcome%3Fa%3D1", mail.text("token"));
        assert_eq!(mail.path(), path);
        assert_eq!(ada.get("/get-session").await.body, "null");
        assert_eq!((count(&app, "users").await, count(&app, "accounts").await, count(&app, "sessions").await), (1, 1, 0));
        assert_eq!(app.mails().await, ["verify-email ada@example.com"]);
    }

    async fn nobody_signs_in_before_the_proof_and_everybody_after_it(db: TestDb) {
        let (app, mut mailbox) = open(db, &[]).await;
        sign_up(&app.browser(), "ada", json!({})).await;
        let reply = sign_in_with(&app, "ada", PASSWORD).await;
        assert_eq!((answer(&reply), reply.set_cookies.len()), (not_verified(), 0));
        assert_eq!(reply.header("location"), "");
        assert_eq!(count(&app, "sessions").await, 0);
        let reply = follow(&app.browser(), &mailbox.of("verify-email").await).await;
        assert_eq!((reply.status.as_u16(), reply.header("location"), reply.set_cookies.len()), (302, "/", 0));
        let ada = second_device(&app, "ada").await;
        assert_eq!(ada.user().await["emailVerified"], true);
        assert_eq!(app.mails().await.len(), 1, "the refused sign-in mailed nothing");
    }

    async fn a_wrong_password_does_not_tell_whether_there_is_an_unproven_user(db: TestDb) {
        let (app, _mailbox) = open(db, &[ON_SIGN_IN]).await;
        for name in ["unproven", "proven"] {
            sign_up(&app.browser(), name, json!({})).await;
        }
        execute(&app, "UPDATE users SET email_verified = TRUE WHERE name = 'proven'").await;
        let mut seen = Vec::new();
        for name in ["unproven", "proven", "nobody"] {
            let reply = sign_in_with(&app, name, "wrong-password").await;
            assert_eq!(answer(&reply), wrong(), "{name}");
            seen.push(format!("{reply:?}"));
        }
        assert!(seen.iter().all(|reply| *reply == seen[0]), "{seen:?}");
        assert_eq!(app.mails().await, ["verify-email proven@example.com", "verify-email unproven@example.com"]);
    }

    async fn a_refused_sign_in_mails_the_proof_again_when_that_is_on(db: TestDb) {
        let (app, mut mailbox) = open(db, &[ON_SIGN_IN]).await;
        sign_up(&app.browser(), "ada", json!({})).await;
        mailbox.of("verify-email").await;
        assert_eq!(answer(&sign_in_with(&app, "ada", PASSWORD).await), not_verified());
        let mail = mailbox.of("verify-email").await;
        assert_eq!(mail["to"], "ada@example.com");
        assert!(mail.path().ends_with("&callbackURL=%2Finside"));
        assert_eq!(follow(&app.browser(), &mail).await.header("location"), "/inside");
        assert_eq!(sign_in_with(&app, "ada", PASSWORD).await.status.as_u16(), 200);
        assert_eq!(app.mails().await.len(), 2, "a sign-in that succeeds mails nothing");
    }

    async fn the_mail_on_sign_up_has_a_switch_of_its_own(db: TestDb) {
        const SEND: &str = "AUTH_EMAIL_VERIFICATION_SEND_ON_SIGN_UP";
        let (backend, mailbox) = (db.backend, Mailbox::open());
        let (app, _mailbox) = open(db, &[(SEND, "false")]).await;
        assert_eq!(answer(&sign_up(&app.browser(), "ada", json!({})).await), signed_up_unproven("ada"));
        assert_eq!(answer(&sign_in_with(&app, "ada", PASSWORD).await), not_verified());
        assert!(app.mails().await.is_empty());

        let db = TestDb::new(backend).await;
        let app = start(db, &[(SEND, "true"), ("AUTH_MAIL", &mailbox.setting)]).await;
        let ada = app.browser();
        assert_eq!(cookies(&ada.sign_up("ada").await), [SIGNED_IN]);
        assert_eq!(ada.user().await["emailVerified"], false);
        assert_eq!(app.mails().await, ["verify-email ada@example.com"]);
    }

    async fn a_taken_address_looks_free_gets_no_mail_and_keeps_its_password(db: TestDb) {
        let (app, mut mailbox) = open(db, &[("AUTH_EMAIL_VERIFICATION_SEND_ON_SIGN_IN", "false")]).await;
        let free = sign_up(&app.browser(), "ada", json!({ "software_background": "C" })).await;
        let id = select(&app, "id FROM users").await;
        app.clock.advance(60);
        for taken_as in ["ada@example.com", "ADA@example.com"] {
            let body = json!({ "name": "Eve", "email": taken_as, "password": "evil-password-1", "image": "/e.png" });
            let taken = app.browser().post("/sign-up/email", body).await;
            assert_eq!((taken.status, &taken.headers, taken.set_cookies.len()), (free.status, &free.headers, 0));
            let (free, taken) = (free.json(), taken.json());
            let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
            assert_eq!((keys(&free), keys(&free["user"])), (keys(&taken), keys(&taken["user"])));
            assert_eq!((&taken["token"], &taken["user"]["email"]), (&Value::Null, &json!("ada@example.com")));
            assert_eq!((&taken["user"]["name"], &taken["user"]["image"]), (&json!("Eve"), &json!("/e.png")));
            assert_eq!(taken["user"]["software_background"], Value::Null);
            assert_eq!(taken["user"]["createdAt"], "2030-01-01T00:01:00.000Z");
            assert_ne!(taken["user"]["id"].as_str().unwrap(), id);
        }
        assert_eq!((count(&app, "users").await, count(&app, "accounts").await), (1, 1));
        follow(&app.browser(), &mailbox.of("verify-email").await).await;
        assert_eq!(answer(&sign_in_with(&app, "ada", "evil-password-1").await), wrong());
        assert_eq!(sign_in_with(&app, "ada", PASSWORD).await.status.as_u16(), 200);
        assert_eq!(app.mails().await, ["verify-email ada@example.com"]);
    }

    async fn the_rest_face_keeps_to_it_too(db: TestDb) {
        let (app, mut mailbox) = open(db, &[]).await;
        let browser = app.browser();
        let body = json!({ "email": email("ada"), "password": PASSWORD });
        let reply = browser.absolute(Method::POST, "/auth/register").json(body.clone()).send().await;
        assert_eq!((reply.status.as_u16(), &reply.json()["token"], reply.set_cookies.len()), (201, &Value::Null, 0));
        let login = browser.absolute(Method::POST, "/auth/login").json(body.clone()).send().await;
        assert_eq!(login.outcome(), (403, "EMAIL_NOT_VERIFIED".to_owned()));
        follow(&app.browser(), &mailbox.of("verify-email").await).await;
        let login = browser.absolute(Method::POST, "/auth/login").json(body).send().await;
        assert_eq!(login.status.as_u16(), 200);
    }

    async fn a_reset_is_no_proof(db: TestDb) {
        let (app, mut mailbox) = open(db, &[]).await;
        sign_up(&app.browser(), "ada", json!({})).await;
        let token = reset_token(&app, &mut mailbox, "ada").await;
        assert_eq!(reset(&app, &token, "another-password-2").await, status_true());
        assert_eq!(answer(&sign_in_with(&app, "ada", "another-password-2").await), not_verified());
        assert_eq!(answer(&sign_in_with(&app, "ada", PASSWORD).await), wrong());
    }

    async fn the_proof_signs_in_once_when_that_is_on(db: TestDb) {
        let (app, mut mailbox) = open(db, &[AUTO]).await;
        sign_up(&app.browser(), "ada", json!({ "callbackURL": "/welcome" })).await;
        let mail = mailbox.of("verify-email").await;
        let ada = app.browser();
        let reply = follow(&ada, &mail).await;
        assert_eq!((reply.status.as_u16(), reply.header("location")), (302, "/welcome"));
        assert_eq!(cookies(&reply), [SIGNED_IN]);
        assert_eq!((&ada.user().await["emailVerified"], count(&app, "sessions").await), (&json!(true), 1));
        // The link is good until it ends, but it is no sign-in.
        let again = follow(&app.browser(), &mail).await;
        assert_eq!((again.header("location"), again.set_cookies.len()), ("/welcome", 0));
        assert_eq!(count(&app, "sessions").await, 1);
    }

    async fn without_callback_the_proof_signs_in_and_answers_json(db: TestDb) {
        let (app, mut mailbox) = open(db, &[AUTO]).await;
        sign_up(&app.browser(), "ada", json!({})).await;
        let token = mailbox.of("verify-email").await.text("token").to_owned();
        let ada = app.browser();
        let reply = ada.get(&format!("/verify-email?token={token}")).await;
        assert_eq!(answer(&reply), (200, r#"{"status":true,"user":null}"#.to_owned()));
        assert_eq!((cookies(&reply), &ada.user().await["name"]), (vec![SIGNED_IN.to_owned()], &json!("ada")));
    }

    async fn the_proof_in_the_own_session_begins_no_other(db: TestDb) {
        let (app, ada, mut mailbox) = with_mailbox(db, &[AUTO]).await;
        let before = token(&ada);
        ada.post("/send-verification-email", json!({ "email": email("ada") })).await;
        let reply = follow(&ada, &mailbox.of("verify-email").await).await;
        assert_eq!((reply.header("location"), cookies(&reply)), ("/", vec![SIGNED_IN.to_owned()]));
        assert_eq!((token(&ada), count(&app, "sessions").await), (before, 1));
        assert_eq!(ada.user().await["emailVerified"], true);
    }

    async fn the_proof_in_somebody_elses_session_signs_the_proven_user_in(db: TestDb) {
        let (app, mut mailbox) = open(db, &[AUTO]).await;
        sign_up(&app.browser(), "bob", json!({})).await;
        let bob = app.browser();
        follow(&bob, &mailbox.of("verify-email").await).await;
        sign_up(&app.browser(), "ada", json!({})).await;
        let shared = bob.copy();
        assert_eq!(cookies(&follow(&shared, &mailbox.of("verify-email").await).await), [SIGNED_IN]);
        assert_eq!((&shared.user().await["name"], &bob.user().await["name"]), (&json!("ada"), &json!("bob")));
    }

    async fn a_bad_link_signs_nobody_in(db: TestDb) {
        let (app, mut mailbox) = open(db, &[AUTO, ("AUTH_EMAIL_VERIFICATION_EXPIRES_IN", "60")]).await;
        sign_up(&app.browser(), "ada", json!({})).await;
        let mail = mailbox.of("verify-email").await;
        let cut = &mail.path()[..mail.path().find("&callbackURL").unwrap() - 1];
        let reply = app.browser().absolute(Method::GET, cut).send().await;
        assert_eq!((answer(&reply), reply.set_cookies.len()), (bad_token(401), 0));
        app.clock.advance(60);
        let reply = follow(&app.browser(), &mail).await;
        assert_eq!((reply.header("location"), reply.set_cookies.len()), ("/?error=TOKEN_EXPIRED", 0));
        assert_eq!((count(&app, "sessions").await, count(&app, "users WHERE email_verified").await), (0, 0));
    }

    async fn a_link_lives_as_long_as_configured(db: TestDb) {
        let (app, mut mailbox) = open(db, &[("AUTH_EMAIL_VERIFICATION_EXPIRES_IN", "2h")]).await;
        sign_up(&app.browser(), "ada", json!({})).await;
        let mail = mailbox.of("verify-email").await;
        let claims = claims(mail.text("token"));
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 7_200);
        app.clock.advance(7_199);
        assert_eq!(follow(&app.browser(), &mail).await.header("location"), "/");
        assert_eq!(count(&app, "users WHERE email_verified").await, 1);
    }

    async fn a_session_from_before_the_rule_stays_and_can_prove_itself(db: TestDb) {
        let (app, mut mailbox) = open(db, &[]).await;
        sign_up(&app.browser(), "ada", json!({})).await;
        follow(&app.browser(), &mailbox.of("verify-email").await).await;
        let ada = second_device(&app, "ada").await;
        execute(&app, "UPDATE users SET email_verified = FALSE").await;
        assert_eq!(ada.user().await["emailVerified"], false);
        assert_eq!(answer(&ada.post("/send-verification-email", json!({ "email": email("ada") })).await), status_true());
        follow(&ada, &mailbox.of("verify-email").await).await;
        assert_eq!(ada.user().await["emailVerified"], true);
    }
}
