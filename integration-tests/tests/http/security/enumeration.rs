//! P21, P23–P26: what a stranger learns about who has an account.

use actix_web::http::Method;
use integration_tests::mail::Mailbox;
use integration_tests::{Browser, TestApp, email, on_both_databases};
use schema::UserChanges;
use serde_json::{Value, json};

use super::support::{HASH_QUEUE, credential, keep_hashing_busy, listen_in_silence, rows, seen, sql, store_hash};

/// What each of these posts gets, everything that can be seen of it; they must all be the same.
async fn assert_alike(browser: &Browser, path: &str, bodies: impl IntoIterator<Item = Value>) -> String {
    let mut answers = Vec::new();
    for body in bodies {
        let reply = browser.copy().absolute(Method::POST, path).json(body.clone()).send().await;
        answers.push((body, seen(&reply)));
    }
    let (_, first) = answers[0].clone();
    for (body, answer) in &answers {
        assert_eq!(*answer, first, "{path} {body}");
    }
    first
}

async fn prove_email(app: &TestApp, name: &str) {
    let id = credential(app, &email(name)).await.0.id;
    let changes = UserChanges { email_verified: Some(true), ..UserChanges::default() };
    app.db.db.write(move |conn| schema::users::update_user(conn, &id, &changes)).await.unwrap();
}

