//! PostgreSQL stopped, frozen and crashed under the program, on a server of the test's own.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::http::{Browser, Connection, Reply, email};
use crate::service::{Service, Start, eventually};

/// What the program promises for every request while the database is away: `AUTH_DATABASE_QUERY_TIMEOUT`
/// and half a second for the machine.
const PROMISE: Duration = Duration::from_millis(3500);

/// What needs no database goes on.
#[track_caller]
fn assert_alive(service: &Service) {
    for path in ["/health/live", "/api/auth/ok"] {
        let reply = service.browser().get(path);
        assert_eq!(reply.status, 200, "{reply:?}");
        assert!(reply.took < Duration::from_secs(1), "{reply:?}");
    }
}

/// Every kind of request of somebody who is signed in, all at the same time: 503 in time, and no
/// word of being signed out.
#[track_caller]
fn assert_all_unavailable(ada: &Browser) {
    let requests: [(&str, &str, Option<Value>); 10] = [
        ("GET", "/api/auth/get-session", None),
        ("GET", "/api/auth/get-session?disableCookieCache=true", None),
        ("GET", "/api/auth/list-sessions", None),
        ("POST", "/api/auth/update-user", Some(json!({ "name": "Ada" }))),
        ("POST", "/api/auth/sign-in/email", Some(json!({ "email": email("ada"), "password": crate::http::PASSWORD }))),
        ("POST", "/api/auth/sign-up/email", Some(crate::http::sign_up_body("bob"))),
        ("POST", "/api/auth/sign-out", Some(json!({}))),
        ("POST", "/api/auth/revoke-sessions", Some(json!({}))),
        ("GET", "/auth/me", None),
        ("PUT", "/auth/profile", Some(json!({ "name": "Ada" }))),
    ];
    let replies: Vec<(&str, Reply)> = thread::scope(|scope| {
        let threads: Vec<_> = requests
            .iter()
            .map(|(method, path, body)| {
                let mut browser = ada.clone();
                (*path, scope.spawn(move || browser.send(method, path, body.as_ref()).unwrap()))
            })
            .collect();
        threads.into_iter().map(|(path, thread)| (path, thread.join().unwrap())).collect()
    });
    for (path, reply) in replies {
        eprintln!("{path}: {} after {:?}", reply.status, reply.took);
        reply.assert_unavailable(PROMISE);
    }
}

#[test]
fn a_database_that_is_down_at_the_start_is_waited_for() {
    let cluster = Cluster::started();
    let start = Start::on(&cluster.url());
    let first = start.ready();
    let mut ada = first.browser();
    ada.sign_up("ada");
    first.stop();
    cluster.stop();

    let service = start.serve();
    let ada = ada.at(service.port);
    assert_alive(&service);
    let reply = service.browser().get("/health/ready");
    assert_eq!((reply.status, reply.json()), (503, json!({ "status": "waiting for the database" })));
    assert_all_unavailable(&ada);
    assert!(service.logs("waiting for the database"));
    assert!(!service.log().contains("panicked"));

    cluster.start();
    service.assert_ready_within(Duration::from_secs(5));
    ada.clone().assert_signed_in("ada");
}

#[test]
fn a_start_while_the_database_is_down_makes_the_tables_once_it_is_there() {
    let cluster = Cluster::new();
    let service = Start::on(&cluster.url()).serve();
    assert_eq!(service.readiness(), 503);
    cluster.start();
    service.assert_ready_within(Duration::from_secs(5));
    service.browser().sign_up("ada");
}

#[test]
fn a_database_that_stops_signs_nobody_out() {
    let cluster = Cluster::started();
    let service = Start::on(&cluster.url()).ready();
    let mut ada = service.browser();
    ada.sign_up("ada");
    let cookies = ada.cookie_header();

    // Somebody is asking all the time: in each moment the answer is the session or 503.
    let over = AtomicBool::new(false);
    let answers = thread::scope(|scope| {
        let asker = scope.spawn(|| {
            let (mut ada, mut answers) = (ada.clone(), BTreeSet::new());
            while !over.load(Ordering::Relaxed) {
                let reply = ada.get_session();
                match reply.status {
                    200 => assert_eq!(reply.json()["user"]["email"], email("ada"), "{reply:?}"),
                    _ => reply.assert_unavailable(PROMISE),
                }
                answers.insert(reply.status);
            }
            answers
        });
        // The asker must end whatever fails here.
        let outage = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            cluster.stop();
            let stopped = Instant::now();
            assert!(eventually(Duration::from_secs(2), || service.readiness() == 503), "still ready");
            assert!(stopped.elapsed() < Duration::from_secs(3));
            assert_all_unavailable(&ada);
            assert_all_unavailable(&ada);
            assert_alive(&service);
            cluster.start();
            service.assert_ready_within(Duration::from_secs(5));
        }));
        over.store(true, Ordering::Relaxed);
        let answers = asker.join().unwrap();
        outage.unwrap_or_else(|cause| std::panic::resume_unwind(cause));
        answers
    });
    assert_eq!(answers, BTreeSet::from([200, 503]));
    // All of the pool's connections are dead, and each of them at most costs one request.
    assert!(eventually(Duration::from_secs(5), || ada.get_session().status == 200));
    assert_eq!(ada.cookie_header(), cookies);
    ada.assert_signed_in("ada");
    assert_eq!(service.browser().sign_in("ada").status, 200);
    assert_eq!(ada.sign_out().status, 200);
    assert_eq!(ada.cookie_header(), "");
}

