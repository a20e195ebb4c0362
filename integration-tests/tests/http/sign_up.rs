//! `POST /sign-up/email`.

use futures_util::future::join;
use integration_tests::{PASSWORD, TestApp, on_both_databases};
use serde_json::{Value, json};

use crate::support::*;

fn ada() -> Value {
    json!({ "name": "ada", "email": "ada@example.com", "password": PASSWORD })
}

fn with(key: &str, value: Value) -> Value {
    let mut body = ada();
    body[key] = value;
    body
}

fn taken() -> (u16, String) {
    refusal(422, "USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL", "User already exists. Use another email.")
}

on_both_databases! {
    async fn sign_up_stores_both_fields_and_signs_in(db: TestDb) {
        let app = TestApp::builder().start(db).await;
        let ada = app.browser();
        let reply = ada
            .post(
                "/sign-up/email",
                json!({
                    "name": "Ada", "email": "Ada@Example.com", "password": "correct-horse-1",
                    "software_background": "C", "hardware_background": "FPGA",
                }),
            )
            .await;
        assert_eq!(reply.status.as_u16(), 200);
        let user = ada.user().await;
        assert_eq!(user["email"], "ada@example.com");
        assert_eq!(user["software_background"], "C");
        assert_eq!(user["hardware_background"], "FPGA");
    }

    async fn sign_up_answers_token_and_user_in_upstreams_key_order_and_sets_one_cookie(db: TestDb) {
        let app = start(db, &[]).await;
        let browser = app.browser();
        let reply = browser.post("/sign-up/email", with("image", json!("https://img.example.com/a.png"))).await;
        assert_eq!(answer(&reply), (200, concat!(
            r#"{"token":"<id>","user":{"name":"ada","email":"ada@example.com","emailVerified":false,"#,
            r#""image":"https://img.example.com/a.png","createdAt":"2030-01-01T00:00:00.000Z","#,
            r#""updatedAt":"2030-01-01T00:00:00.000Z","software_background":null,"hardware_background":null,"id":"<id>"}}"#,
        ).to_owned()));
        assert_eq!(cookies(&reply), [SIGNED_IN]);
        assert_eq!(reply.header("content-type"), "application/json");
        assert_eq!(reply.json()["token"], token(&browser));
    }

    async fn sign_up_writes_user_account_and_session_with_a_bcrypt_hash(db: TestDb) {
        let app = start(db, &[]).await;
        let reply = app.browser().sign_up("ada").await;
        let id = reply.json()["user"]["id"].as_str().unwrap().to_owned();
        for rows in [
            format!("users WHERE id = '{id}' AND NOT email_verified"),
            format!("accounts WHERE user_id = '{id}' AND account_id = '{id}' AND provider_id = 'credential'"),
            format!("sessions WHERE user_id = '{id}' AND token = '{}'", reply.json()["token"].as_str().unwrap()),
        ] {
            assert_eq!(count(&app, &rows).await, 1, "{rows}");
        }
        assert!(select(&app, "password FROM accounts").await.starts_with("$2b$04$"));
    }

    async fn sign_up_refuses_a_taken_address_in_any_letter_case_and_writes_nothing(db: TestDb) {
        let (app, _ada) = with_ada(db, &[]).await;
        let reply = app.browser().post("/sign-up/email", with("email", json!("ADA@example.com"))).await;
        assert_eq!(answer(&reply), taken());
        assert!(reply.set_cookies.is_empty());
        assert_eq!(
            (count(&app, "users").await, count(&app, "accounts").await, count(&app, "sessions").await),
            (1, 1, 1)
        );
    }

    async fn two_sign_ups_with_one_address_at_once_make_one_user(db: TestDb) {
        let app = start(db, &[]).await;
        let (one, two) = (app.browser(), app.browser());
        let (one, two) = join(one.post("/sign-up/email", ada()), two.post("/sign-up/email", ada())).await;
        let mut outcomes = [one.outcome(), two.outcome()];
        outcomes.sort();
        assert_eq!(outcomes[0].0, 200);
        assert_eq!(outcomes[1], (422, "USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL".to_owned()));
        assert_eq!(
            (count(&app, "users").await, count(&app, "accounts").await, count(&app, "sessions").await),
            (1, 1, 1)
        );
    }

    async fn sign_up_refuses_a_bad_body_and_writes_nothing(db: TestDb) {
        let app = start(db, &[]).await;
        for (body, message) in [
            (with("name", json!(1)), "[body.name] Invalid input: expected string, received number"),
            (with("email", json!("nope")), "[body.email] Invalid email address"),
            (with("email", json!(" ada@example.com")), "[body.email] Invalid email address"),
            (with("email", json!(null)), "[body.email] Invalid input: expected string, received null"),
            (with("password", json!("")), "[body.password] Too small: expected string to have >=1 characters"),
            (with("image", json!(null)), "[body.image] Invalid input: expected string, received null"),
            (with("rememberMe", json!("no")), "[body.rememberMe] Invalid input: expected boolean, received string"),
            (with("callbackURL", json!(null)), "[body.callbackURL] Invalid input: expected string, received null"),
            (
                json!([]),
                "[body] Invalid input: expected object, received array; [body] Invalid input: expected record, received array",
            ),
            (
                json!({}),
                "[body.name] Invalid input: expected string, received undefined; [body.email] Invalid input: expected string, received undefined; [body.password] Invalid input: expected string, received undefined",
            ),
        ] {
            let reply = app.browser().post("/sign-up/email", body).await;
            assert_eq!(answer(&reply), invalid(message));
        }
        assert_eq!(count(&app, "users").await, 0);
    }

    async fn password_limits_count_utf16_units(db: TestDb) {
        let app = start(db, &[]).await;
        let sign_up = async |name: &str, password: String| {
            let body = json!({ "name": name, "email": format!("{name}@example.com"), "password": password });
            answer(&app.browser().post("/sign-up/email", body).await)
        };
        let short = refusal(400, "PASSWORD_TOO_SHORT", "Password too short");
        let long = refusal(400, "PASSWORD_TOO_LONG", "Password too long");
        assert_eq!(sign_up("a", "1234567".to_owned()).await, short);
        assert_eq!(sign_up("b", "\u{1d4b3}".repeat(3)).await, short);
        assert_eq!(sign_up("c", "\u{1d4b3}".repeat(4)).await.0, 200);
        assert_eq!(sign_up("d", "\u{1d4b3}".repeat(64)).await.0, 200);
        assert_eq!(sign_up("e", format!("{}a", "\u{1d4b3}".repeat(64))).await, long);
        assert_eq!(sign_up("f", "a".repeat(128)).await.0, 200);
        assert_eq!(sign_up("g", "a".repeat(129)).await, long);
    }

    async fn password_limits_can_be_set(db: TestDb) {
        let app = start(db, &[("AUTH_EMAIL_PASSWORD_MIN_LENGTH", "3"), ("AUTH_EMAIL_PASSWORD_MAX_LENGTH", "4")]).await;
        for (password, code) in [("ab", "PASSWORD_TOO_SHORT"), ("abcde", "PASSWORD_TOO_LONG"), ("abcd", "")] {
            assert_eq!(app.browser().post("/sign-up/email", with("password", json!(password))).await.code(), code);
        }
    }

    async fn a_password_of_over_72_bytes_is_never_cut(db: TestDb) {
        let app = start(db, &[]).await;
        let long = "a".repeat(100);
        app.browser().post("/sign-up/email", with("password", json!(long))).await;
        for (password, status) in [("a".repeat(72), 401), ("a".repeat(99), 401), (long, 200)] {
            let body = json!({ "email": "ada@example.com", "password": password });
            assert_eq!(app.browser().post("/sign-in/email", body).await.status.as_u16(), status);
        }
    }

    async fn sign_up_can_be_switched_off(db: TestDb) {
        let app = start(db, &[("AUTH_EMAIL_PASSWORD_DISABLE_SIGN_UP", "true")]).await;
        let reply = app.browser().post("/sign-up/email", ada()).await;
        let off = refusal(400, "EMAIL_PASSWORD_SIGN_UP_DISABLED", "Email and password sign up is not enabled");
        assert_eq!(answer(&reply), off);
        assert_eq!(count(&app, "users").await, 0);
    }

    async fn sign_up_is_off_with_the_whole_method(db: TestDb) {
        let app = start(db, &[("AUTH_EMAIL_PASSWORD_ENABLED", "false")]).await;
        assert_eq!(app.browser().post("/sign-up/email", ada()).await.code(), "EMAIL_PASSWORD_SIGN_UP_DISABLED");
    }

    async fn without_auto_sign_in_there_is_no_token_cookie_or_session(db: TestDb) {
        let app = start(db, &[("AUTH_EMAIL_PASSWORD_AUTO_SIGN_IN", "false")]).await;
        let reply = app.browser().post("/sign-up/email", ada()).await;
        assert_eq!(answer(&reply), (200, format!(r#"{{"token":null,"user":{}}}"#, user_json("ada"))));
        assert!(reply.set_cookies.is_empty());
        assert_eq!(count(&app, "sessions").await, 0);
        assert_eq!(app.browser().sign_in("ada").await.status.as_u16(), 200);
    }

    async fn without_auto_sign_in_a_taken_address_gets_the_answer_of_a_new_one(db: TestDb) {
        let app = start(db, &[("AUTH_EMAIL_PASSWORD_AUTO_SIGN_IN", "false")]).await;
        let first = app.browser().post("/sign-up/email", with("software_background", json!("C"))).await;
        app.clock.advance(60);
        let again = app.browser().post("/sign-up/email", with("password", json!("another-password"))).await;
        let now = user_json("ada").replace("00:00:00", "00:01:00");
        assert_eq!(answer(&again), (200, format!(r#"{{"token":null,"user":{now}}}"#)));
        assert_ne!(again.json()["user"]["id"], first.json()["user"]["id"]);
        assert_eq!(count(&app, "users").await, 1);
        assert_eq!(app.browser().sign_in("ada").await.json()["user"], first.json()["user"]);
    }

    async fn a_sign_up_that_is_not_remembered_lasts_a_day_and_has_no_max_age(db: TestDb) {
        let app = start(db, &[]).await;
        let browser = app.browser();
        let reply = browser.post("/sign-up/email", with("rememberMe", json!(false))).await;
        assert_eq!(cookies(&reply), SIGNED_IN_FOR_NOW);
        assert_eq!(expires_at(&browser).await, "2030-01-02T00:00:00.000Z");
    }

    async fn sign_up_takes_a_form(db: TestDb) {
        let app = start(db, &[]).await;
        let form = "name=ada&email=ada%40example.com&password=correct+horse+1&software_background=C%2B%2B";
        let call = app.browser().request(actix_web::http::Method::POST, "/sign-up/email");
        let reply = call.header("content-type", "application/x-www-form-urlencoded").body(form).send().await;
        assert_eq!(reply.json()["user"]["software_background"], "C++");
        let body = json!({ "email": "ada@example.com", "password": "correct horse 1" });
        assert_eq!(app.browser().post("/sign-in/email", body).await.status.as_u16(), 200);
    }

    async fn core_columns_and_unknown_members_of_a_sign_up_are_ignored(db: TestDb) {
        let app = start(db, &[]).await;
        let mut body = ada();
        for (key, value) in [
            ("id", json!("chosen")),
            ("emailVerified", json!(true)),
            ("role", json!("admin")),
            ("additional_fields", json!("{}")),
            ("createdAt", json!("1999-01-01T00:00:00.000Z")),
            ("nickname", json!("countess")),
        ] {
            body[key] = value;
        }
        let reply = app.browser().post("/sign-up/email", body).await;
        assert_eq!(answer(&reply), (200, format!(r#"{{"token":"<id>","user":{}}}"#, user_json("ada"))));
    }

    async fn a_name_may_be_empty(db: TestDb) {
        let app = start(db, &[]).await;
        let reply = app.browser().post("/sign-up/email", with("name", json!(""))).await;
        assert_eq!(reply.json()["user"]["name"], "");
    }
}
