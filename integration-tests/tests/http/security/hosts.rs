//! P66: what a request says of the host it was sent to.

use actix_web::http::Method;
use integration_tests::mail::Mailbox;
use integration_tests::{APP_ORIGIN, BASE_URL, PASSWORD, TestApp, email, on_both_databases};
use serde_json::json;

use super::support::listen;

const EVIL: [&[(&str, &str)]; 9] = [
    &[("host", "evil.com")],
    &[("x-forwarded-host", "evil.com")],
    &[("x-forwarded-host", "evil.com"), ("x-forwarded-proto", "https"), ("x-forwarded-port", "443")],
    &[("forwarded", "host=evil.com;proto=https")],
    &[("x-host", "evil.com"), ("x-original-host", "evil.com"), ("x-http-host-override", "evil.com")],
    &[("x-original-url", "https://evil.com/"), ("x-rewrite-url", "https://evil.com/")],
    &[("host", "localhost:4000@evil.com")],
    &[("host", "localhost:4000.evil.com"), ("referer", "https://app.example.com/")],
    &[("host", "evil.com"), ("x-forwarded-host", "evil.com"), ("x-forwarded-proto", "http")],
];

on_both_databases! {
    async fn p66_a_mailed_link_leads_to_the_configured_address_whatever_the_host(db: TestDb) {
        let mut mailbox = Mailbox::open();
        let app = TestApp::builder().set("AUTH_MAIL", &mailbox.setting).start(db).await;
        let ada = app.browser();
        ada.sign_up("ada").await;
        for headers in EVIL {
            for path in ["/request-password-reset", "/send-verification-email"] {
                let mut call = ada.request(Method::POST, path).json(json!({ "email": email("ada"), "redirectTo": "/reset" }));
                for (name, value) in headers {
                    call = call.header(name, value);
                }
                assert_eq!(call.send().await.status, 200, "{headers:?}");
                let mail = mailbox.next().await;
                let url = mail["url"].as_str().unwrap();
                assert!(url.starts_with(&format!("{BASE_URL}/api/auth/")), "{headers:?}: {url}");
                assert!(!mail.0.to_string().contains("evil"), "{headers:?}: {mail:?}");
            }
        }
    }

    async fn p66_the_target_of_a_request_does_not_change_a_mailed_link(db: TestDb) {
        let mut mailbox = Mailbox::open();
        let app = TestApp::builder().set("AUTH_MAIL", &mailbox.setting).start(db).await;
        app.browser().sign_up("ada").await;
        let server = listen(&app);
        let body = json!({ "email": email("ada") }).to_string();
        for (target, host) in [
            ("http://evil.com/api/auth/request-password-reset", "evil.com"),
            ("http://evil.com/api/auth/request-password-reset", "localhost:4000"),
            ("//evil.com/../api/auth/request-password-reset", "evil.com"),
            ("/api/auth/request-password-reset", "evil.com\r\nHost: localhost:4000"),
        ] {
            let head = format!(
                "POST {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}",
                body.len()
            );
            let reply = server.exchange(format!("{head}\r\n\r\n{body}")).await;
            assert!(!reply.text.contains("evil"), "{target}: {}", reply.text);
            if reply.status == 200 {
                let url = mailbox.next().await["url"].as_str().unwrap().to_owned();
                assert!(url.starts_with(&format!("{BASE_URL}/api/auth/reset-password/")), "{target}: {url}");
            } else {
                assert!(matches!(reply.status, 400 | 404), "{target}: {}", reply.status);
            }
        }
    }

    async fn p66_no_other_mail_follows_the_host_either(db: TestDb) {
        let mut mailbox = Mailbox::open();
        let app = TestApp::builder()
            .set("AUTH_MAIL", &mailbox.setting)
            .set("AUTH_EMAIL_VERIFICATION_SEND_ON_SIGN_UP", true)
            .set("AUTH_EMAIL_PASSWORD_REQUIRE_VERIFICATION", true)
            .set("AUTH_EMAIL_VERIFICATION_SEND_ON_SIGN_IN", true)
            .set("AUTH_SIGN_IN_ATTEMPTS", 0)
            .set("AUTH_USER_CHANGE_EMAIL_ENABLED", true)
            .set("AUTH_USER_CHANGE_EMAIL_CONFIRMATION", true)
            .set("AUTH_USER_DELETE_USER_ENABLED", true)
            .set("AUTH_USER_DELETE_USER_VERIFICATION", true)
            .start(db).await;
        for (n, headers) in EVIL.into_iter().enumerate() {
            let browser = app.browser();
            let (address, new) = (email(&format!("ada{n}")), email(&format!("new{n}")));
            let call = |method: Method, path: &str| {
                let call = browser.absolute(method, path);
                headers.iter().fold(call, |call, (name, value)| call.header(name, value))
            };
            let post = |path: &str, body| call(Method::POST, &format!("/api/auth{path}")).json(body).send();
            let credentials = json!({ "name": "Ada", "email": address, "password": PASSWORD });
            assert_eq!(post("/sign-up/email", credentials.clone()).await.status, 200, "{headers:?}");
            let mut mails = vec![mailbox.next().await];
            assert_eq!(post("/sign-in/email", credentials.clone()).await.status, 403, "{headers:?}");
            mails.push(mailbox.next().await);
            assert_eq!(call(Method::GET, mails[0].path()).send().await.header("location"), "/", "{headers:?}");
            assert_eq!(post("/sign-in/email", credentials).await.status, 200, "{headers:?}");
            assert_eq!(post("/delete-user", json!({})).await.status, 200, "{headers:?}");
            mails.push(mailbox.next().await);
            assert_eq!(post("/change-email", json!({ "newEmail": new })).await.status, 200, "{headers:?}");
            mails.push(mailbox.next().await);
            assert_eq!(call(Method::GET, mails[3].path()).send().await.header("location"), "/", "{headers:?}");
            mails.push(mailbox.next().await);
            let kinds: Vec<&str> = mails.iter().map(|mail| mail.text("type")).collect();
            assert_eq!(kinds, ["verify-email", "verify-email", "delete-account", "change-email", "verify-email"]);
            for mail in mails {
                assert!(mail.text("url").starts_with(&format!("{BASE_URL}/api/auth/")), "{headers:?}: {mail:?}");
                assert!(!mail.0.to_string().contains("evil"), "{headers:?}: {mail:?}");
            }
        }
    }

    async fn p66_the_host_makes_no_origin_trusted_and_no_redirect(db: TestDb) {
        let app = TestApp::builder().start(db).await;
        app.browser().sign_up("ada").await;
        for headers in EVIL {
            let call = |origin: &str, callback: &str| {
                let body = json!({ "email": email("ada"), "password": PASSWORD, "callbackURL": callback });
                let mut call = app.browser().request(Method::POST, "/sign-in/email").json(body).header("origin", origin);
                for (name, value) in headers {
                    call = call.header(name, value);
                }
                call.send()
            };
            assert_eq!(call("http://evil.com", "/").await.outcome(), (403, "INVALID_ORIGIN".to_owned()), "{headers:?}");
            assert_eq!(call("https://evil.com", "/").await.outcome(), (403, "INVALID_ORIGIN".to_owned()), "{headers:?}");
            let reply = call(APP_ORIGIN, "http://evil.com/").await;
            assert_eq!(reply.outcome(), (403, "INVALID_CALLBACK_URL".to_owned()), "{headers:?}");

            let mut call = app.browser().request(Method::GET, "/reset-password/unknown?callbackURL=/reset");
            for (name, value) in headers {
                call = call.header(name, value);
            }
            let reply = call.send().await;
            assert_eq!(reply.header("location"), format!("{BASE_URL}/reset?error=INVALID_TOKEN"), "{headers:?}");
        }
        // GHSA-569q-mpph-wgww: what was asked before changes nothing for who comes next.
        let reply = app.browser().get("/reset-password/unknown?callbackURL=").await;
        assert_eq!(reply.header("location"), format!("{BASE_URL}/api/auth/error?error=INVALID_TOKEN"));
    }
}
