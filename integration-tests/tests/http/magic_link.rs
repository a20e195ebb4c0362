//! The plugin magic-link: `sign-in/magic-link` and `magic-link/verify`.

use actix_web::http::Method;
use futures_util::future::join_all;
use integration_tests::mail::{Mail, Mailbox};
use integration_tests::{PASSWORD, Reply, TestApp, on_both_databases};
use serde_json::{Value, json};

use crate::support::*;

const ON: (&str, &str) = ("AUTH_PLUGINS", "magic-link");
const BAD: &str = "http://localhost:4000/?error=INVALID_TOKEN";

/// The service with the plugin and a mailbox.
async fn open(db: schema::test_support::TestDb, settings: &[(&str, &str)]) -> (TestApp, Mailbox) {
    let mailbox = Mailbox::open();
    let mut all = vec![ON, ("AUTH_MAIL", mailbox.setting.as_str()), ("AUTH_MAIL_NOTICES", "false")];
    all.extend_from_slice(settings);
    (start(db, &all).await, mailbox)
}

async fn ask(app: &TestApp, mailbox: &mut Mailbox, body: Value) -> Mail {
    assert_eq!(answer(&app.browser().post("/sign-in/magic-link", body).await), status_true());
    mailbox.next().await
}

async fn ask_for(app: &TestApp, mailbox: &mut Mailbox, email: &str) -> String {
    ask(app, mailbox, json!({ "email": email })).await.text("token").to_owned()
}

async fn verify(app: &TestApp, token: &str) -> Reply {
    app.browser().get(&format!("/magic-link/verify?token={token}")).await
}

fn assert_refused(reply: &Reply, to: &str) {
    assert_eq!((reply.status.as_u16(), reply.header("location"), reply.body.as_str()), (302, to, ""));
    assert_eq!(reply.set_cookies, [""; 0]);
}

