//! Migrations up, down, by hand, and by many at once.

use diesel::connection::SimpleConnection;
use schema::test_support::TestDb;
use schema::{Backend, Db, migrations, users};

use crate::support::{lines, number, user};

const FIRST: &str = "2026-11-23-000000_create_users_sessions_accounts";

/// The names of all migrations.
async fn all(db: &Db) -> Vec<String> {
    let names: Vec<String> = migrations::status(db).await.unwrap().into_iter().map(|one| one.name).collect();
    assert_eq!(names[0], FIRST);
    names
}

async fn table_count(db: &Db) -> i64 {
    let query = match db.backend() {
        Backend::Postgres => "SELECT count(*) AS value FROM pg_tables WHERE schemaname = 'public'",
        Backend::Sqlite => "SELECT count(*) AS value FROM sqlite_schema WHERE type = 'table'",
    };
    db.read(move |c| number(c, query)).await.unwrap()
}

async fn up_down_up(backend: Backend) {
    let test = TestDb::empty(backend).await;
    let all = all(&test.db).await;
    assert_eq!(migrations::pending(&test.db).await.unwrap(), all);
    assert_eq!(table_count(&test.db).await, 0, "a look changes nothing");
    migrations::up(&test.db, &[]).await.unwrap();
    assert!(migrations::status(&test.db).await.unwrap().iter().all(|migration| migration.applied));
    assert_eq!(migrations::pending_sql(&test.db).await.unwrap(), "");
    let tables = table_count(&test.db).await;
    for count in 1..=all.len() {
        migrations::down(&test.db).await.unwrap();
        assert_eq!(migrations::pending(&test.db).await.unwrap().len(), count);
    }
    assert_eq!(table_count(&test.db).await, 1, "diesel's own");
    migrations::up(&test.db, &[]).await.unwrap();
    assert_eq!(table_count(&test.db).await, tables);
    test.db.write(|c| users::insert_user(c, &user("ada"))).await.unwrap();
    migrations::up(&test.db, &[]).await.unwrap();
    assert!(test.db.read(|c| users::find_user_by_id(c, "ada")).await.unwrap().is_some());
}

#[tokio::test]
async fn migrations_go_up_down_and_up_on_sqlite() {
    up_down_up(Backend::Sqlite).await;
}

#[tokio::test]
async fn migrations_go_up_down_and_up_on_postgres() {
    up_down_up(Backend::Postgres).await;
}

async fn eight_at_once(backend: Backend) {
    let test = TestDb::empty(backend).await;
    let replicas: Vec<_> = (0..8)
        .map(|_| {
            let db = Db::open(test.config()).unwrap();
            tokio::spawn(async move { migrations::up(&db, &[]).await })
        })
        .collect();
    for replica in replicas {
        replica.await.unwrap().unwrap();
    }
    let query = "SELECT count(*) AS value FROM __diesel_schema_migrations";
    let applied = test.db.read(move |c| number(c, query)).await.unwrap();
    assert_eq!(usize::try_from(applied).unwrap(), all(&test.db).await.len());
}

#[tokio::test]
async fn eight_replicas_migrate_one_sqlite_file_at_once() {
    eight_at_once(Backend::Sqlite).await;
}

#[tokio::test]
async fn eight_replicas_migrate_one_postgres_database_at_once() {
    eight_at_once(Backend::Postgres).await;
}

async fn printed_sql(backend: Backend) {
    let test = TestDb::empty(backend).await;
    let sql = migrations::pending_sql(&test.db).await.unwrap();
    assert_eq!(sql, migrations::sql(backend));
    test.db.read(move |c| c.batch_execute(&sql)).await.unwrap();
    assert_eq!(migrations::pending(&test.db).await.unwrap(), Vec::<String>::new());
    test.db.write(|c| users::insert_user(c, &user("ada"))).await.unwrap();
}

#[tokio::test]
async fn the_printed_sql_migrates_sqlite_by_hand() {
    printed_sql(Backend::Sqlite).await;
}

#[tokio::test]
async fn the_printed_sql_migrates_postgres_by_hand() {
    printed_sql(Backend::Postgres).await;
}

#[tokio::test]
async fn a_failed_migration_leaves_no_trace() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let test = TestDb::empty(backend).await;
        // The last table of the first migration is in the way.
        test.db.write(|c| c.batch_execute("CREATE TABLE accounts (id TEXT)")).await.unwrap();
        let error = migrations::up(&test.db, &[]).await.unwrap_err();
        assert!(matches!(error, schema::MigrateError::Migration(_)), "{error:?}");
        assert_eq!(migrations::pending(&test.db).await.unwrap(), all(&test.db).await);
        let query = match backend {
            Backend::Postgres => {
                "SELECT tablename::text AS value FROM pg_tables WHERE tablename IN ('users', 'sessions')"
            }
            Backend::Sqlite => "SELECT name AS value FROM sqlite_schema WHERE name IN ('users', 'sessions')",
        };
        assert_eq!(test.db.read(move |c| lines(c, query)).await.unwrap(), Vec::<String>::new());
    }
}
