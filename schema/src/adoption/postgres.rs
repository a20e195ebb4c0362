//! The statements of an adoption on PostgreSQL. They run in one transaction; the tables are locked against reading only
//! for the last few of them, none of which looks at their rows.

use std::fmt::Write as _;

use super::SCHEMA;
use super::expression::{Mapped, Written, ident, literal, mapped, select, written};
use super::plan::{Column, Lack, Plan, Source, TablePlan, columns_of};
use super::record::{no_password, record};
use crate::db::Backend;

/// Before our own tables are made.
pub(super) fn begin() -> String {
    format!("SET LOCAL lock_timeout = '2s'; CREATE SCHEMA {SCHEMA}; SET LOCAL search_path = {SCHEMA}, public")
}

/// After our own tables were made.
pub(super) fn adopt(plan: &Plan) -> Vec<String> {
    let mut statements = record(Backend::Postgres, plan, &undo(plan), "");
    // Ours hold nothing; views take their place.
    match plan.source {
        Source::UsersTable => statements.extend(plan.table("users").map(refer_to).unwrap_or_default()),
        Source::BetterAuth => {
            let ours: Vec<String> = plan.tables.iter().rev().map(|table| format!("{SCHEMA}.{}", table.ours)).collect();
            statements.push(format!("DROP TABLE {}", ours.join(", ")));
        }
    }
    for table in &plan.tables {
        statements.extend(table.create_indexes());
    }
    if let (Source::UsersTable, Some(users)) = (plan.source, plan.table("users")) {
        statements.extend(copy_hashes(plan, users));
    }
    for table in &plan.tables {
        statements.extend(add_columns(table));
        let columns = mapped(Backend::Postgres, plan, table);
        statements.push(format!("CREATE VIEW {SCHEMA}.{} AS {}", table.ours, select(table, &columns)));
        // A view that only names columns is written through by the database itself, with its own locks.
        if !table.given.is_empty() || !columns.iter().all(Mapped::is_plain) {
            statements.extend(triggers(plan, table, &columns));
        }
        if let (Source::UsersTable, Some(password)) = (plan.source, table.theirs("password")) {
            statements.extend(password_triggers(plan, table, password));
        }
        if let (Source::UsersTable, Some(active)) = (plan.source, table.theirs("active")) {
            statements.extend(end_sessions(table, active));
        }
    }
    statements
}

/// Our own tables refer to the table of users, which deletes their rows with its own.
fn refer_to(users: &TablePlan) -> Vec<String> {
    let (table, kind) = (users.table.sql(), users.type_of("id"));
    let is_text = !super::expression::is_cast(Backend::Postgres, users, "id");
    let mut statements = Vec::new();
    for ours in ["sessions", "accounts"] {
        statements.push(format!("ALTER TABLE {SCHEMA}.{ours} DROP CONSTRAINT {ours}_user_id_fkey"));
        if is_text {
            statements.push(format!(
                "ALTER TABLE {SCHEMA}.{ours} ADD CONSTRAINT {ours}_user_id_fkey FOREIGN KEY (user_id) REFERENCES {table} (id) \
                 ON DELETE CASCADE"
            ));
        } else {
            statements.push(format!(
                "ALTER TABLE {SCHEMA}.{ours} ADD COLUMN user_ref {kind} GENERATED ALWAYS AS (user_id::{kind}) STORED \
                 CONSTRAINT {ours}_user_id_fkey REFERENCES {table} (id) ON DELETE CASCADE"
            ));
            statements.push(format!("CREATE INDEX {ours}_user_ref_idx ON {SCHEMA}.{ours} (user_ref)"));
        }
    }
    statements.push(format!("DROP TABLE {SCHEMA}.users"));
    statements
}

fn copy_hashes(plan: &Plan, users: &TablePlan) -> Option<String> {
    let password = ident(&users.theirs("password")?.name);
    // As the view will show it; a column that is added is not there yet.
    let columns = mapped(Backend::Postgres, plan, users);
    let shown = columns.iter().find(|column| column.ours == "created_at" && users.theirs("created_at").is_some());
    let created = shown.map_or("now()", |column| column.read.as_str());
    Some(format!(
        "INSERT INTO {SCHEMA}.accounts (id, account_id, provider_id, user_id, password, created_at, updated_at) \
         SELECT replace(gen_random_uuid()::text, '-', ''), u.id::text, 'credential', u.id::text, u.{password}, {created}, {created} \
         FROM {} u WHERE u.{password} NOT IN ('', {none})",
        users.table.sql(),
        none = literal(&no_password(plan.hash))
    ))
}

