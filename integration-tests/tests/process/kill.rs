//! `kill -9` amid sign-ups.

use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::Text;
use schema::Backend;

use crate::command_line::{file_of, number};
use crate::http::sign_up_body;
use crate::service::{Start, empty_database, eventually};

const ROUNDS: usize = 5;
const CLIENTS: usize = 4;

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    integrity_check: String,
}

fn a_killed_process_keeps_what_it_acknowledged_and_leaves_nothing_half_done(backend: Backend) {
    let db = empty_database(backend);
    let start = Start::on(&db.url);
    let (acknowledged, unanswered) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    for round in 0..ROUNDS {
        let service = start.ready();
        let killed = AtomicBool::new(false);
        let before = acknowledged.lock().unwrap().len();
        thread::scope(|scope| {
            for client in 0..CLIENTS {
                let (acknowledged, unanswered, killed, port) = (&acknowledged, &unanswered, &killed, service.port);
                scope.spawn(move || {
                    for n in 0.. {
                        let name = format!("user-{round}-{client}-{n}");
                        let body = sign_up_body(&name);
                        let reply =
                            crate::http::Browser::new(port).send("POST", "/api/auth/sign-up/email", Some(&body));
                        match reply {
                            Ok(reply) if reply.status == 200 => acknowledged.lock().unwrap().push(name),
                            Ok(reply) => panic!("{reply:?}"),
                            Err(error) => {
                                let by_kill =
                                    killed.load(Ordering::SeqCst) || error.kind() == io::ErrorKind::ConnectionReset;
                                assert!(by_kill, "{name}: {error}");
                                unanswered.lock().unwrap().push(name);
                                return;
                            }
                        }
                    }
                });
            }
            // Another moment in each round.
            let enough = before + 3 + 2 * round;
            let reached = eventually(Duration::from_secs(30), || acknowledged.lock().unwrap().len() >= enough);
            killed.store(true, Ordering::SeqCst);
            service.kill();
            assert!(reached, "too few sign-ups");
        });
    }

    if backend == Backend::Sqlite {
        let mut conn = SqliteConnection::establish(file_of(&db.url)).unwrap();
        let lines: Vec<Line> = diesel::sql_query("PRAGMA integrity_check").load(&mut conn).unwrap();
        assert_eq!(lines.iter().map(|line| line.integrity_check.as_str()).collect::<Vec<_>>(), ["ok"]);
    }
    let lonely = "SELECT count(*) AS n FROM users WHERE NOT EXISTS (SELECT 1 FROM accounts WHERE user_id = users.id)";
    assert_eq!(number(&db.url, lonely), 0, "users without an account");

    let service = start.ready();
    let acknowledged = acknowledged.into_inner().unwrap();
    let unanswered = unanswered.into_inner().unwrap();
    assert_eq!(unanswered.len(), ROUNDS * CLIENTS);
    for name in &acknowledged {
        assert_eq!(service.browser().sign_in(name).status, 200, "{name} was acknowledged");
    }
    for name in &unanswered {
        let reply = service.browser().post("/api/auth/sign-up/email", &sign_up_body(name));
        assert!(matches!(reply.status, 200 | 422), "{name}: {reply:?}");
        // Whichever it was, the account is whole now.
        assert_eq!(service.browser().sign_in(name).status, 200, "{name}");
    }
}

#[test]
fn a_killed_process_keeps_what_it_acknowledged_and_leaves_nothing_half_done_sqlite() {
    a_killed_process_keeps_what_it_acknowledged_and_leaves_nothing_half_done(Backend::Sqlite);
}

#[test]
fn a_killed_process_keeps_what_it_acknowledged_and_leaves_nothing_half_done_postgres() {
    a_killed_process_keeps_what_it_acknowledged_and_leaves_nothing_half_done(Backend::Postgres);
}
