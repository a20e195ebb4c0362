//! The doors: transactions, limits, panics, and what each connection is told first.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use schema::test_support::TestDb;
use schema::{Backend, Db, DbConfig, DbError, UserChanges, on_both_databases, users};
use tokio::task::JoinSet;

use crate::support::{lines, number, user};

/// A connection held until the sender is dropped, and word that it is held.
async fn hold(db: &Db) -> mpsc::Sender<()> {
    let (release, released) = mpsc::channel::<()>();
    let (tell, told) = tokio::sync::oneshot::channel();
    let db = db.clone();
    tokio::spawn(async move {
        db.read(move |_| {
            let _ = tell.send(());
            let _ = released.recv();
            Ok(())
        })
        .await
    });
    told.await.unwrap();
    release
}

fn is_unavailable<T>(result: &Result<T, DbError>) -> bool {
    matches!(result, Err(DbError::Unavailable(_)))
}

on_both_databases! {
    async fn an_error_rolls_the_whole_write_back(test: TestDb) {
        let result = test.db.write(|c| {
            users::insert_user(c, &user("ada"))?;
            users::insert_user(c, &user("ada"))
        });
        assert!(matches!(result.await, Err(DbError::UniqueViolation { .. })));
        assert_eq!(test.db.read(|c| users::find_user_by_id(c, "ada")).await.unwrap(), None);
        // The connection is as good as before.
        test.db.write(|c| users::insert_user(c, &user("ada"))).await.unwrap();
    }

    async fn a_refusal_rolls_the_write_back_and_reaches_the_caller(test: TestDb) {
        let refused: Result<Result<(), &str>, DbError> = test.db.write_or(|c| {
            users::insert_user(c, &user("ada"))?;
            Ok(Err("no"))
        }).await;
        assert_eq!(refused.unwrap(), Err("no"));
        assert_eq!(test.db.read(|c| users::find_user_by_id(c, "ada")).await.unwrap(), None);
        let accepted: Result<Result<i32, &str>, DbError> = test.db.write_or(|c| {
            users::insert_user(c, &user("ada"))?;
            Ok(Ok(7))
        }).await;
        assert_eq!(accepted.unwrap(), Ok(7));
        assert!(test.db.read(|c| users::find_user_by_id(c, "ada")).await.unwrap().is_some());
    }

    async fn a_panic_is_internal_and_leaves_the_pool_working(test: TestDb) {
        // More panics than connections, in and outside transactions.
        for _ in 0..6 {
            let read: Result<(), DbError> = test.db.read(|_| panic!("injected")).await;
            assert!(matches!(read, Err(DbError::Internal(_))));
            let write: Result<(), DbError> = test.db.write(|c| {
                users::insert_user(c, &user("ada"))?;
                panic!("injected")
            }).await;
            assert!(matches!(write, Err(DbError::Internal(_))));
        }
        assert_eq!(test.db.read(|c| users::find_user_by_id(c, "ada")).await.unwrap(), None);
        test.db.write(|c| users::insert_user(c, &user("ada"))).await.unwrap();
    }

    async fn with_every_connection_held_a_caller_hears_in_time(test: TestDb) {
        let config = DbConfig { pool_size: 2, acquire_timeout: Duration::from_millis(300), ..test.config() };
        let db = Db::open(config).unwrap();
        let held = [hold(&db).await, hold(&db).await];
        let start = Instant::now();
        assert!(is_unavailable(&db.ping().await));
        let waited = start.elapsed();
        assert!(waited >= Duration::from_millis(300) && waited < Duration::from_millis(1500), "{waited:?}");
        drop(held);
        db.ping().await.unwrap();
    }

    async fn a_hung_closure_is_given_up_and_keeps_its_permit(test: TestDb) {
        let config = DbConfig {
            pool_size: 1,
            acquire_timeout: Duration::from_millis(200),
            query_timeout: Duration::from_millis(600),
            ..test.config()
        };
        let db = Db::open(config).unwrap();
        db.ping().await.unwrap();
        let (release, released) = mpsc::channel::<()>();
        let start = Instant::now();
        let hung = db.read(move |_| { let _ = released.recv(); Ok(()) }).await;
        assert!(is_unavailable(&hung));
        assert!(start.elapsed() < Duration::from_millis(600), "answered before the promised time");
        // The one connection counts as taken: the next caller does not even start a thread.
        let next = db.ping().await.unwrap_err().to_string();
        assert!(next.contains("a free connection"), "{next}");
        drop(release);
        while db.ping().await.is_err() {
            assert!(start.elapsed() < Duration::from_secs(20), "the connection never came back");
        }
    }

    async fn a_write_given_up_is_not_committed_later(test: TestDb) {
        let config = DbConfig { query_timeout: Duration::from_millis(500), ..test.config() };
        let db = Db::open(config).unwrap();
        db.ping().await.unwrap();
        let (release, released) = mpsc::channel::<()>();
        let (done, finished) = tokio::sync::oneshot::channel();
        let late = db.write(move |c| {
            users::insert_user(c, &user("ada"))?;
            let _ = released.recv();
            let _ = done.send(());
            Ok(())
        }).await;
        assert!(is_unavailable(&late));
        drop(release);
        finished.await.unwrap();
        // The transaction is over once the row can be written by another.
        test.db.write(|c| users::insert_user(c, &user("ada"))).await.unwrap();
    }

    async fn ping_and_backend_answer(test: TestDb) {
        test.db.ping().await.unwrap();
        assert_eq!(test.db.backend(), test.backend);
        assert!(!format!("{:?}", test.db).contains("auth"));
    }
}

