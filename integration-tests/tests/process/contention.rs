//! Several processes on one database.

use std::os::unix::fs::MetadataExt as _;
use std::thread;
use std::time::{Duration, Instant};

use schema::Backend;
use serde_json::json;

use crate::command_line::number;
use crate::service::{Service, Start, empty_database, eventually};

fn processes_that_start_at_once_on_an_empty_database_are_all_ready(backend: Backend) {
    let db = empty_database(backend);
    let services: Vec<Service> = thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| Start::on(&db.url).serve())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for service in &services {
        service.assert_ready_within(Duration::from_secs(30));
    }
    let applied = "SELECT count(*) AS n FROM __diesel_schema_migrations";
    let distinct = "SELECT count(DISTINCT version) AS n FROM __diesel_schema_migrations";
    assert_eq!(number(&db.url, applied), number(&db.url, distinct));
    let mut ada = services[0].browser();
    ada.sign_up("ada");
    for service in &services {
        ada.at(service.port).assert_signed_in("ada");
    }
    // Who signs out at one is signed out at all of them.
    let copy = ada.clone();
    assert_eq!(ada.at(services[3].port).sign_out().status, 200);
    for service in &services {
        assert_eq!(copy.at(service.port).get_session().json(), serde_json::Value::Null);
    }
}

#[test]
fn processes_that_start_at_once_on_an_empty_database_are_all_ready_sqlite() {
    processes_that_start_at_once_on_an_empty_database_are_all_ready(Backend::Sqlite);
}

#[test]
fn processes_that_start_at_once_on_an_empty_database_are_all_ready_postgres() {
    processes_that_start_at_once_on_an_empty_database_are_all_ready(Backend::Postgres);
}

/// The locks that keep another process from taking the file for unused, and its WAL away, last whatever else this process
/// opens and closes.
#[test]
fn the_lock_on_the_file_lasts() {
    let db = empty_database(Backend::Sqlite);
    let service = Start::on(&db.url).ready();
    let path = std::path::PathBuf::from(db.url.strip_prefix("sqlite://").unwrap());
    for round in 0..3 {
        let mut ada = service.browser();
        ada.sign_up(&format!("ada{round}"));
        // More connections to the database than there were before.
        thread::scope(|scope| {
            for _ in 0..16 {
                let mut ada = ada.clone();
                let name = json!({ "name": "Ada" });
                scope.spawn(move || {
                    (0..5).for_each(|_| assert_eq!(ada.post("/api/auth/update-user", &name).status, 200));
                });
            }
        });
        let open = std::fs::read_dir(format!("/proc/{}/fd", service.pid())).unwrap();
        let open = open.filter(|fd| std::fs::read_link(fd.as_ref().unwrap().path()).is_ok_and(|file| file == path));
        assert!(open.count() > 1, "one connection proves nothing");
        let lock = format!(" {} ", service.pid());
        let file = format!(":{} ", std::fs::metadata(&path).unwrap().ino());
        let locks = std::fs::read_to_string("/proc/locks").unwrap();
        assert!(locks.lines().any(|line| line.contains(&lock) && line.contains(&file)), "round {round}:\n{locks}");
    }
}

#[test]
fn a_process_killed_while_it_starts_hinders_no_other() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let db = empty_database(backend);
        // At another moment each time: before, amid and after the migrations.
        for moment in 0..10 {
            let service = Start::on(&db.url).launch();
            eventually(Duration::from_millis(5 * moment), || service.log().contains("listening"));
            service.kill();
        }
        let service = Start::on(&db.url).ready();
        service.browser().sign_up("ada");
    }
}

#[test]
fn two_processes_write_to_one_sqlite_file_without_a_failure() {
    const WRITERS: usize = 8;
    let db = empty_database(Backend::Sqlite);
    let services = [Start::on(&db.url).ready(), Start::on(&db.url).ready()];
    let mut signed_in = Vec::new();
    for n in 0..2 * WRITERS {
        let mut browser = services[n % 2].browser();
        browser.sign_up(&format!("user-{n}"));
        signed_in.push(browser);
    }
    let until = Instant::now() + Duration::from_secs(3);
    let counts: Vec<u32> = thread::scope(|scope| {
        let threads: Vec<_> = signed_in
            .iter_mut()
            .map(|browser| {
                scope.spawn(move || {
                    let mut count = 0;
                    while Instant::now() < until {
                        count += 1;
                        let name = json!({ "name": format!("name-{count}") });
                        let reply = browser.post("/api/auth/update-user", &name);
                        assert_eq!(reply.status, 200, "{reply:?}");
                    }
                    count
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for (n, (mut browser, count)) in signed_in.into_iter().zip(counts).enumerate() {
        assert!(count > 0, "writer {n} was never served");
        let user = browser.at(services[(n + 1) % 2].port).get_session().json()["user"].take();
        assert_eq!(user["name"], format!("name-{count}"), "writer {n}");
        assert_eq!(browser.sign_out().status, 200);
    }
}
