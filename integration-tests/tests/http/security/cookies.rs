//! P36, P37: what cookies are given out, and which are believed.

use actix_web::http::Method;
use auth_sidecar::cookies::sign::sign;
use auth_sidecar::secrets::Secret;
use integration_tests::{Browser, PASSWORD, Reply, TestApp, email, on_both_databases};
use serde_json::json;

use super::support::{encode, listen, rows, sql, token};

/// Name and attributes of each cookie an answer sets.
fn attributes(reply: &Reply) -> Vec<(&str, &str)> {
    let split = |line: &'_ str| -> (usize, usize) { (line.find('=').unwrap(), line.find("; ").unwrap() + 2) };
    reply.set_cookies.iter().map(|line| (&line[..split(line).0], &line[split(line).1..])).collect()
}

async fn sign_in(browser: &Browser, remember: bool) -> Reply {
    let body = json!({ "email": email("ada"), "password": PASSWORD, "rememberMe": remember });
    browser.request(Method::POST, "/sign-in/email").json(body).send().await
}

/// Cookies that carry the session of nobody, made around a token and a signature that are each good.
fn forged(token: &str, other_token: &str) -> Vec<String> {
    let signed = |secret: &str, payload: &str| encode(&sign(&Secret::new(secret), payload));
    let right = sign(&Secret::new(integration_tests::SECRET), token);
    let (_, signature) = right.rsplit_once('.').unwrap();
    let (plain, padded) = (signature.trim_end_matches('='), signature.replace('=', "A"));
    let mut flipped = right.clone().into_bytes();
    flipped[40] ^= 1;
    vec![
        token.to_owned(),
        format!("{token}."),
        format!(".{}", encode(signature)),
        format!("{token}.{}", encode(plain)),
        format!("{token}.{}", encode(&padded)),
        format!("{token}.{}", encode(&signature.to_uppercase())),
        format!("{token}.{}", "A".repeat(43) + "%3D"),
        format!("{token}.{}{}", encode(signature), encode(signature)),
        format!("{other_token}.{}", encode(signature)),
        format!("{token}x.{}", encode(signature)),
        format!("{token}%20.{}", encode(signature)),
        format!("{}.{}", token.to_lowercase(), encode(signature)),
        encode(&String::from_utf8_lossy(&flipped)),
        signed("another-secret-0123456789-0123456789", token),
        signed("", token),
        "null".to_owned(),
        "undefined".to_owned(),
        "%".to_owned(),
        "%ff%fe".to_owned(),
        "' OR 1=1 --".to_owned(),
        format!("{token}%00.{}", encode(signature)),
        "é".to_owned(),
        "x".repeat(65_536),
        format!("{}.{}", "x".repeat(65_536), encode(signature)),
        ".".repeat(65_536),
        "%25".repeat(20_000),
    ]
}

