//! Read-only views named and shaped as the tables of a Better Auth server, for tools that read such a database by SQL.

use diesel::connection::SimpleConnection as _;

use super::catalog::{self, spellings};
use super::expression::{ident, literal};
use super::plan::columns_of;
use super::{AdoptError, Source, blocking, catalog::count, find};
use crate::db::{AnyConnection, Backend, Db};

/// The views and the tables of ours that they show.
const VIEWS: [(&str, &str); 4] =
    [("user", "users"), ("session", "sessions"), ("account", "accounts"), ("verification", "verifications")];

/// Columns of ours that no Better Auth server has by default.
const NOT_SHOWN: [&str; 3] = ["banned", "ban_reason", "ban_expires"];

/// The statements that make the views; those that are there are made anew.
///
/// # Errors
/// When the tables are those of a Better Auth server, a name is taken, or the database fails.
pub async fn shown(db: &Db) -> Result<String, AdoptError> {
    blocking(db, |conn, backend| Ok(statements(conn, backend)?.join(";\n") + ";\n")).await
}

/// Makes them, in one transaction.
///
/// # Errors
/// As [`shown`]; then nothing is changed.
pub async fn make(db: &Db) -> Result<(), AdoptError> {
    blocking(db, |conn, backend| {
        conn.write_transaction(|conn| {
            for statement in statements(conn, backend)? {
                conn.batch_execute(&statement).map_err(|error| AdoptError::Failed(error.to_string()))?;
            }
            Ok(())
        })
    })
    .await
}

/// Removes them.
///
/// # Errors
/// When the database fails; then nothing is changed.
pub async fn remove(db: &Db) -> Result<(), AdoptError> {
    blocking(db, |conn, backend| {
        conn.write_transaction(|conn| {
            for (view, _) in VIEWS {
                if kind_of(conn, backend, view)? == Some(true) {
                    conn.batch_execute(&format!("DROP VIEW {}{}", place(backend), ident(view)))?;
                }
            }
            Ok(())
        })
    })
    .await
}

fn place(backend: Backend) -> &'static str {
    match backend {
        Backend::Postgres => "public.",
        Backend::Sqlite => "main.",
    }
}

/// Whether something of this name is there: `Some(true)` for a view.
fn kind_of(conn: &mut AnyConnection, backend: Backend, name: &str) -> diesel::QueryResult<Option<bool>> {
    let is = |conn: &mut AnyConnection, kinds: &str| {
        let query = match backend {
            Backend::Postgres => format!(
                "SELECT count(*) AS n FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace \
                 WHERE nspname = 'public' AND relname = {} AND relkind IN ({kinds})",
                literal(name)
            ),
            Backend::Sqlite => {
                format!(
                    "SELECT count(*) AS n FROM main.sqlite_schema WHERE name = {} AND type IN ({kinds})",
                    literal(name)
                )
            }
        };
        count(conn, &query).map(|n| n > 0)
    };
    if is(conn, "'v', 'view'")? {
        return Ok(Some(true));
    }
    Ok(is(conn, "'r', 'p', 'm', 'f', 'i', 'table', 'index'")?.then_some(false))
}

fn statements(conn: &mut AnyConnection, backend: Backend) -> Result<Vec<String>, AdoptError> {
    let adoption = find(conn)?;
    match &adoption {
        Some(adoption) if adoption.source == Source::BetterAuth => {
            return Err(AdoptError::State("the tables are those of a Better Auth server as it is".to_owned()));
        }
        None if !catalog::are_ours(conn)? => {
            return Err(AdoptError::State(
                "there are no tables of this service yet: run `auth-sidecar migrate`".to_owned(),
            ));
        }
        _ => {}
    }
    let mut statements = Vec::new();
    for (view, ours) in VIEWS {
        match kind_of(conn, backend, view)? {
            Some(false) => return Err(AdoptError::State(format!("there is a table {view} already"))),
            Some(true) => statements.push(format!("DROP VIEW {}{}", place(backend), ident(view))),
            None => {}
        }
        let columns: Vec<String> = columns_of(ours)
            .iter()
            .map(|column| column.name)
            .filter(|name| !NOT_SHOWN.contains(name))
            .map(|name| {
                let [camel, _] = spellings(name);
                // The two fields are called as on the wire by default.
                let shown = if name.ends_with("_background") { name } else { &camel };
                format!("{name} AS {}", ident(shown))
            })
            .collect();
        // Through a common table expression PostgreSQL writes nothing; SQLite writes through no view.
        let adopted =
            backend == Backend::Sqlite && adoption.as_ref().is_some_and(|it| it.tables.iter().any(|t| t.ours == ours));
        let from = if adopted { format!("auth_sidecar_{ours}") } else { ours.to_owned() };
        statements.push(format!(
            "CREATE VIEW {}{} AS WITH ours AS (SELECT * FROM {from}) SELECT {} FROM ours",
            place(backend),
            ident(view),
            columns.join(", ")
        ));
    }
    Ok(statements)
}
