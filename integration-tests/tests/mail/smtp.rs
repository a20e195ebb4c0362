//! Mail by SMTP: what arrives, and servers that are down, hang, refuse or are somebody else.

use std::time::Duration;

use auth_sidecar::mail::BACKOFF;
use integration_tests::smtp::{Certificates, Encryption, Mood, SmtpServer};
use schema::test_support::TestDb;
use schema::{Backend, mails};

use crate::support::*;

async fn db() -> TestDb {
    TestDb::new(Backend::Sqlite).await
}

async fn plain(mood: Mood) -> SmtpServer {
    SmtpServer::start(0, Encryption::None, mood).await
}

#[actix_web::test]
async fn a_mail_arrives_with_its_headers_and_both_texts() {
    let mut server = plain(Mood::Accept).await;
    let outbox = Outbox::smtp(db().await, server.port);
    outbox.put(&reset("ada@example.com")).await;
    let id = outbox.row().await.id;
    assert_eq!(outbox.work().await, 1);

    let mail = server.next().await;
    assert_eq!(
        (mail.to.as_slice(), mail.hello.as_str()),
        (["ada@example.com".to_owned()].as_slice(), "sender.example")
    );
    for (name, value) in [
        ("From", "Example <no-reply@sender.example>"),
        ("To", "ada@example.com"),
        ("Subject", "Set a new password for localhost"),
        ("Date", "Tue, 01 Jan 2030 00:00:00 +0000"),
        ("Message-ID", &format!("<{id}@sender.example>")),
        ("Auto-Submitted", "auto-generated"),
    ] {
        assert_eq!(mail.header(name), value, "{}", mail.data);
    }
    assert!(mail.header("Content-Type").starts_with("multipart/alternative"), "{}", mail.data);
    // Quoted-printable may have broken the lines.
    let data = mail.data.replace("=\r\n", "").replace("=3D", "=");
    let plain = "http://localhost:4000/api/auth/reset-password/t0kenT0ken?callbackURL=%2Fa&x=1\r\n";
    assert!(data.contains(plain) && data.contains("&amp;x=1"), "{data}");
    assert!(data.contains("The link works for 60 minutes."), "{data}");

    let row = outbox.row().await;
    assert_eq!((row.state.as_str(), row.payload.as_str(), row.sent_at), ("sent", "", Some(outbox.clock.now())));
    assert_eq!((outbox.work().await, server.waiting().len()), (0, 0));
}

#[actix_web::test]
async fn starttls_comes_before_the_password_and_the_mail() {
    let certificates = Certificates::make();
    let mut server = SmtpServer::start(0, Encryption::StartTls(certificates.acceptor()), Mood::Accept).await;
    let ca = certificates.authority().display().to_string();
    let url = format!("smtp://ada:hun%2Fter2@127.0.0.1:{}?tls=required&ca={ca}", server.port);
    let outbox = Outbox::new(db().await, &[("AUTH_MAIL", &url)]);
    outbox.put(&reset("ada@example.com")).await;
    assert_eq!(outbox.work().await, 1);
    assert_eq!(outbox.standing().await, ("sent".to_owned(), 1, String::new()));
    let mail = server.next().await;
    // "\0ada\0hun/ter2"
    assert_eq!((mail.encrypted, mail.auth.as_deref()), (true, Some("AGFkYQBodW4vdGVyMg==")));
    let commands = server.commands();
    assert_eq!(commands.get(..4).unwrap(), ["EHLO", "STARTTLS", "EHLO", "AUTH"]);
}

#[actix_web::test]
async fn smtps_is_encrypted_from_the_first_byte() {
    let certificates = Certificates::make();
    let mut server = SmtpServer::start(0, Encryption::Implicit(certificates.acceptor()), Mood::Accept).await;
    let ca = certificates.authority().display().to_string();
    let outbox = Outbox::new(db().await, &[("AUTH_MAIL", &format!("smtps://127.0.0.1:{}?ca={ca}", server.port))]);
    outbox.put(&reset("ada@example.com")).await;
    outbox.work().await;
    assert!(server.next().await.encrypted);
}

#[actix_web::test]
async fn a_server_without_a_certificate_we_trust_learns_nothing() {
    let certificates = Certificates::make();
    let server = SmtpServer::start(0, Encryption::StartTls(certificates.acceptor()), Mood::Accept).await;
    // The system's authorities, and one of our own that is not the server's.
    let stranger = Certificates::make();
    for ca in [String::new(), format!("&ca={}", stranger.authority().display())] {
        let url = format!("smtp://ada:hunter2@127.0.0.1:{}?tls=required{ca}", server.port);
        let outbox = Outbox::new(db().await, &[("AUTH_MAIL", &url)]);
        outbox.put(&reset("ada@example.com")).await;
        outbox.work().await;
        let (state, _, reason) = outbox.standing().await;
        assert!(state == "pending" && reason.contains("certificate"), "{state} {reason}");
    }
    assert!(!server.commands().iter().any(|command| matches!(command.as_str(), "AUTH" | "MAIL")));
}