on_both_databases! {
    async fn p36_on_http_cookies_are_out_of_scripts_reach_and_same_site(db: TestDb) {
        let app = TestApp::builder().start(db).await;
        let ada = app.browser();
        let reply = ada.sign_up("ada").await;
        let lasting = ("better-auth.session_token", "Max-Age=604800; Path=/; HttpOnly; SameSite=Lax");
        assert_eq!(attributes(&reply), [lasting]);
        assert_eq!(attributes(&sign_in(&app.browser(), true).await), [lasting]);
        // Without Max-Age the cookies end with the browser.
        let until_closed = "Path=/; HttpOnly; SameSite=Lax";
        let short = [("better-auth.session_token", until_closed), ("better-auth.dont_remember", until_closed)];
        assert_eq!(attributes(&sign_in(&app.browser(), false).await), short);
    }

    async fn p36_on_https_cookies_are_secure_by_name_and_attribute(db: TestDb) {
        let app = TestApp::builder()
            .set("BETTER_AUTH_URL", "https://auth.example.com")
            .set("AUTH_SESSION_COOKIE_CACHE", "compact")
            .start(db).await;
        let ada = app.browser();
        let reply = ada.sign_up("ada").await;
        assert_eq!(attributes(&reply), [
            ("__Secure-better-auth.session_token", "Max-Age=604800; Path=/; HttpOnly; Secure; SameSite=Lax"),
            ("__Secure-better-auth.session_data", "Max-Age=300; Path=/; HttpOnly; Secure; SameSite=Lax"),
        ]);
        let until_closed = "Path=/; HttpOnly; Secure; SameSite=Lax";
        assert_eq!(attributes(&sign_in(&app.browser(), false).await), [
            ("__Secure-better-auth.session_token", until_closed),
            ("__Secure-better-auth.dont_remember", until_closed),
            ("__Secure-better-auth.session_data", until_closed),
        ]);
        let reply = ada.post("/sign-out", json!({})).await;
        assert!(reply.set_cookies.len() >= 3);
        for (name, attributes) in attributes(&reply) {
            assert!(name.starts_with("__Secure-"), "{name}");
            assert_eq!(attributes, "Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Lax", "{name}");
        }
        // The cookie of the http name is not one of this service.
        let cookie = format!("better-auth.session_token={}", sign_in_cookie(&app).await);
        let reply = app.browser().request(Method::GET, "/get-session").header("cookie", &cookie).send().await;
        assert_eq!(reply.body, "null");
    }

    async fn p36_cookies_for_another_site_are_still_secure(db: TestDb) {
        let app = TestApp::builder()
            .set("BETTER_AUTH_URL", "https://auth.example.com")
            .set("AUTH_COOKIE_MODE", "cross-site")
            .start(db).await;
        let reply = app.browser().sign_up("ada").await;
        let expected = "Max-Age=604800; Path=/; HttpOnly; Secure; SameSite=None; Partitioned";
        assert_eq!(attributes(&reply), [("__Secure-better-auth.session_token", expected)]);
    }

    async fn p37_a_forged_cookie_is_nobodys_and_is_never_looked_up(db: TestDb) {
        let app = TestApp::builder().start(db).await;
        let (ada, eve) = (app.browser(), app.browser());
        ada.sign_up("ada").await;
        eve.sign_up("eve").await;
        let before = rows(&app).await;
        let forged = forged(&token(&ada), &token(&eve));
        // A lookup would now fail, and with it the request.
        sql(&app, "ALTER TABLE sessions RENAME TO gone").await;
        for value in &forged {
            let shown: String = value.chars().take(80).collect();
            let call = |method, path| {
                let cookie = format!("better-auth.session_token={value}");
                app.browser().request(method, path).header("cookie", &cookie)
            };
            let reply = call(Method::GET, "/get-session").send().await;
            assert_eq!((reply.status.as_u16(), reply.body.as_str()), (200, "null"), "{shown}");
            assert!(reply.set_cookies.is_empty(), "{shown}: {:?}", reply.set_cookies);
            let reply = call(Method::GET, "/list-sessions").send().await;
            assert_eq!(reply.outcome(), (401, "UNAUTHORIZED".to_owned()), "{shown}");
            let reply = call(Method::POST, "/sign-out").json(json!({})).send().await;
            assert_eq!(reply.status, 200, "{shown}");
        }
        assert_eq!(ada.get("/get-session").await.status, 503, "a true cookie is looked up");
        sql(&app, "ALTER TABLE gone RENAME TO sessions").await;
        assert_eq!(rows(&app).await, before);
        assert_eq!(ada.user().await["email"], email("ada"));
    }

    async fn p37_a_cookie_header_that_is_none_finds_no_session(db: TestDb) {
        let app = TestApp::builder().start(db).await;
        app.browser().sign_up("ada").await;
        let headers = [
            "", ";", "=", "==", "better-auth.session_token", "better-auth.session_token=", "=better-auth.session_token",
            "better-auth.session_token=\"", "better-auth.session_token=\"\"", ";;;=;=;", "\u{e9}=\u{e9}", "a=b; ; c",
        ];
        for header in headers {
            let reply = app.browser().request(Method::GET, "/get-session").header("cookie", header).send().await;
            assert_eq!((reply.status.as_u16(), reply.body.as_str()), (200, "null"), "{header:?}");
        }
        let server = listen(&app);
        for bytes in [&b"better-auth.session_token=\xff\xfe\x80"[..], b"\xff", b"\xff=\xff", b"\xf0\x28\x8c\x28=x; a=b"] {
            let mut request = b"GET /api/auth/get-session HTTP/1.1\r\nHost: x\r\nConnection: close\r\nCookie: ".to_vec();
            request.extend_from_slice(bytes);
            request.extend_from_slice(b"\r\n\r\n");
            let reply = server.exchange(request).await;
            assert_eq!(reply.status, 200, "{bytes:?}: {}", reply.text);
            assert!(reply.text.ends_with("\r\n\r\nnull"), "{bytes:?}: {}", reply.text);
        }
    }

    async fn p37_a_cookie_cache_of_ones_own_making_is_not_believed(db: TestDb) {
        for strategy in ["compact", "jwt", "jwe"] {
            let db = schema::test_support::TestDb::new(db.backend).await;
            let app = TestApp::builder().set("AUTH_SESSION_COOKIE_CACHE", strategy).start(db).await;
            let (ada, eve) = (app.browser(), app.browser());
            ada.sign_up("ada").await;
            eve.sign_up("eve").await;
            // The victim's cache beside one's own token, and the cache alone.
            let cache = ada.cookie("session_data").unwrap();
            eve.set_cookie("better-auth.session_data", &cache);
            assert_eq!(eve.user().await["email"], email("eve"), "{strategy}");
            let alone = app.browser();
            alone.set_cookie("better-auth.session_data", &cache);
            assert_eq!(alone.get("/get-session").await.body, "null", "{strategy}");
            // Its own cache, changed in any one place.
            let own = eve.cookie("session_data").unwrap();
            let honest = eve.get("/get-session?disableRefresh=true").await.json();
            for i in (0..own.len()).step_by(5) {
                let mut bytes = own.clone().into_bytes();
                bytes[i] = if bytes[i] == b'M' { b'N' } else { b'M' };
                eve.set_cookie("better-auth.session_data", &String::from_utf8(bytes).unwrap());
                let reply = eve.get("/get-session?disableRefresh=true").await;
                assert_eq!(reply.json(), honest, "{strategy} {i}");
            }
        }
    }
}

/// The cookie's value of a new session of Ada's.
async fn sign_in_cookie(app: &TestApp) -> String {
    let browser = app.browser();
    sign_in(&browser, true).await;
    browser.cookie("session_token").unwrap()
}