#[tokio::test]
async fn every_pooled_sqlite_connection_is_durable_and_checks_foreign_keys() {
    let test = TestDb::new(Backend::Sqlite).await;
    let barrier = Arc::new(Barrier::new(4));
    let mut connections = JoinSet::new();
    for _ in 0..4 {
        let (db, barrier) = (test.db.clone(), Arc::clone(&barrier));
        connections.spawn(async move {
            db.read(move |c| {
                barrier.wait();
                Ok((
                    lines(c, "SELECT journal_mode AS value FROM pragma_journal_mode")?,
                    number(c, "SELECT synchronous AS value FROM pragma_synchronous")?,
                    number(c, "SELECT foreign_keys AS value FROM pragma_foreign_keys")?,
                    number(c, "SELECT timeout AS value FROM pragma_busy_timeout")?,
                ))
            })
            .await
        });
    }
    for result in connections.join_all().await {
        // 2 is FULL.
        assert_eq!(result.unwrap(), (vec!["wal".to_owned()], 2, 1, 5000));
    }
}

#[tokio::test]
async fn every_pooled_postgres_connection_is_in_utc_and_limited() {
    let test = TestDb::new(Backend::Postgres).await;
    let db = Db::open(DbConfig { query_timeout: Duration::from_secs(10), ..test.config() }).unwrap();
    let query = "SELECT name || '=' || setting AS value FROM pg_settings \
                 WHERE name IN ('TimeZone', 'statement_timeout', 'application_name') ORDER BY lower(name)";
    let settings = db.read(move |c| lines(c, query)).await.unwrap();
    assert_eq!(settings, ["application_name=auth-sidecar", "statement_timeout=9000", "TimeZone=UTC"]);
}

#[tokio::test]
async fn the_server_gives_a_slow_statement_up_before_the_caller_does() {
    let test = TestDb::new(Backend::Postgres).await;
    let config = DbConfig { pool_size: 1, query_timeout: Duration::from_secs(1), ..test.config() };
    let db = Db::open(config).unwrap();
    let pid = |c: &mut schema::AnyConnection| number(c, "SELECT pg_backend_pid()::bigint AS value");
    let before = db.read(pid).await.unwrap();
    let error = db.read(|c| c.batch_execute("SELECT pg_sleep(30)")).await.unwrap_err();
    let DbError::Unavailable(source) = error else { panic!("{error:?}") };
    assert_eq!(source.to_string(), "canceling statement due to statement timeout");
    assert_eq!(db.read(pid).await.unwrap(), before, "the connection stays in use");
}

