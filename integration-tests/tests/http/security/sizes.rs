//! P68, P69: too much, too deep and too odd.

use actix_web::http::Method;
use integration_tests::{PASSWORD, TestApp, email, on_both_databases};
use serde_json::{Value, json};

use super::support::{RawReply, listen, rows, token};

/// The default of `AUTH_BODY_LIMIT`, in bytes.
const BODY_LIMIT: usize = 256 * 1024;

fn assert_refused_and_closed(reply: &RawReply, what: &str) {
    assert!(matches!(reply.status, 400 | 413 | 431), "{what}: {:?}", reply.text.lines().next());
}

/// A sign-in with these further headers, which end with `\r\n`.
fn sign_in(headers: &str, body: &str) -> String {
    format!(
        "POST /api/auth/sign-in/email HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n{headers}\r\n{body}"
    )
}

on_both_databases! {
    async fn p68_a_body_above_the_limit_is_refused_before_it_is_read(db: TestDb) {
        let app = TestApp::builder().start(db).await;
        let server = listen(&app);
        // Announced, and then nothing comes: who waited for it would wait in vain.
        let reply = server.exchange(sign_in("Content-Length: 1048576\r\n", "")).await;
        assert_eq!(reply.status, 413, "{}", reply.text);
        // Not announced.
        let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
        let chunks = chunk.repeat(16) + "0\r\n\r\n";
        let reply = server.exchange(sign_in("Transfer-Encoding: chunked\r\n", &chunks)).await;
        assert_eq!(reply.status, 413, "{}", reply.text);

        let padded = |length: usize| {
            let body = json!({ "email": email("ada"), "password": PASSWORD, "x": "" }).to_string();
            body.replace("\"\"", &format!("\"{}\"", "x".repeat(length - body.len())))
        };
        for (length, status) in [(BODY_LIMIT, 401), (BODY_LIMIT + 1, 413), (1024 * 1024, 413)] {
            let call = app.browser().request(Method::POST, "/sign-in/email").header("content-type", "application/json");
            assert_eq!(call.body(padded(length)).send().await.status, status, "{length}");
        }
    }

    async fn p68_every_endpoint_has_the_limit(db: TestDb) {
        let app = TestApp::builder().start(db).await;
        for (base, routes) in [("/api/auth", auth_sidecar::routes::ROUTES), ("/auth", auth_sidecar::routes::PROFILE_ROUTES)] {
            for route in routes.iter().filter(|route| route.method != Method::GET && route.path != "/get-session") {
                let call = app.browser().absolute(route.method.clone(), &format!("{base}{}", route.path));
                let call = call.header("content-type", "application/json").body(" ".repeat(BODY_LIMIT + 1));
                assert_eq!(call.send().await.outcome(), (413, "PAYLOAD_TOO_LARGE".to_owned()), "{}", route.path);
            }
        }
    }

    async fn p68_a_compressed_body_is_not_unpacked(db: TestDb) {
        let app = TestApp::builder().start(db).await;
        // `{}` as gzip; a bomb would look no different from outside.
        let gzip = [31, 139, 8, 0, 0, 0, 0, 0, 0, 3, 171, 174, 5, 0, 67, 191, 166, 163, 2, 0, 0, 0];
        for encoding in ["gzip", "deflate", "br", "zstd", "gzip, gzip"] {
            let call = app.browser().request(Method::POST, "/sign-in/email").header("content-encoding", encoding);
            let reply = call.header("content-type", "application/json").body(gzip).send().await;
            assert_eq!(reply.outcome(), (400, "BAD_REQUEST".to_owned()), "{encoding}");
        }
    }

    async fn p68_too_many_or_too_long_headers_are_refused_and_the_connection_closed(db: TestDb) {
        let app = TestApp::builder().start(db).await;
        let server = listen(&app);
        let get = |headers: &str| format!("GET /api/auth/get-session HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
        let many: String = (0..300).map(|n| format!("X-{n}: y\r\n")).collect();
        assert_refused_and_closed(&server.exchange(get(&many)).await, "300 headers");
        for name in ["X", "Cookie", "Origin", "User-Agent", "Authorization", "X-Forwarded-For"] {
            let long = format!("{name}: {}\r\n", "x".repeat(200 * 1024));
            assert_refused_and_closed(&server.exchange(get(&long)).await, name);
        }
        let target = format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "x".repeat(200 * 1024));
        assert_refused_and_closed(&server.exchange(target).await, "target");
        // The service still answers.
        let reply = server.exchange(get("Connection: close\r\n")).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
    }

    async fn p68_ambiguous_lengths_are_refused(db: TestDb) {
        let app = TestApp::builder().start(db).await;
        app.browser().sign_up("ada").await;
        let server = listen(&app);
        let body = json!({ "email": email("ada"), "password": PASSWORD }).to_string();
        let smuggled = "0\r\n\r\nGET /api/auth/ok HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let cases = [
            ("Content-Length: -1\r\n", body.as_str()), ("Content-Length: +5\r\n", &body), ("Content-Length: 5, 6\r\n", &body),
            ("Content-Length: 5\r\nContent-Length: 6\r\n", &body), ("Content-Length: x\r\n", &body),
            ("Content-Length: 99999999999999999999\r\n", &body), ("Transfer-Encoding: xchunked\r\n", &body),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", smuggled),
            ("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", smuggled),
            ("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", smuggled),
        ];
        for (headers, body) in cases {
            let reply = server.exchange(sign_in(headers, body)).await;
            assert_eq!(reply.text.matches("HTTP/1.1 ").count(), 1, "{headers:?}: {}", reply.text);
            assert!((400..500).contains(&reply.status), "{headers:?}: {}", reply.text);
        }
    }

    async fn p68_ten_thousand_cookies_hide_no_session_and_are_not_answered_in_kind(db: TestDb) {
        let app = TestApp::builder().start(db).await;
        let ada = app.browser();
        ada.sign_up("ada").await;
        let session = format!("better-auth.session_token={}", ada.cookie("session_token").unwrap());
        let crowd: String = (0..10_000).map(|n| format!("c{n}=x; ")).collect();
        let forged: String = (0..1_000).map(|n| format!("better-auth.session_token=x{n}; ")).collect();
        let chunks: String = (0..10_000).map(|n| format!("better-auth.session_data.{n}=x; ")).collect();
        for (what, header, found) in [
            ("the session last", format!("{crowd}{session}"), true),
            ("the session first", format!("{session}; {crowd}"), true),
            // Of several cookies of one name the first counts.
            ("forged ones first", format!("{forged}{session}"), false),
            ("chunks", format!("{session}; {chunks}"), true),
        ] {
            let call = app.browser().request(Method::GET, "/get-session").header("cookie", &header);
            let reply = call.send().await;
            assert_eq!((reply.status.as_u16(), reply.body != "null"), (200, found), "{what}");
            assert!(reply.set_cookies.len() <= 200, "{what}: {} cookies to set", reply.set_cookies.len());
        }
        let server = listen(&app);
        let request = |cookies: &str| {
            format!("GET /api/auth/get-session HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nCookie: {cookies}\r\n\r\n")
        };
        let reply = server.exchange(request(&format!("{crowd}{session}"))).await;
        assert_eq!((reply.status, reply.text.contains(&token(&ada))), (200, true));
        assert_refused_and_closed(&server.exchange(request(&crowd.repeat(2))).await, "twice as many");
    }

    async fn p69_malformed_or_hostile_json_is_a_bad_request(db: TestDb) {
        let app = TestApp::builder().start(db).await;
        app.browser().sign_up("ada").await;
        let before = rows(&app).await;
        let deep = 100_000;
        let bodies = [
            "[".repeat(deep), "{\"a\":".repeat(deep / 3), "[".repeat(deep) + &"]".repeat(deep), "{\"a\":[".repeat(deep / 4),
            "1e400".to_owned(), "{\"a\":1e400}".to_owned(), "{\"a\":-1e999}".to_owned(), "{".to_owned(), "{\"a\"".to_owned(),
            "{\"a\":}".to_owned(), "nope".to_owned(), "\0".to_owned(), " ".to_owned(), "{\"a\":1}x".to_owned(), "{'a':1}".to_owned(),
            "{\"a\":NaN}".to_owned(), "{\"a\":01}".to_owned(), "{\"a\":\"\u{1}\"}".to_owned(), "{\"a\":\"\\x\"}".to_owned(),
            "{\"a\":1,}".to_owned(), "\u{feff}\u{feff}{}".to_owned(),
        ];
        for body in bodies {
            for path in ["/api/auth/sign-in/email", "/api/auth/sign-up/email", "/api/auth/update-user", "/auth/login"] {
                let call = app.browser().absolute(Method::POST, path).header("content-type", "application/json");
                let reply = call.body(body.clone()).send().await;
                let shown: String = body.chars().take(20).collect();
                assert_eq!(reply.outcome(), (400, "BAD_REQUEST".to_owned()), "{path} {shown:?}");
            }
        }
        assert_eq!(rows(&app).await, before);
    }

    async fn p69_odd_but_valid_json_is_read_as_javascript_reads_it(db: TestDb) {
        let app = TestApp::builder().set("AUTH_BODY_LIMIT", "4MiB").start(db).await;
        let ada = app.browser();
        ada.sign_up("ada").await;
        let members = format!("\"email\":\"{}\",\"password\":\"{PASSWORD}\"", email("ada"));
        let keys: String = (0..100_000).map(|n| format!("\"k{n}\":1,")).collect();
        let deep = format!("{}{}", "[".repeat(120), "]".repeat(120));
        let number = "9".repeat(10_000);
        for body in [
            // Recorded from 1.7.25: a byte order mark is dropped.
            format!("\u{feff}{{{members}}}"),
            // The last of two equal keys counts.
            format!("{{\"password\":\"wrong\",\"email\":5,{members}}}"),
            format!("{{{keys}{members}}}"),
            format!("{{\"x\":{deep},{members}}}"),
            format!("{{\"x\":0.{number},{members}}}"),
            format!("{{\"__proto__\":{{\"email\":\"x\"}},{members}}}"),
        ] {
            let call = app.browser().request(Method::POST, "/sign-in/email").header("content-type", "application/json");
            let reply = call.body(body.clone()).send().await;
            let shown: String = body.chars().take(40).collect();
            assert_eq!(reply.status, 200, "{shown}: {}", reply.body);
        }
        // Nothing of it is kept.
        let planted: Value = (0..100_000).map(|n| (format!("k{n}"), json!(n))).collect();
        assert_eq!(ada.post("/update-user", planted).await.status, 400);
    }

    async fn p69_bytes_that_are_no_text_are_never_an_error_of_ours(db: TestDb) {
        let app = TestApp::builder().start(db).await;
        let ada = app.browser();
        ada.sign_up("ada").await;
        let bodies: [&[u8]; 6] = [
            b"{\"name\":\"\xff\"}", b"{\"name\":\"\xed\xa0\x80\"}", b"\xff\xfe{\x00}\x00", b"{\"\xc3\x28\":1}",
            b"{\"name\":\"\\ud800\"}", b"{\"name\":\"\\udfff\\ud800\"}",
        ];
        for body in bodies {
            let call = ada.request(Method::POST, "/update-user").header("content-type", "application/json");
            let reply = call.body(body).send().await;
            assert!(matches!(reply.status.as_u16(), 200 | 400), "{body:?}: {}", reply.status);
            let name = ada.user().await["name"].as_str().unwrap().to_owned();
            assert!(name == "ada" || name.contains('\u{fffd}'), "{name}");
        }
    }
}
