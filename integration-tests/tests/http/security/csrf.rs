//! P27, P28: requests that another site makes a browser send.

use actix_web::http::Method;
use auth_sidecar::extract::body::MediaTypes;
use auth_sidecar::routes::{PROFILE_ROUTES, ROUTES, Route};
use integration_tests::{APP_ORIGIN, BASE_URL, PASSWORD, Reply, TestApp, email, on_both_databases};
use serde_json::json;

use super::support::{rows, stored_hash, token};

/// Every endpoint that can change something, with its whole path.
fn unsafe_routes() -> impl Iterator<Item = (String, &'static Route)> {
    let own = ROUTES.iter().map(|route| (format!("/api/auth{}", route.path), route));
    let face = PROFILE_ROUTES.iter().map(|route| (format!("/auth{}", route.path), route));
    own.chain(face).filter(|(_, route)| route.method != Method::GET)
}

/// Signs in with the right password, from a browser without any header but these.
async fn sign_in_with(app: &TestApp, path: &str, headers: &[(&str, &str)]) -> Reply {
    let body = json!({ "email": email("ada"), "password": PASSWORD });
    let mut call = app.browser().absolute(Method::POST, path).without("origin").json(body);
    for (name, value) in headers {
        call = call.header(name, value);
    }
    call.send().await
}

const UNTRUSTED: [&str; 14] = [
    "https://evil.com",
    "http://app.example.com",
    "https://app.example.com:444",
    "https://app.example.com.evil.com",
    "https://evil.com/https://app.example.com",
    "https://xapp.example.com",
    "https://example.com",
    "http://localhost",
    "http://localhost:4001",
    "https://localhost:4000",
    "http://preview.example.com",
    "https://preview.example.com",
    "https://evil.com#.preview.example.com",
    "not an origin",
];

