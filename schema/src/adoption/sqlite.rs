//! The statements of an adoption on SQLite, which run in one transaction.
//!
//! A SQLite file has one room of names, and the tables may be called as ours. So what stands for one of ours is a view of
//! another name in the file, and each connection of ours puts a temporary view of our name over it: temporary names are
//! found first. SQLite counts no rows that are changed through a view; our queries have them returned and count those.

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness as _};

use super::expression::{Mapped, Written, added_time, ident, is_cast, literal, mapped, select, stored_time, written};
use super::plan::{Column, Lack, Plan, Source, TablePlan, columns_of};
use super::record::{adopted_table, adoption_table, no_password, record, type_name};
use crate::db::{AnyConnection, Backend};

const SQLITE: Backend = Backend::Sqlite;

/// Between the statements that are kept in the file.
const SEPARATOR: &str = "\n--\n";

/// How the statements begin that are kept in the file: whoever else may write it gets nothing else run.
const KEPT: [&str; 9] = [
    "CREATE VIEW IF NOT EXISTS main.auth_sidecar_",
    "CREATE TRIGGER IF NOT EXISTS main.auth_sidecar_",
    "DROP VIEW IF EXISTS ",
    "DROP TRIGGER IF EXISTS ",
    "DROP INDEX IF EXISTS ",
    "DROP TABLE ",
    "ALTER TABLE ",
    "DELETE FROM main.",
    "UPDATE main.accounts ",
];

/// Runs statements that were kept in the file, one by one.
pub(super) fn run_kept(conn: &mut AnyConnection, statements: &str) -> QueryResult<()> {
    for statement in statements.split(SEPARATOR).filter(|statement| !statement.is_empty()) {
        let known = KEPT.iter().any(|begin| statement.starts_with(begin)) || statement.starts_with(INSERT_ACCOUNTS);
        if !known {
            return Err(diesel::result::Error::QueryBuilderError("the record of the adoption was changed".into()));
        }
        // Of several statements in one text only the first is run.
        diesel::sql_query(statement).execute(conn)?;
    }
    Ok(())
}

/// How an account is made of a hash of theirs.
const INSERT_ACCOUNTS: &str =
    "INSERT INTO main.accounts (id, account_id, provider_id, user_id, password, created_at, updated_at) ";

/// All of them. `own` makes our own tables.
pub(super) fn adopt(plan: &Plan, own: &OwnTables) -> Vec<String> {
    let make = make(plan);
    let mut statements = record(SQLITE, plan, &undo(plan, own).join(SEPARATOR), &make.join(SEPARATOR));
    statements.extend(own.make.iter().cloned());
    for table in &plan.tables {
        statements.extend(add_columns(plan, table));
        statements.extend(table.create_indexes());
    }
    // With the hashes of their passwords.
    statements.extend(make);
    statements
}

/// Our own tables that stand beside the adopted ones, as statements for their file.
pub(super) struct OwnTables {
    make: Vec<String>,
    names: Vec<String>,
}

#[derive(QueryableByName)]
struct Made {
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    sql: String,
}

#[derive(QueryableByName)]
struct Applied {
    #[diesel(sql_type = Text)]
    version: String,
}

