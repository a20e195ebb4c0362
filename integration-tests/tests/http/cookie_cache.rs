//! The cookie cache `session_data`: what it answers, and what it may not.

use actix_web::http::Method;
use integration_tests::{Browser, PASSWORD, TestApp, on_both_databases};
use schema::test_support::TestDb;
use serde_json::json;

use crate::support::*;

const STRATEGIES: [&str; 3] = ["compact", "jwt", "jwe"];
const DATA: &str = "better-auth.session_data=<value>; Max-Age=300; Path=/; HttpOnly; SameSite=Lax";

async fn cached(db: TestDb) -> (TestApp, Browser) {
    with_ada(db, &[("AUTH_SESSION_COOKIE_CACHE", "compact")]).await
}

/// Runs a test of the cache once per strategy; each begins without users.
async fn each_strategy(db: TestDb, settings: &[(&str, &str)], test: impl AsyncFn(&TestApp, &Browser, &str)) {
    let backend = db.backend;
    let mut first = Some(db);
    for strategy in STRATEGIES {
        let db = match first.take() {
            Some(db) => db,
            None => TestDb::new(backend).await,
        };
        let mut settings = settings.to_vec();
        settings.push(("AUTH_SESSION_COOKIE_CACHE", strategy));
        let (app, ada) = with_ada(db, &settings).await;
        test(&app, &ada, strategy).await;
    }
}

/// Rows of sessions are gone; only a cache can still answer.
async fn revoke_all(app: &TestApp) {
    execute(app, "DELETE FROM sessions").await;
}

