//! P29–P34: addresses a browser could be led to.

use actix_web::http::Method;
use integration_tests::mail::Mailbox;
use integration_tests::{PASSWORD, Reply, TestApp, email, on_both_databases};
use serde_json::{Value, json};

use super::support::{encode, rows};

/// Paths that browsers read as another host (P29).
const OTHER_HOSTS: [&str; 13] = [
    "//evil.com",
    "///evil.com",
    "/\\evil.com",
    "\\\\evil.com",
    "\\/evil.com",
    "/%2fevil.com",
    "/%2Fevil.com",
    "/%5Cevil.com",
    "/%5cevil.com",
    "/a\\b",
    "/dash/%2f%2fevil.com",
    "//evil.com/%2f..",
    "//app.example.com",
];

/// Origins that only look like a trusted one (P30).
const LOOKALIKES: [&str; 18] = [
    "https://app.example.com@evil.com/",
    "https://app.example.com:x@evil.com/",
    "https://app.example.com.evil.com",
    "https://app.example.com:444",
    "http://app.example.com",
    "https://evil.com",
    "https://evil.com/app.example.com",
    "https://evil.com?https://app.example.com",
    "https://evil.com#https://app.example.com",
    "https:evil.com",
    "https:/evil.com",
    "https://xapp.example.com",
    "https://example.com",
    "http://localhost",
    "http://localhost:40000",
    "http://localhost:4000@evil.com",
    "ftp://app.example.com",
    "https://app.example.com%2eevil.com",
];

/// Control characters, which parsers drop or headers end at (P31).
const CONTROLS: [&str; 11] = [
    "/\t/evil.com",
    "/\n/evil.com",
    "/\r/evil.com",
    " //evil.com",
    "\t//evil.com",
    "\u{1}//evil.com",
    "/x\r\nSet-Cookie:a=b",
    "/x\nLocation: https://evil.com",
    "/\u{7f}/evil.com",
    "/\u{85}/evil.com",
    "ht\ntps://evil.com",
];

/// Other schemes, and what is no address (P32).
const NO_PAGES: [&str; 16] = [
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "java\tscript:alert(1)",
    " javascript:alert(1)",
    "javascript://app.example.com/%0aalert(1)",
    "data:text/html,x",
    "vbscript:x",
    "mailto:a@x.com",
    "file:///etc/passwd",
    "blob:https://app.example.com/x",
    "about:blank",
    "dash",
    "?x",
    "#x",
    ".",
    "myapp://x",
];

/// What a pattern with `*` must not match (P33).
const BESIDE_THE_WILDCARD: [&str; 10] = [
    "http://x.preview.example.com",
    "https://preview.example.com",
    "https://evil.com/.preview.example.com",
    "https://evil.com?x.preview.example.com",
    "https://evil.com#x.preview.example.com",
    "https://x.preview.example.com.evil.com",
    "https://x.preview.example.com:444",
    "https://x.preview.example.com@evil.com",
    "https://evil.com\\.preview.example.com",
    "https://xpreview.example.com",
];

fn untrusted() -> impl Iterator<Item = &'static str> {
    OTHER_HOSTS.into_iter().chain(LOOKALIKES).chain(CONTROLS).chain(NO_PAGES).chain(BESIDE_THE_WILDCARD)
}

const TRUSTED: [&str; 12] = [
    "/",
    "/dash",
    "/dash?x=1#y",
    "/a/../b",
    "/a//b",
    "/@evil.com",
    "/a?u=//evil.com",
    "/a?x=%2f",
    "https://app.example.com/x",
    "http://localhost:4000/x",
    "https://x.preview.example.com/a",
    "https://x.y.preview.example.com",
];

fn assert_refused(reply: &Reply, code: &str, what: &str) {
    assert_eq!(reply.outcome(), (403, code.to_owned()), "{what}");
    assert_eq!(reply.header("location"), "", "{what}");
    assert!(reply.set_cookies.is_empty(), "{what}: {:?}", reply.set_cookies);
    assert!(!reply.body.contains("evil"), "{what}: {}", reply.body);
}

async fn sign_in_to(app: &TestApp, member: &str, value: impl Into<Value>) -> Reply {
    let mut body = json!({ "email": email("ada"), "password": PASSWORD });
    body[member] = value.into();
    app.browser().post("/sign-in/email", body).await
}