impl OwnTables {
    /// As the migrations make them: in a database of this moment, where the table of users then gets the name of theirs,
    /// and with it every reference to it.
    pub(super) fn of(plan: &Plan, migrations: EmbeddedMigrations) -> Result<Self, String> {
        let failed = |error: &dyn std::fmt::Display| error.to_string();
        let mut conn = SqliteConnection::establish(":memory:").map_err(|error| failed(&error))?;
        conn.run_pending_migrations(migrations).map_err(|error| failed(&error))?;
        let users = plan.table("users").map_or("users", |table| table.table.name.as_str());
        let mut away: Vec<&str> = plan.tables.iter().map(|table| table.ours).filter(|ours| *ours != "users").collect();
        away.push(users);
        let rename =
            if users == "users" { String::new() } else { format!("ALTER TABLE users RENAME TO {};", ident(users)) };
        conn.batch_execute(&rename).map_err(|error| failed(&error))?;
        let made: Vec<Made> = diesel::sql_query(
            "SELECT type AS kind, name, sql, tbl_name FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid",
        )
        .load::<MadeOn>(&mut conn)
        .map_err(|error| failed(&error))?
        .into_iter()
        .filter(|made| !away.contains(&made.table_name.as_str()))
        .map(|made| made.made)
        .collect();
        let applied: Vec<Applied> = diesel::sql_query("SELECT version FROM __diesel_schema_migrations")
            .load(&mut conn)
            .map_err(|error| failed(&error))?;
        let names = made.iter().filter(|made| made.kind == "table").map(|made| made.name.clone()).collect();
        let mut make: Vec<String> = made.into_iter().map(|made| made.sql).collect();
        make.extend(applied.into_iter().map(|applied| {
            format!("INSERT INTO __diesel_schema_migrations (version) VALUES ({})", literal(&applied.version))
        }));
        Ok(Self { make, names })
    }
}

#[derive(QueryableByName)]
struct MadeOn {
    #[diesel(embed)]
    made: Made,
    #[diesel(sql_type = Text)]
    #[diesel(column_name = tbl_name)]
    table_name: String,
}

fn add_columns(plan: &Plan, table: &TablePlan) -> Vec<String> {
    let name = table.table.sql();
    let mut statements = Vec::new();
    for (ours, theirs) in &table.added {
        let Some(ours) = columns_of(table.ours).iter().find(|column| column.name == *ours) else { continue };
        let (kind, theirs) = (type_name(SQLITE, ours.holds), ident(theirs));
        let rest = match ours.lack {
            Lack::Default(value) => format!(" NOT NULL DEFAULT {value}"),
            // SQLite adds no column whose default is the time.
            Lack::Now | Lack::Null | Lack::Problem => String::new(),
        };
        statements.push(format!("ALTER TABLE {name} ADD COLUMN {theirs} {kind}{rest}"));
        if ours.lack == Lack::Now {
            statements.push(format!("UPDATE {name} SET {theirs} = {}", stored_time(added_time(plan), "'now'")));
        }
    }
    statements
}

/// As our own tables hold the time.
const NOW: &str = "strftime('%Y-%m-%d %H:%M:%f', 'now')";

fn id_text(users: &TablePlan, row: &str) -> String {
    let id = users.name_of("id").unwrap_or_default();
    if is_cast(SQLITE, users, "id") { format!("CAST({row}.{id} AS TEXT)") } else { format!("{row}.{id}") }
}

/// The views and triggers in the file, and what the triggers would have done while they were away. Each may be there
/// already: a migration of their program that makes a table anew takes the triggers on it along.
fn make(plan: &Plan) -> Vec<String> {
    let mut statements = Vec::new();
    for table in &plan.tables {
        let columns = mapped(SQLITE, plan, table);
        let view = select(table, &columns);
        statements.push(format!("CREATE VIEW IF NOT EXISTS main.auth_sidecar_{} AS {view}", table.ours));
        statements.extend(triggers(plan, table, &columns));
    }
    let Some(users) = plan.table("users") else { return statements };
    statements.extend(forget_triggers(plan, users));
    if plan.source == Source::BetterAuth {
        return statements;
    }
    statements.extend(users.theirs("active").map(|active| end_sessions(users, active)));
    let (table, id) = (users.table.sql(), id_text(users, "u"));
    for (ours, column) in [("sessions", "user_id"), ("accounts", "user_id")] {
        statements.push(format!(
            "DELETE FROM main.{ours} WHERE NOT EXISTS (SELECT 1 FROM main.{table} u WHERE {id} = {ours}.{column})"
        ));
    }
    if let Some(active) = users.theirs("active") {
        let active = ident(&active.name);
        statements.push(format!(
            "DELETE FROM main.sessions WHERE user_id IN (SELECT {id} FROM main.{table} u WHERE u.{active} = 0)"
        ));
    }
    if let Some(password) = users.theirs("password") {
        statements.extend(password_triggers(plan, users, password));
        let (password, none) = (ident(&password.name), literal(&no_password(plan.hash)));
        statements.push(format!(
            "UPDATE main.accounts SET password = (SELECT nullif(nullif(u.{password}, ''), {none}) FROM main.{table} u \
             WHERE {id} = accounts.user_id) WHERE provider_id = 'credential' AND password IS NOT \
             (SELECT nullif(nullif(u.{password}, ''), {none}) FROM main.{table} u WHERE {id} = accounts.user_id)"
        ));
        statements.push(format!(
            "{INSERT_ACCOUNTS}SELECT lower(hex(randomblob(16))), {id}, 'credential', {id}, u.{password}, {NOW}, {NOW} \
             FROM main.{table} u WHERE u.{password} NOT IN ('', {none}) \
             AND NOT EXISTS (SELECT 1 FROM main.accounts a WHERE a.user_id = {id} AND a.provider_id = 'credential')"
        ));
    }
    statements
}

