//! Tokens at the plain REST face: `/auth/token`, the members of `register` and `login`, and
//! `/auth/me` by JWT.

use actix_web::http::Method;
use integration_tests::{Browser, PASSWORD, Reply, TestApp, on_both_databases};
use serde_json::{Value, json};

use crate::jwt::jwt;
use crate::support::*;

async fn me(app: &TestApp, token: &str) -> (u16, String) {
    let call = app.browser().absolute(Method::GET, "/auth/me").header("authorization", &format!("Bearer {token}"));
    answer(&call.send().await)
}

async fn post(browser: &Browser, path: &str, body: Value) -> Reply {
    browser.absolute(Method::POST, path).json(body).send().await
}

async fn form(browser: &Browser, path: &str, body: &str) -> Reply {
    let call = browser.absolute(Method::POST, path).header("content-type", "application/x-www-form-urlencoded");
    call.body(body).send().await
}

/// What stands beside the token.
fn bearer_of(reply: &Reply) -> (u16, Value, Value) {
    let body = reply.json();
    assert!(body["access_token"].is_string(), "{body}");
    (reply.status.as_u16(), body["token_type"].clone(), body["expires_in"].clone())
}

on_both_databases! {
    async fn register_and_login_answer_an_access_token(db: TestDb) {
        let app = start(db, &[("AUTH_JWT_EXPIRES_IN", "5m")]).await;
        let ada = app.browser();
        let body = json!({ "email": "ada@example.com", "password": PASSWORD });
        let registered = post(&ada, "/auth/register", body.clone()).await;
        assert_eq!(bearer_of(&registered), (201, json!("bearer"), json!(300)));
        let login = post(&app.browser(), "/auth/login", body).await;
        assert_eq!(bearer_of(&login), (200, json!("bearer"), json!(300)));
        for reply in [registered, login] {
            let token = reply.json()["access_token"].as_str().unwrap().to_owned();
            assert_eq!(claims(&token)["email"], "ada@example.com");
            assert_eq!(me(&app, &token).await.0, 200);
            assert_eq!(reply.header("cache-control"), "no-store");
        }
    }

    async fn token_answers_one_for_the_session(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        let reply = ada.absolute(Method::GET, "/auth/token").send().await;
        assert_eq!(bearer_of(&reply), (200, json!("bearer"), json!(900)));
        let by_bearer = app.browser().absolute(Method::GET, "/auth/token");
        let by_bearer = by_bearer.header("authorization", &format!("Bearer {}", token(&ada))).send().await;
        assert_eq!(bearer_of(&by_bearer).0, 200);
        assert_eq!(answer(&app.browser().absolute(Method::GET, "/auth/token").send().await), unauthorized());
    }

    async fn token_takes_the_password_form_of_fastapis_documentation_page(db: TestDb) {
        let (app, _ada) = with_ada(db, &[]).await;
        let browser = app.browser();
        let body = "grant_type=password&username=ada%40example.com&password=correct-horse-1&scope=&client_id=&client_secret=";
        let reply = form(&browser, "/auth/token", body).await;
        assert_eq!(bearer_of(&reply), (200, json!("bearer"), json!(900)));
        assert_eq!(reply.json().as_object().unwrap().keys().collect::<Vec<_>>(), ["access_token", "token_type", "expires_in"]);
        assert_eq!(browser.user().await["name"], "ada");
        let wrong = form(&app.browser(), "/auth/token", "username=ada%40example.com&password=wrong-password").await;
        assert_eq!(answer(&wrong), refusal(401, "INVALID_EMAIL_OR_PASSWORD", "Invalid email or password"));
        let grant = form(&app.browser(), "/auth/token", "grant_type=refresh_token&username=a%40b.co&password=x").await;
        assert_eq!(answer(&grant), invalid("[body.grant_type] Invalid input: expected \"password\""));
        let nothing = post(&app.browser(), "/auth/token", json!({})).await;
        assert_eq!(nothing.outcome(), (400, "VALIDATION_ERROR".to_owned()));
    }

    async fn token_by_password_shares_the_limit_and_the_csrf_check_of_sign_in(db: TestDb) {
        let settings = [("AUTH_RATE_LIMIT", "true"), ("AUTH_IP_HEADERS", "x-real-ip")];
        let app = start(db, &settings).await;
        let statuses = async |origin: &str| {
            let call = app.browser().absolute(Method::POST, "/auth/token").header("origin", origin);
            let call = call.header("x-real-ip", "203.0.113.7").json(json!({ "username": "a@b.co", "password": "wrong-one" }));
            call.send().await.status.as_u16()
        };
        assert_eq!(statuses("https://evil.example").await, 403);
        let app_origin = integration_tests::APP_ORIGIN;
        let tries = [statuses(app_origin).await, statuses(app_origin).await, statuses(app_origin).await];
        assert_eq!(tries, [401, 401, 429]);
    }

    async fn me_takes_a_jwt_and_shows_the_user_as_they_are_now(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        let jwt = jwt(&ada).await;
        assert_eq!(me(&app, &jwt).await, (200, format!(r#"{{"user":{}}}"#, user_json("ada"))));
        ada.post("/update-user", json!({ "name": "Ada L." })).await;
        assert!(me(&app, &jwt).await.1.contains("Ada L."));
    }

    async fn a_jwt_is_of_no_use_after_its_end(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        let jwt = jwt(&ada).await;
        app.clock.advance(899);
        assert_eq!(me(&app, &jwt).await.0, 200);
        app.clock.advance(1);
        assert_eq!(me(&app, &jwt).await, unauthorized());
    }

    async fn a_jwt_ends_with_the_sessions_of_its_time(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        let token = jwt(&ada).await;
        app.clock.advance(2);
        let later = second_device(&app, "ada").await;
        assert_eq!(me(&app, &token).await.0, 200);
        ada.post("/sign-out", json!({})).await;
        assert_eq!(me(&app, &token).await, unauthorized(), "a session begun later does not bring it back");
        assert_eq!(me(&app, &jwt(&later).await).await.0, 200);
        let last = jwt(&later).await;
        execute(&app, "DELETE FROM users").await;
        assert_eq!(me(&app, &last).await, unauthorized());
    }

    async fn whoever_sends_a_jwt_is_not_taken_for_the_owner_of_a_cookie(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        let bob = app.browser();
        bob.sign_up("bob").await;
        let (good, bad) = (jwt(&bob).await, jwt(&bob).await + "x");
        let as_ada = |method: Method, path: &str, token: &str| {
            ada.absolute(method, path).header("authorization", &format!("Bearer {token}")).json(json!({ "name": "x" }))
        };
        assert_eq!(as_ada(Method::GET, "/auth/me", &good).send().await.json()["user"]["name"], "bob");
        for (method, path, token) in [
            (Method::PUT, "/auth/profile", &good), (Method::GET, "/auth/token", &good),
            (Method::GET, "/auth/me", &bad), (Method::GET, "/auth/verify", &bad),
        ] {
            assert_eq!(answer(&as_ada(method, path, token).send().await), unauthorized(), "{path}");
        }
        assert_eq!((ada.user().await["name"].take(), bob.user().await["name"].take()), (json!("ada"), json!("bob")));
    }

    async fn a_key_that_cannot_be_used_undoes_no_sign_up_and_signs_nobody_in_by_half(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        jwt(&ada).await;
        let wrong = app.restart(&[("BETTER_AUTH_SECRET", "another-secret-0123456789-abcdefghijkl")]).await;
        let bob = wrong.browser();
        let body = json!({ "email": "bob@example.com", "password": PASSWORD });
        let registered = post(&bob, "/auth/register", body.clone()).await;
        assert_eq!((registered.status.as_u16(), registered.json()["access_token"].clone()), (201, Value::Null));
        assert_eq!(bob.user().await["email"], "bob@example.com");
        let login = post(&wrong.browser(), "/auth/login", body).await;
        assert_eq!((login.status.as_u16(), login.json()["access_token"].clone()), (200, Value::Null));
        let sessions = count(&app, "sessions").await;
        let reply = post(&wrong.browser(), "/auth/token", json!({ "username": "bob@example.com", "password": PASSWORD })).await;
        assert_eq!((reply.status.as_u16(), reply.set_cookies.len()), (500, 0));
        assert_eq!(count(&app, "sessions").await, sessions);
    }

    async fn a_jwt_opens_nothing_but_me_and_the_gateway(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        let jwt = format!("Bearer {}", jwt(&ada).await);
        let stranger = app.browser();
        let call = stranger.absolute(Method::PUT, "/auth/profile").header("authorization", &jwt);
        assert_eq!(answer(&call.json(json!({ "name": "x" })).send().await), unauthorized());
        for path in ["/auth/token", "/api/auth/token", "/api/auth/list-sessions"] {
            let call = stranger.absolute(Method::GET, path).header("authorization", &jwt);
            assert_eq!(answer(&call.send().await), unauthorized(), "{path}");
        }
        let call = stranger.request(Method::GET, "/get-session").header("authorization", &jwt);
        assert_eq!(call.send().await.body, "null");
    }
}
