//! P11–P13, P17, P18, P20: lengths, truncation, spellings and spaces of passwords, and too many at once.

use actix_web::http::Method;
use integration_tests::{Browser, PASSWORD, Reply, TestApp, email, on_both_databases};
use serde_json::json;

use super::support::{HASH_QUEUE, PATIENCE, keep_hashing_busy, rows, sql, store_hash};

async fn sign_up(browser: &Browser, name: &str, password: &str) -> Reply {
    let body = json!({ "name": name, "email": email(name), "password": password });
    browser.post("/sign-up/email", body).await
}

async fn sign_in(app: &TestApp, name: &str, password: &str) -> Reply {
    app.browser().post("/sign-in/email", json!({ "email": email(name), "password": password })).await
}

/// Signs up with one password and asserts which others are it, too.
async fn assert_same(app: &TestApp, name: &str, password: &str, same: &[&str], different: &[&str]) {
    assert_eq!(sign_up(&app.browser(), name, password).await.status, 200);
    assert_eq!(sign_in(app, name, password).await.status, 200, "{password:?} itself");
    for other in same {
        assert_eq!(sign_in(app, name, other).await.status, 200, "{other:?} for {password:?}");
    }
    for other in different {
        let outcome = sign_in(app, name, other).await.outcome();
        assert_eq!(outcome, (401, "INVALID_EMAIL_OR_PASSWORD".to_owned()), "{other:?} for {password:?}");
    }
}

