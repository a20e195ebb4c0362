//! The pool and its two doors. Nothing else in the program touches a connection.

mod connection;
mod error;
mod pool;
mod target;

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::result::QueryResult;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub use self::connection::AnyConnection;
pub use self::error::DbError;
use self::pool::Pool;
pub use self::target::DbUrlError;
use self::target::Target;

/// Which database a [`Db`] talks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// PostgreSQL, or what speaks its protocol.
    Postgres,
    /// A SQLite file.
    Sqlite,
}

/// How to reach the database; `Debug` hides the URL, which may carry a password.
#[derive(Clone)]
pub struct DbConfig {
    /// `sqlite://data/auth.db` (relative), `sqlite:///var/lib/auth.db` (absolute) or
    /// `postgres://USER:PASSWORD@HOST/NAME` with libpq's options in the query.
    pub url: String,
    /// The most connections open at once, and so the most doors entered at once; 1 to 1000.
    pub pool_size: u32,
    /// How long a door waits for a connection.
    pub acquire_timeout: Duration,
    /// How long a door takes at most, waiting included: its caller hears within this time.
    pub query_timeout: Duration,
    /// SQLite only: how long a write waits for another process's write.
    pub busy_timeout: Duration,
}

impl DbConfig {
    /// The defaults: 10 connections, 2 s for a connection, 3 s in all, 5 s for SQLite's lock.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            pool_size: 10,
            acquire_timeout: Duration::from_secs(2),
            query_timeout: Duration::from_secs(3),
            busy_timeout: Duration::from_secs(5),
        }
    }
}

impl fmt::Debug for DbConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DbConfig")
            .field("url", &"[redacted]")
            .field("pool_size", &self.pool_size)
            .field("acquire_timeout", &self.acquire_timeout)
            .field("query_timeout", &self.query_timeout)
            .field("busy_timeout", &self.busy_timeout)
            .finish()
    }
}

/// The database. Clones share one pool.
#[derive(Clone)]
pub struct Db {
    target: Arc<Target>,
    pool: Pool,
    permits: Arc<Semaphore>,
    acquire_timeout: Duration,
    door_timeout: Duration,
}

impl fmt::Debug for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Db").field("backend", &self.backend()).finish_non_exhaustive()
    }
}

/// When the caller of a door stops waiting. Past it a write rolls back instead of committing, so
/// that what was answered as failed stays undone.
#[derive(Clone, Copy)]
struct Deadline(Instant);

impl Deadline {
    fn check(self) -> Result<(), DbError> {
        if Instant::now() < self.0 { Ok(()) } else { Err(DbError::timed_out("the query")) }
    }
}

impl Db {
    /// Prepares the pool. Never connects: the database may be down at boot.
    ///
    /// # Errors
    /// When the URL is none of the accepted forms; the message never shows the URL.
    pub fn open(config: DbConfig) -> Result<Self, DbUrlError> {
        let target = Target::parse(&config.url, config.busy_timeout)?;
        Ok(Self::with_target(config, target))
    }

    /// As [`Db::open`], for a look that must change nothing: a SQLite file is neither made nor
    /// given another mode, and no connection can write.
    ///
    /// # Errors
    /// As [`Db::open`].
    pub fn open_to_look(config: DbConfig) -> Result<Self, DbUrlError> {
        let target = Target::Untouched(Box::new(Target::parse(&config.url, config.busy_timeout)?));
        Ok(Self::with_target(config, target))
    }

    fn with_target(config: DbConfig, target: Target) -> Self {
        let target = Arc::new(target);
        let size = config.pool_size.clamp(1, 1000);
        // The server gives a statement up (90 %) before the caller does (95 %), and the caller has
        // its answer before the promised time.
        let statement_timeout = config.query_timeout.mul_f64(0.90);
        let pool = Pool::new(Arc::clone(&target), size, config.acquire_timeout, statement_timeout);
        Self {
            target,
            pool,
            permits: Arc::new(Semaphore::new(usize::try_from(size).unwrap_or(1))),
            acquire_timeout: config.acquire_timeout,
            door_timeout: config.query_timeout.mul_f64(0.95),
        }
    }

    /// Which database this is.
    #[must_use]
    pub fn backend(&self) -> Backend {
        self.target.backend()
    }

