//! P63, P64: how often one may try, and ways around the count.

use actix_web::http::Method;
use integration_tests::{Builder, PASSWORD, TestApp, email, on_both_databases};
use serde_json::json;

use super::support::rows;

const SIGN_IN: &str = "/api/auth/sign-in/email";

fn limited() -> Builder {
    TestApp::builder().set("AUTH_RATE_LIMIT", true)
}

/// Status of a sign-in with the right password, from this client.
async fn sign_in(app: &TestApp, path: &str, headers: &[(&str, &str)]) -> u16 {
    let body = json!({ "email": email("ada"), "password": PASSWORD });
    let mut call = app.browser().absolute(Method::POST, path).json(body);
    for (name, value) in headers {
        call = call.header(name, value);
    }
    let reply = call.send().await;
    if reply.status == 429 {
        assert_eq!(reply.header("x-retry-after"), "10", "{path} {headers:?}");
        assert!(reply.set_cookies.is_empty());
    }
    reply.status.as_u16()
}

async fn from(app: &TestApp, address: &str) -> u16 {
    sign_in(app, SIGN_IN, &[("x-forwarded-for", address)]).await
}

/// Paths that some parser on the way might take for the sign-in.
const SPELLINGS: [&str; 24] = [
    "/api/auth//sign-in/email",
    "/api/auth/sign-in//email",
    "/api/auth/sign-in/email/",
    "/api/auth/sign-in/email//",
    "//api/auth/sign-in/email",
    "/api//auth/sign-in/email",
    "/api/auth/./sign-in/email",
    "/api/auth/x/../sign-in/email",
    "/api/auth/sign-in/./email",
    "/x/../api/auth/sign-in/email",
    "/api/auth/%2e/sign-in/email",
    "/api/auth/x/%2e%2e/sign-in/email",
    "/api/auth/sign-in%2Femail",
    "/api/auth/sign%2Din/email",
    "/api/%61uth/sign-in/email",
    "/api/auth/SIGN-IN/email",
    "/API/AUTH/sign-in/email",
    "/api/auth/sign-in/email;x=1",
    "/api/auth/sign-in/email%00",
    "/api/auth/sign-in/email%20",
    "/api/auth\\sign-in\\email",
    "/api/auth/sign-in/email?",
    "/api/auth/sign-in/email?x=1&x=2",
    "/api/auth/sign-in/email?/../ok",
];

