//! The outbox's queries: who gets a mail, what is kept of it and for how long.

use schema::test_support::TestDb;
use schema::{AnyConnection, MailRow, MailState, mails, on_both_databases};

use crate::support::at;

fn mail(id: &str, due: i64) -> MailRow {
    MailRow {
        id: id.to_owned(),
        kind: "reset-password".to_owned(),
        recipient: "ada@example.com".to_owned(),
        payload: "{\"token\":\"t\"}".to_owned(),
        state: "pending".to_owned(),
        attempts: 0,
        next_attempt_at: at(due),
        expires_at: Some(at(3600)),
        last_error: None,
        created_at: at(0),
        updated_at: at(0),
        sent_at: None,
    }
}

async fn insert(test: &TestDb, rows: Vec<MailRow>) {
    test.db.write(move |c| rows.iter().try_for_each(|row| mails::insert_mail(c, row))).await.unwrap();
}

/// The row with this id.
async fn row(test: &TestDb, id: &'static str) -> MailRow {
    let all = test.db.read(|c| mails::list_mails(c, None, 100)).await.unwrap();
    all.into_iter().find(|row| row.id == id).unwrap()
}

/// Takes a mail that was never tried, with a lease to the 100th second.
fn claim(conn: &mut AnyConnection, id: &str) -> diesel::QueryResult<bool> {
    mails::claim_mail(conn, &mail(id, 0), at(1), at(100))
}

