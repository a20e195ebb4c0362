//! The pool: r2d2 over connections that remember whether they broke.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use diesel::connection::{Connection, InstrumentationEvent};
use diesel::r2d2::R2D2Connection;
use r2d2::{HandleError, ManageConnection, PooledConnection};

use super::connection::AnyConnection;
use super::error::{DbError, spoils_connection};
use super::target::{ConnectError, Target};

/// How long to hope for a returned connection while the database refuses new ones.
const GRACE: Duration = Duration::from_millis(100);

/// A pool of lazily made connections.
#[derive(Clone)]
pub(super) struct Pool {
    inner: r2d2::Pool<Manager>,
    refused: Arc<AtomicBool>,
}

impl Pool {
    /// Makes no connection yet.
    pub(super) fn new(target: Arc<Target>, size: u32, acquire_timeout: Duration, statement_timeout: Duration) -> Self {
        let refused = Arc::new(AtomicBool::new(false));
        let manager = Manager { target, statement_timeout, refused: Arc::clone(&refused) };
        let inner = r2d2::Pool::builder()
            .max_size(size)
            .min_idle(Some(0))
            // A query on each checkout would cost a quarter of a session read.
            .test_on_check_out(false)
            .connection_timeout(acquire_timeout.max(Duration::from_millis(1)))
            .error_handler(Box::new(LogRefusal))
            .build_unchecked(manager);
        Self { inner, refused }
    }

    /// A connection; blocks until `by` at the latest, and far shorter while the last attempt to
    /// connect failed: r2d2 goes on trying in the background, at least once a second.
    pub(super) fn take(&self, by: Instant) -> Result<PooledConnection<Manager>, DbError> {
        loop {
            let left = by.saturating_duration_since(Instant::now());
            match self.inner.get_timeout(left.min(GRACE)) {
                Ok(conn) => return Ok(conn),
                Err(error) if left <= GRACE || self.refused.load(Ordering::Relaxed) => {
                    return Err(DbError::unavailable(error));
                }
                Err(_) => {}
            }
        }
    }
}

/// A connection that knows when it must not be used again.
pub(super) struct Tracked {
    conn: AnyConnection,
    spoiled: Arc<AtomicBool>,
}

impl Tracked {
    /// Every error of every query passes the instrumentation, also one the closure swallows.
    fn new(mut conn: AnyConnection) -> Self {
        let spoiled = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&spoiled);
        conn.set_instrumentation(move |event: InstrumentationEvent<'_>| {
            if let InstrumentationEvent::FinishQuery { error: Some(error), .. } = event
                && spoils_connection(error)
            {
                flag.store(true, Ordering::Relaxed);
            }
        });
        Self { conn, spoiled }
    }
}

impl Deref for Tracked {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        &self.conn
    }
}

impl DerefMut for Tracked {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        &mut self.conn
    }
}

/// Tells r2d2 how to make a connection and when to throw it away.
pub(super) struct Manager {
    target: Arc<Target>,
    statement_timeout: Duration,
    refused: Arc<AtomicBool>,
}

impl ManageConnection for Manager {
    type Connection = Tracked;
    type Error = ConnectError;

    fn connect(&self) -> Result<Tracked, ConnectError> {
        let result = self.target.connect(Some(self.statement_timeout));
        self.refused.store(result.is_err(), Ordering::Relaxed);
        result.map(Tracked::new)
    }

    /// Never called: connections are not tested on checkout.
    fn is_valid(&self, conn: &mut Tracked) -> Result<(), ConnectError> {
        conn.ping().map_err(ConnectError::from)
    }

    fn has_broken(&self, conn: &mut Tracked) -> bool {
        std::thread::panicking() || conn.spoiled.load(Ordering::Relaxed) || conn.is_broken()
    }
}

#[derive(Debug)]
struct LogRefusal;

impl HandleError<ConnectError> for LogRefusal {
    fn handle_error(&self, error: ConnectError) {
        tracing::warn!(%error, "cannot connect to the database");
    }
}
