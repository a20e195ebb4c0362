//! Clients that send a byte per second, to hold connections.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use schema::Backend;

use crate::http::{Connection, head};
use crate::service::{Service, Start, empty_database};

/// Sends a byte per second until the service ends the connection; how long that took.
fn drip(mut connection: Connection, byte: &str, limit: Duration) -> Option<Duration> {
    let began = Instant::now();
    while began.elapsed() < limit {
        if connection.write(byte).is_err() || connection.is_ended_within(Duration::from_secs(1)) {
            return Some(began.elapsed());
        }
    }
    None
}

fn slow_head(service: &Service) -> Connection {
    let mut connection = Connection::open(service.port).unwrap();
    connection.write("POST /api/auth/sign-in/email HTTP/1.1\r\nHost: localhost:4000\r\nX-Slow: ").unwrap();
    connection
}

fn slow_body(service: &Service, path: &str, headers: &[(&str, &str)]) -> Connection {
    let mut connection = Connection::open(service.port).unwrap();
    connection.write(head("POST", path, headers) + "\r\n").unwrap();
    connection
}

const JSON: (&str, &str) = ("Content-Type", "application/json");
const LONG: (&str, &str) = ("Content-Length", "1000");
const CHUNKED: (&str, &str) = ("Transfer-Encoding", "chunked");

#[test]
fn slow_heads_and_bodies_are_cut_while_others_are_served() {
    let db = empty_database(Backend::Sqlite);
    let service = Start::on(&db.url).ready();
    let mut ada = service.browser();
    ada.sign_up("ada");
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let heads: Vec<_> =
            (0..25).map(|_| scope.spawn(|| drip(slow_head(&service), "x", Duration::from_secs(12)))).collect();
        let slow_sign_in = || {
            let connection = slow_body(&service, "/api/auth/sign-in/email", &[JSON, LONG]);
            drip(connection, " ", Duration::from_secs(25))
        };
        let bodies: Vec<_> = (0..25).map(|_| scope.spawn(slow_sign_in)).collect();
        let normal = scope.spawn(|| {
            let (mut ada, mut times) = (ada.clone(), Vec::new());
            while !over.load(Ordering::Relaxed) {
                let reply = ada.get_session();
                assert_eq!(reply.status, 200, "{reply:?}");
                times.push(reply.took);
            }
            times.sort();
            times
        });
        let heads: Vec<_> = heads.into_iter().map(|thread| thread.join().unwrap()).collect();
        let bodies: Vec<_> = bodies.into_iter().map(|thread| thread.join().unwrap()).collect();
        over.store(true, Ordering::Relaxed);
        let times = normal.join().unwrap();
        eprintln!("{} normal requests, slowest {:?}", times.len(), times.last());
        assert!(times[times.len() * 99 / 100] < Duration::from_millis(500), "{:?}", times.last());
        for head in heads {
            let took = head.expect("a slow head was not cut within 12 s");
            assert!((4..8).contains(&took.as_secs()), "{took:?}");
        }
        for body in bodies {
            let took = body.expect("a slow body was not cut within 25 s");
            assert!((14..19).contains(&took.as_secs()), "{took:?}");
        }
    });
}

/// What it is, path, headers, and what is sent each second.
type Case = (&'static str, &'static str, &'static [(&'static str, &'static str)], &'static str);

#[test]
fn slow_bodies_are_cut_read_or_not_and_whatever_tells_their_length() {
    let db = empty_database(Backend::Sqlite);
    let service = Start::on(&db.url).ready();
    let cases: [Case; 6] = [
        ("a body that is read, chunked", "/api/auth/sign-in/email", &[JSON, CHUNKED], "1\r\n \r\n"),
        ("an unknown path", "/nowhere", &[JSON, LONG], " "),
        ("an unknown path, chunked", "/nowhere", &[JSON, CHUNKED], "1\r\n \r\n"),
        ("a wrong media type", "/api/auth/sign-in/email", &[("Content-Type", "text/plain"), LONG], " "),
        (
            "a wrong media type, chunked",
            "/api/auth/sign-in/email",
            &[("Content-Type", "text/plain"), CHUNKED],
            "1\r\n \r\n",
        ),
        ("no media type, chunked", "/api/auth/sign-out", &[CHUNKED], "1\r\n \r\n"),
    ];
    let held: Vec<&str> = thread::scope(|scope| {
        let threads: Vec<_> = cases
            .iter()
            .map(|(name, path, headers, byte)| {
                let connection = slow_body(&service, path, headers);
                (name, scope.spawn(move || drip(connection, byte, Duration::from_secs(20))))
            })
            .collect();
        let ended = threads.into_iter().map(|(name, thread)| (*name, thread.join().unwrap()));
        ended.filter(|(_, took)| took.is_none()).map(|(name, _)| name).collect()
    });
    assert_eq!(held, [""; 0], "held for 20 s");
}