on_both_databases! {
    async fn p11_lengths_are_counted_in_utf16_units(db: TestDb) {
        let app = TestApp::builder().start(db).await;
        // An astral character has two units and four bytes, é one unit and two bytes.
        let cases = [
            ("a".repeat(7), "PASSWORD_TOO_SHORT"), ("a".repeat(8), ""), ("a".repeat(128), ""),
            ("a".repeat(129), "PASSWORD_TOO_LONG"),
            ("\u{1f600}".repeat(3) + "a", "PASSWORD_TOO_SHORT"), ("\u{1f600}".repeat(4), ""),
            ("\u{1f600}".repeat(64), ""), ("\u{1f600}".repeat(64) + "a", "PASSWORD_TOO_LONG"),
            ("é".repeat(7), "PASSWORD_TOO_SHORT"), ("é".repeat(128), ""), ("é".repeat(129), "PASSWORD_TOO_LONG"),
        ];
        for (n, (password, code)) in cases.into_iter().enumerate() {
            let reply = sign_up(&app.browser(), &format!("u{n}"), &password).await;
            let status = if code.is_empty() { 200 } else { 400 };
            assert_eq!(reply.outcome(), (status, code.to_owned()), "{password}");
            if code.is_empty() {
                assert_eq!(sign_in(&app, &format!("u{n}"), &password).await.status, 200, "{password}");
            }
        }
        assert_eq!(rows(&app).await.users, 5);
    }

    async fn p11_a_password_too_long_is_refused_before_any_hashing(db: TestDb) {
        let app = TestApp::builder()
            .set("AUTH_HASH_THREADS", 1)
            .set("AUTH_HASH_QUEUE", HASH_QUEUE)
            .set("AUTH_USER_DELETE_USER_ENABLED", true)
            .start(db).await;
        let ada = app.browser();
        ada.sign_up("ada").await;
        let calls = |password: &str| [
            ("/api/auth/sign-up/email", json!({ "name": "b", "email": email("b"), "password": password })),
            ("/api/auth/sign-in/email", json!({ "email": email("ada"), "password": password })),
            ("/api/auth/sign-in/email", json!({ "email": email("nobody"), "password": password })),
            ("/api/auth/change-password", json!({ "currentPassword": PASSWORD, "newPassword": password })),
            ("/api/auth/change-password", json!({ "currentPassword": password, "newPassword": PASSWORD })),
            ("/api/auth/verify-password", json!({ "password": password })),
            ("/api/auth/delete-user", json!({ "password": password })),
            ("/auth/register", json!({ "email": email("b"), "password": password })),
            ("/auth/login", json!({ "email": email("ada"), "password": password })),
        ];
        let busy = keep_hashing_busy(&app).await;
        for (path, body) in calls(&"a".repeat(129)) {
            let reply = ada.absolute(Method::POST, path).json(body).send().await;
            assert_eq!(reply.outcome(), (400, "PASSWORD_TOO_LONG".to_owned()), "{path}");
        }
        let body = json!({ "token": "unknown", "newPassword": "a".repeat(129) });
        assert_eq!(ada.post("/reset-password", body).await.outcome(), (400, "PASSWORD_TOO_LONG".to_owned()));
        // The same with a password that may be hashed: nothing above came so far.
        for (path, body) in calls(&"a".repeat(128)) {
            let reply = ada.absolute(Method::POST, path).json(body).send().await;
            assert_eq!(reply.outcome(), (503, "SERVICE_UNAVAILABLE".to_owned()), "{path}");
        }
        drop(busy);
        assert_eq!(rows(&app).await.users, 1);
    }

    async fn p12_no_character_of_a_long_password_is_ignored(db: TestDb) {
        let app = TestApp::builder().start(db).await;
        let password: String = ('!'..='~').chain('!'..='&').collect();
        assert_eq!(password.len(), 100);
        let changed = |i: usize| format!("{}~~{}", &password[..i], &password[i + 2..]);
        let different = [changed(70), changed(71), changed(72), changed(73), changed(97), changed(98)];
        let cut: Vec<String> = [71, 72, 73, 99].into_iter().map(|n| password[..n].to_owned()).collect();
        let longer = format!("{password}x");
        let different: Vec<&str> = different.iter().chain(&cut).chain([&longer]).map(String::as_str).collect();
        assert_same(&app, "ada", &password, &[], &different).await;
        // Around the 72 bytes that bcrypt reads.
        for n in [71, 72, 73] {
            let (own, one_more, one_less) = (&password[..n], &password[..n + 1], &password[..n - 1]);
            assert_same(&app, &format!("n{n}"), own, &[], &[one_more, one_less]).await;
        }
    }

    async fn p13_no_byte_of_a_long_password_is_ignored(db: TestDb) {
        let app = TestApp::builder().start(db).await;
        let password = "é".repeat(128);
        let last = format!("{}è", "é".repeat(127));
        let in_the_middle = format!("{}è{}", "é".repeat(36), "é".repeat(91));
        let shorter = "é".repeat(127);
        assert_same(&app, "ada", &password, &[], &[&last, &in_the_middle, &shorter]).await;
    }

    async fn p17_spellings_that_unicode_calls_compatible_are_one_password(db: TestDb) {
        let app = TestApp::builder().start(db).await;
        let cases: [(&str, &[&str], &[&str]); 4] = [
            // Composed and decomposed.
            ("pässwörd", &["pa\u{308}sswo\u{308}rd"], &["password", "p\u{e1}ssw\u{f6}rd"]),
            ("pa\u{308}sswo\u{308}rd", &["pässwörd"], &["passwo\u{308}rd"]),
            // A ligature, full width, the Ångström sign.
            ("\u{fb01}ancé-123", &["fiancé-123", "fiance\u{301}-123", "\u{fb01}ance\u{301}-\u{ff11}23"], &["fance-123"]),
            ("12345678\u{c5}", &["12345678\u{212b}", "1234567\u{ff18}A\u{30a}"], &["12345678A"]),
        ];
        for (n, (password, same, different)) in cases.into_iter().enumerate() {
            assert_same(&app, &format!("u{n}"), password, same, different).await;
        }
    }

    async fn p18_spaces_count_and_are_never_trimmed(db: TestDb) {
        let app = TestApp::builder().start(db).await;
        let eight = " ".repeat(8);
        assert_same(&app, "eight", &eight, &[], &[&" ".repeat(7), &" ".repeat(9), ""]).await;
        let trimmed = ["horse battery", " horse battery", "horse battery ", "  horse battery ", "horse  battery"];
        assert_same(&app, "both", " horse battery ", &[], &trimmed).await;
        let padded = [" horse battery", "horse battery ", "horse battery\n", "horse battery\t", "Horse battery"];
        assert_same(&app, "none", "horse battery", &[], &padded).await;
    }

    async fn p20_a_flood_of_sign_ins_is_refused_at_once_and_starves_no_session(db: TestDb) {
        let app = TestApp::builder()
            .set("AUTH_HASH_THREADS", 1)
            .set("AUTH_HASH_QUEUE", HASH_QUEUE)
            .set("AUTH_SIGN_IN_ATTEMPTS", 0)
            .start(db).await;
        let ada = app.browser();
        ada.sign_up("ada").await;
        let busy = keep_hashing_busy(&app).await;
        let flood = (0..200).map(|_| async { sign_in(&app, "ada", "wrong-horse-1").await });
        for reply in futures_util::future::join_all(flood).await {
            assert_eq!(reply.outcome(), (503, "SERVICE_UNAVAILABLE".to_owned()));
            assert_eq!(reply.header("retry-after"), "2");
        }
        assert_eq!(ada.user().await["email"], email("ada"));
        assert_eq!(ada.get("/ok").await.status, 200);
        assert_eq!(ada.get("/list-sessions").await.json().as_array().unwrap().len(), 1);
        drop(busy);
        // Nobody is locked out afterwards.
        let again = async {
            loop {
                let reply = ada.sign_in("ada").await;
                if reply.status != 503 {
                    return reply.status;
                }
                tokio::task::yield_now().await;
            }
        };
        assert_eq!(tokio::time::timeout(PATIENCE, again).await.unwrap(), 200);
    }

    // In place of P22's clock: whoever is not there costs as much hashing as who is.
    async fn p22_every_kind_of_failing_sign_in_needs_the_hashing_threads(db: TestDb) {
        let app = TestApp::builder()
            .set("AUTH_HASH_THREADS", 1)
            .set("AUTH_HASH_QUEUE", HASH_QUEUE)
            .start(db).await;
        for name in ["right", "social", "broken", "empty"] {
            app.browser().sign_up(name).await;
        }
        store_hash(&app, &email("empty"), None).await;
        store_hash(&app, &email("broken"), Some("no hash")).await;
        sql(&app, "UPDATE accounts SET provider_id = 'github' WHERE user_id = \
            (SELECT id FROM users WHERE email = 'social@example.com')").await;
        let names = ["right", "social", "broken", "empty", "nobody"];
        for name in names {
            assert_eq!(sign_in(&app, name, "wrong-horse-1").await.status, 401, "{name}");
        }
        let _busy = keep_hashing_busy(&app).await;
        for name in names {
            assert_eq!(sign_in(&app, name, "wrong-horse-1").await.status, 503, "{name}");
        }
    }
}
