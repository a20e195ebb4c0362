//! Who sends a mail, when, how often, and what happens when there are too many.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use auth_sidecar::clock::plus_seconds;
use auth_sidecar::mail::{Mail, MailKind, Worker};
use integration_tests::on_both_databases;
use integration_tests::smtp::{Encryption, Mood, SmtpServer};
use schema::mails;

use crate::support::*;

async fn server() -> SmtpServer {
    SmtpServer::start(0, Encryption::None, Mood::Accept).await
}

on_both_databases! {
    async fn two_workers_send_fifty_mails_once_each(db: TestDb) {
        let mut server = server().await;
        let outbox = Outbox::smtp(db, server.port);
        for n in 0..50 {
            outbox.put(&reset(&format!("user{n}@example.com"))).await;
        }
        let other = mailer(&outbox.db, &[("AUTH_MAIL", &format!("smtp://127.0.0.1:{}", server.port))]);
        let other = Worker::new(other, outbox.db.db.clone(), outbox.clock.clone());
        let (one, two) = futures_util::future::join(outbox.worker.run_once(), other.run_once()).await;
        assert_eq!(one.unwrap() + two.unwrap(), 50);
        let mut times = BTreeMap::new();
        for mail in server.waiting() {
            *times.entry(mail.to.join(" ")).or_insert(0) += 1;
        }
        assert_eq!((times.len(), times.values().max()), (50, Some(&1)));
        assert!(outbox.rows().await.iter().all(|row| row.state == "sent" && row.attempts == 1 && row.payload.is_empty()));
    }

    async fn the_mail_of_a_worker_that_died_is_sent_by_another_when_the_lease_is_over(db: TestDb) {
        let mut server = server().await;
        let outbox = Outbox::smtp(db, server.port);
        outbox.put(&reset("ada@example.com")).await;
        let (row, now) = (outbox.row().await, outbox.clock.now());
        let claim = move |conn: &mut _| mails::claim_mail(conn, &row, now, plus_seconds(now, 120));
        assert!(outbox.db.db.write(claim).await.unwrap());
        outbox.clock.advance(119);
        assert_eq!(outbox.work().await, 0);
        outbox.clock.advance(1);
        assert_eq!(outbox.work().await, 1);
        assert_eq!(server.next().await.to, ["ada@example.com"]);
    }

    async fn a_link_that_expired_is_not_mailed(db: TestDb) {
        let mut server = server().await;
        let outbox = Outbox::smtp(db, server.port);
        outbox.put(&reset("ada@example.com")).await;
        outbox.clock.advance(3600);
        assert_eq!(outbox.work().await, 1);
        let (state, _, reason) = outbox.standing().await;
        assert!(state == "failed" && reason.contains("expired"), "{state} {reason}");
        assert_eq!((server.waiting().len(), server.commands().len()), (0, 0));
        let now = outbox.clock.now();
        assert_eq!(outbox.db.db.write(move |conn| mails::retry_mails(conn, None, now)).await.unwrap(), 0);
    }

    async fn a_late_mail_tells_the_time_that_is_left(db: TestDb) {
        let mut server = server().await;
        let outbox = Outbox::smtp(db, server.port);
        outbox.put(&Mail::code(MailKind::OtpSignIn, "ada@example.com", "123456".to_owned(), 300)).await;
        outbox.clock.advance(180);
        outbox.work().await;
        let mail = server.next().await;
        assert!(mail.data.contains("It works for 2 minutes.") && mail.data.contains("123456"), "{}", mail.data);
    }

    async fn a_full_outbox_takes_no_more_until_something_was_sent(db: TestDb) {
        let server = server().await;
        let url = format!("smtp://127.0.0.1:{}", server.port);
        let outbox = Outbox::new(db, &[("AUTH_MAIL", &url), ("AUTH_MAIL_OUTBOX_LIMIT", "2")]);
        for name in ["a", "b", "c"] {
            outbox.put(&reset(&format!("{name}@example.com"))).await;
        }
        assert_eq!(outbox.rows().await.len(), 2);
        // A process that has just started counts what others left.
        let other = mailer(&outbox.db, &[("AUTH_MAIL", "smtp://127.0.0.1:1"), ("AUTH_MAIL_OUTBOX_LIMIT", "2")]);
        Worker::new(other.clone(), outbox.db.db.clone(), outbox.clock.clone()).run_once().await.unwrap();
        assert!(other.row(&reset("d@example.com"), outbox.clock.now()).is_none());

        outbox.clock.advance(5);
        assert_eq!(outbox.work().await, 2);
        outbox.put(&reset("e@example.com")).await;
        assert_eq!(outbox.rows().await.len(), 3);
    }

    async fn without_a_way_to_send_nothing_is_kept(db: TestDb) {
        let outbox = Outbox::new(db, &[("AUTH_MAIL", "off")]);
        assert!(!outbox.mailer.is_on());
        outbox.put(&reset("ada@example.com")).await;
        assert_eq!(outbox.rows().await, []);
    }

    async fn a_row_that_this_release_does_not_know_fails_and_holds_up_nobody(db: TestDb) {
        let mut server = server().await;
        let outbox = Outbox::smtp(db, server.port);
        let mut row = outbox.mailer.row(&reset("bob@example.com"), outbox.clock.now()).unwrap();
        row.kind = "carrier-pigeon".to_owned();
        outbox.db.db.write(move |conn| mails::insert_mail(conn, &row)).await.unwrap();
        outbox.put(&reset("ada@example.com")).await;
        assert_eq!(outbox.work().await, 2);
        assert_eq!(server.next().await.to, ["ada@example.com"]);
        let states: Vec<String> = outbox.rows().await.into_iter().map(|row| row.state).collect();
        assert!(states.contains(&"failed".to_owned()) && states.contains(&"sent".to_owned()), "{states:?}");
    }

    async fn the_worker_in_the_background_sends_at_once_when_woken_and_ends_when_told(db: TestDb) {
        let mut server = server().await;
        let outbox = Outbox::smtp(db, server.port);
        Worker::new(outbox.mailer.clone(), outbox.db.db.clone(), outbox.clock.clone()).start().await;
        outbox.put(&reset("ada@example.com")).await;
        assert_eq!(server.next().await.to, ["ada@example.com"]);
        outbox.mailer.drain(Duration::from_secs(20)).await;
        outbox.put(&reset("bob@example.com")).await;
        assert_eq!((outbox.work().await, server.waiting().len()), (0, 0));
    }

    async fn a_drain_waits_for_work_after_an_answer(db: TestDb) {
        let outbox = Outbox::smtp(db, 1);
        let done = Arc::new(AtomicBool::new(false));
        let (sender, receiver) = tokio::sync::oneshot::channel::<()>();
        let flag = Arc::clone(&done);
        outbox.mailer.later().await.spawn(async move {
            receiver.await.unwrap();
            flag.store(true, Ordering::SeqCst);
        });
        outbox.mailer.drain(Duration::from_millis(1)).await;
        assert!(!done.load(Ordering::SeqCst));
        sender.send(()).unwrap();
        outbox.mailer.drain(Duration::from_secs(20)).await;
        assert!(done.load(Ordering::SeqCst));
    }
}