fn triggers(plan: &Plan, table: &TablePlan, mapped: &[Mapped]) -> Vec<String> {
    let (ours, name) = (table.ours, table.table.sql());
    let Written { columns, values, sets } = written(SQLITE, plan, table, mapped);
    let id = table.name_of("id").unwrap_or_default();
    let old = if is_cast(SQLITE, table, "id") { "CAST(OLD.id AS INTEGER)" } else { "OLD.id" };
    let trigger = |event: &str, body: &str| {
        format!(
            "CREATE TRIGGER IF NOT EXISTS main.auth_sidecar_{ours}_{event} INSTEAD OF {event} ON auth_sidecar_{ours} \
             BEGIN {body}; END"
        )
    };
    vec![
        trigger("insert", &format!("INSERT INTO {name} ({columns}) VALUES ({values})")),
        trigger("update", &format!("UPDATE {name} SET {sets} WHERE {id} = {old}")),
        trigger("delete", &format!("DELETE FROM {name} WHERE {id} = {old}")),
    ]
}

/// Many programs leave SQLite's foreign keys off, and SQLite gives the number of a deleted row to a new one: whoever gets
/// it must get neither the sessions nor the passwords nor the mailed links of the one before.
fn forget_triggers(plan: &Plan, users: &TablePlan) -> Vec<String> {
    let id = users.name_of("id").unwrap_or_default();
    // Some programs write every column, also those they leave as they are.
    [
        ("deleted", "DELETE".to_owned(), String::new()),
        ("id_changed", format!("UPDATE OF {id}"), format!(" WHEN NEW.{id} IS NOT OLD.{id}")),
    ]
    .into_iter()
    .map(|(name, event, when)| {
        format!(
            "CREATE TRIGGER IF NOT EXISTS main.auth_sidecar_{name} AFTER {event} ON {}{when} BEGIN {} END",
            users.table.sql(),
            forget(plan, users, "OLD")
        )
    })
    .collect()
}

/// The statements of a trigger that remove what belongs to the id of this row.
fn forget(plan: &Plan, users: &TablePlan, row: &str) -> String {
    let user = id_text(users, row);
    let mut statements = String::new();
    for (ours, column) in [("sessions", "user_id"), ("accounts", "user_id"), ("verifications", "value")] {
        let (table, theirs) = plan.table(ours).map_or_else(
            || (ours.to_owned(), column.to_owned()),
            |table| (table.table.sql(), table.name_of(column).unwrap_or_default()),
        );
        let is_cast = plan.table(ours).is_some_and(|table| is_cast(SQLITE, table, column));
        let user = if is_cast { format!("CAST({user} AS INTEGER)") } else { user.clone() };
        statements.push_str(&format!("DELETE FROM {table} WHERE {theirs} = {user}; "));
    }
    statements
}

