//! Requests that mail, through the whole service.

use integration_tests::smtp::{Encryption, Mood, SmtpServer};
use integration_tests::{TestApp, on_both_databases};
use schema::mails;
use schema::test_support::TestDb;
use serde_json::json;

async fn app(db: TestDb, server: &SmtpServer, settings: &[(&str, &str)]) -> TestApp {
    let mail = format!("smtp://127.0.0.1:{}", server.port);
    let builder = TestApp::builder().set("AUTH_MAIL", mail).set("AUTH_MAIL_FROM", "no-reply@sender.example");
    settings.iter().fold(builder, |builder, (name, value)| builder.set(name, value)).start(db).await
}

async fn request_reset(app: &TestApp, name: &str) {
    let body = json!({ "email": format!("{name}@example.com"), "redirectTo": "/new" });
    let reply = app.browser().post("/request-password-reset", body).await;
    assert_eq!(reply.status.as_u16(), 200, "{}", reply.body);
}

/// The token in the link of the plain text.
fn token(data: &str) -> String {
    let (_, rest) = data.split_once("/reset-password/").unwrap();
    rest.chars().take(24).collect()
}

on_both_databases! {
    async fn a_reset_is_mailed_to_known_users_alone_and_its_link_works(db: TestDb) {
        let mut server = SmtpServer::start(0, Encryption::None, Mood::Accept).await;
        let app = app(db, &server, &[("AUTH_MAIL_PRODUCT_NAME", "Example"), ("AUTH_MAIL_NOTICES", "true")]).await;
        app.browser().sign_up("ada").await;
        request_reset(&app, "nobody").await;
        request_reset(&app, "ada").await;
        let mail = server.next().await;
        assert_eq!((mail.to.as_slice(), mail.header("Subject")), (["ada@example.com".to_owned()].as_slice(), "Set a new password for Example"));
        let body = json!({ "newPassword": "another-password-2", "token": token(&mail.data) });
        assert_eq!(app.browser().post("/reset-password", body).await.status.as_u16(), 200);
        let notice = server.next().await;
        assert_eq!((notice.to.as_slice(), notice.header("Subject")), (["ada@example.com".to_owned()].as_slice(), "Your Example password was changed"));
        let rows = app.db.db.read(|conn| mails::list_mails(conn, None, 10)).await.unwrap();
        assert_eq!(rows.len(), 2);
    }

    async fn the_old_address_is_told_of_a_new_one(db: TestDb) {
        let mut server = SmtpServer::start(0, Encryption::None, Mood::Accept).await;
        let changeable = [
            ("AUTH_MAIL_NOTICES", "true"),
            ("AUTH_USER_CHANGE_EMAIL_ENABLED", "true"),
            ("AUTH_USER_CHANGE_EMAIL_UPDATE_WITHOUT_VERIFICATION", "true"),
        ];
        let app = app(db, &server, &changeable).await;
        let ada = app.browser();
        ada.sign_up("ada").await;
        let reply = ada.post("/change-email", json!({ "newEmail": "new@example.com" })).await;
        assert_eq!(reply.status.as_u16(), 200, "{}", reply.body);
        // In either order: the notice, and the link that proves the new address.
        let mut mails = [server.next().await, server.next().await];
        mails.sort_by(|a, b| a.to.cmp(&b.to));
        let shown = mails.map(|mail| format!("{}: {}", mail.to.join(" "), mail.header("Subject")));
        assert_eq!(shown, [
            "ada@example.com: Your localhost email address was changed",
            "new@example.com: Confirm your email address for localhost",
        ]);
    }

    async fn notices_can_be_switched_off(db: TestDb) {
        let mut server = SmtpServer::start(0, Encryption::None, Mood::Accept).await;
        let app = app(db, &server, &[("AUTH_MAIL_NOTICES", "false")]).await;
        app.browser().sign_up("ada").await;
        request_reset(&app, "ada").await;
        let body = json!({ "newPassword": "another-password-2", "token": token(&server.next().await.data) });
        assert_eq!(app.browser().post("/reset-password", body).await.status.as_u16(), 200);
        let rows = app.db.db.read(|conn| mails::list_mails(conn, None, 10)).await.unwrap();
        assert_eq!(rows.len(), 1);
    }

    async fn r27_a_reset_is_answered_while_the_mail_server_is_down(db: TestDb) {
        let mut server = SmtpServer::start(0, Encryption::None, Mood::RefuseData("451 later")).await;
        let app = app(db, &server, &[]).await;
        app.browser().sign_up("ada").await;
        request_reset(&app, "ada").await;
        while app.db.db.read(|conn| mails::list_mails(conn, None, 1)).await.unwrap().iter().all(|row| row.last_error.is_none()) {
            tokio::task::yield_now().await;
        }
        server.set(Mood::Accept);
        app.clock.advance(30);
        app.state.mailer.wake();
        assert_eq!(server.next().await.to, ["ada@example.com"]);
    }
}
