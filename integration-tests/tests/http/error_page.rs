//! `GET /error`.

use integration_tests::on_both_databases;

use crate::support::*;

on_both_databases! {
    async fn an_error_leads_to_the_start_page(db: TestDb) {
        let app = start(db, &[]).await;
        for (query, location) in [
            ("?error=access_denied", "/?error=access_denied"),
            ("?error=x&error_description=a%20b%26c", "/?error=x&error_description=a+b%26c"),
            ("?error=%3Cscript%3E", "/?error=UNKNOWN"),
            ("?error=", "/?error=UNKNOWN"),
            ("", "/?error=UNKNOWN"),
            ("?error=a&error=b", "/?error=a"),
        ] {
            let reply = app.browser().get(&format!("/error{query}")).await;
            assert_eq!(
                (reply.status.as_u16(), reply.header("location"), reply.body.as_str()),
                (302, location, ""),
                "{query}"
            );
            assert_eq!(reply.header("content-type"), "");
        }
    }

    async fn an_error_leads_to_the_configured_page(db: TestDb) {
        let app = start(db, &[("AUTH_ERROR_URL", "https://www.example.com/auth-error?a=1")]).await;
        let reply = app.browser().get("/error?error=access_denied&error_description=no").await;
        let location = "https://www.example.com/auth-error?a=1&error=access_denied&error_description=no";
        assert_eq!((reply.status.as_u16(), reply.header("location")), (302, location));
    }

    async fn dev_mode_shows_a_page_that_runs_nothing(db: TestDb) {
        let app = start(db, &[("AUTH_DEV", "true")]).await;
        let reply = app.browser().get("/error?error=access_denied&error_description=%3Cimg%20src%3Dx%3E").await;
        assert_eq!((reply.status.as_u16(), reply.header("content-type")), (200, "text/html"));
        assert!(reply.body.contains("<code>access_denied</code>"));
        assert!(reply.body.contains("&lt;img src=x&gt;") && !reply.body.contains("<img"));
        assert!(reply.header("content-security-policy").starts_with("default-src 'none'"));
        assert_eq!(reply.header("x-content-type-options"), "nosniff");
    }
}
