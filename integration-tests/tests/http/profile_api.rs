//! The plain REST face: `/auth/register`, `/auth/login`, `/auth/me`, `/auth/profile`.

use actix_web::http::Method;
use integration_tests::{Browser, PASSWORD, Reply, TestApp, on_both_databases};
use serde_json::{Value, json};

use crate::support::*;

async fn call(browser: &Browser, method: Method, path: &str, body: Value) -> Reply {
    browser.absolute(method, path).json(body).send().await
}

async fn register(browser: &Browser, name: &str) -> Reply {
    let body = json!({ "name": name, "email": format!("{name}@example.com"), "password": PASSWORD });
    call(browser, Method::POST, "/auth/register", body).await
}

async fn me(browser: &Browser) -> Reply {
    browser.absolute(Method::GET, "/auth/me").send().await
}

/// `GET /auth/me` without cookies, under this `Authorization`.
async fn me_as(app: &TestApp, authorization: &str) -> (u16, String) {
    answer(&app.browser().absolute(Method::GET, "/auth/me").header("authorization", authorization).send().await)
}

fn me_is(name: &str) -> (u16, String) {
    (200, format!(r#"{{"user":{}}}"#, user_json(name)))
}

on_both_databases! {
    async fn register_answers_201_with_user_and_token_and_signs_in(db: TestDb) {
        let app = start(db, &[("AUTH_PLUGINS", "none")]).await;
        let ada = app.browser();
        let reply = register(&ada, "ada").await;
        assert_eq!(answer(&reply), (201, format!(r#"{{"user":{},"token":"<id>"}}"#, user_json("ada"))));
        assert_eq!(cookies(&reply), [SIGNED_IN]);
        assert_eq!(reply.json()["token"], token(&ada));
        assert_eq!(answer(&me(&ada).await), me_is("ada"));
        assert_eq!(ada.user().await["name"], "ada");
    }

    async fn register_takes_the_fields_and_needs_no_name(db: TestDb) {
        let app = start(db, &[]).await;
        let body = json!({
            "email": "ada@example.com", "password": PASSWORD, "software_background": "C", "hardware_background": "FPGA",
        });
        let user = call(&app.browser(), Method::POST, "/auth/register", body).await.json()["user"].take();
        assert_eq!(
            (&user["name"], &user["software_background"], &user["hardware_background"]),
            (&json!(""), &json!("C"), &json!("FPGA"))
        );
    }

    async fn register_without_auto_sign_in_has_no_token_and_hides_a_taken_address(db: TestDb) {
        let app = start(db, &[("AUTH_EMAIL_PASSWORD_AUTO_SIGN_IN", "false")]).await;
        for _ in 0..2 {
            let reply = register(&app.browser(), "ada").await;
            let none = r#""token":null,"access_token":null,"token_type":"bearer","expires_in":null"#;
            assert_eq!(answer(&reply), (201, format!(r#"{{"user":{},{none}}}"#, user_json("ada"))));
            assert!(reply.set_cookies.is_empty());
        }
        assert_eq!(count(&app, "users").await, 1);
    }

    async fn register_refuses_what_sign_up_refuses(db: TestDb) {
        let (app, _ada) = with_ada(db, &[]).await;
        assert_eq!(
            register(&app.browser(), "ada").await.outcome(),
            (422, "USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL".to_owned())
        );
        for (body, code) in [
            (json!({ "email": "nope", "password": PASSWORD }), "VALIDATION_ERROR"),
            (json!({ "email": "bob@example.com" }), "VALIDATION_ERROR"),
            (json!([]), "VALIDATION_ERROR"),
            (json!({ "email": "bob@example.com", "password": "short" }), "PASSWORD_TOO_SHORT"),
        ] {
            let reply = call(&app.browser(), Method::POST, "/auth/register", body).await;
            assert_eq!(reply.outcome(), (400, code.to_owned()));
        }
        assert_eq!(count(&app, "users").await, 1);
    }

    async fn login_answers_user_and_token_and_refuses_a_wrong_password(db: TestDb) {
        let (app, _ada) = with_ada(db, &[("AUTH_PLUGINS", "none")]).await;
        let browser = app.browser();
        let body = json!({ "email": "ada@example.com", "password": PASSWORD });
        let reply = call(&browser, Method::POST, "/auth/login", body).await;
        assert_eq!(answer(&reply), (200, format!(r#"{{"user":{},"token":"<id>"}}"#, user_json("ada"))));
        assert_eq!(cookies(&reply), [SIGNED_IN]);
        assert_eq!(answer(&me(&browser).await), me_is("ada"));
        for email in ["ada@example.com", "nobody@example.com"] {
            let body = json!({ "email": email, "password": "wrong-password" });
            let reply = call(&app.browser(), Method::POST, "/auth/login", body).await;
            assert_eq!(answer(&reply), refusal(401, "INVALID_EMAIL_OR_PASSWORD", "Invalid email or password"));
        }
    }

    async fn login_takes_a_form(db: TestDb) {
        let (app, _ada) = with_ada(db, &[]).await;
        let call = app.browser().absolute(Method::POST, "/auth/login");
        let call = call.header("content-type", "application/x-www-form-urlencoded");
        let reply = call.body("email=ada%40example.com&password=correct-horse-1").send().await;
        assert_eq!(reply.json()["user"]["name"], "ada");
    }

    async fn me_needs_a_session_that_lives(db: TestDb) {
        let (app, ada) = with_ada(db, &[("AUTH_SESSION_COOKIE_CACHE", "compact")]).await;
        assert_eq!(answer(&me(&app.browser()).await), unauthorized());
        assert_eq!(answer(&me(&ada).await), me_is("ada"));
        execute(&app, "DELETE FROM sessions").await;
        assert_eq!(answer(&me(&ada).await), unauthorized());
    }

    async fn me_takes_a_bearer_token_plain_or_signed_in_any_letter_case(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        let (raw, encoded) = (token(&ada), ada.cookie("session_token").unwrap());
        let signed = encoded.replace("%2B", "+").replace("%2F", "/").replace("%3D", "=");
        for authorization in [
            format!("Bearer {raw}"),
            format!("bearer {raw}"),
            format!("BEARER   {raw} "),
            format!("Bearer {signed}"),
            format!("Bearer {encoded}"),
        ] {
            assert_eq!(me_as(&app, &authorization).await, me_is("ada"), "{authorization}");
        }
    }

    async fn a_bad_bearer_token_is_401(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        let (raw, signed) = (token(&ada), ada.cookie("session_token").unwrap());
        for authorization in [
            "Bearer".to_owned(),
            "Bearer ".to_owned(),
            format!("Bearer {UNKNOWN_TOKEN}"),
            format!("Basic {raw}"),
            raw.clone(),
            format!("Bearer {raw}.{}=", "A".repeat(43)),
            format!("Bearer {}", signed.replacen(&raw, UNKNOWN_TOKEN, 1)),
            format!("Bearer {raw}."),
            "Bearer .".to_owned(),
            "Bearer %ff%fe.x".to_owned(),
        ] {
            assert_eq!(me_as(&app, &authorization).await, unauthorized(), "{authorization}");
        }
        app.clock.advance(7 * DAY + 1);
        assert_eq!(me_as(&app, &format!("Bearer {raw}")).await, unauthorized());
    }

    async fn a_bearer_token_beats_the_cookie(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        let bob = app.browser();
        bob.sign_up("bob").await;
        let call = ada.absolute(Method::GET, "/auth/me").header("authorization", &format!("Bearer {}", token(&bob)));
        assert_eq!(answer(&call.send().await), me_is("bob"));
    }

    async fn a_forged_bearer_token_leaves_the_cookie_alone(db: TestDb) {
        let (_app, ada) = with_ada(db, &[]).await;
        let forged = format!("Bearer {}.{}=", token(&ada), "A".repeat(43));
        let call = ada.absolute(Method::GET, "/auth/me").header("authorization", &forged);
        assert_eq!(answer(&call.send().await), me_is("ada"));
    }

    async fn without_the_plugin_a_bearer_token_counts_on_the_rest_face_alone(db: TestDb) {
        let (app, ada) = with_ada(db, &[("AUTH_PLUGINS", "none")]).await;
        let authorization = format!("Bearer {}", token(&ada));
        let call = app.browser().request(Method::GET, "/get-session").header("authorization", &authorization);
        assert_eq!(call.send().await.body, "null");
        assert_eq!(me_as(&app, &authorization).await, me_is("ada"));
    }

    async fn profile_changes_only_what_was_given_and_answers_the_user(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        call(&ada, Method::PUT, "/auth/profile", json!({ "software_background": "C" })).await;
        app.clock.advance(60);
        let reply = call(&ada, Method::PUT, "/auth/profile", json!({ "hardware_background": "FPGA" })).await;
        assert_eq!(
            answer(&reply),
            (
                200,
                concat!(
                    r#"{"user":{"name":"ada","email":"ada@example.com","emailVerified":false,"image":null,"#,
                    r#""createdAt":"2030-01-01T00:00:00.000Z","updatedAt":"2030-01-01T00:01:00.000Z","#,
                    r#""software_background":"C","hardware_background":"FPGA","id":"<id>"}}"#,
                )
                .to_owned()
            )
        );
        assert_eq!(me(&ada).await.json(), reply.json());
    }

    async fn profile_takes_a_bearer_token_from_a_server_without_origin(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        let call = app.browser().absolute(Method::PUT, "/auth/profile").without("origin");
        let call = call.header("authorization", &format!("Bearer {}", token(&ada)));
        assert_eq!(call.json(json!({ "name": "A" })).send().await.json()["user"]["name"], "A");
        assert_eq!(ada.user().await["name"], "A");
    }

    async fn every_refusal_of_a_profile_has_code_and_message(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        let put =
            async |browser: Browser, body: Value| answer(&call(&browser, Method::PUT, "/auth/profile", body).await);
        assert_eq!(put(app.browser(), json!({ "name": "A" })).await, unauthorized());
        assert_eq!(put(ada.clone(), json!({})).await, refusal(400, "BAD_REQUEST", "No fields to update"));
        assert_eq!(put(ada.clone(), json!([])).await, invalid("[body] Invalid input: expected record, received array"));
        let email = refusal(400, "EMAIL_CAN_NOT_BE_UPDATED", "Email can not be updated");
        assert_eq!(put(ada.clone(), json!({ "email": "b@example.com" })).await, email);
        assert_eq!(
            put(ada.clone(), json!({ "software_background": 1 })).await,
            invalid("software_background must be a string")
        );
        let untrusted = ada.absolute(Method::PUT, "/auth/profile").header("origin", "https://evil.example");
        let reply = untrusted.json(json!({ "name": "A" })).send().await;
        assert_eq!(answer(&reply), refusal(403, "INVALID_ORIGIN", "Invalid origin"));
        let reply =
            ada.absolute(Method::PUT, "/auth/profile").header("content-type", "text/plain").body("x").send().await;
        assert_eq!(reply.outcome(), (415, "UNSUPPORTED_MEDIA_TYPE".to_owned()));
    }

    async fn unknown_paths_and_methods_of_the_face_are_coded_404s(db: TestDb) {
        let app = start(db, &[]).await;
        let missing = refusal(404, "NOT_FOUND", "Not found");
        for (method, path) in [
            (Method::GET, "/auth/nope"),
            (Method::GET, "/auth/login"),
            (Method::POST, "/auth/me"),
            (Method::GET, "/auth/me/"),
        ] {
            assert_eq!(answer(&app.browser().absolute(method, path).send().await), missing, "{path}");
        }
    }

    async fn the_face_can_be_switched_off(db: TestDb) {
        let app = start(db, &[("AUTH_API_PREFIX", "off")]).await;
        assert_eq!(answer(&register(&app.browser(), "ada").await), (404, String::new()));
        assert_eq!(count(&app, "users").await, 0);
    }

    async fn the_face_can_have_another_prefix(db: TestDb) {
        let app = start(db, &[("AUTH_API_PREFIX", "/v1/people")]).await;
        let ada = app.browser();
        let body = json!({ "email": "ada@example.com", "password": PASSWORD });
        assert_eq!(call(&ada, Method::POST, "/v1/people/register", body).await.status.as_u16(), 201);
        assert_eq!(ada.absolute(Method::GET, "/v1/people/me").send().await.status.as_u16(), 200);
        assert_eq!(answer(&me(&ada).await), (404, String::new()));
    }

    async fn the_face_takes_a_renamed_field_by_its_column_too(db: TestDb) {
        let app = start(db, &[("AUTH_FIELD_SOFTWARE_BACKGROUND_KEY", "softwareBackground")]).await;
        for (name, key) in [("ada", "softwareBackground"), ("bob", "software_background")] {
            let mut body = json!({ "email": format!("{name}@example.com"), "password": PASSWORD });
            body[key] = json!("C");
            let user = call(&app.browser(), Method::POST, "/auth/register", body).await.json()["user"].take();
            assert_eq!((&user["softwareBackground"], user.get("software_background")), (&json!("C"), None));
        }
    }
}