on_both_databases! {
    async fn p21_a_failing_sign_in_looks_the_same_whoever_it_is_about(db: TestDb) {
        let app = TestApp::builder().start(db).await;
        for name in ["right", "social", "broken", "empty", "imported"] {
            app.browser().sign_up(name).await;
        }
        store_hash(&app, &email("empty"), None).await;
        store_hash(&app, &email("broken"), Some("no hash")).await;
        // Better Auth's own scrypt.
        store_hash(&app, &email("imported"), Some(&format!("{}:{}", "00".repeat(16), "00".repeat(64)))).await;
        sql(&app, "UPDATE accounts SET provider_id = 'github' WHERE user_id = \
            (SELECT id FROM users WHERE email = 'social@example.com')").await;
        let names = ["nobody", "right", "social", "broken", "empty", "imported", "NoBody"];
        for path in ["/api/auth/sign-in/email", "/auth/login"] {
            for extra in [json!({}), json!({ "callbackURL": "/dash" }), json!({ "rememberMe": false })] {
                let bodies = names.map(|name| {
                    let mut body = json!({ "email": email(name), "password": "wrong-horse-1" });
                    body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
                    body
                });
                let answer = assert_alike(&app.browser(), path, bodies).await;
                assert!(answer.contains("401") && answer.contains("INVALID_EMAIL_OR_PASSWORD"), "{answer}");
                assert!(answer.contains("set_cookies: []"), "{answer}");
            }
        }
    }

    async fn p23_a_password_reset_looks_the_same_for_a_stranger(db: TestDb) {
        let mut mailbox = Mailbox::open();
        let app = TestApp::builder().set("AUTH_MAIL", &mailbox.setting).start(db).await;
        app.browser().sign_up("ada").await;
        let bodies = ["nobody", "ada"].map(|name| json!({ "email": email(name), "redirectTo": "/reset" }));
        let answer = assert_alike(&app.browser(), "/api/auth/request-password-reset", bodies).await;
        assert!(answer.contains("200"), "{answer}");
        // The stranger was asked about first, and the first mail is not to them.
        assert_eq!(mailbox.next().await["to"], email("ada"));
        assert_eq!(rows(&app).await.verifications, 1);
    }

    async fn p23_mail_is_sent_off_the_path_of_the_request(db: TestDb) {
        let silent = listen_in_silence();
        let app = TestApp::builder().set("AUTH_MAIL", format!("webhook+http://{}/", silent.address)).start(db).await;
        let ada = app.browser();
        ada.sign_up("ada").await;
        // A webhook that does not answer is given up after ten seconds; the request waits for none of them.
        let patience = std::time::Duration::from_secs(8);
        let ask = ada.post("/request-password-reset", json!({ "email": email("ada") }));
        assert_eq!(tokio::time::timeout(patience, ask).await.expect("the mail is not waited for").status, 200);
        let ask = ada.post("/send-verification-email", json!({ "email": email("ada") }));
        assert_eq!(tokio::time::timeout(patience, ask).await.expect("the mail is not waited for").status, 200);
    }

    async fn p24_asking_for_a_verification_mail_looks_the_same_for_a_stranger(db: TestDb) {
        let mut mailbox = Mailbox::open();
        let app = TestApp::builder().set("AUTH_MAIL", &mailbox.setting).start(db).await;
        app.browser().sign_up("proven").await;
        app.browser().sign_up("unproven").await;
        prove_email(&app, "proven").await;
        let bodies = ["nobody", "proven", "unproven"].map(|name| json!({ "email": email(name), "callbackURL": "/" }));
        let answer = assert_alike(&app.browser(), "/api/auth/send-verification-email", bodies).await;
        assert!(answer.contains("200") && answer.contains(r#"{\"status\":true}"#), "{answer}");
        assert_eq!(mailbox.next().await["to"], email("unproven"));
    }

    async fn p25_a_taken_address_looks_free_when_sign_up_does_not_sign_in(db: TestDb) {
        let app = TestApp::builder()
            .set("AUTH_EMAIL_PASSWORD_AUTO_SIGN_IN", false)
            .set("AUTH_USER_FIELDS", "plan,nick")
            .set("AUTH_FIELD_PLAN_DEFAULT", "free")
            .start(db).await;
        for (path, status) in [("/api/auth/sign-up/email", 200), ("/auth/register", 201)] {
            let name = format!("ada{status}");
            let sign_up = |shown: &str, extra: Value| {
                let mut body = json!({ "name": shown, "email": email(&name), "password": "correct-horse-1" });
                body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
                app.browser().absolute(Method::POST, path).json(body).send()
            };
            let free = sign_up("Ada", json!({ "software_background": "C" })).await;
            let stored = credential(&app, &email(&name)).await;
            app.clock.advance(3_600);
            let taken = sign_up("Eve", json!({ "hardware_background": "FPGA" })).await;
            for reply in [&free, &taken] {
                assert_eq!((reply.status.as_u16(), &reply.set_cookies), (status, &vec![]), "{path}");
                assert_eq!(reply.json()["token"], Value::Null, "{path}");
            }
            assert_eq!(free.headers, taken.headers, "{path}");
            let (free, taken) = (free.json()["user"].take(), taken.json()["user"].take());
            let keys = |user: &Value| user.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
            assert_eq!(keys(&free), keys(&taken), "{path}");
            // Nothing of the one who has the address.
            assert_eq!((&taken["name"], &taken["hardware_background"]), (&json!("Eve"), &json!("FPGA")));
            assert_eq!((&taken["software_background"], &taken["plan"]), (&Value::Null, &json!("free")));
            assert_ne!(taken["createdAt"], free["createdAt"]);
            assert_ne!(taken["id"], stored.0.id);
            let id = taken["id"].as_str().unwrap();
            assert!(id.len() == 32 && id.chars().all(|c| c.is_ascii_alphanumeric()), "{id}");
            assert_eq!(credential(&app, &email(&name)).await, stored, "{path}");
        }
        assert_eq!(rows(&app).await.users, 2);
    }

    async fn p25_a_taken_address_costs_a_hash_as_a_free_one_does(db: TestDb) {
        for auto_sign_in in [false, true] {
            let db = schema::test_support::TestDb::new(db.backend).await;
            let app = TestApp::builder()
                .set("AUTH_EMAIL_PASSWORD_AUTO_SIGN_IN", auto_sign_in)
                .set("AUTH_HASH_THREADS", 1)
                .set("AUTH_HASH_QUEUE", HASH_QUEUE)
                .start(db).await;
            app.browser().sign_up("ada").await;
            let _busy = keep_hashing_busy(&app).await;
            for name in ["ada", "nobody"] {
                let body = json!({ "name": name, "email": email(name), "password": "another-horse-1" });
                assert_eq!(app.browser().post("/sign-up/email", body).await.status, 503, "{name} {auto_sign_in}");
            }
        }
    }

    async fn p26_changing_to_a_taken_address_looks_like_changing_to_a_free_one(db: TestDb) {
        let mut mailbox = Mailbox::open();
        let app = TestApp::builder()
            .set("AUTH_MAIL", &mailbox.setting)
            .set("AUTH_USER_CHANGE_EMAIL_ENABLED", true)
            .start(db).await;
        let ada = app.browser();
        ada.sign_up("ada").await;
        app.browser().sign_up("taken").await;
        for proven in [false, true] {
            if proven {
                prove_email(&app, "ada").await;
            }
            let bodies = ["taken", "TAKEN", "free"].map(|name| json!({ "newEmail": email(name) }));
            let answer = assert_alike(&ada, "/api/auth/change-email", bodies).await;
            assert!(answer.contains("200") && answer.contains(r#"{\"status\":true}"#), "{answer}");
            assert_eq!(mailbox.next().await["to"], email("free"));
        }
        assert_eq!(ada.user().await["email"], email("ada"));
    }
}
