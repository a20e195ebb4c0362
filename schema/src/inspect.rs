//! What a database says of itself, for whoever looks for the cause of a fault.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use crate::db::AnyConnection;

/// Version and clock of the server.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName)]
pub struct ServerFacts {
    /// The version as the server writes it.
    #[diesel(sql_type = Text)]
    pub version: String,
    /// PostgreSQL's number of the version, as 170002; 0 of SQLite, which is built in.
    #[diesel(sql_type = BigInt)]
    pub version_number: i64,
    /// The server's clock, in milliseconds since the Unix epoch. SQLite has that of this machine.
    #[diesel(sql_type = BigInt)]
    pub now_ms: i64,
}

/// Asks the server about itself.
///
/// # Errors
/// When it cannot be asked.
pub fn server_facts(conn: &mut AnyConnection) -> QueryResult<ServerFacts> {
    let question = match conn {
        AnyConnection::Postgres(_) => {
            "SELECT current_setting('server_version') AS version, \
                    current_setting('server_version_num')::bigint AS version_number, \
                    (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now_ms"
        }
        AnyConnection::Sqlite(_) => {
            "SELECT sqlite_version() AS version, 0 AS version_number, \
                    CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) AS now_ms"
        }
    };
    diesel::sql_query(question).get_result(conn)
}
