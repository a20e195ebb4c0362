//! What a database URL means, and how to connect to it.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::result::{ConnectionError, Error};

use super::Backend;
use super::connection::{AnyConnection, prepare_postgres, prepare_sqlite};
use crate::adoption;

/// Why a database URL is refused. The text never shows the URL: it may carry a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DbUrlError {
    /// A path or something else without `scheme://`.
    #[error("the database URL has no scheme: use sqlite://PATH or postgres://USER:PASSWORD@HOST/NAME")]
    NoScheme,
    /// Another scheme than ours.
    #[error("the database URL has the unknown scheme {0:?}: use sqlite://PATH or postgres://USER:PASSWORD@HOST/NAME")]
    UnknownScheme(String),
    /// No path, or one in memory.
    #[error("the sqlite URL names no file: use sqlite://data/auth.db or sqlite:///var/lib/auth.db")]
    NoFile,
    /// A query or fragment after the path.
    #[error("the sqlite URL has options after the path, which are not supported")]
    SqliteOptions,
}

/// Where the database is.
pub(super) enum Target {
    Postgres {
        url: String,
    },
    Sqlite {
        path: PathBuf,
        busy_timeout: Duration,
    },
    /// One of the others, to be left as it is.
    Untouched(Box<Self>),
}

/// Why there is no connection; without the URL.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    #[error("{0}")]
    Refused(String),
    #[error(transparent)]
    Setup(#[from] Error),
    #[error("the database file cannot be made: {0}")]
    File(#[from] io::Error),
}

impl From<ConnectionError> for ConnectError {
    fn from(error: ConnectionError) -> Self {
        match error {
            ConnectionError::CouldntSetupConfiguration(error) => Self::Setup(error),
            // libpq repeats the part of a URL it cannot read, which may be the password.
            ConnectionError::BadConnection(text)
                if text.contains("URI")
                    || text.contains("percent-encoded")
                    || text.contains("connection info string") =>
            {
                Self::Refused("the database URL cannot be read".to_owned())
            }
            ConnectionError::BadConnection(text) => Self::Refused(text.trim_end().to_owned()),
            _ => Self::Refused("the database URL cannot be read".to_owned()),
        }
    }
}

impl Target {
    pub(super) fn parse(url: &str, busy_timeout: Duration) -> Result<Self, DbUrlError> {
        let (scheme, rest) = url.split_once("://").ok_or(DbUrlError::NoScheme)?;
        match scheme {
            "postgres" | "postgresql" => Ok(Self::Postgres { url: complete_postgres_url(scheme, rest) }),
            "sqlite" if rest.contains(['?', '#']) => Err(DbUrlError::SqliteOptions),
            "sqlite" if rest.is_empty() || rest.ends_with('/') || rest.contains(":memory:") => Err(DbUrlError::NoFile),
            "sqlite" => Ok(Self::Sqlite { path: Path::new(".").join(rest), busy_timeout }),
            other if other.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c)) => {
                Err(DbUrlError::UnknownScheme(other.to_owned()))
            }
            _ => Err(DbUrlError::NoScheme),
        }
    }

    pub(super) fn backend(&self) -> Backend {
        match self {
            Self::Postgres { .. } => Backend::Postgres,
            Self::Sqlite { .. } => Backend::Sqlite,
            Self::Untouched(target) => target.backend(),
        }
    }

    /// A connection, set up. Without a `statement_timeout` its queries may take any time.
    pub(super) fn connect(&self, statement_timeout: Option<Duration>) -> Result<AnyConnection, ConnectError> {
        match self {
            Self::Postgres { url } => {
                let mut conn = PgConnection::establish(url)?;
                prepare_postgres(&mut conn, statement_timeout)?;
                Ok(AnyConnection::Postgres(conn))
            }
            Self::Sqlite { path, busy_timeout } => {
                make_private_file(path)?;
                let path = path.to_str().ok_or(ConnectionError::BadConnection("the path is no text".to_owned()))?;
                let mut conn = SqliteConnection::establish(path)?;
                prepare_sqlite(&mut conn, *busy_timeout)?;
                let mut conn = AnyConnection::Sqlite(conn);
                adoption::connect(&mut conn)?;
                Ok(conn)
            }
            Self::Untouched(target) => target.connect_to_look(statement_timeout),
        }
    }

    /// A connection that can only read: a SQLite file is neither made nor given another mode.
    fn connect_to_look(&self, statement_timeout: Option<Duration>) -> Result<AnyConnection, ConnectError> {
        match self {
            Self::Sqlite { path, busy_timeout } => {
                let path = path.to_str().ok_or(ConnectionError::BadConnection("the path is no text".to_owned()))?;
                let escaped = path.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
                let mut conn = SqliteConnection::establish(&format!("file:{escaped}?mode=ro"))?;
                conn.batch_execute(&format!("PRAGMA busy_timeout = {}", busy_timeout.as_millis()))?;
                let mut conn = AnyConnection::Sqlite(conn);
                adoption::connect(&mut conn)?;
                Ok(conn)
            }
            _ => {
                let mut conn = self.connect(statement_timeout)?;
                conn.batch_execute("SET default_transaction_read_only = on")?;
                Ok(conn)
            }
        }
    }
}

