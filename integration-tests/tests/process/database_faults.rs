//! Single connections that die or hang, on the common test server.

use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use schema::Backend;

use crate::command_line::number;
use crate::http::Browser;
use crate::service::{Start, empty_database, eventually};

/// As many requests at once as `browsers`; their answers are 200 or 503, and the number of the latter.
fn failures_at_once(browser: &Browser, browsers: usize) -> usize {
    let barrier = Barrier::new(browsers);
    thread::scope(|scope| {
        let ask = || {
            let mut browser = browser.clone();
            barrier.wait();
            let reply = browser.get_session();
            match reply.status {
                200 => assert!(reply.json()["user"].is_object(), "signed out: {reply:?}"),
                _ => reply.assert_unavailable(Duration::from_millis(3500)),
            }
            usize::from(reply.status != 200)
        };
        let threads: Vec<_> = (0..browsers).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    })
}

const OURS: &str = "FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'auth-sidecar'";

#[test]
fn each_terminated_connection_costs_at_most_one_request() {
    let db = empty_database(Backend::Postgres);
    let service = Start::on(&db.url).ready();
    let mut ada = service.browser();
    ada.sign_up("ada");
    for round in 1..=3 {
        assert!(eventually(Duration::from_secs(10), || {
            assert_eq!(failures_at_once(&ada, 8), 0, "round {round}: a failure before anything was terminated");
            number(&db.url, &format!("SELECT count(*) AS n {OURS}")) >= 2
        }));
        let killed = number(&db.url, &format!("SELECT count(pg_terminate_backend(pid, 10000)) AS n {OURS}"));
        assert!(killed >= 2, "{killed}");
        let mut failures = 0;
        for _ in 0..5 {
            failures += failures_at_once(&ada, 8);
        }
        assert!(failures <= usize::try_from(killed).unwrap(), "round {round}: {failures} failures, {killed} killed");
        for _ in 0..10 {
            ada.assert_signed_in("ada");
        }
    }
}

#[test]
fn a_locked_table_costs_its_readers_3_seconds_and_nobody_else_anything() {
    let db = empty_database(Backend::Postgres);
    let service = Start::on(&db.url).set("AUTH_DATABASE_POOL_SIZE", 2).ready();
    let mut ada = service.browser();
    ada.sign_up("ada");

    let mut other = PgConnection::establish(&db.url).unwrap();
    other.batch_execute("BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE").unwrap();
    thread::scope(|scope| {
        let askers: Vec<_> = (0..8)
            .map(|n| {
                let mut ada = ada.clone();
                scope.spawn(move || if n % 2 == 0 { ada.get_session() } else { ada.sign_in("ada") })
            })
            .collect();
        assert!(eventually(Duration::from_secs(10), || {
            let waiting = format!("SELECT count(*) AS n {OURS} AND wait_event_type = 'Lock'");
            number(&db.url, &waiting) >= 2 || askers.iter().all(|asker| asker.is_finished())
        }));
        for _ in 0..20 {
            let reply = service.browser().get("/api/auth/ok");
            assert_eq!(reply.status, 200);
            assert!(reply.took < Duration::from_millis(500), "{reply:?}");
        }
        for asker in askers {
            asker.join().unwrap().assert_unavailable(Duration::from_millis(3500));
        }
    });
    let reply = service.browser().get("/health/ready");
    assert!(reply.took < Duration::from_secs(3), "{reply:?}");

    other.batch_execute("ROLLBACK").unwrap();
    assert!(eventually(Duration::from_secs(5), || ada.get_session().status == 200));
    for _ in 0..10 {
        ada.assert_signed_in("ada");
    }
}
