//! A fresh, migrated database for each test, on SQLite and on PostgreSQL.
//!
//! PostgreSQL is reached by `TEST_DATABASE_URL`, an administrator's URL such as
//! `postgres://postgres@127.0.0.1:5432/postgres`; without it a PostgreSQL test fails. A migrated
//! template database is kept on that server between runs, named after the migrations' text.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::db::{Backend, Db, DbConfig};
use crate::migrations;

/// A database of one test's own; dropped with it.
pub struct TestDb {
    /// Its URL, for programs started by the test.
    pub url: String,
    /// The way in, with a pool of four.
    pub db: Db,
    /// Which database it is.
    pub backend: Backend,
    // After `db`: the files go when nobody uses them.
    _home: Home,
}

enum Home {
    Postgres { name: String },
    Sqlite { _folder: TempDir },
}

impl TestDb {
    /// A migrated database without rules for the personalization columns.
    ///
    /// # Panics
    /// When the database cannot be made.
    pub async fn new(backend: Backend) -> Self {
        match backend {
            Backend::Postgres => {
                let template = postgres_template().await;
                Self::postgres(Some(template)).await
            }
            Backend::Sqlite => {
                let folder = tempfile::tempdir().unwrap();
                std::fs::write(folder.path().join("auth.db"), sqlite_template().await).unwrap();
                Self::sqlite(folder)
            }
        }
    }

    /// A database without tables. On SQLite its file does not exist yet.
    ///
    /// # Panics
    /// When the database cannot be made.
    pub async fn empty(backend: Backend) -> Self {
        match backend {
            Backend::Postgres => Self::postgres(None).await,
            Backend::Sqlite => Self::sqlite(tempfile::tempdir().unwrap()),
        }
    }

    /// The settings of `db`, to be changed and opened once more.
    #[must_use]
    pub fn config(&self) -> DbConfig {
        config(&self.url)
    }

    async fn postgres(template: Option<String>) -> Self {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let name = format!("auth_sidecar_test_{}_{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed));
        let mut create = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE); CREATE DATABASE {name}");
        if let Some(template) = template {
            create.push_str(&format!(" TEMPLATE {template}"));
        }
        administer(create).await;
        let url = postgres_url(&name);
        Self { db: open(&url), url, backend: Backend::Postgres, _home: Home::Postgres { name } }
    }

    fn sqlite(folder: TempDir) -> Self {
        let url = sqlite_url(folder.path());
        Self { db: open(&url), url, backend: Backend::Sqlite, _home: Home::Sqlite { _folder: folder } }
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if let Self::Postgres { name } = self {
            let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
            // In a thread: the test's runtime may be going down. A leftover hurts no other test.
            let _ = std::thread::spawn(move || administer_blocking(&drop)).join();
        }
    }
}

/// Makes a test per database out of each `async fn name(db: TestDb) { … }`: `name::sqlite` and
/// `name::postgres`.
#[macro_export]
macro_rules! on_both_databases {
    ($($(#[$meta:meta])* async fn $name:ident($db:ident: $test_db:ty) $body:block)+) => {
        $(mod $name {
            #[allow(unused_imports, clippy::allow_attributes, clippy::allow_attributes_without_reason)]
            use super::*;

            $(#[$meta])*
            async fn body($db: $test_db) $body

            #[tokio::test]
            async fn sqlite() {
                body($crate::test_support::TestDb::new($crate::Backend::Sqlite).await).await;
            }

            #[tokio::test]
            async fn postgres() {
                body($crate::test_support::TestDb::new($crate::Backend::Postgres).await).await;
            }
        })+
    };
}

fn config(url: &str) -> DbConfig {
    // Generous, so that a busy machine fails no test; tests of the limits set their own.
    DbConfig {
        pool_size: 4,
        acquire_timeout: Duration::from_secs(20),
        query_timeout: Duration::from_secs(30),
        ..DbConfig::new(url)
    }
}

fn open(url: &str) -> Db {
    Db::open(config(url)).unwrap()
}

fn sqlite_url(folder: &Path) -> String {
    format!("sqlite://{}", folder.join("auth.db").to_str().unwrap())
}

async fn sqlite_template() -> &'static [u8] {
    static TEMPLATE: OnceCell<Vec<u8>> = OnceCell::const_new();
    TEMPLATE
        .get_or_init(|| async {
            let folder = tempfile::tempdir().unwrap();
            migrations::up(&open(&sqlite_url(folder.path())), &[]).await.unwrap();
            std::fs::read(folder.path().join("auth.db")).unwrap()
        })
        .await
}

fn admin_url() -> String {
    std::env::var("TEST_DATABASE_URL").unwrap_or_else(|_| {
        panic!(
            "set TEST_DATABASE_URL to an administrator's URL of a PostgreSQL server for tests, \
             such as postgres://postgres@127.0.0.1:5432/postgres"
        )
    })
}

/// The administrator's URL with another database.
fn postgres_url(database: &str) -> String {
    let admin = admin_url();
    let (place, query) = match admin.split_once('?') {
        Some((place, query)) => (place, format!("?{query}")),
        None => (admin.as_str(), String::new()),
    };
    let (server, _) = place.rsplit_once('/').expect("TEST_DATABASE_URL names a database");
    format!("{server}/{database}{query}")
}

#[derive(QueryableByName)]
struct Answer {
    #[diesel(sql_type = Bool)]
    yes: bool,
}

/// The name of the migrated template, made once per server: the lock makes other test processes
/// wait, and only a finished template is marked as one.
async fn postgres_template() -> String {
    let mut hasher = DefaultHasher::new();
    migrations::sql(Backend::Postgres).hash(&mut hasher);
    let name = format!("auth_sidecar_template_{:016x}", hasher.finish());
    let url = postgres_url(&name);
    let template = name.clone();
    tokio::task::spawn_blocking(move || {
        let mut admin = PgConnection::establish(&admin_url()).unwrap();
        let finished =
            format!("SELECT EXISTS (SELECT FROM pg_database WHERE datname = '{name}' AND datistemplate) AS yes");
        if diesel::sql_query(&finished).get_result::<Answer>(&mut admin).unwrap().yes {
            return;
        }
        admin.batch_execute("SELECT pg_advisory_lock(hashtext('auth_sidecar_template'))").unwrap();
        if diesel::sql_query(&finished).get_result::<Answer>(&mut admin).unwrap().yes {
            return;
        }
        admin.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).unwrap();
        admin.batch_execute(&format!("CREATE DATABASE {name}")).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(migrations::up(&open(&url), &[])).unwrap();
        admin.batch_execute(&format!("ALTER DATABASE {name} IS_TEMPLATE true")).unwrap();
    })
    .await
    .unwrap();
    template
}

async fn administer(sql: String) {
    tokio::task::spawn_blocking(move || administer_blocking(&sql)).await.unwrap();
}

fn administer_blocking(sql: &str) {
    let mut admin = PgConnection::establish(&admin_url()).unwrap();
    // One at a time: CREATE and DROP DATABASE refuse to run among others.
    for statement in sql.split("; ") {
        admin.batch_execute(statement).unwrap();
    }
}
