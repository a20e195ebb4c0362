//! What a door may fail with.

use std::error::Error as StdError;

use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind, Error};

/// Why a door failed. No text in it shows a value of the query.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// The database cannot serve now: no connection, time up, locked, full, read-only, or any
    /// failure not known to be the query's own. Worth a retry.
    #[error("the database is unavailable: {0}")]
    Unavailable(#[source] Box<dyn StdError + Send + Sync>),
    /// A row with the same key exists.
    #[error("a row with this value exists already ({constraint})")]
    UniqueViolation {
        /// `<table>_<columns>_key`, or `<table>_pkey`, on both databases.
        constraint: String,
    },
    /// A value breaks a column's rule.
    #[error("a value is not allowed ({constraint})")]
    CheckViolation {
        /// The constraint's name, the same on both databases; `text_encoding` for text that the
        /// database cannot hold (a NUL), `text_length` for one longer than the column of an adopted table.
        constraint: String,
    },
    /// A row refers to one that does not exist.
    #[error("a row that is referred to does not exist")]
    ForeignKeyViolation,
    /// A fault of ours.
    #[error("database layer: {0}")]
    Internal(String),
}

impl DbError {
    /// What a failed query means for the caller.
    #[must_use]
    pub fn classify(error: Error) -> Self {
        use DatabaseErrorKind as Kind;
        match &error {
            Error::DatabaseError(kind, info) => match kind {
                Kind::UniqueViolation => Self::UniqueViolation { constraint: unique_constraint(info.as_ref()) },
                Kind::CheckViolation => Self::CheckViolation { constraint: check_constraint(info.as_ref()) },
                Kind::ForeignKeyViolation => Self::ForeignKeyViolation,
                Kind::NotNullViolation | Kind::RestrictViolation | Kind::ExclusionViolation => {
                    Self::Internal(error.to_string())
                }
                // SQLite reports RAISE(ABORT) of a trigger this way.
                Kind::Unknown if info.message().starts_with(CHECK_FAILED) => {
                    Self::CheckViolation { constraint: check_constraint(info.as_ref()) }
                }
                Kind::Unknown if info.message().starts_with(BAD_ENCODING) => {
                    Self::CheckViolation { constraint: "text_encoding".to_owned() }
                }
                Kind::Unknown if info.message().starts_with(UNIQUE_FAILED) => {
                    Self::UniqueViolation { constraint: unique_constraint(info.as_ref()) }
                }
                Kind::Unknown if info.message().starts_with(TOO_LONG) => {
                    Self::CheckViolation { constraint: "text_length".to_owned() }
                }
                Kind::Unknown if info.message().starts_with(INDEX_ROW_SIZE) => {
                    Self::CheckViolation { constraint: quoted(info.message()) }
                }
                _ => Self::unavailable(error),
            },
            Error::BrokenTransactionManager | Error::RollbackErrorOnCommit { .. } => Self::unavailable(error),
            _ => Self::Internal(error.to_string()),
        }
    }

    /// Whether a row with the same value in `column` of `table` exists.
    #[must_use]
    pub fn is_unique_on(&self, table: &str, column: &str) -> bool {
        matches!(self, Self::UniqueViolation { constraint } if *constraint == unique_name(table, &[column]))
    }

    pub(super) fn unavailable(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Unavailable(source.into())
    }

    pub(super) fn timed_out(what: &str) -> Self {
        Self::unavailable(format!("timed out waiting for {what}"))
    }
}

impl From<Error> for DbError {
    fn from(error: Error) -> Self {
        Self::classify(error)
    }
}

const CHECK_FAILED: &str = "CHECK constraint failed: ";
const UNIQUE_FAILED: &str = "UNIQUE constraint failed: ";
const BAD_ENCODING: &str = "invalid byte sequence for encoding";
const INDEX_ROW_SIZE: &str = "index row size";
/// A column of an adopted table, which may be shorter than ours.
const TOO_LONG: &str = "value too long for type";

/// Whether a connection that reported this error may be used again. Errors of the query itself are
/// harmless; after any other (closed, read-only after a failover, a stale prepared statement, an
/// unreadable file) a fresh connection is the cheap cure.
pub(super) fn spoils_connection(error: &Error) -> bool {
    use DatabaseErrorKind as Kind;
    match error {
        Error::DatabaseError(Kind::ClosedConnection | Kind::UnableToSendCommand | Kind::ReadOnlyTransaction, _) => true,
        Error::DatabaseError(Kind::Unknown, info) => ![
            CHECK_FAILED,
            UNIQUE_FAILED,
            BAD_ENCODING,
            INDEX_ROW_SIZE,
            TOO_LONG,
            "database is locked",
            "database table is locked",
            "deadlock detected",
            "canceling statement due to",
            "current transaction is aborted",
        ]
        .iter()
        .any(|harmless| info.message().starts_with(harmless)),
        _ => false,
    }
}