#[tokio::test]
async fn a_second_sqlite_writer_waits_before_its_first_query() {
    let test = TestDb::new(Backend::Sqlite).await;
    let (release, released) = mpsc::channel::<()>();
    let (tell, told) = tokio::sync::oneshot::channel();
    let first = tokio::spawn({
        let db = test.db.clone();
        async move {
            db.write(move |c| {
                let _ = tell.send(());
                let _ = released.recv();
                users::insert_user(c, &user("ada"))
            })
            .await
        }
    });
    told.await.unwrap();

    // Another process: a pool of its own. Impatient, it is refused before its closure starts.
    let impatient = Db::open(DbConfig { busy_timeout: Duration::from_millis(50), ..test.config() }).unwrap();
    let started = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&started);
    let refused = impatient
        .write(move |_| {
            flag.store(true, Ordering::SeqCst);
            Ok(())
        })
        .await;
    assert!(is_unavailable(&refused));
    assert!(!started.load(Ordering::SeqCst));
    // Readers are not held up.
    assert_eq!(impatient.read(|c| users::find_user_by_id(c, "ada")).await.unwrap(), None);

    // Patient, it runs after the first and sees what that wrote.
    let patient = Db::open(test.config()).unwrap();
    let second = tokio::spawn(async move { patient.write(|c| users::find_user_by_id(c, "ada")).await });
    drop(release);
    first.await.unwrap().unwrap();
    test.db.ping().await.unwrap();
    assert!(second.await.unwrap().unwrap().is_some());
}

#[tokio::test]
async fn concurrent_sqlite_writers_lose_no_update_and_are_never_locked_out() {
    let test = TestDb::new(Backend::Sqlite).await;
    test.db.write(|c| users::insert_user(c, &schema::User { name: "0".to_owned(), ..user("ada") })).await.unwrap();
    let mut writers = JoinSet::new();
    for _ in 0..8 {
        let db = Db::open(test.config()).unwrap();
        writers.spawn(async move {
            for _ in 0..5 {
                // Read first, then write: what a deferred transaction cannot do safely.
                db.write(|c| {
                    let count: u32 = users::find_user_by_id(c, "ada")?.unwrap().name.parse().unwrap();
                    let changes = UserChanges { name: Some((count + 1).to_string()), ..UserChanges::default() };
                    users::update_user(c, "ada", &changes)
                })
                .await
                .unwrap();
            }
        });
    }
    writers.join_all().await;
    assert_eq!(test.db.read(|c| users::find_user_by_id(c, "ada")).await.unwrap().unwrap().name, "40");
}

#[tokio::test]
async fn opening_makes_no_file_and_the_first_use_makes_a_private_one() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("data");
    let file = folder.join("auth.db");
    let db = Db::open(DbConfig::new(format!("sqlite://{}", file.display()))).unwrap();
    assert!(!folder.exists());
    db.write(|c| c.batch_execute("CREATE TABLE t (x TEXT)")).await.unwrap();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    for path in [file.clone(), folder.join("auth.db-wal"), folder.join("auth.db-shm")] {
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }

    // A file made by another hand loses the rights of others, not those of its group.
    drop(db);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o664)).unwrap();
    let db = Db::open(DbConfig::new(format!("sqlite://{}", file.display()))).unwrap();
    db.ping().await.unwrap();
    assert_eq!(mode(&file), 0o660);
}

#[test]
fn a_bad_url_is_refused_and_makes_no_file() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("auth.db").display().to_string();
    for url in [path.clone(), format!("mysql://{path}"), format!("sqlite:{path}"), format!("sqlite://{path}?x=1")] {
        assert!(Db::open(DbConfig::new(url.clone())).is_err(), "{url}");
    }
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
}
