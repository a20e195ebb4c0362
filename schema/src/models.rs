//! The rows and queries, one module per table.

/// Runs an UPDATE or DELETE and counts its rows. SQLite counts none that are changed through a view, as adopted tables
/// are, so there it returns them.
macro_rules! changed {
    ($conn:expr, $statement:expr) => {{
        let statement = $statement;
        match $conn {
            $crate::db::AnyConnection::Postgres(conn) => statement.execute(conn),
            $crate::db::AnyConnection::Sqlite(conn) => {
                let one = diesel::dsl::sql::<diesel::sql_types::Integer>("1");
                statement.returning(one).load::<i32>(conn).map(|rows| rows.len())
            }
        }
    }};
}

/// Locks the rows of a query until the transaction ends, so that what a statement asks of them is asked of what they are
/// then: a view with triggers, as over an adopted table, asks what they were. As weak as the lock of an UPDATE, so that rows
/// that refer to them may be inserted meanwhile. On SQLite a transaction that writes is alone.
macro_rules! lock {
    ($conn:expr, $rows:expr) => {
        if let $crate::db::AnyConnection::Postgres(conn) = $conn {
            $rows.for_no_key_update().load::<String>(conn)?;
        }
    };
}

pub mod accounts;
pub mod jwks;
pub mod mails;
pub mod sessions;
pub mod users;
pub mod verifications;