/// The name PostgreSQL reports, or the same made from SQLite's `UNIQUE constraint failed: t.a, t.b`. Adopted tables have
/// constraints of other names: of ours only users have an address.
fn unique_constraint(info: &(dyn DatabaseErrorInformation + Send + Sync)) -> String {
    const EMAIL: &str = "users_email_key";
    if let Some(name) = info.constraint_name() {
        // `Key (email)=(…) already exists.`, in the server's language.
        let key = info.details().and_then(|details| details.split_once(")=(")?.0.split_once('('));
        let is_email = key.is_some_and(|(_, key)| key.to_ascii_lowercase().contains("email"));
        return if is_email { EMAIL.to_owned() } else { name.to_owned() };
    }
    if info.message().contains("_email_auth_sidecar_key") {
        return EMAIL.to_owned();
    }
    let columns = info.message().strip_prefix(UNIQUE_FAILED).unwrap_or_default();
    let mut pairs = columns.split(", ").filter_map(|column| column.split_once('.')).peekable();
    let table = pairs.peek().map_or("", |(table, _)| *table);
    unique_name(table, &pairs.map(|(_, column)| column).collect::<Vec<_>>())
}

fn unique_name(table: &str, columns: &[&str]) -> String {
    match columns {
        ["id"] => format!("{table}_pkey"),
        columns => format!("{table}_{}_key", columns.join("_")),
    }
}

fn check_constraint(info: &(dyn DatabaseErrorInformation + Send + Sync)) -> String {
    let name = info.constraint_name().or_else(|| info.message().strip_prefix(CHECK_FAILED));
    name.unwrap_or_default().to_owned()
}

/// What stands between the first pair of double quotes.
fn quoted(message: &str) -> String {
    message.split('"').nth(1).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unknown(message: &str) -> Error {
        Error::DatabaseError(DatabaseErrorKind::Unknown, Box::new(message.to_owned()))
    }

    fn unique(message: &str) -> DbError {
        DbError::classify(Error::DatabaseError(DatabaseErrorKind::UniqueViolation, Box::new(message.to_owned())))
    }

    #[test]
    fn sqlite_unique_messages_become_constraint_names() {
        assert!(unique("UNIQUE constraint failed: users.email").is_unique_on("users", "email"));
        assert!(unique("UNIQUE constraint failed: users.id").is_unique_on("users", "id"));
        assert!(!unique("UNIQUE constraint failed: users.id").is_unique_on("users", "email"));
        let DbError::UniqueViolation { constraint } =
            unique("UNIQUE constraint failed: accounts.provider_id, accounts.account_id")
        else {
            panic!("not a unique violation")
        };
        assert_eq!(constraint, "accounts_provider_id_account_id_key");
    }

    #[test]
    fn a_failing_trigger_is_a_check_violation() {
        let error = DbError::classify(unknown("CHECK constraint failed: users_software_background_check"));
        assert!(
            matches!(error, DbError::CheckViolation { constraint } if constraint == "users_software_background_check")
        );
    }

    #[test]
    fn text_too_large_for_an_index_is_a_check_violation_of_the_index() {
        let message = "index row size 2752 exceeds btree version 4 maximum 2704 for index \"users_email_key\"";
        let error = DbError::classify(unknown(message));
        assert!(matches!(error, DbError::CheckViolation { constraint } if constraint == "users_email_key"));
    }

    #[test]
    fn locked_full_and_unknown_failures_are_unavailable() {
        for message in ["database is locked", "database or disk is full", "disk I/O error", "whatever"] {
            assert!(matches!(DbError::classify(unknown(message)), DbError::Unavailable(_)), "{message}");
        }
    }

    #[test]
    fn faults_of_ours_are_internal() {
        assert!(matches!(DbError::classify(Error::NotFound), DbError::Internal(_)));
        assert!(matches!(DbError::classify(Error::DeserializationError("x".into())), DbError::Internal(_)));
    }

    #[test]
    fn only_errors_of_the_query_itself_leave_the_connection_usable() {
        for message in ["database is locked", "canceling statement due to statement timeout"] {
            assert!(!spoils_connection(&unknown(message)), "{message}");
        }
        for message in ["terminating connection due to administrator command", "disk I/O error"] {
            assert!(spoils_connection(&unknown(message)), "{message}");
        }
        let unique = Error::DatabaseError(DatabaseErrorKind::UniqueViolation, Box::new(String::new()));
        assert!(!spoils_connection(&unique));
        assert!(!spoils_connection(&Error::NotFound));
    }
}