on_both_databases! {
    async fn p29_a_path_that_leads_to_another_host_is_no_callback(db: TestDb) {
        let app = TestApp::builder().start(db).await;
        app.browser().sign_up("ada").await;
        for url in OTHER_HOSTS {
            assert_refused(&sign_in_to(&app, "callbackURL", url).await, "INVALID_CALLBACK_URL", url);
        }
        assert_eq!(rows(&app).await.sessions, 1);
    }

    async fn p30_an_origin_that_looks_like_a_trusted_one_is_no_callback(db: TestDb) {
        let app = TestApp::builder().start(db).await;
        app.browser().sign_up("ada").await;
        for url in LOOKALIKES {
            assert_refused(&sign_in_to(&app, "callbackURL", url).await, "INVALID_CALLBACK_URL", url);
        }
        assert_eq!(rows(&app).await.sessions, 1);
    }

    async fn p31_a_callback_with_control_characters_is_refused_and_injects_no_header(db: TestDb) {
        let app = TestApp::builder().start(db).await;
        app.browser().sign_up("ada").await;
        for url in CONTROLS {
            assert_refused(&sign_in_to(&app, "callbackURL", url).await, "INVALID_CALLBACK_URL", url);
        }
        assert_eq!(rows(&app).await.sessions, 1);
    }

    async fn p32_what_is_no_web_page_is_no_callback(db: TestDb) {
        let app = TestApp::builder().start(db).await;
        app.browser().sign_up("ada").await;
        for url in NO_PAGES {
            assert_refused(&sign_in_to(&app, "callbackURL", url).await, "INVALID_CALLBACK_URL", url);
        }
        assert_eq!(rows(&app).await.sessions, 1);
    }

    async fn p33_a_wildcard_trusts_the_hosts_below_it_and_nothing_beside(db: TestDb) {
        let app = TestApp::builder().start(db).await;
        app.browser().sign_up("ada").await;
        for url in BESIDE_THE_WILDCARD {
            assert_refused(&sign_in_to(&app, "callbackURL", url).await, "INVALID_CALLBACK_URL", url);
        }
        for url in TRUSTED {
            let reply = sign_in_to(&app, "callbackURL", url).await;
            assert_eq!((reply.status.as_u16(), reply.header("location")), (200, url));
            assert_eq!(reply.json()["url"], url);
        }
    }

    async fn p34_every_member_and_parameter_with_an_address_is_checked(db: TestDb) {
        let mailbox = Mailbox::open();
        let app = TestApp::builder()
            .set("AUTH_MAIL", &mailbox.setting)
            .set("AUTH_USER_DELETE_USER_ENABLED", true)
            .set("AUTH_USER_CHANGE_EMAIL_ENABLED", true)
            .start(db).await;
        let ada = app.browser();
        ada.sign_up("ada").await;
        let before = rows(&app).await;
        let members = [
            ("callbackURL", "INVALID_CALLBACK_URL", "callbackURL"),
            ("redirectTo", "INVALID_REDIRECT_URL", "redirectURL"),
            ("errorCallbackURL", "INVALID_ERROR_CALLBACK_URL", "errorCallbackURL"),
            ("newUserCallbackURL", "INVALID_NEW_USER_CALLBACK_URL", "newUserCallbackURL"),
        ];
        let paths = [
            "/sign-in/email", "/sign-in/social", "/sign-up/email", "/request-password-reset", "/send-verification-email",
            "/change-email", "/delete-user", "/sign-out", "/link-social",
        ];
        for (member, code, label) in members {
            for url in untrusted() {
                assert_refused(&sign_in_to(&app, member, url).await, code, &format!("{member} {url}"));
            }
            for path in paths {
                let body = json!({ member: "//evil.com", "email": email("ada"), "password": PASSWORD });
                assert_refused(&ada.post(path, body).await, code, &format!("{path} {member}"));
                for odd in [json!(["/dash"]), json!({ "a": "/dash" }), json!(1), json!(true)] {
                    let reply = ada.post(path, json!({ member: odd })).await;
                    let message = json!({ "message": format!("Invalid {label}: expected a string") });
                    assert_eq!((reply.status.as_u16(), reply.json()), (400, message), "{path} {member} {odd}");
                }
            }
        }
        // The query's callback counts where the body has none.
        let query = format!("/sign-in/email?callbackURL={}", encode("//evil.com"));
        let body = json!({ "email": email("ada"), "password": PASSWORD });
        assert_refused(&ada.post(&query, body).await, "INVALID_CALLBACK_URL", "query");

        for url in untrusted() {
            for path in ["/verify-email?token=t&", "/reset-password/t?", "/delete-user/callback?token=t&"] {
                let path = format!("{path}callbackURL={}", encode(url));
                let reply = ada.get(&path).await;
                if url.contains('\0') {
                    assert_eq!(reply.status, 400);
                } else {
                    assert_refused(&reply, "INVALID_CALLBACK_URL", &path);
                }
            }
        }
        for path in ["/verify-email?token=t", "/reset-password/t?", "/delete-user/callback?token=t"] {
            let reply = ada.get(&format!("{path}&callbackURL=/a&callbackURL=//evil.com")).await;
            assert_eq!(reply.outcome(), (400, "VALIDATION_ERROR".to_owned()), "{path}");
            assert_eq!(reply.header("location"), "", "{path}");
        }
        assert_eq!(rows(&app).await, before);
        assert_eq!(ada.user().await["email"], email("ada"));
    }

    async fn p34_a_redirect_goes_exactly_to_the_address_that_was_checked(db: TestDb) {
        let app = TestApp::builder().start(db).await;
        for url in TRUSTED {
            let path = format!("/verify-email?token=t&callbackURL={}", encode(url));
            let reply = app.browser().request(Method::GET, &path).send().await;
            assert_eq!(reply.status, 302, "{url}");
            let place = url.split(['?', '#']).next().unwrap();
            let to = reply.header("location");
            // Dot segments are resolved, and an origin alone gets a path.
            let normal = if place == "/a/../b" { "/b" } else { place };
            assert!(to.starts_with(normal), "{url}: {to}");
            assert!(to.contains("error=INVALID_TOKEN"), "{url}: {to}");
            assert!(!to.starts_with("//") && !to.contains('\\'), "{url}: {to}");
        }
    }
}
