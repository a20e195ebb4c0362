//! The end by a signal.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use schema::Backend;
use schema::test_support::TestDb;

use crate::http::{Connection, head, sign_up_body};
use crate::service::{Service, Start, empty_database, eventually};

fn service() -> (TestDb, Service) {
    let db = empty_database(Backend::Sqlite);
    let service = Start::on(&db.url).ready();
    (db, service)
}

/// A sign-up the service has begun with and waits for the body of.
struct Begun {
    connection: Connection,
    body: String,
}

impl Begun {
    fn new(service: &Service, name: &str) -> Self {
        let body = sign_up_body(name).to_string();
        let length = body.len().to_string();
        let mut connection = Connection::open(service.port).unwrap();
        let headers = [("Content-Type", "application/json"), ("Content-Length", &length), ("Expect", "100-continue")];
        connection.write(head("POST", "/api/auth/sign-up/email", &headers) + "\r\n").unwrap();
        // With this the service says that it waits for the body.
        assert_eq!(connection.read_reply().unwrap().status, 100);
        Self { connection, body }
    }

    fn finish(mut self) -> io::Result<crate::http::Reply> {
        self.connection.write(&self.body)?;
        self.connection.read_reply()
    }
}

/// Sends the signal and waits until the service has taken notice.
fn begin_to_stop(service: &Service, signal: &str) {
    service.signal(signal);
    assert!(service.logs("stopping: no new connections"));
}

fn a_signal_lets_requests_under_way_finish(signal: &str) {
    let (_db, mut service) = service();
    let begun: Vec<_> = (0..6).map(|n| Begun::new(&service, &format!("user-{n}"))).collect();
    begin_to_stop(&service, signal);
    let began = Instant::now();
    for request in begun {
        let reply = request.finish().unwrap();
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!(reply.header("connection"), "close", "{reply:?}");
    }
    let status = service.end_within(Duration::from_secs(10).saturating_sub(began.elapsed()));
    assert_eq!(status.code(), Some(0), "{}", service.whole_log());
    assert!(Connection::open(service.port).is_err(), "somebody still listens");
}

#[test]
fn a_terminated_service_finishes_what_is_under_way() {
    a_signal_lets_requests_under_way_finish("TERM");
}

#[test]
fn an_interrupted_service_finishes_what_is_under_way() {
    a_signal_lets_requests_under_way_finish("INT");
}

#[test]
fn busy_clients_that_keep_their_connections_do_not_delay_the_end() {
    let (_db, mut service) = service();
    let mut ada = service.browser();
    ada.sign_up("ada");
    let get_session = head("GET", "/api/auth/get-session", &[("Cookie", &ada.cookie_header())]) + "\r\n";
    let (answers, port) = (AtomicU32::new(0), service.port);
    let (took, status) = thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut connection = Connection::open(port).unwrap();
                loop {
                    let reply = connection.write(&get_session).and_then(|()| connection.read_reply());
                    let reply = match reply {
                        Ok(reply) => reply,
                        // The connection ended between two answers, or as this request went out.
                        Err(error) if error.kind() != io::ErrorKind::InvalidData => return,
                        Err(error) => panic!("{error}"),
                    };
                    assert_eq!(reply.status, 200, "{reply:?}");
                    assert_eq!(reply.json()["user"]["name"], "ada", "{reply:?}");
                    answers.fetch_add(1, Ordering::Relaxed);
                    if reply.header("connection") == "close" {
                        assert!(connection.is_ended_within(Duration::from_secs(5)), "announced and not closed");
                        return;
                    }
                }
            });
        }
        assert!(eventually(Duration::from_secs(30), || answers.load(Ordering::Relaxed) >= 200));
        let began = Instant::now();
        service.signal("TERM");
        let status = service.end_within(Duration::from_secs(10));
        (began.elapsed(), status)
    });
    assert_eq!(status.code(), Some(0), "{}", service.whole_log());
    eprintln!("ended after {took:?}");
    assert!(took < Duration::from_secs(6), "it waited for clients that had nothing under way: {took:?}");
}

#[test]
fn idle_connections_do_not_delay_the_end() {
    let (_db, mut service) = service();
    let mut idle: Vec<_> = (0..8).map(|_| Connection::open(service.port).unwrap()).collect();
    for connection in &mut idle {
        assert_eq!(connection.get("/api/auth/ok").unwrap().status, 200);
    }
    // One that never said a word, too.
    let _mute = Connection::open(service.port).unwrap();
    let began = Instant::now();
    service.signal("TERM");
    let status = service.end_within(Duration::from_secs(10));
    assert_eq!(status.code(), Some(0), "{}", service.whole_log());
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
}

#[test]
fn a_service_about_to_stop_is_not_ready() {
    let (_db, service) = service();
    let mut probes: Vec<_> = (0..3).map(|_| Connection::open(service.port).unwrap()).collect();
    for probe in &mut probes {
        assert_eq!(probe.get("/health/ready").unwrap().status, 200);
    }
    let _begun = Begun::new(&service, "ada");
    begin_to_stop(&service, "TERM");
    // Either the connection has ended or the answer says so; the first one may be a moment early.
    let statuses: Vec<_> = probes.iter_mut().map(|probe| probe.get("/health/ready").map(|r| r.status).ok()).collect();
    assert!(statuses[1..].iter().all(|status| matches!(status, None | Some(503))), "{statuses:?}");
}

#[test]
fn a_request_that_never_ends_is_given_up_after_the_shutdown_timeout() {
    let db = empty_database(Backend::Sqlite);
    let mut service = Start::on(&db.url).set("AUTH_SHUTDOWN_TIMEOUT", "2s").ready();
    let mut begun = Begun::new(&service, "ada");
    let began = Instant::now();
    service.signal("TERM");
    let status = service.end_within(Duration::from_secs(6));
    assert_eq!(status.code(), Some(0), "{}", service.whole_log());
    assert!(began.elapsed() >= Duration::from_millis(1500), "{:?}", began.elapsed());
    assert!(begun.connection.is_ended_within(Duration::from_secs(1)));
}

#[test]
fn a_second_signal_ends_at_once() {
    for (first, second) in [("TERM", "TERM"), ("INT", "INT")] {
        let (_db, mut service) = service();
        let _begun = Begun::new(&service, "ada");
        begin_to_stop(&service, first);
        let began = Instant::now();
        service.signal(second);
        let status = service.end_within(Duration::from_secs(4));
        assert_eq!(status.code(), Some(1), "{status}");
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    }
}