/// Whoever is not active any more is signed out for good.
fn end_sessions(users: &TablePlan, active: &Column) -> String {
    let (id, active) = (id_text(users, "NEW"), ident(&active.name));
    format!(
        "CREATE TRIGGER IF NOT EXISTS main.auth_sidecar_active AFTER UPDATE OF {active} ON {} WHEN NEW.{active} = 0 BEGIN \
         DELETE FROM sessions WHERE user_id = {id}; END",
        users.table.sql()
    )
}

/// A password that either side sets is the other side's too. Both write only what differs, so they do not chase each other.
fn password_triggers(plan: &Plan, users: &TablePlan, column: &Column) -> Vec<String> {
    let (table, password) = (users.table.sql(), ident(&column.name));
    let marker = literal(&no_password(plan.hash));
    let none = if column.not_null { marker.clone() } else { "NULL".to_owned() };
    let id = id_text(users, "NEW");
    let is = |row: &str| format!("{} = {row}.user_id", id_text(users, &table));
    let to_theirs = |event: &str, name: &str| {
        format!(
            "CREATE TRIGGER IF NOT EXISTS main.auth_sidecar_password_{name} AFTER {event} ON accounts \
             WHEN NEW.provider_id = 'credential' BEGIN \
             UPDATE {table} SET {password} = coalesce(NEW.password, {none}) WHERE {} \
             AND {password} IS NOT coalesce(NEW.password, {none}); END",
            is("NEW")
        )
    };
    let sets = format!("coalesce(NEW.{password}, '') NOT IN ('', {marker})");
    let insert = format!(
        "INSERT INTO accounts (id, account_id, provider_id, user_id, password, created_at, updated_at) \
         SELECT lower(hex(randomblob(16))), {id}, 'credential', {id}, NEW.{password}, {NOW}, {NOW} WHERE {sets} \
         AND NOT EXISTS (SELECT 1 FROM accounts WHERE user_id = {id} AND provider_id = 'credential');"
    );
    vec![
        to_theirs("INSERT", "made_here"),
        to_theirs("UPDATE OF password", "set_here"),
        format!(
            "CREATE TRIGGER IF NOT EXISTS main.auth_sidecar_password_removed_here AFTER DELETE ON accounts \
             WHEN OLD.provider_id = 'credential' BEGIN UPDATE {table} SET {password} = {none} WHERE {}; END",
            is("OLD")
        ),
        // A new row has nothing of an older one with its id, whatever became of that.
        format!(
            "CREATE TRIGGER IF NOT EXISTS main.auth_sidecar_password_made_there AFTER INSERT ON {table} BEGIN {} {insert} END",
            forget(plan, users, "NEW")
        ),
        format!(
            "CREATE TRIGGER IF NOT EXISTS main.auth_sidecar_password_set_there AFTER UPDATE OF {password} ON {table} BEGIN \
             UPDATE accounts SET password = CASE WHEN {sets} THEN NEW.{password} END, updated_at = {NOW} \
             WHERE user_id = {id} AND provider_id = 'credential' \
             AND password IS NOT CASE WHEN {sets} THEN NEW.{password} END; {insert} END"
        ),
    ]
}

