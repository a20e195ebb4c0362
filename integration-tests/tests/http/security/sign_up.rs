//! P05–P10: addresses, races, half-made users and odd input.

use std::collections::BTreeMap;

use actix_web::http::Method;
use auth_sidecar::cookies::sign::sign;
use auth_sidecar::extract::body::MediaTypes;
use auth_sidecar::routes::{PROFILE_ROUTES, ROUTES};
use futures_util::future::join_all;
use integration_tests::mail::Mailbox;
use integration_tests::{Browser, PASSWORD, TestApp, email, on_both_databases};
use serde_json::{Value, json};

use super::support::{Rows, credential, encode, listen, rows, session, sql, token};

const NOTHING: Rows = Rows { users: 0, accounts: 0, sessions: 0, verifications: 0 };
const ONE_USER: Rows = Rows { users: 1, accounts: 1, sessions: 1, verifications: 0 };

/// `race@example.com` in as many spellings as there are numbers: each bit is the case of a letter.
fn spelling(n: usize) -> String {
    let letters = "race@example.com".chars().enumerate();
    letters.map(|(i, c)| if n >> (i % 8) & 1 == 1 { c.to_ascii_uppercase() } else { c }).collect()
}

async fn sign_up_all_at_once(app: &TestApp) -> BTreeMap<(u16, String), usize> {
    let sign_ups = (0..20).map(|n| {
        let browser = app.browser();
        let password = format!("{PASSWORD}-{n}");
        let body = json!({ "name": format!("n{n}"), "email": spelling(n), "password": password });
        // Half of them by the other door.
        let path = if n % 2 == 0 { "/api/auth/sign-up/email" } else { "/auth/register" };
        async move { browser.absolute(Method::POST, path).json(body).send().await.outcome() }
    });
    let mut outcomes = BTreeMap::new();
    for outcome in join_all(sign_ups).await {
        *outcomes.entry(outcome).or_default() += 1;
    }
    outcomes
}

