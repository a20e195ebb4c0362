//! Rate limits by client address and path.

use actix_web::http::Method;
use integration_tests::{Reply, TestApp, on_both_databases};
use serde_json::json;

use crate::support::*;

const ON: (&str, &str) = ("AUTH_RATE_LIMIT", "true");

fn too_many() -> (u16, String) {
    (429, r#"{"message":"Too many requests. Please try again later."}"#.to_owned())
}

/// A sign-in with a wrong password from this address.
async fn guess(app: &TestApp, ip: &str) -> Reply {
    let body = json!({ "email": "ada@example.com", "password": "wrong-password" });
    app.browser().request(Method::POST, "/sign-in/email").header("x-forwarded-for", ip).json(body).send().await
}

async fn ok(app: &TestApp, ip: &str) -> u16 {
    app.browser().request(Method::GET, "/ok").header("x-forwarded-for", ip).send().await.status.as_u16()
}

on_both_databases! {
    async fn three_sign_ins_in_ten_seconds_per_address(db: TestDb) {
        let app = start(db, &[ON]).await;
        for _ in 0..3 {
            assert_eq!(guess(&app, "203.0.113.1").await.status.as_u16(), 401);
        }
        let reply = guess(&app, "203.0.113.1").await;
        assert_eq!(answer(&reply), too_many());
        assert_eq!((reply.header("x-retry-after"), reply.header("retry-after")), ("10", ""));
        assert_eq!(reply.header("content-type"), "application/json");
        assert_eq!(guess(&app, "203.0.113.2").await.status.as_u16(), 401, "another address");
    }

    async fn the_window_starts_at_the_last_accepted_request_and_refused_ones_do_not_count(db: TestDb) {
        let app = start(db, &[ON]).await;
        for _ in 0..3 {
            app.clock.advance(3);
            assert_eq!(guess(&app, "203.0.113.1").await.status.as_u16(), 401);
        }
        for left in ["9", "5", "1"] {
            app.clock.advance(if left == "9" { 1 } else { 4 });
            let reply = guess(&app, "203.0.113.1").await;
            assert_eq!((reply.status.as_u16(), reply.header("x-retry-after")), (429, left));
        }
        app.clock.advance(2);
        assert_eq!(guess(&app, "203.0.113.1").await.status.as_u16(), 401);
    }

    async fn every_path_has_its_own_bucket(db: TestDb) {
        let app = start(db, &[ON]).await;
        for path in ["/sign-up/email", "/change-password", "/change-email", "/sign-in/email", "/sign-in/social"] {
            for _ in 0..3 {
                assert_eq!(app.browser().get(path).await.status.as_u16(), 404, "{path}");
            }
            assert_eq!(answer(&app.browser().post(path, json!({})).await), too_many());
        }
    }

    async fn requests_for_mail_are_three_a_minute(db: TestDb) {
        let app = start(db, &[ON]).await;
        for path in ["/request-password-reset", "/send-verification-email"] {
            for _ in 0..3 {
                assert_eq!(app.browser().post(path, json!({})).await.status.as_u16(), 400);
            }
            let reply = app.browser().post(path, json!({})).await;
            assert_eq!((answer(&reply), reply.header("x-retry-after")), (too_many(), "60"));
        }
    }

    async fn other_paths_take_a_hundred_known_or_not(db: TestDb) {
        let app = start(db, &[ON]).await;
        for path in ["/get-session", "/nope"] {
            for _ in 0..100 {
                assert_ne!(app.browser().get(path).await.status.as_u16(), 429);
            }
            assert_eq!(answer(&app.browser().get(path).await), too_many());
        }
    }

    async fn neither_a_trailing_slash_nor_the_method_gives_another_bucket(db: TestDb) {
        let app = start(db, &[ON, ("AUTH_RATE_LIMIT_RULES", "/ok=2/10")]).await;
        let browser = app.browser();
        assert_eq!(browser.get("/ok").await.status.as_u16(), 200);
        assert_eq!(browser.get("/ok/").await.status.as_u16(), 404);
        assert_eq!(answer(&browser.request(Method::DELETE, "/ok").send().await), too_many());
    }

    async fn the_limit_comes_before_body_and_origin(db: TestDb) {
        let app = start(db, &[ON]).await;
        let bad = || app.browser().request(Method::POST, "/sign-in/email").header("origin", "https://evil.example");
        for _ in 0..3 {
            assert_eq!(bad().header("content-type", "text/plain").body("x").send().await.status.as_u16(), 415);
        }
        assert_eq!(answer(&bad().header("content-type", "text/plain").body("x").send().await), too_many());
    }

    async fn rules_can_be_set_by_path_and_pattern(db: TestDb) {
        let rules = ("AUTH_RATE_LIMIT_RULES", "/ok=1/3,/sign-in/*=5/60,/sign-up/email=off");
        let app = start(db, &[ON, rules, ("AUTH_RATE_LIMIT_MAX", "2"), ("AUTH_RATE_LIMIT_WINDOW", "30")]).await;
        let refused_after = async |path: &str| {
            for accepted in 0..10 {
                let reply = app.browser().get(path).await;
                if reply.status.as_u16() == 429 {
                    return (accepted, reply.header("x-retry-after").to_owned());
                }
            }
            (10, String::new())
        };
        assert_eq!(refused_after("/ok").await, (1, "3".to_owned()));
        assert_eq!(refused_after("/sign-in/email").await, (5, "60".to_owned()));
        assert_eq!(refused_after("/sign-up/email").await, (10, String::new()));
        assert_eq!(refused_after("/get-session").await, (2, "30".to_owned()));
    }

    async fn limits_can_be_switched_off(db: TestDb) {
        let app = start(db, &[("AUTH_RATE_LIMIT", "false")]).await;
        for _ in 0..5 {
            assert_eq!(guess(&app, "203.0.113.1").await.status.as_u16(), 401);
        }
    }

    async fn without_addresses_nothing_is_limited_or_kept(db: TestDb) {
        let app = start(db, &[ON, ("AUTH_DISABLE_IP_TRACKING", "true")]).await;
        for _ in 0..5 {
            assert_eq!(guess(&app, "203.0.113.1").await.status.as_u16(), 401);
        }
        let ada = app.browser();
        let body = json!({ "name": "ada", "email": "ada@example.com", "password": integration_tests::PASSWORD });
        ada.request(Method::POST, "/sign-up/email").header("x-forwarded-for", "203.0.113.1").json(body).send().await;
        assert_eq!(ada.get("/get-session").await.json()["session"]["ipAddress"], "");
    }

    async fn clients_without_a_trusted_address_share_one_bucket(db: TestDb) {
        let app = start(db, &[ON, ("AUTH_RATE_LIMIT_RULES", "/ok=1/10")]).await;
        assert_eq!(app.browser().get("/ok").await.status.as_u16(), 200);
        for invented in ["198.51.100.1, 203.0.113.9", "nonsense", ""] {
            assert_eq!(ok(&app, invented).await, 429, "{invented:?}");
        }
        assert_eq!(ok(&app, "203.0.113.9").await, 200);
    }

    async fn behind_trusted_proxies_the_last_untrusted_hop_counts(db: TestDb) {
        let app = start(db, &[ON, ("AUTH_RATE_LIMIT_RULES", "/ok=1/10"), ("AUTH_TRUSTED_PROXIES", "10.0.0.0/8")]).await;
        assert_eq!(ok(&app, "1.1.1.1, 203.0.113.9, 10.0.0.1").await, 200);
        assert_eq!(ok(&app, "2.2.2.2, 203.0.113.9, 10.0.0.2").await, 429);
        assert_eq!(ok(&app, "203.0.113.10, 10.0.0.1").await, 200);
    }

    async fn one_ipv6_network_is_one_client(db: TestDb) {
        let app = start(db, &[ON, ("AUTH_RATE_LIMIT_RULES", "/ok=1/10")]).await;
        assert_eq!(ok(&app, "2001:db8:0:1::1").await, 200);
        assert_eq!(ok(&app, "2001:DB8:0:1:ffff::2").await, 429);
        assert_eq!(ok(&app, "2001:db8:0:2::1").await, 200);
        assert_eq!(ok(&app, "203.0.113.7").await, 200);
        assert_eq!(ok(&app, "::ffff:203.0.113.7").await, 429);
    }

    async fn another_header_can_hold_the_address(db: TestDb) {
        let app =
            start(db, &[ON, ("AUTH_RATE_LIMIT_RULES", "/ok=1/10"), ("AUTH_IP_HEADERS", "cf-connecting-ip")]).await;
        let from = async |ip: &str| {
            let call = app.browser().request(Method::GET, "/ok").header("cf-connecting-ip", ip);
            call.header("x-forwarded-for", "203.0.113.1").send().await.status.as_u16()
        };
        assert_eq!((from("203.0.113.1").await, from("203.0.113.1").await, from("203.0.113.2").await), (200, 429, 200));
    }

    async fn the_rest_face_shares_the_bucket_of_sign_in_and_sign_up(db: TestDb) {
        let app = start(db, &[ON]).await;
        for (rest, path) in [("/auth/login", "/sign-in/email"), ("/auth/register", "/sign-up/email")] {
            for _ in 0..2 {
                let reply = app.browser().absolute(Method::POST, rest).json(json!({})).send().await;
                assert_eq!(reply.status.as_u16(), 400);
            }
            assert_eq!(app.browser().post(path, json!({})).await.status.as_u16(), 400);
            assert_eq!(answer(&app.browser().post(path, json!({})).await), too_many());
            let reply = app.browser().absolute(Method::POST, rest).json(json!({})).send().await;
            let coded = refusal(429, "TOO_MANY_REQUESTS", "Too many requests. Please try again later.");
            assert_eq!((answer(&reply), reply.header("x-retry-after")), (coded, "10"));
        }
    }

    async fn health_is_never_limited(db: TestDb) {
        let app = start(db, &[ON, ("AUTH_RATE_LIMIT_MAX", "1")]).await;
        for _ in 0..3 {
            assert_eq!(app.browser().absolute(Method::GET, "/health/live").send().await.status.as_u16(), 200);
        }
    }
}
