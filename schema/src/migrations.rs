//! The embedded migrations. Any number of processes may start them at once: one works, the others
//! wait and then find nothing to do. A process killed midway leaves the last finished migration.

use diesel::connection::SimpleConnection;
use diesel::migration::CREATE_MIGRATIONS_TABLE;
use diesel::prelude::*;
use diesel::result::Error;
use diesel::sql_types::{BigInt, Text};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::adoption::{self, Obstacle};
use crate::db::{AnyConnection, Backend, Db, DbError};
use crate::fields::{self, ColumnRule, FieldsError};

const POSTGRES: EmbeddedMigrations = embed_migrations!("../migrations/postgres");
pub(crate) const SQLITE: EmbeddedMigrations = embed_migrations!("../migrations/sqlite");

/// The up scripts once more, to be shown; a test compares the list with the embedded ones.
struct Script {
    name: &'static str,
    postgres: &'static str,
    sqlite: &'static str,
}

macro_rules! script {
    ($name:literal) => {
        Script {
            name: $name,
            postgres: include_str!(concat!("../../migrations/postgres/", $name, "/up.sql")),
            sqlite: include_str!(concat!("../../migrations/sqlite/", $name, "/up.sql")),
        }
    };
}

const SCRIPTS: &[Script] = &[
    script!("2026-11-23-000000_create_users_sessions_accounts"),
    script!("2026-11-23-000001_create_verifications"),
    script!("2026-11-23-000002_create_mails"),
    script!("2026-11-26-000000_create_jwks"),
    script!("2026-11-27-000000_add_bans"),
];

impl Script {
    /// What diesel records: the digits before the first underscore.
    fn version(&self) -> String {
        self.name.split('_').next().unwrap_or_default().replace('-', "")
    }

    fn sql(&self, backend: Backend) -> String {
        let up = match backend {
            Backend::Postgres => self.postgres,
            Backend::Sqlite => self.sqlite,
        };
        format!(
            "-- {}\nBEGIN;\n{up}INSERT INTO __diesel_schema_migrations (version) VALUES ('{}');\nCOMMIT;\n",
            self.name,
            self.version()
        )
    }
}

/// One migration and whether the database has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationStatus {
    /// The name of its folder.
    pub name: String,
    /// Whether it was applied.
    pub applied: bool,
}

/// Why the database could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The database cannot be reached, or failed outside a migration. Worth a retry.
    #[error(transparent)]
    Database(#[from] DbError),
    /// A migration failed; the database is as it was before it.
    #[error("a migration failed: {0}")]
    Migration(String),
    /// Migrations are missing, and this program was told not to apply them.
    #[error("run `auth-sidecar migrate` first: {0} missing")]
    Behind(String),
    /// There are tables of a Better Auth server, which ours must not be made beside.
    #[error("{0} is a table of a Better Auth server: run `auth-sidecar adopt`, or name another database")]
    Foreign(String),
    /// Tables were adopted by a role that we are no member of.
    #[error("the schema auth_sidecar belongs to the role {0}, of which this one is no member")]
    Stranger(String),
    /// The configured rule of a column cannot be put into force.
    #[error(transparent)]
    Fields(#[from] FieldsError),
}

impl From<Error> for MigrateError {
    fn from(error: Error) -> Self {
        Self::Database(DbError::classify(error))
    }
}

/// Every migration, in order.
///
/// # Errors
/// When the database cannot be asked.
pub async fn status(db: &Db) -> Result<Vec<MigrationStatus>, MigrateError> {
    blocking(db, |conn| {
        let applied = applied_versions(conn)?;
        Ok(SCRIPTS
            .iter()
            .map(|script| MigrationStatus {
                name: script.name.to_owned(),
                applied: applied.contains(&script.version()),
            })
            .collect())
    })
    .await
}

/// The names of the migrations the database lacks, in order.
///
/// # Errors
/// When the database cannot be asked.
pub async fn pending(db: &Db) -> Result<Vec<String>, MigrateError> {
    let all = status(db).await?;
    Ok(all.into_iter().filter(|migration| !migration.applied).map(|migration| migration.name).collect())
}

/// Applies what is pending, then puts the rules of the personalization columns into force. Waits
/// while another process does so; takes as long as it takes.
///
/// # Errors
/// When the database cannot be reached, a migration fails, or rows break a rule.
pub async fn up(db: &Db, rules: &[ColumnRule]) -> Result<(), MigrateError> {
    let rules = rules.to_vec();
    let backend = db.backend();
    blocking(db, move |conn| {
        locked(conn, |conn| {
            match adoption::obstacle(conn)? {
                Some(Obstacle::BetterAuth(table)) => return Err(MigrateError::Foreign(table)),
                Some(Obstacle::Stranger(owner)) => return Err(MigrateError::Stranger(owner)),
                None => {}
            }
            let source = embedded(backend);
            conn.run_pending_migrations(source).map_err(migration_failed)?;
            adoption::restore(conn)?;
            fields::apply(conn, &rules)?;
            Ok(())
        })
    })
    .await
}

/// Every migration, in the transaction of the caller and the first schema of the `search_path`.
pub(crate) fn run_all(conn: &mut AnyConnection) -> Result<(), String> {
    conn.run_pending_migrations(POSTGRES).map(drop).map_err(|error| error.to_string())
}

/// Reverts the last applied migration.
///
/// # Errors
/// When the database cannot be reached, or the migration fails or is unknown to this program.
pub async fn down(db: &Db) -> Result<(), MigrateError> {
    let backend = db.backend();
    blocking(db, move |conn| {
        locked(conn, |conn| {
            let source = embedded(backend);
            conn.revert_last_migration(source).map_err(migration_failed)?;
            Ok(())
        })
    })
    .await
}

/// The SQL of all migrations, to be run by hand on an empty database.
#[must_use]
pub fn sql(backend: Backend) -> String {
    joined(backend, SCRIPTS.iter())
}

/// The SQL of the pending migrations, to be run by hand; empty when there are none.
///
/// # Errors
/// When the database cannot be asked.
pub async fn pending_sql(db: &Db) -> Result<String, MigrateError> {
    let pending = pending(db).await?;
    if pending.is_empty() {
        return Ok(String::new());
    }
    let is_pending = |script: &&Script| pending.iter().any(|name| name == script.name);
    Ok(joined(db.backend(), SCRIPTS.iter().filter(is_pending)))
}

fn joined<'a>(backend: Backend, scripts: impl Iterator<Item = &'a Script>) -> String {
    let mut text = format!("{};\n\n", CREATE_MIGRATIONS_TABLE.trim().trim_end_matches(';'));
    text.push_str(&scripts.map(|script| script.sql(backend)).collect::<Vec<_>>().join("\n"));
    text
}

