//! The outbox outlives the process, and an operator can look after it.

use std::time::Duration;

use integration_tests::smtp::{Encryption, Mood, SmtpServer};
use schema::Backend;
use serde_json::json;

use crate::service::{Start, empty_database, eventually, free_port, runtime};

fn start(database_url: &str, port: u16) -> Start {
    Start::on(database_url)
        .set("AUTH_MAIL", format!("smtp://ada:pass-hunter4@127.0.0.1:{port}"))
        .set("AUTH_MAIL_FROM", "Example <no-reply@sender.example>")
        .set("AUTH_MAIL_NOTICES", "false")
}

/// What a subcommand prints, both streams.
fn printed(start: &Start, arguments: &[&str]) -> (Option<i32>, String) {
    let output = start.run(arguments);
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

fn a_mail_survives_a_killed_process_and_a_mail_server_that_is_down(backend: Backend) {
    let db = empty_database(backend);
    // Nobody listens there yet.
    let port = free_port();
    let start = start(&db.url, port);
    let service = start.ready();
    let mut ada = service.browser();
    ada.sign_up("ada");
    let body = json!({ "email": "ada@example.com", "redirectTo": "/new" });
    assert_eq!(ada.post("/api/auth/request-password-reset", &body).status, 200);
    assert!(service.logs("mail not sent yet"), "{}", service.log());
    let log = service.log();
    service.kill();

    let (code, list) = printed(&start, &["mail", "list", "--state", "pending"]);
    assert_eq!(code, Some(0));
    assert!(list.contains("reset-password") && list.contains("a***@example.com") && list.contains("refused"), "{list}");

    let runtime = runtime();
    let mail = runtime.block_on(async {
        let mut server = SmtpServer::start(port, Encryption::None, Mood::Accept).await;
        let service = tokio::task::spawn_blocking(move || start.ready());
        let mail = server.next().await;
        let service = service.await.unwrap();
        tokio::task::spawn_blocking(move || {
            assert!(service.logs("mail sent"), "{}", service.log());
            let log = service.log();
            service.stop();
            (log, mail)
        })
        .await
        .unwrap()
    });
    let (log_after, mail) = mail;
    let (_, link) = mail.data.split_once("/reset-password/").unwrap();
    let token: String = link.chars().take(24).collect();
    for text in [log, log_after, list] {
        assert!(
            !text.contains(&token) && !text.contains("pass-hunter4") && !text.contains("ada@example.com"),
            "{text}"
        );
    }
}

#[test]
fn r27_a_mail_survives_a_killed_process_on_sqlite() {
    a_mail_survives_a_killed_process_and_a_mail_server_that_is_down(Backend::Sqlite);
}

#[test]
fn r27_a_mail_survives_a_killed_process_on_postgres() {
    a_mail_survives_a_killed_process_and_a_mail_server_that_is_down(Backend::Postgres);
}

#[test]
fn failed_mail_is_listed_and_sent_when_retried() {
    let db = empty_database(Backend::Sqlite);
    let runtime = runtime();
    runtime.block_on(async {
        let mut server = SmtpServer::start(0, Encryption::None, Mood::RefuseRecipient("550 no such user")).await;
        let start = start(&db.url, server.port);
        let operator = start.clone();
        let service = tokio::task::spawn_blocking(move || {
            let service = operator.ready();
            service.browser().sign_up("ada");
            let body = json!({ "email": "ada@example.com", "redirectTo": "/new" });
            assert_eq!(service.browser().post("/api/auth/request-password-reset", &body).status, 200);
            assert!(service.logs("mail given up"), "{}", service.log());
            service
        });
        let service = service.await.unwrap();
        server.set(Mood::Accept);
        let operator = start.clone();
        let operated = tokio::task::spawn_blocking(move || {
            let (_, list) = printed(&operator, &["mail", "list", "--state", "failed"]);
            assert!(list.contains("550"), "{list}");
            assert_eq!(printed(&operator, &["mail", "retry", "no-such-id"]).0, Some(1));
            // Neither an id nor --all-failed.
            assert_eq!(printed(&operator, &["mail", "retry"]).0, Some(2));
            let outcome = printed(&operator, &["mail", "retry", "--all-failed"]);
            assert_eq!(outcome, (Some(0), "1 mail is due again\n".to_owned()));
            assert!(eventually(Duration::from_secs(20), || {
                printed(&operator, &["mail", "list", "--state", "sent"]).1.contains("a***@example.com")
            }));
        });
        operated.await.unwrap();
        assert_eq!(server.next().await.to, ["ada@example.com"]);
        tokio::task::spawn_blocking(move || service.stop()).await.unwrap();
    });
}

#[test]
fn a_test_mail_tells_its_outcome() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = runtime();
    runtime.block_on(async {
        let mut server = SmtpServer::start(0, Encryption::None, Mood::Accept).await;
        // The database is never asked.
        let database = format!("sqlite://{}/none.db", folder.path().display());
        let start = start(&database, server.port);
        let test = move || printed(&start, &["mail", "test", "ada@example.com"]);
        let (code, text) = tokio::task::spawn_blocking(test.clone()).await.unwrap();
        assert!(code == Some(0) && text.contains("handed over for ada@example.com"), "{text}");
        assert_eq!(server.next().await.header("Subject"), "Test mail from localhost");
        server.set(Mood::RefuseAuth("535 no: pass-hunter4"));
        let (code, text) = tokio::task::spawn_blocking(test).await.unwrap();
        assert!(code == Some(1) && text.contains("535") && !text.contains("hunter4"), "{text}");
    });
    assert!(!folder.path().join("none.db").exists());
}
