//! One connection type over both databases, and what each connection is told first.

use std::time::{Duration, Instant};

use diesel::connection::{AnsiTransactionManager, SimpleConnection, TransactionManager};
use diesel::prelude::*;
use diesel::result::Error;

use crate::adoption;

/// A connection to either database. Queries written over it serve both.
#[derive(diesel::MultiConnection)]
pub enum AnyConnection {
    /// To PostgreSQL.
    Postgres(PgConnection),
    /// To a SQLite file.
    Sqlite(SqliteConnection),
}

impl AnyConnection {
    /// One transaction, with the write lock from the start on SQLite: a deferred transaction that
    /// reads first fails at once, whatever `busy_timeout` says, when another wrote meanwhile.
    pub(crate) fn write_transaction<T, E, F>(&mut self, f: F) -> Result<T, E>
    where
        F: FnOnce(&mut Self) -> Result<T, E>,
        E: From<Error>,
    {
        match self {
            Self::Postgres(conn) => AnsiTransactionManager::begin_transaction(conn)?,
            Self::Sqlite(conn) => AnsiTransactionManager::begin_transaction_sql(conn, "BEGIN IMMEDIATE")?,
        }
        match f(self) {
            Ok(value) => {
                Self::commit_transaction(self)?;
                Ok(value)
            }
            Err(error) => {
                // A failed rollback leaves the connection marked broken; the first error tells more.
                let _ = Self::rollback_transaction(self);
                Err(error)
            }
        }
    }
}

/// Settings of a PostgreSQL session. Our own schema comes first where tables were adopted by somebody we trust. diesel has set the time zone to UTC already. Without a
/// `statement_timeout` none applies.
pub(super) fn prepare_postgres(conn: &mut PgConnection, statement_timeout: Option<Duration>) -> QueryResult<()> {
    let statement_timeout = statement_timeout.map_or(0, |limit| limit.as_millis().max(1));
    conn.batch_execute(&format!(
        "SET statement_timeout = {statement_timeout}; SET standard_conforming_strings = on; SET TIME ZONE 'UTC'; \
         SELECT set_config('search_path', concat_ws(', ', ({}), nullif(current_setting('search_path'), '')), false)",
        adoption::TRUSTED_SCHEMA
    ))
}

/// Settings of a SQLite connection. `FULL` so that an acknowledged write outlives a power cut.
pub(super) fn prepare_sqlite(conn: &mut SqliteConnection, busy_timeout: Duration) -> QueryResult<()> {
    // First, so that the others wait for a lock too.
    conn.batch_execute(&format!("PRAGMA busy_timeout = {}", busy_timeout.as_millis()))?;
    switch_to_wal(conn, Instant::now() + busy_timeout)?;
    conn.batch_execute("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON")
}

/// The first connections to a new file all switch it, which each must do alone: SQLite refuses the others at once,
/// whatever `busy_timeout` says.
fn switch_to_wal(conn: &mut SqliteConnection, by: Instant) -> QueryResult<()> {
    loop {
        match conn.batch_execute("PRAGMA journal_mode = WAL") {
            Err(Error::DatabaseError(_, info)) if info.message() == "database is locked" && Instant::now() < by => {
                std::thread::sleep(Duration::from_millis(5));
            }
            other => return other,
        }
    }
}