#[actix_web::test]
async fn a_server_that_does_not_encrypt_learns_nothing_unless_that_is_allowed() {
    let mut server = plain(Mood::Accept).await;
    let url = |tls| format!("smtp://ada:hunter2@127.0.0.1:{}?tls={tls}", server.port);
    let outbox = Outbox::new(db().await, &[("AUTH_MAIL", &url("required"))]);
    outbox.put(&reset("ada@example.com")).await;
    outbox.work().await;
    assert_eq!(outbox.standing().await.0, "pending");
    assert!(!server.commands().iter().any(|command| matches!(command.as_str(), "AUTH" | "MAIL")));

    let outbox = Outbox::new(db().await, &[("AUTH_MAIL", &url("opportunistic"))]);
    outbox.put(&reset("ada@example.com")).await;
    outbox.work().await;
    assert!(!server.next().await.encrypted);
}

#[actix_web::test]
async fn r27_a_mail_waits_for_a_server_that_is_down() {
    let (socket, port) = socket_without_listener();
    let outbox = Outbox::smtp(db().await, port);
    outbox.put(&reset("ada@example.com")).await;
    assert_eq!(outbox.work().await, 1);
    let (state, attempts, reason) = outbox.standing().await;
    assert!(state == "pending" && attempts == 1 && reason.contains("refused"), "{state} {attempts} {reason}");
    assert_eq!((outbox.due_in().await, outbox.work().await), (5, 0));
    outbox.clock.advance(5);
    assert_eq!((outbox.work().await, outbox.due_in().await), (1, 30));

    let mut server = SmtpServer::on(socket.listen(8).unwrap(), Encryption::None, Mood::Accept);
    outbox.clock.advance(30);
    assert_eq!(outbox.work().await, 1);
    assert_eq!(server.next().await.to, ["ada@example.com"]);
    assert_eq!(outbox.standing().await, ("sent".to_owned(), 3, String::new()));
}

/// A port that refuses connections until the socket listens.
fn socket_without_listener() -> (tokio::net::TcpSocket, u16) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = socket.local_addr().unwrap().port();
    (socket, port)
}

#[actix_web::test]
async fn a_mail_is_given_up_after_nine_attempts_and_sent_when_retried() {
    let mut server = plain(Mood::RefuseData("451 try again later")).await;
    let outbox = Outbox::smtp(db().await, server.port);
    outbox.put(&notice("ada@example.com")).await;
    for wait in BACKOFF {
        assert_eq!((outbox.work().await, outbox.due_in().await), (1, wait));
        outbox.clock.advance(wait);
    }
    assert_eq!(outbox.work().await, 1);
    let (state, attempts, reason) = outbox.standing().await;
    assert_eq!((state.as_str(), attempts), ("failed", 9));
    assert!(reason.contains("451"), "{reason}");
    outbox.clock.advance(1_000_000);
    assert_eq!(outbox.work().await, 0);

    server.set(Mood::Accept);
    let now = outbox.clock.now();
    assert_eq!(outbox.db.db.write(move |conn| mails::retry_mails(conn, None, now)).await.unwrap(), 1);
    assert_eq!(outbox.work().await, 1);
    assert_eq!(server.next().await.header("Subject"), "Your localhost password was changed");
    assert_eq!(outbox.standing().await, ("sent".to_owned(), 1, String::new()));
}

#[actix_web::test]
async fn a_mail_that_is_refused_for_good_is_not_tried_again() {
    for mood in [Mood::RefuseRecipient("550 5.1.1 no such user"), Mood::RefuseData("554 looks like spam")] {
        let server = plain(mood).await;
        let outbox = Outbox::smtp(db().await, server.port);
        outbox.put(&reset("ada@example.com")).await;
        outbox.work().await;
        let (state, attempts, reason) = outbox.standing().await;
        assert_eq!((state.as_str(), attempts), ("failed", 1), "{reason}");
        assert!(reason.contains("55"), "{reason}");
    }
}

#[actix_web::test]
async fn r27_a_recipient_that_is_refused_for_now_is_tried_again() {
    let mut server = plain(Mood::RefuseRecipient("450 greylisted")).await;
    let outbox = Outbox::smtp(db().await, server.port);
    outbox.put(&reset("ada@example.com")).await;
    outbox.work().await;
    assert_eq!(outbox.standing().await.0, "pending");
    server.set(Mood::Accept);
    outbox.clock.advance(5);
    outbox.work().await;
    assert_eq!(server.next().await.to, ["ada@example.com"]);
}

#[actix_web::test]
async fn a_wrong_password_is_ours_to_set_right_and_is_not_kept_with_the_reason() {
    let server = plain(Mood::RefuseAuth("535 bad credentials: hunter2 for t0kenT0ken")).await;
    let url = format!("smtp://ada:hunter2@127.0.0.1:{}", server.port);
    let outbox = Outbox::new(db().await, &[("AUTH_MAIL", &url)]);
    outbox.put(&reset("ada@example.com")).await;
    outbox.work().await;
    let (state, _, reason) = outbox.standing().await;
    assert_eq!(state, "pending", "{reason}");
    assert!(reason.contains("535") && !reason.contains("hunter2") && !reason.contains("t0kenT0ken"), "{reason}");
}

#[actix_web::test]
async fn r27_a_server_that_hangs_is_left_after_thirty_seconds() {
    let server = plain(Mood::Hang).await;
    let outbox = Outbox::smtp(db().await, server.port);
    // From here on time passes by itself whenever everybody waits.
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    let outcome = outbox.mailer.send_now(&reset("ada@example.com"), outbox.clock.now()).await;
    assert_eq!(outcome, Err("no answer within 30 seconds".to_owned()));
    assert!(began.elapsed() < Duration::from_secs(31), "{:?}", began.elapsed());
    assert_eq!(server.commands(), ["EHLO"]);
}