fn undo(plan: &Plan) -> String {
    let mut text = format!("DROP SCHEMA {SCHEMA} CASCADE;\n");
    for table in &plan.tables {
        let prefix = table.table.prefix();
        for index in &table.indexes {
            let _ = writeln!(text, "DROP INDEX IF EXISTS {prefix}{};", ident(&index.name));
        }
        let name = table.table.sql();
        if table.ours == "users" {
            for column in ["software_background", "hardware_background"] {
                let _ = writeln!(text, "ALTER TABLE {name} DROP CONSTRAINT IF EXISTS auth_sidecar_{column}_check;");
                let _ = writeln!(text, "DROP INDEX IF EXISTS {prefix}auth_sidecar_{column}_idx;");
            }
        }
        for (_, column) in &table.added {
            let _ = writeln!(text, "ALTER TABLE {name} DROP COLUMN {};", ident(column));
        }
    }
    text
}

fn add_columns(table: &TablePlan) -> Option<String> {
    let added: Vec<String> = table
        .added
        .iter()
        .filter_map(|(ours, name)| {
            let ours = columns_of(table.ours).iter().find(|column| column.name == *ours)?;
            let kind = super::record::type_name(Backend::Postgres, ours.holds);
            let rest = match ours.lack {
                Lack::Default(value) => format!(" NOT NULL DEFAULT {value}"),
                Lack::Now => " NOT NULL DEFAULT now()".to_owned(),
                Lack::Null | Lack::Problem => String::new(),
            };
            Some(format!("ADD COLUMN {} {kind}{rest}", ident(name)))
        })
        .collect();
    if added.is_empty() { None } else { Some(format!("ALTER TABLE {} {}", table.table.sql(), added.join(", "))) }
}

/// For a view that the database cannot write through by itself.
fn triggers(plan: &Plan, table: &TablePlan, mapped: &[Mapped]) -> Vec<String> {
    let (ours, name) = (table.ours, table.table.sql());
    let Written { columns, values, sets } = written(Backend::Postgres, plan, table, mapped);
    let id = table.name_of("id").unwrap_or_default();
    let kind = table.type_of("id");
    // Their names of what is unique are not ours.
    let exists = |others: &str| {
        if ours != "users" {
            return String::new();
        }
        format!(
            " EXCEPTION WHEN unique_violation THEN IF EXISTS (SELECT FROM {SCHEMA}.users o WHERE o.email = NEW.email{others}) THEN \
             RAISE unique_violation USING MESSAGE = 'the user exists', CONSTRAINT = 'users_email_key', TABLE = 'users'; \
             END IF; RAISE;"
        )
    };
    let function = |event: &str, body: &str| {
        format!(
            "CREATE FUNCTION {SCHEMA}.{ours}_{event}() RETURNS trigger LANGUAGE plpgsql AS $body$ BEGIN {body} END $body$"
        )
    };
    let mut statements = vec![
        function(
            "insert",
            &format!(
                "INSERT INTO {name} ({columns}) OVERRIDING SYSTEM VALUE VALUES ({values}); RETURN NEW;{}",
                exists("")
            ),
        ),
        function(
            "update",
            &format!(
                "UPDATE {name} SET {sets} WHERE {id} = OLD.id::{kind}; \
                 IF NOT FOUND THEN RETURN NULL; END IF; RETURN NEW;{}",
                exists(" AND o.id <> OLD.id")
            ),
        ),
        function(
            "delete",
            &format!(
                "DELETE FROM {name} WHERE {id} = OLD.id::{kind}; IF NOT FOUND THEN RETURN NULL; END IF; RETURN OLD;"
            ),
        ),
    ];
    for event in ["insert", "update", "delete"] {
        statements.push(format!(
            "CREATE TRIGGER {ours}_{event} INSTEAD OF {event} ON {SCHEMA}.{ours} FOR EACH ROW EXECUTE FUNCTION {SCHEMA}.{ours}_{event}()"
        ));
    }
    statements
}