on_both_databases! {
    async fn a_link_signs_a_stranger_up_once(db: TestDb) {
        let (app, mut mailbox) = open(db, &[]).await;
        let body = json!({
            "email": "Ada@Example.com", "name": "Ada", "callbackURL": "/a?b=c d#f",
            "newUserCallbackURL": "/welcome?x=~*()'!", "errorCallbackURL": "/oops?e=1", "metadata": { "a": [1] },
        });
        let mail = ask(&app, &mut mailbox, body).await;
        let keys: Vec<&String> = mail.0.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["type", "to", "url", "token"]);
        assert_eq!((mail.text("type"), mail.text("to")), ("magic-link", "Ada@Example.com"));
        let token = mail.text("token");
        assert!(token.len() == 32 && token.chars().all(|c| c.is_ascii_alphabetic()));
        // Recorded from upstream.
        let query = "callbackURL=%2Fa%3Fb%3Dc+d%23f&newUserCallbackURL=%2Fwelcome%3Fx%3D%7E*%28%29%27%21\
                     &errorCallbackURL=%2Foops%3Fe%3D1";
        assert_eq!(mail.path(), format!("/api/auth/magic-link/verify?token={token}&{query}"));
        let stored = r#"{"type":"magic-link","email":"Ada@Example.com","name":"Ada"}"#;
        assert_eq!(select(&app, "value FROM verifications").await, stored);
        assert_eq!(select(&app, "identifier FROM verifications").await, format!("magic-link:{token}"));

        let ada = app.browser();
        let reply = ada.absolute(Method::GET, mail.path()).send().await;
        assert_eq!((reply.status.as_u16(), reply.header("content-type")), (302, "application/json"));
        assert_eq!(reply.header("location"), "http://localhost:4000/welcome?x=~*()%27!");
        assert_eq!(cookies(&reply), [SIGNED_IN]);
        let user = ada.user().await;
        assert_eq!((&user["name"], &user["email"]), (&json!("Ada"), &json!("ada@example.com")));
        assert_eq!(user["emailVerified"], true);
        assert_eq!(count(&app, "accounts").await, 0);

        let reply = app.browser().absolute(Method::GET, mail.path()).send().await;
        assert_refused(&reply, "http://localhost:4000/oops?e=1&error=INVALID_TOKEN");
        assert_eq!(count(&app, "verifications").await, 0);
    }

    async fn a_link_signs_a_known_user_in_and_answers_json_without_a_callback(db: TestDb) {
        let (app, mut mailbox) = open(db, &[]).await;
        app.browser().sign_up("ada").await;
        let token = ask_for(&app, &mut mailbox, "ada@example.com").await;
        let reply = verify(&app, &token).await;
        let user = user_json("ada").replace("\"emailVerified\":false", "\"emailVerified\":true");
        let session = session_json(START, "2030-01-08T00:00:00.000Z");
        let expected = format!(r#"{{"token":"<id>","user":{user},"session":{session}}}"#);
        assert_eq!((answer(&reply), cookies(&reply)), ((200, expected), vec![SIGNED_IN.to_owned()]));
        let body = json!({ "email": "ada@example.com", "callbackURL": "/home", "newUserCallbackURL": "/welcome" });
        let mail = ask(&app, &mut mailbox, body).await;
        let reply = app.browser().absolute(Method::GET, mail.path()).send().await;
        assert_eq!(reply.header("location"), "http://localhost:4000/home");
        assert_eq!(count(&app, "users").await, 1);
    }

    async fn the_first_proof_of_a_mailbox_ends_what_strangers_planted(db: TestDb) {
        let (app, mut mailbox) = open(db, &[]).await;
        let thief = app.browser();
        thief.sign_up("ada").await;
        let token = ask_for(&app, &mut mailbox, "ada@example.com").await;
        let second = ask_for(&app, &mut mailbox, "ada@example.com").await;
        let ada = app.browser();
        assert_eq!(ada.get(&format!("/magic-link/verify?token={token}")).await.status.as_u16(), 200);
        assert_eq!(thief.user().await, Value::Null);
        assert!(!signs_in(&app, PASSWORD).await);
        assert_eq!(count(&app, "accounts").await, 0);
        // A later proof ends nothing.
        execute(&app, "UPDATE users SET name = 'Ada'").await;
        assert_eq!(verify(&app, &second).await.status.as_u16(), 200);
        assert_eq!(ada.user().await["name"], "Ada");
        assert_eq!(count(&app, "sessions").await, 2);
    }

    async fn a_user_with_a_proven_address_keeps_password_and_sessions(db: TestDb) {
        let (app, mut mailbox) = open(db, &[]).await;
        let ada = app.browser();
        ada.sign_up("ada").await;
        execute(&app, "UPDATE users SET email_verified = true").await;
        let token = ask_for(&app, &mut mailbox, "ADA@example.com").await;
        assert_eq!(verify(&app, &token).await.status.as_u16(), 200);
        assert_eq!(ada.user().await["name"], "ada");
        assert!(signs_in(&app, PASSWORD).await);
    }

    async fn of_ten_at_once_one_signs_in(db: TestDb) {
        let (app, mut mailbox) = open(db, &[]).await;
        let token = ask_for(&app, &mut mailbox, "ada@example.com").await;
        let replies = join_all((0..10).map(|_| verify(&app, &token))).await;
        let (good, bad): (Vec<Reply>, Vec<Reply>) = replies.into_iter().partition(|reply| reply.status.is_success());
        assert_eq!(good.len(), 1);
        bad.iter().for_each(|reply| assert_refused(reply, BAD));
        assert_eq!((count(&app, "users").await, count(&app, "sessions").await), (1, 1));
    }

    async fn two_links_of_a_stranger_at_once_make_one_user(db: TestDb) {
        let (app, mut mailbox) = open(db, &[]).await;
        let mut tokens = Vec::new();
        for _ in 0..5 {
            tokens.push(ask_for(&app, &mut mailbox, "ada@example.com").await);
        }
        let replies = join_all(tokens.iter().map(|token| verify(&app, token))).await;
        assert!(replies.iter().all(|reply| reply.status.is_success()), "{replies:?}");
        assert_eq!((count(&app, "users").await, count(&app, "sessions").await), (1, 5));
    }

    async fn unknown_truncated_and_expired_links_open_nothing(db: TestDb) {
        let (app, mut mailbox) = open(db, &[]).await;
        let token = ask_for(&app, &mut mailbox, "ada@example.com").await;
        for bad in ["", "x", &token[..31], &format!("{token}x"), &token.to_lowercase(), "%25"] {
            assert_refused(&verify(&app, bad).await, BAD);
        }
        app.clock.advance(301);
        assert_refused(&verify(&app, &token).await, BAD);
        let token = ask_for(&app, &mut mailbox, "ada@example.com").await;
        app.clock.advance(299);
        assert_eq!(verify(&app, &token).await.status.as_u16(), 200);
    }

    async fn the_life_of_a_link_is_a_setting(db: TestDb) {
        let (app, mut mailbox) = open(db, &[("AUTH_MAGIC_LINK_EXPIRES_IN", "1h")]).await;
        let token = ask_for(&app, &mut mailbox, "ada@example.com").await;
        app.clock.advance(3_601);
        assert_refused(&verify(&app, &token).await, BAD);
    }

    async fn tokens_of_other_purposes_sign_nobody_in_and_stay_good(db: TestDb) {
        let (app, mut mailbox) = open(db, &[]).await;
        app.browser().sign_up("ada").await;
        app.browser().post("/request-password-reset", json!({ "email": "ada@example.com" })).await;
        let reset = mailbox.next().await.text("token").to_owned();
        let magic = ask_for(&app, &mut mailbox, "ada@example.com").await;
        for bad in [reset.clone(), format!("reset-password:{reset}")] {
            assert_refused(&verify(&app, &bad).await, BAD);
        }
        // A row of an OAuth flow under the plugin's own identifier: upstream GHSA-965c-763c-88jm.
        let row = "INSERT INTO verifications
            SELECT 'x', 'magic-link:state', '{\"email\":\"ada@example.com\"}', expires_at, created_at, updated_at
            FROM verifications LIMIT 1";
        execute(&app, row).await;
        assert_refused(&verify(&app, "state").await, BAD);
        assert_eq!(count(&app, "verifications WHERE id = 'x'").await, 1);

        let new_password = "another-password-2";
        for (token, expected) in [(&magic, (400, "INVALID_TOKEN".to_owned())), (&reset, (200, String::new()))] {
            let body = json!({ "newPassword": new_password, "token": token });
            assert_eq!(app.browser().post("/reset-password", body).await.outcome(), expected);
        }
        assert_eq!(verify(&app, &magic).await.status.as_u16(), 200);
    }

    async fn where_sign_up_is_off_strangers_are_mailed_and_turned_away(db: TestDb) {
        let (app, mut mailbox) = open(db, &[("AUTH_MAGIC_LINK_DISABLE_SIGN_UP", "true")]).await;
        app.browser().sign_up("ada").await;
        let token = ask_for(&app, &mut mailbox, "nobody@example.com").await;
        assert_refused(&verify(&app, &token).await, "http://localhost:4000/?error=new_user_signup_disabled");
        assert_refused(&verify(&app, &token).await, BAD);
        let token = ask_for(&app, &mut mailbox, "ada@example.com").await;
        assert_eq!(verify(&app, &token).await.status.as_u16(), 200);
        assert_eq!(count(&app, "users").await, 1);
    }

    async fn declared_fields_get_their_defaults_and_missing_ones_are_named(db: TestDb) {
        let fields = ("AUTH_USER_FIELDS", "plan");
        let required = [fields, ("AUTH_FIELD_PLAN_TYPE", "string"), ("AUTH_FIELD_PLAN_REQUIRED", "true")];
        let (app, mut mailbox) = open(db, &required).await;
        let body = json!({ "name": "", "email": "ada@example.com", "password": PASSWORD, "plan": "x" });
        app.browser().post("/sign-up/email", body).await;
        let token = ask_for(&app, &mut mailbox, "bob@example.com").await;
        let to = "http://localhost:4000/?error=MISSING_FIELD&error_description=plan+is+required";
        assert_refused(&verify(&app, &token).await, to);
        let token = ask_for(&app, &mut mailbox, "ada@example.com").await;
        assert_eq!(verify(&app, &token).await.json()["user"]["plan"], "x");
        assert_eq!(count(&app, "users").await, 1);
    }

    async fn a_default_is_taken_for_a_field_that_cannot_be_given(db: TestDb) {
        let field = [("AUTH_FIELD_PLAN_TYPE", "string"), ("AUTH_FIELD_PLAN_DEFAULT", "free")];
        let (app, mut mailbox) = open(db, &[&[("AUTH_USER_FIELDS", "plan")], &field[..]].concat()).await;
        let token = ask_for(&app, &mut mailbox, "ada@example.com").await;
        let reply = verify(&app, &token).await;
        assert_eq!((&reply.json()["user"]["plan"], &reply.json()["user"]["name"]), (&json!("free"), &json!("")));
    }

    async fn a_request_is_refused_for_a_bad_body_or_an_untrusted_page(db: TestDb) {
        let (app, mailbox) = open(db, &[]).await;
        let post = async |body| answer(&app.browser().post("/sign-in/magic-link", body).await);
        let undefined = "Invalid input: expected string, received undefined";
        assert_eq!(post(json!({})).await, invalid(&format!("[body.email] {undefined}")));
        assert_eq!(post(json!([])).await, invalid("[body] Invalid input: expected object, received array"));
        let issues = "[body.email] Invalid email address; \
                      [body.name] Invalid input: expected string, received null; \
                      [body.metadata] Invalid input: expected record, received array";
        assert_eq!(post(json!({ "email": "nope", "name": null, "metadata": [] })).await, invalid(issues));
        for (key, code, label) in [
            ("callbackURL", "INVALID_CALLBACK_URL", "callbackURL"),
            ("newUserCallbackURL", "INVALID_NEW_USER_CALLBACK_URL", "newUserCallbackURL"),
            ("errorCallbackURL", "INVALID_ERROR_CALLBACK_URL", "errorCallbackURL"),
        ] {
            let body = json!({ "email": "ada@example.com", key: "https://evil.example" });
            assert_eq!(post(body).await, refusal(403, code, &format!("Invalid {label}")));
        }
        let from = async |origin: &str, email: &str| {
            let call = app.browser().request(Method::POST, "/sign-in/magic-link");
            call.header("origin", origin).json(json!({ "email": email })).send().await.outcome()
        };
        assert_eq!(from("https://evil.example", "ada@example.com").await, (403, "INVALID_ORIGIN".to_owned()));
        assert_eq!(from("https://evil.example", "nope").await, (400, "VALIDATION_ERROR".to_owned()));
        assert!(mailbox.is_empty());
        assert_eq!(count(&app, "verifications").await, 0);
    }

    async fn a_bad_link_leads_to_a_trusted_page_alone(db: TestDb) {
        let (app, _mailbox) = open(db, &[]).await;
        let get = async |query: &str| app.browser().get(&format!("/magic-link/verify?{query}")).await;
        let reply = get("token=x&callbackURL=/a%3Fb=1%23t&errorCallbackURL=").await;
        assert_refused(&reply, "http://localhost:4000/a?b=1&error=INVALID_TOKEN#t");
        let page = "token=x&callbackURL=/a&errorCallbackURL=https%3A%2F%2Fapp.example.com%2Foops";
        assert_refused(&get(page).await, "https://app.example.com/oops?error=INVALID_TOKEN");
        for key in ["callbackURL", "newUserCallbackURL", "errorCallbackURL"] {
            let reply = get(&format!("token=x&{key}=https://evil.example")).await;
            assert_eq!(answer(&reply), refusal(403, "INVALID_CALLBACK_URL", "Invalid callbackURL"));
        }
        let undefined = invalid("[query.token] Invalid input: expected string, received undefined");
        assert_eq!(answer(&get("callbackURL=https://evil.example").await), undefined);
        let array = invalid("[query.token] Invalid input: expected string, received array");
        assert_eq!(answer(&get("token=x&token=y").await), array);
    }

    async fn a_plugin_that_is_not_enabled_has_no_endpoints(db: TestDb) {
        let app = start(db, &[("AUTH_MAIL", "webhook+http://127.0.0.1:9/"), ("AUTH_PLUGINS", "email-otp")]).await;
        let reply = app.browser().post("/sign-in/magic-link", json!({ "email": "ada@example.com" })).await;
        assert_eq!(answer(&reply), (404, String::new()));
        assert_eq!(answer(&verify(&app, "x").await), (404, String::new()));
    }

    async fn links_are_asked_for_five_times_a_minute(db: TestDb) {
        let (app, _mailbox) = open(db, &[("AUTH_RATE_LIMIT", "true")]).await;
        let body = json!({ "email": "ada@example.com" });
        for _ in 0..5 {
            assert_eq!(answer(&app.browser().post("/sign-in/magic-link", body.clone()).await), status_true());
        }
        let reply = app.browser().post("/sign-in/magic-link", body).await;
        assert_eq!((reply.status.as_u16(), reply.header("x-retry-after")), (429, "60"));
    }

    async fn p52_a_change_asked_for_before_the_mailbox_was_proven_takes_nobodys_account(db: TestDb) {
        let (app, mut mailbox) = open(db, &[("AUTH_USER_CHANGE_EMAIL_ENABLED", "true")]).await;
        // A stranger types the victim's address, and asks for it to become theirs.
        let stranger = app.browser();
        stranger.sign_up("victim").await;
        let body = json!({ "newEmail": "stranger@example.com" });
        assert_eq!(answer(&stranger.post("/change-email", body).await), status_true());
        let change = mailbox.next().await;
        // The victim proves the mailbox.
        let token = ask_for(&app, &mut mailbox, "victim@example.com").await;
        assert_eq!(verify(&app, &token).await.status.as_u16(), 200);
        let path = format!("/verify-email?token={}", change.text("token"));
        let reply = app.browser().get(&path).await;
        assert_eq!(answer(&reply), refusal(401, "INVALID_TOKEN", "Invalid token"));
        assert_eq!(select(&app, "email FROM users").await, "victim@example.com");
    }
}
