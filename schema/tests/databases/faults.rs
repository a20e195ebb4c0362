//! PostgreSQL going away and coming back.

use std::collections::HashSet;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use schema::test_support::TestDb;
use schema::{AnyConnection, Backend, Db, DbConfig, DbError, users};
use tokio::task::JoinSet;

use crate::support::{number, user};

fn backend_pid(conn: &mut AnyConnection) -> diesel::QueryResult<i64> {
    number(conn, "SELECT pg_backend_pid()::bigint AS value")
}

/// Fills the pool of four and returns its server processes.
async fn fill(db: &Db) -> HashSet<i64> {
    let barrier = Arc::new(Barrier::new(4));
    let mut all = JoinSet::new();
    for _ in 0..4 {
        let (db, barrier) = (db.clone(), Arc::clone(&barrier));
        all.spawn(async move {
            db.read(move |c| {
                barrier.wait();
                backend_pid(c)
            })
            .await
            .unwrap()
        });
    }
    let pids: HashSet<i64> = all.join_all().await.into_iter().collect();
    assert_eq!(pids.len(), 4);
    pids
}

async fn terminate(test: &TestDb, pids: &HashSet<i64>) {
    let killer = Db::open(test.config()).unwrap();
    for pid in pids.clone() {
        // With a time to wait, it returns once the process is gone.
        let query = format!("SELECT pg_terminate_backend({pid}, 10000)::int::bigint AS value");
        assert_eq!(killer.read(move |c| number(c, &query)).await.unwrap(), 1);
    }
}

#[tokio::test]
async fn each_killed_connection_fails_at_most_once() {
    let test = TestDb::new(Backend::Postgres).await;
    let killed = fill(&test.db).await;
    terminate(&test, &killed).await;
    let mut failures = 0;
    for _ in 0..20 {
        match test.db.read(backend_pid).await {
            Ok(pid) => assert!(!killed.contains(&pid)),
            Err(DbError::Unavailable(_)) => failures += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    assert!((1..=4).contains(&failures), "{failures}");
    // None of the killed ones is left: the pool fills up again without a failure.
    assert!(fill(&test.db).await.is_disjoint(&killed));
}

#[tokio::test]
async fn a_write_on_a_killed_connection_is_unavailable_and_the_next_one_works() {
    let test = TestDb::new(Backend::Postgres).await;
    let killed = fill(&test.db).await;
    terminate(&test, &killed).await;
    let mut failures = 0;
    while let Err(error) = test.db.write(|c| users::insert_user(c, &user("ada"))).await {
        assert!(matches!(error, DbError::Unavailable(_)), "{error:?}");
        failures += 1;
        assert!(failures <= 4);
    }
    assert!(test.db.read(|c| users::find_user_by_id(c, "ada")).await.unwrap().is_some());
}

#[tokio::test]
async fn a_connection_killed_in_mid_transaction_is_unavailable() {
    let test = TestDb::new(Backend::Postgres).await;
    let result = test.db.write(|c| {
        users::insert_user(c, &user("ada"))?;
        c.batch_execute("SELECT pg_terminate_backend(pg_backend_pid())")
    });
    assert!(matches!(result.await, Err(DbError::Unavailable(_))));
    assert_eq!(test.db.read(|c| users::find_user_by_id(c, "ada")).await.unwrap(), None);
}

#[tokio::test]
async fn an_error_the_closure_swallows_still_spoils_the_connection() {
    let test = TestDb::new(Backend::Postgres).await;
    let db = Db::open(DbConfig { pool_size: 1, ..test.config() }).unwrap();
    db.read(|c| {
        let _ = c.batch_execute("SELECT pg_terminate_backend(pg_backend_pid())");
        Ok(())
    })
    .await
    .unwrap();
    db.ping().await.unwrap();
}

#[tokio::test]
async fn a_statement_prepared_before_a_migration_fails_at_most_once() {
    let test = TestDb::new(Backend::Postgres).await;
    test.db.write(|c| users::insert_user(c, &user("ada"))).await.unwrap();
    let db = Db::open(DbConfig { pool_size: 1, ..test.config() }).unwrap();
    db.read(|c| users::find_user_by_id(c, "ada")).await.unwrap();
    // "cached plan must not change result type", on this connection for ever.
    test.db.write(|c| c.batch_execute("ALTER TABLE users ALTER image TYPE varchar(900)")).await.unwrap();
    let stale = db.read(|c| users::find_user_by_id(c, "ada")).await;
    assert!(matches!(stale, Err(DbError::Unavailable(_))), "{stale:?}");
    assert!(db.read(|c| users::find_user_by_id(c, "ada")).await.unwrap().is_some());
}

/// The test database reached through another port of this machine.
fn through(test: &TestDb, address: SocketAddr) -> (DbConfig, String) {
    let (user, rest) = test.url.split_once('@').unwrap();
    let (server, database) = rest.split_once('/').unwrap();
    let server = if server.contains(':') { server.to_owned() } else { format!("{server}:5432") };
    (DbConfig { url: format!("{user}@{address}/{database}"), ..DbConfig::new("") }, server)
}

#[tokio::test]
async fn a_refused_connection_is_reported_at_once_and_recovers_when_the_server_is_back() {
    let test = TestDb::new(Backend::Postgres).await;
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (config, server) = through(&test, address);
    // Opening does not connect.
    let db = Db::open(config).unwrap();
    for _ in 0..3 {
        let start = Instant::now();
        assert!(matches!(db.ping().await, Err(DbError::Unavailable(_))));
        assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    }

    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    let server_is_back = tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let mut upstream = tokio::net::TcpStream::connect(&server).await.unwrap();
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut client, &mut upstream).await });
        }
    });
    let start = Instant::now();
    while db.ping().await.is_err() {
        assert!(start.elapsed() < Duration::from_secs(5), "not back after 5 s");
    }
    server_is_back.abort();
}

#[tokio::test]
async fn a_server_that_never_answers_is_unavailable_within_the_limits() {
    let test = TestDb::new(Backend::Postgres).await;
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let (config, _) = through(&test, silent.local_addr().unwrap());
    let db = Db::open(config).unwrap();
    let start = Instant::now();
    let mut callers = JoinSet::new();
    for _ in 0..30 {
        let db = db.clone();
        callers.spawn(async move { db.ping().await });
    }
    for result in callers.join_all().await {
        assert!(matches!(result, Err(DbError::Unavailable(_))));
    }
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
}