on_both_databases! {
    async fn due_mails_are_the_pending_ones_whose_time_has_come_longest_due_first(test: TestDb) {
        let mut sent = mail("sent", 0);
        sent.state = "sent".to_owned();
        insert(&test, vec![mail("b", 5), mail("a", 1), mail("later", 11), sent]).await;
        let ids = |limit| test.db.read(move |c| {
            Ok(mails::due_mails(c, at(10), limit)?.into_iter().map(|row| row.id).collect::<Vec<_>>())
        });
        assert_eq!(ids(10).await.unwrap(), ["a", "b"]);
        assert_eq!(ids(1).await.unwrap(), ["a"]);
        assert_eq!(test.db.read(mails::count_pending).await.unwrap(), 3);
        assert_eq!(row(&test, "a").await, mail("a", 1));
    }

    async fn a_mail_is_claimed_by_exactly_one_and_is_due_again_after_the_lease(test: TestDb) {
        insert(&test, vec![mail("a", 0)]).await;
        let one = test.db.write(|c| claim(c, "a"));
        let two = test.db.write(|c| claim(c, "a"));
        let (one, two) = tokio::join!(one, two);
        assert_ne!(one.unwrap(), two.unwrap());
        assert_eq!(row(&test, "a").await.attempts, 1);
        let due = |seconds| test.db.read(move |c| Ok(mails::due_mails(c, at(seconds), 9)?.len()));
        assert_eq!((due(99).await.unwrap(), due(100).await.unwrap()), (0, 1));
        assert!(!test.db.write(|c| claim(c, "gone")).await.unwrap());
    }

    async fn a_sent_mail_keeps_no_payload(test: TestDb) {
        insert(&test, vec![mail("a", 0), mail("b", 0)]).await;
        test.db.write(|c| { claim(c, "a")?; mails::mark_sent(c, "a", at(2)) }).await.unwrap();
        let sent = row(&test, "a").await;
        assert_eq!((sent.state.as_str(), sent.payload.as_str(), sent.sent_at), ("sent", "", Some(at(2))));
        assert!(!test.db.write(|c| claim(c, "a")).await.unwrap());
        assert_eq!(row(&test, "b").await, mail("b", 0));
    }

    async fn a_postponed_mail_is_due_at_the_new_time_and_tells_why(test: TestDb) {
        insert(&test, vec![mail("a", 0)]).await;
        test.db.write(|c| { claim(c, "a")?; mails::postpone_mail(c, "a", at(100), at(7), "refused", at(2)) }).await.unwrap();
        let postponed = row(&test, "a").await;
        assert_eq!((postponed.next_attempt_at, postponed.last_error.as_deref()), (at(7), Some("refused")));
        assert_eq!((postponed.state.as_str(), postponed.attempts), ("pending", 1));
    }

    async fn a_worker_that_lost_its_lease_changes_nothing(test: TestDb) {
        insert(&test, vec![mail("a", 0)]).await;
        test.db.write(|c| claim(c, "a")).await.unwrap();
        let before = row(&test, "a").await;
        test.db.write(|c| {
            mails::postpone_mail(c, "a", at(99), at(7), "late", at(2))?;
            mails::mark_failed(c, "a", at(99), "late", at(2))
        }).await.unwrap();
        assert_eq!(row(&test, "a").await, before);
    }

    async fn a_failed_mail_keeps_its_payload_and_tells_why(test: TestDb) {
        insert(&test, vec![mail("a", 0), mail("b", 0)]).await;
        test.db.write(|c| { claim(c, "a")?; mails::mark_failed(c, "a", at(100), "550 no", at(2)) }).await.unwrap();
        let a = row(&test, "a").await;
        assert_eq!((a.state.as_str(), a.last_error.as_deref()), ("failed", Some("550 no")));
        assert_eq!(a.payload, mail("a", 0).payload);
        assert_eq!(row(&test, "b").await, mail("b", 0));
    }

    async fn retry_makes_failed_mails_due_again_but_not_expired_ones(test: TestDb) {
        let failed = |id: &str| MailRow { state: "failed".to_owned(), attempts: 9, ..mail(id, 0) };
        let lasting = MailRow { expires_at: None, ..failed("lasting") };
        insert(&test, vec![failed("a"), failed("b"), lasting, mail("pending", 0)]).await;
        let retry = |id: Option<&'static str>, now| test.db.write(move |c| mails::retry_mails(c, id, at(now)));
        assert_eq!(retry(Some("a"), 10).await.unwrap(), 1);
        assert_eq!(retry(Some("a"), 10).await.unwrap(), 0);
        assert_eq!(retry(Some("gone"), 10).await.unwrap(), 0);
        let a = row(&test, "a").await;
        assert_eq!((a.state.as_str(), a.attempts, a.next_attempt_at), ("pending", 0, at(10)));
        assert_eq!(row(&test, "b").await.state, "failed");
        // The hour of "b" is over; "lasting" has no end.
        assert_eq!(retry(None, 3600).await.unwrap(), 1);
        assert_eq!(row(&test, "lasting").await.state, "pending");
        assert_eq!(row(&test, "b").await.state, "failed");
    }

    async fn mails_are_listed_by_state_newest_first(test: TestDb) {
        let newer = MailRow { created_at: at(5), state: "failed".to_owned(), ..mail("newer", 0) };
        insert(&test, vec![mail("older", 0), newer]).await;
        let ids = |state, limit| test.db.read(move |c| {
            Ok(mails::list_mails(c, state, limit)?.into_iter().map(|row| row.id).collect::<Vec<_>>())
        });
        assert_eq!(ids(None, 10).await.unwrap(), ["newer", "older"]);
        assert_eq!(ids(None, 1).await.unwrap(), ["newer"]);
        assert_eq!(ids(Some(MailState::Failed), 10).await.unwrap(), ["newer"]);
        assert_eq!(ids(Some(MailState::Sent), 10).await.unwrap(), Vec::<String>::new());
    }

    async fn old_mails_of_a_state_are_deleted(test: TestDb) {
        let sent = |id: &str, made| MailRow { state: "sent".to_owned(), created_at: at(made), ..mail(id, 0) };
        insert(&test, vec![sent("old", 0), sent("new", 10), mail("pending", 0)]).await;
        assert_eq!(test.db.write(|c| mails::delete_mails(c, MailState::Sent, at(10))).await.unwrap(), 1);
        assert_eq!(test.db.read(|c| mails::list_mails(c, None, 9)).await.unwrap().len(), 2);
    }

    async fn a_state_nobody_knows_is_refused(test: TestDb) {
        let row = MailRow { state: "lost".to_owned(), ..mail("a", 0) };
        let error = test.db.write(move |c| mails::insert_mail(c, &row)).await.unwrap_err();
        assert!(matches!(error, schema::DbError::CheckViolation { constraint } if constraint == "mails_state"));
    }
}

#[test]
fn debug_shows_neither_payload_nor_recipient() {
    let text = format!("{:?}", mail("a", 0));
    assert!(text.contains("reset-password") && !text.contains("token") && !text.contains("ada@"), "{text}");
}