on_both_databases! {
    async fn a_hit_is_answered_without_the_database(db: TestDb) {
        each_strategy(db, &[], async |app, ada, strategy| {
            let fresh = ada.get("/get-session?disableCookieCache=1").await;
            revoke_all(app).await;
            let reply = ada.get("/get-session").await;
            assert_eq!(reply.json(), fresh.json(), "{strategy}");
            assert!(reply.set_cookies.is_empty());
        })
        .await;
    }

    async fn a_hit_has_the_key_order_of_upstreams_schema(db: TestDb) {
        let (_app, ada) = cached(db).await;
        assert_eq!(answer(&ada.get("/get-session").await), (200, concat!(
            r#"{"session":{"id":"<id>","createdAt":"2030-01-01T00:00:00.000Z","updatedAt":"2030-01-01T00:00:00.000Z","#,
            r#""userId":"<id>","expiresAt":"2030-01-08T00:00:00.000Z","token":"<id>","ipAddress":"","userAgent":""},"#,
            r#""user":{"id":"<id>","createdAt":"2030-01-01T00:00:00.000Z","updatedAt":"2030-01-01T00:00:00.000Z","#,
            r#""email":"ada@example.com","emailVerified":false,"name":"ada","image":null,"#,
            r#""software_background":null,"hardware_background":null}}"#,
        ).to_owned()));
    }

    async fn a_cache_ends_after_five_minutes_and_is_renewed_from_the_database(db: TestDb) {
        each_strategy(db, &[], async |app, ada, strategy| {
            app.clock.advance(301);
            let reply = ada.get("/get-session").await;
            assert_eq!(reply.json()["user"]["name"], "ada", "{strategy}");
            assert_eq!(cookies(&reply), [SIGNED_OUT[1], DATA]);
            revoke_all(app).await;
            assert_eq!(ada.user().await["name"], "ada");
            app.clock.advance(301);
            assert_eq!(ada.get("/get-session").await.body, "null");
        })
        .await;
    }

    async fn its_life_can_be_set(db: TestDb) {
        let (app, ada) =
            with_ada(db, &[("AUTH_SESSION_COOKIE_CACHE", "compact"), ("AUTH_SESSION_COOKIE_CACHE_MAX_AGE", "60")])
                .await;
        revoke_all(&app).await;
        app.clock.advance(59);
        assert_eq!(ada.user().await["name"], "ada");
        app.clock.advance(2);
        assert_eq!(ada.get("/get-session").await.body, "null");
    }

    async fn any_text_but_the_empty_one_passes_the_cache_by(db: TestDb) {
        let (app, ada) = cached(db).await;
        revoke_all(&app).await;
        assert_eq!(ada.get("/get-session?disableCookieCache=").await.json()["user"]["name"], "ada");
        for query in ["disableCookieCache=true", "disableCookieCache=false"] {
            let reply = ada.copy().get(&format!("/get-session?{query}")).await;
            assert_eq!(reply.body, "null", "{query}");
        }
    }

    async fn a_revoked_session_is_refused_where_it_matters(db: TestDb) {
        let (app, ada) = with_ada(
            db,
            &[
                ("AUTH_SESSION_COOKIE_CACHE", "compact"),
                ("AUTH_USER_DELETE_USER_ENABLED", "true"),
                ("AUTH_USER_CHANGE_EMAIL_ENABLED", "true"),
            ],
        )
        .await;
        revoke_all(&app).await;
        for (path, body) in [
            ("/change-password", json!({ "currentPassword": PASSWORD, "newPassword": "another-password" })),
            ("/verify-password", json!({ "password": PASSWORD })),
            ("/change-email", json!({ "newEmail": "new@example.com" })),
            ("/delete-user", json!({})),
            ("/revoke-session", json!({ "token": token(&ada) })),
            ("/revoke-sessions", json!({})),
            ("/revoke-other-sessions", json!({})),
            ("/link-social", json!({ "provider": "github" })),
        ] {
            assert_eq!(answer(&ada.copy().post(path, body).await), unauthorized(), "{path}");
        }
        assert_eq!(ada.copy().get("/list-accounts").await.status.as_u16(), 200, "a session from the cache is enough");
        assert_eq!(count(&app, "users").await, 1);
    }

    async fn a_change_is_in_the_cache_at_once(db: TestDb) {
        each_strategy(db, &[], async |_, ada, strategy| {
            let reply = ada
                .post(
                    "/update-user",
                    json!({ "name": "A", "software_background": "Zo\u{eb} \u{1f980} \"C\" </script>" }),
                )
                .await;
            assert_eq!(cookies(&reply), [SIGNED_IN, DATA], "{strategy}");
            let user = ada.user().await;
            assert_eq!(
                (&user["name"], &user["software_background"]),
                (&json!("A"), &json!("Zo\u{eb} \u{1f980} \"C\" </script>"))
            );
        })
        .await;
    }

    async fn a_cache_that_proves_nothing_is_expired_and_made_anew(db: TestDb) {
        each_strategy(db, &[], async |app, ada, strategy| {
            let bob = app.browser();
            bob.sign_up("bob").await;
            let own = ada.cookie("session_data").unwrap();
            for data in ["garbage", "e30", "a.b.c", &own[..own.len() - 5], &bob.cookie("session_data").unwrap()] {
                let browser = ada.copy();
                browser.set_cookie("better-auth.session_data", data);
                let reply = browser.get("/get-session").await;
                assert_eq!(reply.json()["user"]["name"], "ada", "{strategy} {data}");
                assert_eq!(cookies(&reply), [SIGNED_OUT[1], DATA]);
            }
        })
        .await;
    }

    async fn a_cache_alone_is_no_session(db: TestDb) {
        each_strategy(db, &[], async |app, ada, strategy| {
            let thief = app.browser();
            thief.set_cookie("better-auth.session_data", &ada.cookie("session_data").unwrap());
            assert_eq!(thief.get("/get-session").await.body, "null", "{strategy}");
        })
        .await;
    }

    async fn a_cache_of_another_version_is_not_used(db: TestDb) {
        let backend = db.backend;
        let (_old, ada) = cached(db).await;
        let new = start(
            TestDb::new(backend).await,
            &[("AUTH_SESSION_COOKIE_CACHE", "compact"), ("AUTH_SESSION_COOKIE_CACHE_VERSION", "2")],
        )
        .await;
        let cookie = ["session_token", "session_data"]
            .map(|name| format!("better-auth.{name}={}", ada.cookie(name).unwrap()))
            .join("; ");
        let reply = new.browser().request(Method::GET, "/get-session").header("cookie", &cookie).send().await;
        assert_eq!(reply.body, "null");
    }

    async fn a_session_past_its_end_is_not_taken_from_the_cache(db: TestDb) {
        let (app, ada) = with_ada(
            db,
            &[
                ("AUTH_SESSION_COOKIE_CACHE", "compact"),
                ("AUTH_SESSION_COOKIE_CACHE_MAX_AGE", "1d"),
                ("AUTH_SESSION_EXPIRES_IN", "1h"),
            ],
        )
        .await;
        app.clock.advance(3_601);
        assert_eq!(ada.get("/get-session").await.body, "null");
        assert_eq!(count(&app, "sessions").await, 0);
    }

    async fn of_the_cookies_of_a_session_check_only_the_last_is_sent(db: TestDb) {
        let (app, ada) = cached(db).await;
        app.clock.advance(DAY);
        assert_eq!(cookies(&ada.get("/list-accounts").await), [DATA]);
        assert_eq!(expires_at(&ada).await, "2030-01-09T00:00:00.000Z");
    }

    async fn an_extension_renews_token_and_cache(db: TestDb) {
        let (app, ada) = cached(db).await;
        app.clock.advance(DAY);
        assert_eq!(cookies(&ada.get("/get-session").await), [SIGNED_OUT[1], SIGNED_IN, DATA]);
    }

    async fn a_session_that_is_not_remembered_is_cached_for_a_minute_and_not_renewed(db: TestDb) {
        let (app, _ada) = cached(db).await;
        let browser = sign_in_for_now(&app).await;
        assert!(browser.get("/get-session").await.set_cookies.is_empty());
        app.clock.advance(61);
        let reply = browser.get("/get-session").await;
        assert_eq!(reply.json()["user"]["name"], "ada");
        assert_eq!(cookies(&reply), [SIGNED_OUT[1]]);
    }

    async fn sign_out_expires_the_cache_twice_where_it_came(db: TestDb) {
        let (_app, ada) = cached(db).await;
        let reply = ada.post("/sign-out", json!({})).await;
        assert_eq!(cookies(&reply), [SIGNED_OUT[0], SIGNED_OUT[1], SIGNED_OUT[1], SIGNED_OUT[2]]);
    }

    async fn a_long_cache_comes_in_chunks_and_is_read_from_them(db: TestDb) {
        each_strategy(db, &[("AUTH_FIELD_SOFTWARE_BACKGROUND_MAX_LENGTH", "9000")], async |app, ada, strategy| {
            let long = "long ".repeat(1_500);
            let reply = ada.post("/update-user", json!({ "software_background": long })).await;
            let names: Vec<&str> = reply.set_cookies.iter().map(|line| line.split('=').next().unwrap()).collect();
            assert_eq!(
                names[..4],
                [
                    "better-auth.session_token",
                    "better-auth.session_data",
                    "better-auth.session_data.0",
                    "better-auth.session_data.1",
                ],
                "{strategy}"
            );
            assert!(reply.set_cookies[1].starts_with("better-auth.session_data=; Max-Age=0"));
            assert!(reply.set_cookies.iter().all(|line| line.len() <= 4_096));
            revoke_all(app).await;
            assert_eq!(ada.user().await["software_background"], long.as_str());
        })
        .await;
    }

    async fn a_hidden_field_is_not_in_the_cache(db: TestDb) {
        each_strategy(db, &[("AUTH_FIELD_SOFTWARE_BACKGROUND_RETURNED", "false")], async |_, ada, strategy| {
            let reply = ada.post("/update-user", json!({ "software_background": "C" })).await;
            assert_eq!(answer(&reply), status_true());
            assert_eq!(ada.user().await.get("software_background"), None, "{strategy}");
        })
        .await;
    }

    async fn deferred_get_may_write_the_cache_but_not_the_session(db: TestDb) {
        let (app, ada) =
            with_ada(db, &[("AUTH_SESSION_COOKIE_CACHE", "compact"), ("AUTH_SESSION_DEFER_REFRESH", "true")]).await;
        app.clock.advance(DAY);
        let reply = ada.get("/get-session").await;
        assert_eq!(
            (&reply.json()["needsRefresh"], cookies(&reply)),
            (&json!(true), vec![SIGNED_OUT[1].to_owned(), DATA.to_owned()])
        );
        assert_eq!(reply.json()["session"]["expiresAt"], "2030-01-08T00:00:00.000Z");
    }
}
