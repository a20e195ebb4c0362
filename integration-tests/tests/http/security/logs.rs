//! P70: what the log must not know.

use std::net::TcpListener;

use actix_web::http::Method;
use auth_sidecar::ids::random_string;
use integration_tests::mail::Mailbox;
use integration_tests::{TestApp, on_both_databases};
use serde_json::json;

use super::support::{Log, PATIENCE, credential, encode, sql, store_hash, stored_hash, token};

/// Texts that must not come up in the log, each with a name for the message.
#[derive(Default)]
struct Secrets(Vec<(&'static str, String)>);

impl Secrets {
    fn add(&mut self, name: &'static str, secret: impl Into<String>) -> String {
        let secret = secret.into();
        assert!(secret.len() >= 6, "{name} is too short to be looked for");
        self.0.push((name, secret.clone()));
        secret
    }

    fn assert_unknown_to(&self, log: &Log) {
        let text = log.text();
        for (name, secret) in &self.0 {
            let line = text.lines().find(|line| line.contains(secret.as_str()) || line.contains(&encode(secret)));
            assert_eq!(line, None, "the log shows {name}");
        }
    }
}

on_both_databases! {
    async fn p70_no_secret_of_a_whole_life_of_an_account_is_logged(db: TestDb) {
        let log = Log::capture();
        let mut secrets = Secrets::default();
        let mut mailbox = Mailbox::open();
        let app = TestApp::builder()
            .set("AUTH_MAIL", &mailbox.setting)
            .set("AUTH_USER_CHANGE_EMAIL_ENABLED", true)
            .set("AUTH_USER_DELETE_USER_ENABLED", true)
            .set("AUTH_SESSION_COOKIE_CACHE", "compact")
            .set("AUTH_RATE_LIMIT", true)
            .start(db).await;
        let local = random_string(16).to_lowercase();
        let address = secrets.add("an address", format!("{local}@example.com"));
        let taken = secrets.add("another address", format!("{local}-2@example.com"));
        let new_address = secrets.add("a new address", format!("{local}-3@example.com"));
        let [first, second, third] = ["the first password", "the second password", "the third password"]
            .map(|name| secrets.add(name, random_string(20)));
        let name = secrets.add("a name", random_string(16));
        let answers = secrets.add("a personal answer", random_string(16));
        let agent = secrets.add("a user agent", format!("agent-{}", random_string(16)));
        let wrong = secrets.add("a wrong password", random_string(20));
        let forged = secrets.add("a forged token", random_string(32));
        secrets.add("the secret", integration_tests::SECRET);
        let client = |n: u8| format!("203.0.113.{n}");
        secrets.add("a client's address", "203.0.113.");

        // The happy way.
        let ada = app.browser();
        let body = json!({ "name": name, "email": address, "password": first, "software_background": answers });
        let call = ada.request(Method::POST, "/sign-up/email").header("user-agent", &agent).header("x-forwarded-for", &client(1));
        assert_eq!(call.json(body).send().await.status, 200);
        secrets.add("a stored hash", stored_hash(&app, &address).await);
        secrets.add("a session token", token(&ada));
        secrets.add("a session cookie", ada.cookie("session_token").unwrap());
        secrets.add("a cookie cache", ada.cookie("session_data").unwrap());
        for path in ["/get-session", "/list-sessions", "/list-accounts", "/get-session?disableCookieCache=1"] {
            assert_eq!(ada.get(path).await.status, 200, "{path}");
        }
        assert_eq!(ada.post("/update-user", json!({ "name": format!("{name}!") })).await.status, 200);
        let change = json!({ "currentPassword": first, "newPassword": second, "revokeOtherSessions": true });
        assert_eq!(ada.post("/change-password", change).await.status, 200);
        let raw = secrets.add("the next token", token(&ada));
        let me = ada.copy().absolute(Method::GET, "/auth/me").header("authorization", &format!("Bearer {raw}"));
        assert_eq!(me.send().await.status, 200);
        ada.post("/send-verification-email", json!({ "email": address })).await;
        let proof = secrets.add("a verification token", mailbox.of("verify-email").await["token"].as_str().unwrap());
        assert_eq!(ada.get(&format!("/verify-email?token={proof}")).await.status, 200);
        assert_eq!(ada.post("/change-email", json!({ "newEmail": new_address })).await.status, 200);
        secrets.add("a change token", mailbox.of("verify-email").await["token"].as_str().unwrap());
        ada.post("/request-password-reset", json!({ "email": address, "redirectTo": "/reset" })).await;
        let reset = secrets.add("a reset token", mailbox.of("reset-password").await["token"].as_str().unwrap());
        assert_eq!(ada.get(&format!("/reset-password/{reset}?callbackURL=/reset")).await.status, 302);
        assert_eq!(ada.post("/reset-password", json!({ "token": reset, "newPassword": third })).await.status, 200);

        // The sad ways.
        let stranger = app.browser();
        let as_client = |method, path: &str, n| {
            stranger.request(method, path).header("x-forwarded-for", &client(n)).header("user-agent", &agent)
        };
        let sad = [
            ("/sign-in/email", json!({ "email": address, "password": wrong }), 401),
            ("/sign-in/email", json!({ "email": taken, "password": wrong }), 401),
            ("/sign-in/email", json!({ "email": address, "password": wrong.repeat(10) }), 400),
            ("/sign-in/email", json!({ "email": [address], "password": { "x": wrong } }), 400),
            ("/sign-in/email", json!({ "email": address, "password": format!("{wrong}\0") }), 400),
            ("/sign-up/email", json!({ "name": name, "email": address, "password": wrong }), 422),
            ("/sign-in/email", json!({ "email": address, "password": wrong, "callbackURL": format!("//{wrong}") }), 403),
            ("/reset-password", json!({ "token": reset, "newPassword": wrong }), 400),
            ("/reset-password", json!({ "token": forged, "newPassword": wrong }), 400),
            ("/change-password", json!({ "currentPassword": wrong, "newPassword": wrong }), 401),
            ("/revoke-session", json!({ "token": forged }), 401),
        ];
        for (n, (path, body, status)) in (10..).zip(sad) {
            assert_eq!(as_client(Method::POST, path, n).json(body).send().await.status, status, "{path} {n}");
        }
        let broken = format!("{{\"email\":\"{address}\",\"password\":\"{wrong}\"");
        let call = as_client(Method::POST, "/sign-in/email", 40).header("content-type", "application/json");
        assert_eq!(call.body(broken).send().await.status, 400);
        let evil = as_client(Method::POST, "/sign-in/email", 41).header("origin", &format!("https://{forged}.example.net"));
        assert_eq!(evil.json(json!({ "email": address, "password": third })).send().await.status, 403);
        for n in 0..5 {
            let body = json!({ "email": address, "password": wrong });
            assert_eq!(as_client(Method::POST, "/sign-in/email", 42).json(body).send().await.status == 429, n >= 3);
        }
        for path in [
            format!("/reset-password/{forged}/x"), format!("/{forged}"), format!("/verify-email?token={forged}"),
            format!("/get-session?token={forged}"), format!("/reset-password/{forged}?callbackURL=/{forged}"),
        ] {
            let cookie = format!("better-auth.session_token={forged}.{forged}; better-auth.session_data={forged}");
            let call = as_client(Method::GET, &path, 43).header("cookie", &cookie);
            let call = call.header("authorization", &format!("Bearer {forged}")).header("x-request-id", &format!("{forged}{forged}="));
            call.send().await;
        }

        // A stored hash that is none, and a database that fails.
        let hash = stored_hash(&app, &address).await;
        let none = secrets.add("a malformed hash", format!("$2b$31${}", random_string(53)));
        store_hash(&app, &address, Some(&none)).await;
        let body = json!({ "email": address, "password": third });
        assert_eq!(as_client(Method::POST, "/sign-in/email", 50).json(body.clone()).send().await.status, 401);
        store_hash(&app, &address, Some(&hash)).await;
        for table in ["sessions", "accounts", "users", "verifications"] {
            sql(&app, format!("ALTER TABLE {table} RENAME TO gone")).await;
            for (n, path) in (60..).zip(["/sign-in/email", "/sign-up/email", "/request-password-reset", "/reset-password"]) {
                let body = json!({ "name": name, "email": taken, "password": third, "token": forged, "newPassword": third });
                as_client(Method::POST, path, n).json(body).send().await;
            }
            assert!(matches!(ada.get("/get-session?disableCookieCache=1").await.status.as_u16(), 200 | 503));
            sql(&app, format!("ALTER TABLE gone RENAME TO {table}")).await;
            app.clock.advance(60);
        }

        // The end.
        assert_eq!(credential(&app, &address).await.0.email, address);
        assert_eq!(ada.post("/delete-user", json!({ "password": third })).await.status, 200);
        secrets.assert_unknown_to(log);
        // It was listening.
        let text = log.text();
        for (route, status) in [
            ("/sign-up/email", 200), ("/sign-in/email", 401), ("/reset-password/:token", 302), ("/verify-email", 200),
            ("/auth/me", 200), ("/delete-user", 200), ("/sign-in/email", 503), ("-", 404), ("-", 429),
        ] {
            let route = route.strip_prefix("/auth").unwrap_or(route);
            let line = text.lines().find(|line| {
                line.contains(&format!("route=\"{route}\"")) && line.contains(&format!("status={status}"))
            });
            assert!(line.is_some(), "no line of {route} {status}");
        }
        assert!(text.contains("a stored password hash is refused"));
    }

    async fn p70_no_mailed_link_is_logged_followed_or_not(db: TestDb) {
        let log = Log::capture();
        let mut secrets = Secrets::default();
        let mut mailbox = Mailbox::open();
        let app = TestApp::builder()
            .set("AUTH_MAIL", &mailbox.setting)
            .set("AUTH_MAIL_NOTICES", true)
            .set("AUTH_EMAIL_PASSWORD_REQUIRE_VERIFICATION", true)
            .set("AUTH_EMAIL_VERIFICATION_SEND_ON_SIGN_IN", true)
            .set("AUTH_EMAIL_VERIFICATION_AUTO_SIGN_IN", true)
            .set("AUTH_SIGN_IN_ATTEMPTS", 4)
            .set("AUTH_USER_CHANGE_EMAIL_ENABLED", true)
            .set("AUTH_USER_CHANGE_EMAIL_CONFIRMATION", true)
            .set("AUTH_USER_DELETE_USER_ENABLED", true)
            .set("AUTH_USER_DELETE_USER_VERIFICATION", true)
            .start(db).await;
        let local = random_string(16).to_lowercase();
        let address = secrets.add("an address", format!("{local}@example.com"));
        let new_address = secrets.add("a new address", format!("{local}-2@example.com"));
        let [first, second] = ["a password", "a new password"].map(|name| secrets.add(name, random_string(20)));
        let credentials = json!({ "name": "Ada", "email": address, "password": first });
        let ada = app.browser();
        assert_eq!(ada.post("/sign-up/email", credentials.clone()).await.status, 200);
        let mut proof = mailbox.of("verify-email").await;
        assert_eq!(ada.post("/sign-up/email", credentials.clone()).await.status, 200, "taken, but that is not told");
        assert_eq!(ada.post("/sign-in/email", credentials.clone()).await.status, 403);
        secrets.add("a first proof", proof.text("token"));
        proof = mailbox.of("verify-email").await;
        let mut links = vec![("a proof", proof)];
        ada.absolute(Method::GET, links[0].1.path()).send().await;
        secrets.add("a session token", token(&ada));
        ada.post("/request-password-reset", json!({ "email": address })).await;
        links.push(("a reset", mailbox.of("reset-password").await));
        ada.post("/delete-user", json!({})).await;
        links.push(("a deletion", mailbox.of("delete-account").await));
        ada.post("/change-email", json!({ "newEmail": new_address })).await;
        links.push(("an approval", mailbox.of("change-email").await));
        ada.absolute(Method::GET, links[3].1.path()).send().await;
        links.push(("a proof of the new address", mailbox.of("verify-email").await));
        for (name, mail) in &links {
            secrets.add(name, mail.text("token"));
        }
        // Not theirs, and in time; too late; while the database fails; and at last the good way.
        let visit = async || {
            for (_, mail) in &links {
                app.browser().absolute(Method::GET, mail.path()).send().await;
                app.browser().absolute(Method::GET, &format!("{}x", mail.path().replace("token=", "token=x"))).send().await;
            }
        };
        app.clock.advance(2 * 86_400);
        visit().await;
        app.clock.advance(-2 * 86_400);
        for table in ["users", "verifications"] {
            sql(&app, format!("ALTER TABLE {table} RENAME TO gone")).await;
            visit().await;
            ada.post("/reset-password", json!({ "token": links[1].1["token"], "newPassword": second })).await;
            ada.post("/delete-user", json!({ "token": links[2].1["token"] })).await;
            sql(&app, format!("ALTER TABLE gone RENAME TO {table}")).await;
        }
        let body = json!({ "token": links[1].1["token"], "newPassword": second });
        assert_eq!(ada.post("/reset-password", body).await.status, 200);
        mailbox.of("password-changed").await;
        for _ in 0..6 {
            let call = app.browser().request(Method::POST, "/sign-in/email").json(credentials.clone());
            call.header("x-forwarded-for", "203.0.113.7").send().await;
        }
        for at in [4, 2] {
            assert_eq!(ada.absolute(Method::GET, links[at].1.path()).send().await.header("location"), "/", "{at}");
        }
        mailbox.of("email-changed").await;
        app.mails().await;
        secrets.assert_unknown_to(log);
        // It was listening.
        let text = log.text();
        for heard in [
            "mail sent", "email-changed", "too many attempts at one account's password", "/reset-password/:token",
            "/verify-email", "/delete-user/callback",
        ] {
            assert!(text.contains(heard), "{heard}");
        }
    }

    async fn p70_a_webhook_that_fails_shows_neither_its_address_nor_the_mail(db: TestDb) {
        let log = Log::capture();
        let mut secrets = Secrets::default();
        let user = secrets.add("the webhook's user", random_string(12));
        let password = secrets.add("the webhook's password", random_string(12));
        let key = secrets.add("the webhook's key", random_string(12));
        let address = secrets.add("an address", format!("{}@example.com", random_string(16).to_lowercase()));
        // A port where nobody listens any more.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let url = format!("webhook+http://{user}:{password}@127.0.0.1:{port}/mail/{key}?key={key}");
        let app = TestApp::builder().set("AUTH_MAIL", url).start(db).await;
        let ada = app.browser();
        ada.post("/sign-up/email", json!({ "name": "Ada", "email": address, "password": random_string(20) })).await;
        let failures = || log.text().matches("mail not sent yet").count();
        let before = failures();
        assert_eq!(ada.post("/request-password-reset", json!({ "email": address })).await.status, 200);
        let failed = async {
            while failures() == before {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, failed).await.expect("the failure is logged");
        secrets.assert_unknown_to(log);
    }

    async fn p70_what_is_shown_of_the_settings_holds_no_secret(db: TestDb) {
        let secret = random_string(40);
        let url = "webhook+https://hookuser:hookpassword@example.com/hookpath?key=hookkey";
        let password = db.url.split(['@']).next().unwrap().rsplit(':').next().unwrap().to_owned();
        let app = TestApp::builder().set("BETTER_AUTH_SECRET", &secret).set("AUTH_MAIL", url).start(db).await;
        let shown = format!("{}{:?}{}", app.state.config.summary(), app.state.config.resolved(), app.state.config.database_shown());
        for hidden in [secret.as_str(), "hookuser", "hookpassword", "hookpath", "hookkey"] {
            assert!(!shown.contains(hidden), "{hidden}");
        }
        if app.db.url.starts_with("postgres") {
            assert!(password.len() >= 6 && !shown.contains(&password), "the database's password");
        }
    }
}
