//! Removing what is over (`auth_sidecar::jobs`).

use auth_sidecar::clock::plus_seconds;
use auth_sidecar::jobs::{purge, purge_once};
use diesel::prelude::*;
use integration_tests::{TestApp, on_both_databases};
use schema::tables::sessions;
use schema::{Session, Verification};

use crate::support::*;

const WEEK: i64 = 7 * DAY;

async fn round(app: &TestApp) -> usize {
    purge_once(&app.db.db, &app.state.config, app.clock.now()).await.unwrap()
}

/// As many more sessions and verifications that end in a week, as one session and one verification
/// that are there.
async fn multiply(app: &TestApp, times: usize) {
    let ends = plus_seconds(app.clock.now(), WEEK);
    let now = app.clock.now();
    let insert = app.db.db.write(move |conn| {
        let one: Session = sessions::table.select(Session::as_select()).first(conn)?;
        let rows: Vec<Session> =
            (0..times).map(|n| Session { id: format!("s{n}"), token: format!("t{n}"), ..one.clone() }).collect();
        for rows in rows.chunks(100) {
            rows.iter().try_for_each(|row| schema::sessions::insert_session(conn, row))?;
        }
        let row = |n| Verification {
            id: format!("v{n}"),
            identifier: format!("reset-password:{n}"),
            value: one.user_id.clone(),
            expires_at: ends,
            created_at: now,
            updated_at: now,
        };
        (0..times).map(row).try_for_each(|row| schema::verifications::insert_verification(conn, &row))
    });
    insert.await.unwrap();
}

on_both_databases! {
    async fn sessions_and_links_go_when_they_are_over_and_not_before(db: TestDb) {
        let (app, ada, mut mailbox) = with_mailbox(db, &[]).await;
        reset_token(&app, &mut mailbox, "ada").await;
        assert_eq!(round(&app).await, 0);
        app.clock.advance(3_600);
        assert_eq!(round(&app).await, 0, "the link is good up to this moment");
        app.clock.advance(1);
        assert_eq!((round(&app).await, count(&app, "verifications").await), (1, 0));
        assert_eq!(ada.user().await["name"], "ada");
        app.clock.advance(WEEK);
        let phone = second_device(&app, "ada").await;
        reset_token(&app, &mut mailbox, "ada").await;
        assert_eq!((round(&app).await, count(&app, "sessions").await, count(&app, "verifications").await), (1, 1, 1));
        assert_eq!(phone.user().await["name"], "ada");
        assert_eq!(ada.get("/get-session").await.body, "null");
        assert_eq!((count(&app, "users").await, count(&app, "accounts").await, round(&app).await), (1, 1, 0));
    }

    async fn any_number_of_rows_goes_in_one_round(db: TestDb) {
        let (app, _ada) = with_ada(db, &[]).await;
        // More than two batches, and as many as exactly two.
        multiply(&app, 1_000).await;
        let phone = app.browser();
        app.clock.advance(WEEK + 1);
        assert_eq!(phone.sign_in("ada").await.status.as_u16(), 200);
        assert_eq!(round(&app).await, 2_001);
        assert_eq!((count(&app, "sessions").await, count(&app, "verifications").await), (1, 0));
        assert_eq!(phone.user().await["name"], "ada");
    }

    async fn two_processes_remove_at_once_and_each_row_counts_once(db: TestDb) {
        let (app, _ada) = with_ada(db, &[]).await;
        multiply(&app, 600).await;
        app.clock.advance(WEEK + 1);
        let (one, two) = futures_util::future::join(round(&app), round(&app)).await;
        assert_eq!(one + two, 1_201);
        assert_eq!((count(&app, "sessions").await, count(&app, "verifications").await), (0, 0));
    }

    async fn a_process_begins_with_a_round_and_goes_on(db: TestDb) {
        let (app, _ada, mut mailbox) = with_mailbox(db, &[("AUTH_PURGE_INTERVAL", "1")]).await;
        let gone = async |left: &str| {
            while count(&app, left).await > 0 {
                tokio::task::yield_now().await;
            }
        };
        reset_token(&app, &mut mailbox, "ada").await;
        app.clock.advance(3_601);
        let job = actix_web::rt::spawn(purge(app.state.clone().into_inner()));
        let patience = std::time::Duration::from_secs(30);
        tokio::time::timeout(patience, gone("verifications")).await.expect("the first round");
        app.clock.advance(WEEK);
        tokio::time::timeout(patience, gone("sessions")).await.expect("a later round");
        app.state.start_draining();
        tokio::time::timeout(patience, job).await.expect("it ends with the service").unwrap();
    }

    async fn a_failing_database_ends_a_round_and_not_the_job(db: TestDb) {
        let (app, _ada) = with_ada(db, &[]).await;
        app.clock.advance(WEEK + 1);
        try_execute(&app, "ALTER TABLE verifications RENAME TO gone").await.unwrap();
        assert!(purge_once(&app.db.db, &app.state.config, app.clock.now()).await.is_err());
        assert_eq!(count(&app, "sessions").await, 0, "what came before stays removed");
        try_execute(&app, "ALTER TABLE gone RENAME TO verifications").await.unwrap();
        assert_eq!(round(&app).await, 0);
    }
}