/// A password that either side sets is the other side's too. Both write only what differs, so they do not chase each other.
fn password_triggers(plan: &Plan, users: &TablePlan, column: &Column) -> Vec<String> {
    let (table, password, kind) = (users.table.sql(), ident(&column.name), users.type_of("id"));
    let marker = literal(&no_password(plan.hash));
    let none = if column.not_null { marker.clone() } else { "NULL".to_owned() };
    vec![
        format!(
            "CREATE FUNCTION {SCHEMA}.password_to_theirs() RETURNS trigger LANGUAGE plpgsql AS $body$ BEGIN \
             IF TG_OP = 'DELETE' THEN IF OLD.provider_id = 'credential' THEN \
             UPDATE {table} SET {password} = {none} WHERE id = OLD.user_id::{kind}; END IF; RETURN NULL; END IF; \
             IF NEW.provider_id = 'credential' THEN \
             UPDATE {table} SET {password} = coalesce(NEW.password, {none}) WHERE id = NEW.user_id::{kind} \
             AND {password} IS DISTINCT FROM coalesce(NEW.password, {none}); END IF; RETURN NULL; END $body$"
        ),
        format!(
            "CREATE TRIGGER password_to_theirs AFTER INSERT OR UPDATE OF password OR DELETE ON {SCHEMA}.accounts \
             FOR EACH ROW EXECUTE FUNCTION {SCHEMA}.password_to_theirs()"
        ),
        // Their program has no rights on our schema, and another search_path.
        format!(
            "CREATE FUNCTION {SCHEMA}.password_to_ours() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER \
             SET search_path = {SCHEMA}, pg_catalog, pg_temp AS $body$ BEGIN \
             IF coalesce(NEW.{password}, '') IN ('', {marker}) THEN \
             UPDATE accounts SET password = NULL, updated_at = now() WHERE user_id = NEW.id::text \
             AND provider_id = 'credential' AND password IS NOT NULL; RETURN NULL; END IF; \
             UPDATE accounts SET password = NEW.{password}, updated_at = now() WHERE user_id = NEW.id::text \
             AND provider_id = 'credential' AND password IS DISTINCT FROM NEW.{password}; \
             IF NOT EXISTS (SELECT FROM accounts WHERE user_id = NEW.id::text AND provider_id = 'credential') THEN \
             INSERT INTO accounts (id, account_id, provider_id, user_id, password, created_at, updated_at) VALUES \
             (replace(gen_random_uuid()::text, '-', ''), NEW.id::text, 'credential', NEW.id::text, NEW.{password}, now(), now()); \
             END IF; RETURN NULL; END $body$"
        ),
        format!(
            "CREATE TRIGGER auth_sidecar_password AFTER INSERT OR UPDATE OF {password} ON {table} \
             FOR EACH ROW EXECUTE FUNCTION {SCHEMA}.password_to_ours()"
        ),
    ]
}

/// Whoever is not active any more is signed out for good.
fn end_sessions(users: &TablePlan, active: &Column) -> [String; 2] {
    let (table, active) = (users.table.sql(), ident(&active.name));
    [
        format!(
            "CREATE FUNCTION {SCHEMA}.end_sessions() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER \
             SET search_path = {SCHEMA}, pg_catalog, pg_temp AS $body$ BEGIN \
             DELETE FROM sessions WHERE user_id = NEW.id::text; RETURN NULL; END $body$"
        ),
        format!(
            "CREATE TRIGGER auth_sidecar_active AFTER UPDATE OF {active} ON {table} FOR EACH ROW \
             WHEN (NEW.{active} IS FALSE) EXECUTE FUNCTION {SCHEMA}.end_sessions()"
        ),
    ]
}

/// The next id that the database counts, for one of our tables.
pub(super) fn next_id(ours: &str) -> String {
    format!(
        "SELECT nextval(pg_get_serial_sequence(source, id_column))::text AS found FROM {SCHEMA}._adopted WHERE ours = {}",
        literal(ours)
    )
}