/// What each connection of ours begins with: temporary views of our names, which are found before any table.
pub(super) fn connect(adopted: &[String]) -> Vec<String> {
    let mut statements = Vec::new();
    // Only known names, whatever the file says.
    for ours in ["users", "sessions", "accounts", "verifications", "jwks"] {
        if !adopted.iter().any(|name| name == ours) {
            continue;
        }
        let names: Vec<&str> = columns_of(ours).iter().map(|column| column.name).collect();
        let new: Vec<String> = names.iter().map(|name| format!("NEW.{name}")).collect();
        let sets: Vec<String> =
            names.iter().filter(|name| **name != "id").map(|name| format!("{name} = NEW.{name}")).collect();
        statements.push(format!("CREATE TEMP VIEW {ours} AS SELECT * FROM main.auth_sidecar_{ours}"));
        let trigger = |event: &str, body: &str| {
            format!("CREATE TEMP TRIGGER {ours}_{event} INSTEAD OF {event} ON {ours} BEGIN {body}; END")
        };
        // The address of another user is told as our own table would tell it.
        let taken = |of: &str| {
            format!(
                "SELECT RAISE(ABORT, 'UNIQUE constraint failed: users.email') FROM auth_sidecar_users \
                 WHERE email = NEW.email AND id IS NOT {of}; "
            )
        };
        let is_users = ours == "users";
        statements.push(trigger(
            "insert",
            &format!(
                "{}INSERT INTO auth_sidecar_{ours} ({}) VALUES ({})",
                if is_users { taken("NEW.id") } else { String::new() },
                names.join(", "),
                new.join(", ")
            ),
        ));
        statements.push(trigger(
            "update",
            &format!(
                "{}UPDATE auth_sidecar_{ours} SET {} WHERE id = OLD.id",
                if is_users { taken("OLD.id") } else { String::new() },
                sets.join(", ")
            ),
        ));
        statements.push(trigger("delete", &format!("DELETE FROM auth_sidecar_{ours} WHERE id = OLD.id")));
    }
    statements
}

fn undo(plan: &Plan, own: &OwnTables) -> Vec<String> {
    let ours: Vec<&str> = plan.tables.iter().map(|table| table.ours).collect();
    // Ours of this connection would be asked after the views that they are over.
    let mut statements: Vec<String> = ours.iter().map(|ours| format!("DROP VIEW IF EXISTS temp.{ours}")).collect();
    statements.extend(unmake(&ours));
    for table in &plan.tables {
        for index in &table.indexes {
            statements.push(format!("DROP INDEX IF EXISTS {}", ident(&index.name)));
        }
        if table.ours == "users" {
            for column in ["software_background", "hardware_background"] {
                for event in ["insert", "update"] {
                    statements.push(format!("DROP TRIGGER IF EXISTS auth_sidecar_{column}_check_{event}"));
                }
            }
        }
        for (_, column) in table.added.iter().rev() {
            statements.push(format!("ALTER TABLE {} DROP COLUMN {}", table.table.sql(), ident(column)));
        }
    }
    // Rows that refer to others go first.
    statements.extend(own.names.iter().rev().map(|name| format!("DROP TABLE {}", ident(name))));
    statements.push(format!("DROP TABLE {}", adopted_table(SQLITE)));
    statements.push(format!("DROP TABLE {}", adoption_table(SQLITE)));
    statements
}

/// Removes what [`make`] makes for the tables that stand for these of ours.
pub(super) fn unmake(ours: &[&str]) -> Vec<String> {
    let mut statements = Vec::new();
    let passwords = ["made_here", "set_here", "removed_here", "made_there", "set_there"];
    let passwords = passwords.map(|name| format!("DROP TRIGGER IF EXISTS main.auth_sidecar_password_{name}"));
    statements.extend(
        ["deleted", "id_changed", "active"].map(|name| format!("DROP TRIGGER IF EXISTS main.auth_sidecar_{name}")),
    );
    statements.extend(passwords);
    // With its triggers.
    statements.extend(ours.iter().map(|ours| format!("DROP VIEW IF EXISTS main.auth_sidecar_{ours}")));
    statements
}

/// The next id of one of our tables whose ids are counted: of the table, or of those that were given out and may not be
/// written yet. To be run in a transaction that writes.
pub(super) fn next_id(ours: &str, source: &str, id: &str) -> String {
    format!(
        "UPDATE auth_sidecar_adopted SET last_id = max(last_id, (SELECT coalesce(max({}), 0) FROM main.{source})) + 1 \
         WHERE ours = {} RETURNING CAST(last_id AS TEXT) AS found",
        ident(id),
        literal(ours)
    )
}