on_both_databases! {
    async fn p63_the_fourth_sign_in_in_ten_seconds_is_refused(db: TestDb) {
        let app = limited().start(db).await;
        app.browser().sign_up("ada").await;
        for _ in 0..3 {
            assert_eq!(from(&app, "203.0.113.7").await, 200);
        }
        for _ in 0..3 {
            assert_eq!(from(&app, "203.0.113.7").await, 429);
        }
        // It is about the client, not about the user, and ends.
        assert_eq!(from(&app, "203.0.113.8").await, 200);
        app.clock.advance(9);
        assert_eq!(sign_in_again(&app).await, 429);
        app.clock.advance(1);
        assert_eq!(from(&app, "203.0.113.7").await, 200);
    }

    async fn p63_one_client_has_one_bucket_however_its_address_is_written(db: TestDb) {
        let app = limited().start(db).await;
        app.browser().sign_up("ada").await;
        let clients = [
            ["2001:db8::1", "2001:db8::2", "2001:db8:0:0:ffff::1", "2001:0DB8:0000:0000:1:2:3:4"],
            ["192.0.2.1", "::ffff:192.0.2.1", "::FFFF:C000:201", " 192.0.2.1 "],
        ];
        for addresses in clients {
            let mut statuses = Vec::new();
            for address in addresses {
                statuses.push(from(&app, address).await);
            }
            assert_eq!(statuses, [200, 200, 200, 429], "{addresses:?}");
        }
        assert_eq!(from(&app, "2001:db8:0:1::1").await, 200, "the next customer");
    }

    async fn p63_what_a_client_says_of_itself_gives_no_new_bucket(db: TestDb) {
        let app = limited().start(db).await;
        app.browser().sign_up("ada").await;
        // None of these is an address that can be trusted, so they all are one client.
        let inventions: [&[(&str, &str)]; 8] = [
            &[], &[("x-forwarded-for", "198.51.100.1, 203.0.113.7")], &[("x-forwarded-for", "198.51.100.2, 203.0.113.7")],
            &[("x-real-ip", "198.51.100.3")], &[("forwarded", "for=198.51.100.4")], &[("cf-connecting-ip", "198.51.100.5")],
            &[("x-forwarded-for", "nonsense")], &[("x-client-ip", "198.51.100.6"), ("true-client-ip", "198.51.100.7")],
        ];
        for (n, headers) in inventions.into_iter().enumerate() {
            assert_eq!(sign_in(&app, SIGN_IN, headers).await, if n < 3 { 200 } else { 429 }, "{headers:?}");
        }
    }

    async fn p63_behind_a_proxy_the_address_before_it_counts(db: TestDb) {
        let app = limited().set("AUTH_TRUSTED_PROXIES", "10.0.0.0/8").start(db).await;
        app.browser().sign_up("ada").await;
        for n in 0..4 {
            // What the client itself wrote stands before what the proxy saw.
            let chain = format!("198.51.100.{n}, 203.0.113.7, 10.0.0.{n}");
            assert_eq!(from(&app, &chain).await, if n < 3 { 200 } else { 429 }, "{chain}");
        }
    }

    async fn p63_both_doors_to_a_sign_in_share_one_bucket(db: TestDb) {
        let app = limited().start(db).await;
        app.browser().sign_up("ada").await;
        let client = [("x-forwarded-for", "203.0.113.7")];
        for path in [SIGN_IN, "/auth/login", SIGN_IN] {
            assert_eq!(sign_in(&app, path, &client).await, 200, "{path}");
        }
        for path in ["/auth/login", SIGN_IN, "/auth/login/"] {
            assert_eq!(sign_in(&app, path, &client).await, 429, "{path}");
        }
        for n in 0..4 {
            let path = if n % 2 == 0 { "/auth/register" } else { "/api/auth/sign-up/email" };
            let body = json!({ "name": "n", "email": email(&format!("n{n}")), "password": PASSWORD });
            let call = app.browser().absolute(Method::POST, path).json(body).header("x-forwarded-for", "203.0.113.9");
            assert_eq!(call.send().await.status == 429, n == 3, "{path}");
        }
    }

    async fn p63_refused_requests_change_nothing(db: TestDb) {
        let app = limited().start(db).await;
        app.browser().sign_up("ada").await;
        for _ in 0..3 {
            assert_eq!(from(&app, "203.0.113.7").await, 200);
        }
        let before = rows(&app).await;
        for _ in 0..20 {
            assert_eq!(from(&app, "203.0.113.7").await, 429);
        }
        assert_eq!(rows(&app).await, before);
    }

    async fn p64_no_spelling_of_the_path_is_a_way_around_the_limit(db: TestDb) {
        let app = limited().set("AUTH_SIGN_IN_ATTEMPTS", 0).start(db).await;
        app.browser().sign_up("ada").await;
        for (n, spelling) in SPELLINGS.into_iter().enumerate() {
            let address = format!("203.0.113.{n}");
            let client = [("x-forwarded-for", address.as_str())];
            let mut passed = 0;
            for path in [spelling, spelling, SIGN_IN, spelling, SIGN_IN, spelling, SIGN_IN, SIGN_IN] {
                match sign_in(&app, path, &client).await {
                    200 => passed += 1,
                    status => assert!(matches!(status, 404 | 429), "{path}: {status}"),
                }
            }
            // A path that leads nowhere may count, too.
            assert!((1..=3).contains(&passed), "{spelling}: {passed}");
            assert!(matches!(sign_in(&app, spelling, &client).await, 404 | 429), "{spelling}");
        }
    }

    async fn p64_no_spelling_of_the_path_reaches_a_disabled_endpoint(db: TestDb) {
        let app = TestApp::builder().set("AUTH_DISABLED_PATHS", "/sign-in/email").start(db).await;
        app.browser().sign_up("ada").await;
        for path in SPELLINGS.into_iter().chain([SIGN_IN]) {
            assert_eq!(sign_in(&app, path, &[]).await, 404, "{path}");
        }
    }
}

async fn sign_in_again(app: &TestApp) -> u16 {
    let body = json!({ "email": email("ada"), "password": PASSWORD });
    let call = app.browser().absolute(Method::POST, SIGN_IN).json(body).header("x-forwarded-for", "203.0.113.7");
    call.send().await.status.as_u16()
}