on_both_databases! {
    async fn p27_a_sign_in_from_another_site_is_refused(db: TestDb) {
        let app = TestApp::builder().start(db).await;
        app.browser().sign_up("ada").await;
        let before = rows(&app).await;
        let cookie = ("cookie", "a=b");
        let navigation = [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
        let mut refusals: Vec<(Vec<(&str, &str)>, &str)> = vec![
            (vec![("origin", "null")], "MISSING_OR_NULL_ORIGIN"),
            (vec![("origin", "null"), cookie], "MISSING_OR_NULL_ORIGIN"),
            (vec![cookie], "MISSING_OR_NULL_ORIGIN"),
            (vec![("origin", ""), cookie], "MISSING_OR_NULL_ORIGIN"),
            (navigation.to_vec(), "CROSS_SITE_NAVIGATION_LOGIN_BLOCKED"),
            (vec![navigation[0], navigation[1], ("origin", APP_ORIGIN)], "CROSS_SITE_NAVIGATION_LOGIN_BLOCKED"),
            (vec![("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "cors")], "MISSING_OR_NULL_ORIGIN"),
            (vec![("sec-fetch-mode", "cors")], "MISSING_OR_NULL_ORIGIN"),
            (vec![("sec-fetch-site", "same-origin"), ("origin", "null"), ("host", "evil.com")], "INVALID_ORIGIN"),
            (vec![("origin", "https://app.example.com, https://evil.com")], "INVALID_ORIGIN"),
        ];
        for origin in UNTRUSTED {
            refusals.push((vec![("origin", origin)], "INVALID_ORIGIN"));
            refusals.push((vec![("origin", origin), cookie], "INVALID_ORIGIN"));
            refusals.push((vec![("referer", origin)], "INVALID_ORIGIN"));
            refusals.push((vec![("referer", origin), cookie], "INVALID_ORIGIN"));
            // A good referer does not make up for a bad origin.
            refusals.push((vec![("origin", origin), ("referer", "https://app.example.com/login")], "INVALID_ORIGIN"));
        }
        for path in ["/api/auth/sign-in/email", "/auth/login"] {
            for (headers, code) in &refusals {
                let reply = sign_in_with(&app, path, headers).await;
                assert_eq!(reply.outcome(), (403, (*code).to_owned()), "{path} {headers:?}");
                assert!(reply.set_cookies.is_empty(), "{path} {headers:?}");
            }
        }
        assert_eq!(rows(&app).await, before);
    }

    async fn p27_a_sign_in_from_a_trusted_page_or_a_program_passes(db: TestDb) {
        let app = TestApp::builder().start(db).await;
        app.browser().sign_up("ada").await;
        let passes: [&[(&str, &str)]; 8] = [
            &[],
            &[("origin", APP_ORIGIN)],
            &[("origin", BASE_URL), ("cookie", "a=b")],
            &[("origin", "https://x.preview.example.com")],
            &[("referer", "https://app.example.com/login?next=https://evil.com")],
            &[("origin", APP_ORIGIN), ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "cors")],
            &[("origin", APP_ORIGIN), ("sec-fetch-site", "same-site"), ("sec-fetch-mode", "navigate")],
            &[("origin", "null"), ("sec-fetch-site", "same-origin"), ("host", "localhost:4000")],
        ];
        for headers in passes {
            let reply = sign_in_with(&app, "/api/auth/sign-in/email", headers).await;
            assert_eq!(reply.status, 200, "{headers:?}: {}", reply.body);
        }
    }

    async fn p27_no_endpoint_takes_a_cookie_from_another_site(db: TestDb) {
        let app = TestApp::builder().set("AUTH_USER_DELETE_USER_ENABLED", true).start(db).await;
        let ada = app.browser();
        ada.sign_up("ada").await;
        let before = (rows(&app).await, stored_hash(&app, &email("ada")).await);
        for (path, route) in unsafe_routes() {
            for (origin, code) in [
                (Some("https://evil.com"), "INVALID_ORIGIN"),
                (Some("null"), "MISSING_OR_NULL_ORIGIN"),
                (None, "MISSING_OR_NULL_ORIGIN"),
            ] {
                let call = ada.absolute(route.method.clone(), &path).without("origin").json(json!({}));
                let call = if let Some(origin) = origin { call.header("origin", origin) } else { call };
                assert_eq!(call.send().await.outcome(), (403, code.to_owned()), "{path} {origin:?}");
            }
        }
        assert_eq!((rows(&app).await, stored_hash(&app, &email("ada")).await), before);
        assert_eq!(ada.user().await["email"], email("ada"));
    }

    async fn p28_a_body_that_a_plain_form_can_send_is_not_taken_for_json(db: TestDb) {
        let app = TestApp::builder().set("AUTH_USER_DELETE_USER_ENABLED", true).start(db).await;
        let ada = app.browser();
        ada.sign_up("ada").await;
        let hash = stored_hash(&app, &email("ada")).await;
        let change = json!({ "currentPassword": PASSWORD, "newPassword": "another-horse-1" }).to_string();
        let types = [
            "text/plain", "text/plain;charset=UTF-8", "text/json", "application/xml", "multipart/form-data; boundary=x",
            "application/jsonp", "application/x-www-form-urlencoded", "text/plain; application/json", "*/*", "json",
        ];
        for (path, route) in unsafe_routes() {
            for kind in types {
                if route.media == MediaTypes::Ignored
                    || (route.media == MediaTypes::FormOrJson && kind == "application/x-www-form-urlencoded")
                {
                    continue;
                }
                let call = ada.absolute(route.method.clone(), &path).header("content-type", kind).body(change.clone());
                assert_eq!(call.send().await.outcome(), (415, "UNSUPPORTED_MEDIA_TYPE".to_owned()), "{path} {kind}");
            }
        }
        // Without a type there is no body, as behind upstream's Node adapter.
        let call = ada.request(Method::POST, "/change-password").body(change);
        assert_eq!(call.send().await.outcome(), (400, "VALIDATION_ERROR".to_owned()));
        assert_eq!(stored_hash(&app, &email("ada")).await, hash);
        assert_eq!(ada.user().await["email"], email("ada"));
    }

    async fn p28_nothing_changes_by_a_link(db: TestDb) {
        let app = TestApp::builder().set("AUTH_USER_DELETE_USER_ENABLED", true).start(db).await;
        let ada = app.browser();
        ada.sign_up("ada").await;
        let before = rows(&app).await;
        let read_by_get = |path: &str| path.ends_with("/get-session") || path == "/auth/token";
        for (path, _) in unsafe_routes().filter(|(path, _)| !read_by_get(path)) {
            let query = format!("?token={}&password={PASSWORD}&newPassword=another-horse-1", token(&ada));
            for method in [Method::GET, Method::HEAD, Method::DELETE, Method::PATCH] {
                let reply = ada.absolute(method.clone(), &format!("{path}{query}")).send().await;
                assert_eq!(reply.status, 404, "{method} {path}");
                assert!(reply.set_cookies.is_empty(), "{method} {path}");
            }
        }
        // Nor does any header say it was a POST.
        for header in ["x-http-method-override", "x-http-method", "x-method-override"] {
            let reply = ada.request(Method::GET, "/sign-out").header(header, "POST").send().await;
            assert_eq!(reply.status, 404, "{header}");
        }
        let reply = ada.get("/sign-out?_method=POST").await;
        assert_eq!(reply.status, 404);
        assert_eq!(rows(&app).await, before);
        assert_eq!(ada.user().await["email"], email("ada"));
    }
}