#[test]
fn a_frozen_database_is_answered_for_in_time_and_forgotten_when_it_thaws() {
    let cluster = Cluster::started();
    let service = Start::on(&cluster.url()).ready();
    let mut ada = service.browser();
    ada.sign_up("ada");

    cluster.freeze();
    // The first ones hold the connections there are, the later ones find none.
    assert_all_unavailable(&ada);
    assert_all_unavailable(&ada);
    assert_alive(&service);
    let reply = service.browser().get("/health/ready");
    assert!(reply.status == 503 && reply.took <= PROMISE, "{reply:?}");

    cluster.thaw();
    service.assert_ready_within(Duration::from_secs(5));
    assert!(eventually(Duration::from_secs(5), || ada.get_session().status == 200));
    for _ in 0..20 {
        ada.assert_signed_in("ada");
    }
    // Nothing of what was answered with 503 happened after all: all of it writes, or signs out.
    assert_eq!(service.browser().sign_in("bob").status, 401);
    assert_eq!(ada.get_session().json()["user"]["name"], "ada");
}

#[test]
fn a_frozen_database_does_not_keep_the_program_from_ending() {
    let cluster = Cluster::started();
    let mut service = Start::on(&cluster.url()).ready();
    let mut ada = service.browser();
    ada.sign_up("ada");
    cluster.freeze();
    // Threads wait for the database now that nobody can wake.
    assert_all_unavailable(&ada);
    service.signal("TERM");
    let status = service.end_within(Duration::from_secs(10));
    assert_eq!(status.code(), Some(0), "{status}");
}

#[test]
fn a_start_that_waits_for_another_s_migration_can_be_ended() {
    let cluster = Cluster::started();
    // The lock under which all processes migrate (schema, `migrations`).
    let mut other = cluster.connect();
    other.batch_execute(&format!("SELECT pg_advisory_lock({})", 0x6175_7468_7363_i64)).unwrap();
    let mut service = Start::on(&cluster.url()).serve();
    assert_eq!(service.readiness(), 503);
    assert!(
        eventually(Duration::from_secs(10), || {
            let waiting = "SELECT count(*) AS n FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
            crate::command_line::number(&cluster.url(), waiting) == 1
        }),
        "it does not wait for the lock"
    );
    service.signal("TERM");
    let status = service.end_within(Duration::from_secs(10));
    assert_eq!(status.code(), Some(0), "{status}");
}

#[test]
fn a_crash_of_the_database_under_load_loses_nothing_that_was_acknowledged() {
    let cluster = Cluster::started();
    let service = Start::on(&cluster.url()).ready();
    let mut ada = service.browser();
    ada.sign_up("ada");

    let over = AtomicBool::new(false);
    let acknowledged = Mutex::new(Vec::new());
    let failed = Mutex::new(0);
    thread::scope(|scope| {
        for worker in 0..4 {
            let (service, over, acknowledged, failed, ada) = (&service, &over, &acknowledged, &failed, &ada);
            scope.spawn(move || {
                let mut ada = ada.clone();
                for n in 0.. {
                    if over.load(Ordering::Relaxed) {
                        return;
                    }
                    let name = format!("user-{worker}-{n}");
                    let reply = service.browser().post("/api/auth/sign-up/email", &crate::http::sign_up_body(&name));
                    match reply.status {
                        200 => acknowledged.lock().unwrap().push(name),
                        503 => *failed.lock().unwrap() += 1,
                        _ => panic!("{reply:?}"),
                    }
                    let reply = ada.get_session();
                    match reply.status {
                        200 => assert_eq!(reply.json()["user"]["email"], email("ada"), "{reply:?}"),
                        _ => reply.assert_unavailable(PROMISE),
                    }
                }
            });
        }
        let count = || acknowledged.lock().unwrap().len();
        let course = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            assert!(eventually(Duration::from_secs(20), || count() >= 10));
            cluster.crash();
            assert!(eventually(Duration::from_secs(20), || *failed.lock().unwrap() > 0));
            cluster.start();
            let before = count();
            assert!(eventually(Duration::from_secs(10), || count() >= before + 10), "no sign-up succeeds any more");
            let failed_before = *failed.lock().unwrap();
            let before = count();
            assert!(eventually(Duration::from_secs(20), || count() >= before + 10));
            // Back to normal: the tenth sign-up after the return is behind us.
            assert!(*failed.lock().unwrap() <= failed_before, "sign-ups still fail");
        }));
        over.store(true, Ordering::Relaxed);
        course.unwrap_or_else(|cause| std::panic::resume_unwind(cause));
    });
    let acknowledged = acknowledged.into_inner().unwrap();
    for name in &acknowledged {
        assert_eq!(service.browser().sign_in(name).status, 200, "{name} was acknowledged");
    }
    ada.assert_signed_in("ada");
    // And on one connection that stays open, too.
    let mut connection = Connection::open(service.port).unwrap();
    for _ in 0..3 {
        assert_eq!(connection.get("/health/ready").unwrap().status, 200);
    }
}