on_both_databases! {
    async fn p05_an_address_is_the_same_in_any_case(db: TestDb) {
        let app = TestApp::builder().start(db).await;
        app.browser().sign_up("ada").await;
        for spelling in ["ADA@EXAMPLE.COM", "Ada@Example.Com", "ada@example.com"] {
            let body = json!({ "name": "x", "email": spelling, "password": "another-horse-1" });
            let reply = app.browser().post("/sign-up/email", body).await;
            assert_eq!(reply.outcome(), (422, "USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL".to_owned()), "{spelling}");
            let body = json!({ "email": spelling, "password": PASSWORD });
            let reply = app.browser().post("/sign-in/email", body).await;
            assert_eq!(reply.status, 200, "{spelling}");
            assert_eq!(reply.json()["user"]["email"], "ada@example.com");
        }
        assert_eq!(rows(&app).await, Rows { sessions: 4, ..ONE_USER });
    }

    async fn p05_changing_to_the_own_address_in_another_case_is_no_change(db: TestDb) {
        let mailbox = Mailbox::open();
        let app = TestApp::builder()
            .set("AUTH_MAIL", &mailbox.setting)
            .set("AUTH_USER_CHANGE_EMAIL_ENABLED", true)
            .start(db).await;
        let ada = app.browser();
        ada.sign_up("ada").await;
        let reply = ada.post("/change-email", json!({ "newEmail": "ADA@example.com" })).await;
        assert_eq!((reply.status.as_u16(), reply.json()), (400, json!({ "message": "Email is the same" })));
    }

    async fn p06_of_twenty_sign_ups_at_once_exactly_one_wins(db: TestDb) {
        let app = TestApp::builder().start(db).await;
        let taken = (422, "USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL".to_owned());
        let mut outcomes = sign_up_all_at_once(&app).await;
        assert_eq!(outcomes.remove(&taken), Some(19), "{outcomes:?}");
        assert!(matches!(outcomes.into_keys().next(), Some((200 | 201, _))));
        assert_eq!(rows(&app).await, ONE_USER);
        // The password is that of the one who won.
        let (user, _) = credential(&app, "race@example.com").await;
        let password = format!("{PASSWORD}-{}", &user.name[1..]);
        let reply = app.browser().post("/sign-in/email", json!({ "email": user.email, "password": password })).await;
        assert_eq!(reply.status, 200);
    }

    async fn p06_a_race_tells_nobody_who_won_when_sign_up_does_not_sign_in(db: TestDb) {
        let app = TestApp::builder().set("AUTH_EMAIL_PASSWORD_AUTO_SIGN_IN", false).start(db).await;
        let outcomes = sign_up_all_at_once(&app).await;
        let told = BTreeMap::from([((200, String::new()), 10), ((201, String::new()), 10)]);
        assert_eq!(outcomes, told);
        assert_eq!(rows(&app).await, Rows { sessions: 0, ..ONE_USER });
    }

    async fn p07_a_sign_up_that_fails_halfway_leaves_nothing_and_can_be_repeated(db: TestDb) {
        let app = TestApp::builder().start(db).await;
        for (n, table) in ["accounts", "sessions"].into_iter().enumerate() {
            let name = format!("ada{n}");
            let ada = app.browser();
            sql(&app, format!("ALTER TABLE {table} RENAME TO gone")).await;
            let body = json!({ "name": name, "email": email(&name), "password": PASSWORD });
            let reply = ada.post("/sign-up/email", body).await;
            assert!(matches!(reply.status.as_u16(), 500 | 503), "{table}: {} {}", reply.status, reply.body);
            assert!(reply.set_cookies.is_empty(), "{table}: {:?}", reply.set_cookies);
            sql(&app, format!("ALTER TABLE gone RENAME TO {table}")).await;
            let made = i64::try_from(n).unwrap();
            assert_eq!(rows(&app).await, Rows { users: made, accounts: made, sessions: made, verifications: 0 });
            ada.sign_up(&name).await;
            assert_eq!(ada.user().await["email"], email(&name));
        }
    }

    async fn p08_a_member_of_the_wrong_type_is_a_validation_error(db: TestDb) {
        let app = TestApp::builder().start(db).await;
        let wrong = [json!(null), json!(5), json!(true), json!([]), json!(["a@example.com"]), json!({ "a": "b" })];
        let members: [(&str, &[&str]); 2] = [
            ("/sign-up/email", &["name", "email", "password", "image", "callbackURL"]),
            ("/sign-in/email", &["email", "password", "callbackURL"]),
        ];
        for (path, members) in members {
            for member in members {
                for value in &wrong {
                    let mut body = json!({ "name": "n", "email": "a@example.com", "password": PASSWORD });
                    body[*member] = value.clone();
                    let reply = app.browser().post(path, body.clone()).await;
                    // A callback that is no string is refused before the schema is asked, unless it is falsy.
                    let known = if *member == "callbackURL" && *value != Value::Null { "" } else { "VALIDATION_ERROR" };
                    assert_eq!(reply.outcome(), (400, known.to_owned()), "{path} {body}");
                }
            }
            for remember in [json!("x"), json!("true"), json!(1), json!(null), json!([])] {
                let body = json!({ "name": "n", "email": "a@example.com", "password": PASSWORD, "rememberMe": remember });
                let reply = app.browser().post(path, body.clone()).await;
                assert_eq!(reply.outcome(), (400, "VALIDATION_ERROR".to_owned()), "{path} {body}");
            }
            for body in [json!([]), json!("x"), json!(5), json!(null), json!(true), json!({})] {
                let reply = app.browser().post(path, body.clone()).await;
                assert_eq!(reply.outcome(), (400, "VALIDATION_ERROR".to_owned()), "{path} {body}");
            }
            let empty = app.browser().request(Method::POST, path).header("content-type", "application/json");
            assert_eq!(empty.send().await.outcome(), (400, "VALIDATION_ERROR".to_owned()), "{path}, no body");
        }
        assert_eq!(rows(&app).await, NOTHING);
    }

    async fn p09_a_nul_in_a_body_is_refused_by_every_endpoint(db: TestDb) {
        let mailbox = Mailbox::open();
        let app = everything_on(&mailbox).start(db).await;
        let ada = app.browser();
        ada.sign_up("ada").await;
        let before = (rows(&app).await, credential(&app, &email("ada")).await);
        let bodies = [
            json!({ "name": "a\0" }), json!({ "image": "\0" }), json!({ "email": "a\0@example.com" }),
            json!({ "password": "password1\0password1" }), json!({ "software_background": "C\0" }),
            json!({ "hardware_background": ["\0"] }), json!({ "token": "\0" }), json!({ "accountId": "\0" }),
            json!({ "newEmail": "b\0@example.com" }), json!({ "newPassword": "\0".repeat(8) }),
            json!({ "currentPassword": format!("{PASSWORD}\0") }), json!({ "unknown": "\0" }),
            json!({ "a": { "b": [1, { "c": "\0" }] } }), json!({ "k\0": 1 }), json!({ "a": [{ "\0": 1 }] }),
        ];
        let routes = ROUTES.iter().map(|route| ("/api/auth", route));
        for (base, route) in routes.chain(PROFILE_ROUTES.iter().map(|route| ("/auth", route))) {
            if route.media == MediaTypes::Ignored || route.method == Method::GET {
                continue;
            }
            let path = format!("{base}{}", route.path);
            for planted in &bodies {
                let mut body = valid_everywhere();
                body.as_object_mut().unwrap().extend(planted.as_object().unwrap().clone());
                let reply = ada.absolute(route.method.clone(), &path).json(body).send().await;
                assert_eq!(reply.outcome(), (400, "VALIDATION_ERROR".to_owned()), "{path} {planted}");
            }
        }
        for form in ["name=a%00&email=b@example.com&password=correct-horse-1", "a=%00", "%00=a"] {
            let call = ada.request(Method::POST, "/sign-up/email");
            let call = call.header("content-type", "application/x-www-form-urlencoded");
            assert_eq!(call.body(form).send().await.outcome(), (400, "VALIDATION_ERROR".to_owned()), "{form}");
        }
        assert_eq!((rows(&app).await, credential(&app, &email("ada")).await), before);
    }

    async fn p09_a_nul_in_the_query_is_refused_by_every_endpoint(db: TestDb) {
        let mailbox = Mailbox::open();
        let app = everything_on(&mailbox).start(db).await;
        let ada = app.browser();
        ada.sign_up("ada").await;
        for route in ROUTES {
            for query in ["token=%00", "callbackURL=/a%00", "x=%00", "%00=1", "x=1&x=%00", "disableRefresh=%00"] {
                let call = ada.request(route.method.clone(), &format!("{}?{query}", route.path));
                let call = if route.method == Method::GET { call } else { call.json(json!({})) };
                let reply = call.send().await;
                // An address with a control character is not trusted, which comes first.
                let untrusted = reply.code() == "INVALID_CALLBACK_URL";
                assert!(reply.status == 400 || untrusted, "{} {query}: {}", route.path, reply.status);
            }
        }
        let reply = ada.get("/reset-password/a%00b?callbackURL=/reset").await;
        assert_eq!(reply.header("location"), "http://localhost:4000/reset?error=INVALID_TOKEN");
        assert_eq!(ada.user().await["email"], email("ada"));
    }

    async fn p09_a_nul_in_a_cookie_finds_no_session(db: TestDb) {
        let app = TestApp::builder().start(db).await;
        app.browser().sign_up("ada").await;
        let secret = app.state.config.secrets.current();
        let names = ["better-auth.session_token", "better-auth.session_data", "better-auth.dont_remember"];
        let forged = ["%00".to_owned(), "a%00b.c".to_owned(), encode(&sign(secret, "a\0b")), encode(&sign(secret, "\0"))];
        for name in names {
            for value in &forged {
                let call = |method, path| app.browser().request(method, path).header("cookie", &format!("{name}={value}"));
                let reply = call(Method::GET, "/get-session").send().await;
                assert_eq!((reply.status.as_u16(), reply.body.as_str()), (200, "null"), "{name}={value}");
                let reply = call(Method::POST, "/sign-out").json(json!({})).send().await;
                assert_eq!(reply.status, 200, "{name}={value}");
                let reply = call(Method::GET, "/list-sessions").send().await;
                assert_eq!(reply.outcome(), (401, "UNAUTHORIZED".to_owned()), "{name}={value}");
            }
        }
    }

    async fn p09_odd_bytes_in_headers_are_refused_or_kept_as_text(db: TestDb) {
        let app = TestApp::builder().start(db).await;
        app.browser().sign_up("ada").await;
        let server = listen(&app);
        let body = json!({ "email": email("ada"), "password": PASSWORD }).to_string();
        let sign_in = |agent: &[u8], address: &[u8]| {
            let mut request = b"POST /api/auth/sign-in/email HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n".to_vec();
            for (name, value) in [("User-Agent", agent), ("X-Forwarded-For", address)] {
                request.extend_from_slice(name.as_bytes());
                request.extend_from_slice(b": ");
                request.extend_from_slice(value);
                request.extend_from_slice(b"\r\n");
            }
            let rest = format!("Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            request.extend_from_slice(rest.as_bytes());
            request
        };
        for (agent, address) in [(&b"a\0b"[..], &b"192.0.2.1"[..]), (&b"a"[..], &b"192.0.2.1\0"[..])] {
            assert_eq!(server.exchange(sign_in(agent, address)).await.status, 400);
        }
        assert_eq!(rows(&app).await.sessions, 1);
        let reply = server.exchange(sign_in(b"a\xff\xfeb", b"\xff")).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        let answer: Value = serde_json::from_str(reply.text.split("\r\n\r\n").nth(1).unwrap()).unwrap();
        let row = session(&app, answer["token"].as_str().unwrap()).await.unwrap();
        assert_eq!((row.user_agent.as_deref(), row.ip_address.as_deref()), (Some("a\u{ff}\u{fe}b"), Some("")));
    }

    async fn p10_a_malformed_address_is_refused_everywhere(db: TestDb) {
        let mailbox = Mailbox::open();
        let app = everything_on(&mailbox).start(db).await;
        let ada = app.browser();
        ada.sign_up("ada").await;
        let before = rows(&app).await;
        let malformed = [
            " g@x.com", "h@x.com ", "\th@x.com", "h@x.com\n", "d\0@x.com", "j@localhost", "k@[127.0.0.1]", "k@127.0.0.1",
            "münch@x.com", "\u{ff46}@x.com", "a@\u{ff58}.com", "a@x\u{3002}com", "a\u{ff20}x.com", "\u{212a}@x.com",
            "a@x.com,b@x.com", "a@x.com;b@x.com", "<a@x.com>", "A <a@x.com>", "a@x.com\r\nBcc: b@x.com", "a@b@x.com",
            "a..b@x.com", ".a@x.com", "a@-x.com", "a@x..com", "a@x.c", "@x.com", "a@", "a", "",
        ];
        for address in malformed {
            let calls = [
                ("/sign-up/email", json!({ "name": "n", "email": address, "password": PASSWORD })),
                ("/sign-in/email", json!({ "email": address, "password": PASSWORD })),
                ("/request-password-reset", json!({ "email": address })),
                ("/send-verification-email", json!({ "email": address })),
                ("/change-email", json!({ "newEmail": address })),
            ];
            for (path, body) in calls {
                let reply = ada.post(path, body).await;
                let (status, code) = reply.outcome();
                assert_eq!(status, 400, "{path} {address:?}");
                assert!(matches!(code.as_str(), "VALIDATION_ERROR" | "INVALID_EMAIL"), "{path} {address:?}: {code}");
            }
        }
        assert_eq!(rows(&app).await, before);
    }

    async fn p10_the_address_that_was_checked_is_the_one_that_is_stored(db: TestDb) {
        let app = TestApp::builder().start(db).await;
        let body = json!({ "name": "n", "email": "A+Tag.O'Brien_x-Y@Sub.X-N.COM", "password": PASSWORD });
        let reply = app.browser().post("/sign-up/email", body).await;
        assert_eq!(reply.json()["user"]["email"], "a+tag.o'brien_x-y@sub.x-n.com");
        credential(&app, "a+tag.o'brien_x-y@sub.x-n.com").await;
        // No folding of dots or tags: these are other people.
        for other in ["a.o'brien_x-y@sub.x-n.com", "a+tago'brien_x-y@sub.x-n.com"] {
            sign_up_as(&app.browser(), other).await;
        }
        assert_eq!(rows(&app).await.users, 3);
    }
}

async fn sign_up_as(browser: &Browser, address: &str) {
    let body = json!({ "name": "n", "email": address, "password": PASSWORD });
    let reply = browser.post("/sign-up/email", body).await;
    assert_eq!(reply.status, 200, "{address}: {}", reply.body);
    assert!(!token(browser).is_empty());
}

fn everything_on(mailbox: &Mailbox) -> integration_tests::Builder {
    TestApp::builder()
        .set("AUTH_MAIL", &mailbox.setting)
        .set("AUTH_USER_CHANGE_EMAIL_ENABLED", true)
        .set("AUTH_USER_DELETE_USER_ENABLED", true)
}

/// A body that every endpoint's schema accepts, so that only what is planted can be at fault.
fn valid_everywhere() -> Value {
    json!({
        "name": "n", "email": "b@example.com", "password": PASSWORD, "newPassword": PASSWORD,
        "currentPassword": PASSWORD, "newEmail": "c@example.com", "token": "t", "accountId": "a", "provider": "github",
    })
}