    /// Runs queries on one connection, outside a transaction.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] when no connection is to be had or the time is up; else what the
    /// closure's error means.
    pub async fn read<T, F>(&self, f: F) -> Result<T, DbError>
    where
        F: FnOnce(&mut AnyConnection) -> QueryResult<T> + Send + 'static,
        T: Send + 'static,
    {
        self.enter(move |conn, _| f(conn).map_err(DbError::classify)).await
    }

    /// Runs queries in one transaction, which an error rolls back. On SQLite it takes the write
    /// lock before the first query.
    ///
    /// # Errors
    /// As [`Db::read`]. After [`DbError::Unavailable`] nothing was written, but for a connection
    /// that broke during the commit itself.
    pub async fn write<T, F>(&self, f: F) -> Result<T, DbError>
    where
        F: FnOnce(&mut AnyConnection) -> QueryResult<T> + Send + 'static,
        T: Send + 'static,
    {
        self.write_or(move |conn| f(conn).map(Ok::<T, Infallible>)).await.map(|Ok(value)| value)
    }

    /// As [`Db::write`], for a closure that may refuse: `Ok(Err(refusal))` rolls the transaction
    /// back and is handed to the caller.
    ///
    /// # Errors
    /// As [`Db::write`].
    pub async fn write_or<T, R, F>(&self, f: F) -> Result<Result<T, R>, DbError>
    where
        F: FnOnce(&mut AnyConnection) -> QueryResult<Result<T, R>> + Send + 'static,
        T: Send + 'static,
        R: Send + 'static,
    {
        let outcome = self
            .enter(move |conn, deadline| {
                Ok(conn.write_transaction(|conn| {
                    deadline.check()?;
                    let value = f(conn)?.map_err(Abort::Refused)?;
                    deadline.check()?;
                    Ok(value)
                }))
            })
            .await?;
        match outcome {
            Ok(value) => Ok(Ok(value)),
            Err(Abort::Refused(refusal)) => Ok(Err(refusal)),
            Err(Abort::Failed(error)) => Err(error),
        }
    }

    /// Asks the database for a sign of life.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] when it gives none in time.
    pub async fn ping(&self) -> Result<(), DbError> {
        self.read(|conn| conn.batch_execute("SELECT 1")).await
    }

    /// A connection of its own, outside the pool and without time limits, for migrations. Blocks.
    pub(crate) fn connect_unlimited(&self) -> Result<AnyConnection, DbError> {
        self.target.connect(None).map_err(DbError::unavailable)
    }

    /// The one way in. The permit moves into the closure: while a closure hangs its connection is
    /// counted as taken, and no more threads pile up than there are connections.
    async fn enter<T, F>(&self, work: F) -> Result<T, DbError>
    where
        F: FnOnce(&mut AnyConnection, Deadline) -> Result<T, DbError> + Send + 'static,
        T: Send + 'static,
    {
        let start = Instant::now();
        let deadline = Deadline(start + self.door_timeout);
        let acquire_by = start + self.acquire_timeout.min(self.door_timeout);
        let permit = self.permit(acquire_by).await?;
        let pool = self.pool.clone();
        let task = tokio::task::spawn_blocking(move || {
            // Dropped last: the connection is back in the pool before the next caller may look.
            let _permit = permit;
            let mut conn = pool.take(acquire_by)?;
            work(&mut conn, deadline)
        });
        match tokio::time::timeout_at(deadline.0.into(), task).await {
            Ok(Ok(result)) => result,
            Ok(Err(join_error)) => Err(DbError::Internal(if join_error.is_panic() {
                "a database closure panicked".to_owned()
            } else {
                "a database closure was cancelled".to_owned()
            })),
            Err(_) => Err(DbError::timed_out("the database")),
        }
    }

    async fn permit(&self, by: Instant) -> Result<OwnedSemaphorePermit, DbError> {
        match tokio::time::timeout_at(by.into(), Arc::clone(&self.permits).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(closed)) => Err(DbError::Internal(closed.to_string())),
            Err(_) => Err(DbError::timed_out("a free connection")),
        }
    }
}

/// Why a write was rolled back.
enum Abort<R> {
    Refused(R),
    Failed(DbError),
}

impl<R> From<diesel::result::Error> for Abort<R> {
    fn from(error: diesel::result::Error) -> Self {
        Self::Failed(DbError::classify(error))
    }
}

impl<R> From<DbError> for Abort<R> {
    fn from(error: DbError) -> Self {
        Self::Failed(error)
    }
}