fn embedded(backend: Backend) -> EmbeddedMigrations {
    match backend {
        Backend::Postgres => POSTGRES,
        Backend::Sqlite => SQLITE,
    }
}

fn migration_failed(error: Box<dyn std::error::Error + Send + Sync>) -> MigrateError {
    MigrateError::Migration(error.to_string())
}

/// Runs `work` on a connection of its own, without the doors' time limits.
async fn blocking<T, F>(db: &Db, work: F) -> Result<T, MigrateError>
where
    F: FnOnce(&mut AnyConnection) -> Result<T, MigrateError> + Send + 'static,
    T: Send + 'static,
{
    let db = db.clone();
    let task = tokio::task::spawn_blocking(move || work(&mut db.connect_unlimited()?));
    task.await.map_err(|error| DbError::Internal(error.to_string()))?
}

/// Names the lock all our processes agree on in one PostgreSQL database ("authsc" in ASCII).
const ADVISORY_LOCK: i64 = 0x6175_7468_7363;

/// One process at a time. PostgreSQL: a session lock, which ends with the connection, so also when
/// the process dies. SQLite: one transaction with the write lock around everything.
fn locked<T, F>(conn: &mut AnyConnection, work: F) -> Result<T, MigrateError>
where
    F: FnOnce(&mut AnyConnection) -> Result<T, MigrateError>,
{
    match conn {
        AnyConnection::Postgres(_) => {
            conn.batch_execute(&format!("SELECT pg_advisory_lock({ADVISORY_LOCK})"))?;
            // A table lock that is not to be had must not queue every reader behind it for long.
            conn.batch_execute("SET lock_timeout = '5s'")?;
            work(conn)
        }
        AnyConnection::Sqlite(_) => {
            conn.batch_execute("PRAGMA busy_timeout = 30000")?;
            conn.write_transaction(work)
        }
    }
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

#[derive(QueryableByName)]
struct Version {
    #[diesel(sql_type = Text)]
    version: String,
}

/// Looks without making diesel's table, so that a look changes nothing.
fn applied_versions(conn: &mut AnyConnection) -> QueryResult<Vec<String>> {
    let table_exists = match conn {
        AnyConnection::Postgres(_) => "SELECT count(to_regclass('__diesel_schema_migrations')) AS n",
        AnyConnection::Sqlite(_) => "SELECT count(*) AS n FROM sqlite_schema WHERE name = '__diesel_schema_migrations'",
    };
    if diesel::sql_query(table_exists).get_result::<Count>(conn)?.n == 0 {
        return Ok(Vec::new());
    }
    let rows: Vec<Version> = diesel::sql_query("SELECT version FROM __diesel_schema_migrations").load(conn)?;
    Ok(rows.into_iter().map(|row| row.version).collect())
}

#[cfg(test)]
mod tests {
    use diesel::migration::{Migration, MigrationSource};
    use diesel::pg::Pg;
    use diesel::sqlite::Sqlite;

    use super::*;

    #[test]
    fn the_scripts_to_be_shown_are_the_embedded_ones() {
        let shown: Vec<_> = SCRIPTS.iter().map(|script| (script.name.to_owned(), script.version())).collect();
        fn embedded<DB: diesel::backend::Backend>(source: EmbeddedMigrations) -> Vec<(String, String)> {
            let migrations: Vec<Box<dyn Migration<DB>>> = source.migrations().unwrap();
            let mut names: Vec<_> = migrations
                .iter()
                .map(|migration| (migration.name().to_string(), migration.name().version().to_string()))
                .collect();
            names.sort();
            names
        }
        assert_eq!(embedded::<Pg>(POSTGRES), shown);
        assert_eq!(embedded::<Sqlite>(SQLITE), shown);
    }
}
