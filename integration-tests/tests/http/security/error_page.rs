//! P35: the page that shows what a link says went wrong.

use integration_tests::{Reply, TestApp, on_both_databases};

use super::support::encode;

const MARKUP: [&str; 6] = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\"><svg/onload=alert(1)>",
    "' onmouseover='alert(1)",
    "</title></style><b>",
    "javascript:alert(1)",
];

async fn error_page(app: &TestApp, code: &str, description: &str) -> Reply {
    let path = format!("/error?error={}&error_description={}", encode(code), encode(description));
    app.browser().get(&path).await
}

on_both_databases! {
    async fn p35_the_page_of_dev_mode_shows_markup_as_text_and_runs_nothing(db: TestDb) {
        let folder = tempfile::tempdir().unwrap();
        let data_dir = folder.path().to_str().unwrap();
        let app = TestApp::builder().set("AUTH_DEV", true).set("AUTH_DATA_DIR", data_dir).start(db).await;
        let plain = error_page(&app, "UNKNOWN", "x").await;
        for markup in MARKUP {
            let reply = error_page(&app, markup, markup).await;
            assert_eq!(reply.status, 200, "{markup}");
            assert_eq!(reply.header("content-type"), "text/html");
            assert_eq!(reply.header("x-content-type-options"), "nosniff");
            let policy = reply.header("content-security-policy");
            assert!(policy.contains("default-src 'none'") && !policy.contains("script-src"), "{policy}");
            assert!(policy.contains("base-uri 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
            assert!(reply.body.contains("<code>UNKNOWN</code>"), "{markup}");
            let escaped = markup
                .replace('&', "&amp;")
                .replace('<', "&lt;")
                .replace('>', "&gt;")
                .replace('"', "&quot;")
                .replace('\'', "&#39;");
            // The text is the only thing that differs from a page without markup.
            assert_eq!(reply.body, plain.body.replace("<p>x</p>", &format!("<p>{escaped}</p>")), "{markup}");
        }
        let coded = error_page(&app, "access_denied", "x").await;
        assert_eq!(coded.body, plain.body.replace("UNKNOWN", "access_denied"));
    }

    async fn p35_in_production_markup_is_only_ever_part_of_a_query(db: TestDb) {
        let app = TestApp::builder().start(db).await;
        for markup in MARKUP.into_iter().chain(["x\r\nSet-Cookie: a=b", "//evil.com", "\u{202e}x"]) {
            let reply = error_page(&app, markup, markup).await;
            assert_eq!((reply.status.as_u16(), reply.body.as_str()), (302, ""), "{markup}");
            let to = reply.header("location");
            assert!(to.starts_with("/?error=UNKNOWN&error_description="), "{markup}: {to}");
            assert!(to.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>\"'\\".contains(&byte)), "{markup}: {to}");
            assert!(reply.set_cookies.is_empty(), "{markup}");
        }
        let reply = app.browser().get("/error?error=access_denied&error=%3Cscript%3E").await;
        assert_eq!(reply.header("location"), "/?error=access_denied");
    }

    async fn p35_no_other_answer_is_a_page(db: TestDb) {
        let app = TestApp::builder().start(db).await;
        for path in ["/get-session?x=%3Cscript%3E", "/verify-email?token=%3Cscript%3E", "/list-sessions", "/ok", "/%3Cscript%3E"] {
            let reply = app.browser().get(path).await;
            assert!(matches!(reply.header("content-type"), "application/json" | ""), "{path}");
            assert!(!reply.body.contains("<script>"), "{path}: {}", reply.body);
        }
    }
}