/// Makes the file with mode 0600 and its folder with 0700 where they are missing, and takes the
/// rights of others from a file that exists: it holds password hashes and session tokens. SQLite
/// gives its `-wal` and `-shm` files the same mode.
///
/// A file that exists is not opened: closing it would drop the locks that other connections of this
/// process hold on it (POSIX), and another process could take the file for unused and remove the WAL
/// under them (<https://www.sqlite.org/howtocorrupt.html>, 2.2).
fn make_private_file(path: &Path) -> io::Result<()> {
    /// One at a time, so that no connection is opened before a new file is closed.
    static MAKING: Mutex<()> = Mutex::new(());
    let _one = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_new) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    let mode = fs::metadata(path)?.permissions().mode();
    if mode & 0o007 != 0 {
        fs::set_permissions(path, Permissions::from_mode(mode & 0o770))?;
    }
    Ok(())
}

/// libpq options for every connection unless the URL gives them: connecting is bounded, and a
/// vanished server is noticed within some 10 s even while a query waits for it.
const POSTGRES_DEFAULTS: [(&str, &str); 7] = [
    ("application_name", "auth-sidecar"),
    ("connect_timeout", "2"),
    ("keepalives", "1"),
    ("keepalives_idle", "5"),
    ("keepalives_interval", "2"),
    ("keepalives_count", "3"),
    ("tcp_user_timeout", "10000"),
];

fn complete_postgres_url(scheme: &str, rest: &str) -> String {
    // A question mark in the password is no query; an @ after the first slash is no password.
    let user_end = rest.split('/').next().and_then(|authority| authority.rfind('@')).unwrap_or(0);
    let (user, rest) = rest.split_at(user_end);
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let mut options: Vec<(&str, String)> = query
        .split('&')
        .filter(|option| !option.is_empty())
        .map(|option| option.split_once('=').unwrap_or((option, "")))
        .map(|(name, value)| (name, value.to_owned()))
        .collect();
    for (name, value) in POSTGRES_DEFAULTS {
        if !options.iter().any(|(given, _)| *given == name) {
            options.push((name, value.to_owned()));
        }
    }
    name_root_certificates(&mut options);
    let query: Vec<String> = options.iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("{scheme}://{user}{place}?{}", query.join("&"))
}

/// The compiled-in OpenSSL looks for certificates in a folder that exists nowhere, so a connection
/// that verifies the server is told where the system keeps them.
fn name_root_certificates(options: &mut Vec<(&str, String)>) {
    let system = options.iter().position(|(name, value)| *name == "sslrootcert" && value == "system");
    if let Some(index) = system {
        options.remove(index);
        // What libpq makes of `sslrootcert=system`.
        options.retain(|(name, _)| *name != "sslmode");
        options.push(("sslmode", "verify-full".to_owned()));
    }
    let verifies = options.iter().any(|(name, value)| *name == "sslmode" && value.starts_with("verify-"));
    let named = options.iter().any(|(name, _)| *name == "sslrootcert");
    if verifies
        && !named
        && let Some(file) = openssl_probe::probe().cert_file.as_deref().and_then(Path::to_str)
    {
        let escaped = file.replace('%', "%25").replace('&', "%26").replace('=', "%3D").replace(' ', "%20");
        options.push(("sslrootcert", escaped));
    }
}

#[cfg(test)]
#[path = "target_tests.rs"]
mod tests;
