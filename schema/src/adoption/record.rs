//! The record of an adoption, which the database keeps beside what it made.

use super::SCHEMA;
use super::expression::literal;
use super::plan::{Holds, Plan};
use crate::db::Backend;

/// A hash that no password has, for columns that must hold one: of the kind that the other program knows, which would
/// stumble over anything else.
pub(super) fn no_password(hash: &str) -> String {
    let dots = |n: usize| ".".repeat(n);
    match hash {
        "argon2id" => format!("$argon2id$v=19$m=65536,t=3,p=4${}${}", "A".repeat(22), "A".repeat(43)),
        "bcrypt-sha256" => format!("$bcrypt-sha256$v=2,t=2b,r=12${}${}", dots(22), dots(31)),
        "scrypt" => format!("{}:{}", "0".repeat(32), "0".repeat(128)),
        _ => format!("$2b$12${}", dots(53)),
    }
}

/// The table that holds the adoption: one row.
pub(super) fn adoption_table(backend: Backend) -> String {
    match backend {
        Backend::Postgres => format!("{SCHEMA}._adoption"),
        Backend::Sqlite => "auth_sidecar_adoption".to_owned(),
    }
}

/// The table that holds the adopted tables: a row for each.
pub(super) fn adopted_table(backend: Backend) -> String {
    match backend {
        Backend::Postgres => format!("{SCHEMA}._adopted"),
        Backend::Sqlite => "auth_sidecar_adopted".to_owned(),
    }
}

/// Makes and fills both. `make` are the statements that make again what another program's migration removed (SQLite).
pub(super) fn record(backend: Backend, plan: &Plan, undo: &str, make: &str) -> Vec<String> {
    let (adoption, adopted) = (adoption_table(backend), adopted_table(backend));
    let (time, now) = match backend {
        Backend::Postgres => ("timestamptz", "now()"),
        Backend::Sqlite => ("timestamp", "strftime('%Y-%m-%d %H:%M:%f', 'now')"),
    };
    let mut statements = vec![
        format!(
            "CREATE TABLE {adoption} (kind text NOT NULL, hash text NOT NULL, since {time} NOT NULL, undo text NOT NULL, \
             make text NOT NULL)"
        ),
        format!(
            "CREATE TABLE {adopted} (ours text NOT NULL PRIMARY KEY, place integer NOT NULL, source text NOT NULL, \
             prefix text NOT NULL, ids text NOT NULL, id_column text NOT NULL, software_background text NOT NULL, \
             hardware_background text NOT NULL, last_id bigint NOT NULL)"
        ),
        format!(
            "INSERT INTO {adoption} (kind, hash, since, undo, make) VALUES ({}, {}, {now}, {}, {})",
            literal(plan.source.name()),
            literal(plan.hash),
            literal(undo),
            literal(make)
        ),
    ];
    for (place, table) in plan.tables.iter().enumerate() {
        let name = |ours: &str| literal(&table.name_of(ours).unwrap_or_default());
        let id = table.theirs("id").map(|column| column.name.clone()).unwrap_or_default();
        statements.push(format!(
            "INSERT INTO {adopted} (ours, place, source, prefix, ids, id_column, software_background, hardware_background, \
             last_id) VALUES ({}, {place}, {}, {}, {}, {}, {}, {}, 0)",
            literal(table.ours),
            literal(&table.table.sql()),
            literal(&table.table.prefix()),
            literal(table.ids.name()),
            literal(&id),
            name("software_background"),
            name("hardware_background"),
        ));
    }
    statements
}

/// The type of a column that is added.
pub(super) fn type_name(backend: Backend, holds: Holds) -> &'static str {
    match (holds, backend) {
        (Holds::Text | Holds::Id, _) => "text",
        (Holds::Bool, Backend::Postgres) => "boolean",
        (Holds::Time, Backend::Postgres) => "timestamptz",
        // What STRICT tables take, too.
        (Holds::Bool, Backend::Sqlite) => "integer",
        (Holds::Time, Backend::Sqlite) => "text",
    }
}
