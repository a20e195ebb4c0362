//! The statements of an adoption. They run in one transaction; the table itself is locked against reading only for the
//! last few of them, none of which looks at its rows.

use std::fmt::Write as _;

use super::inspect::{Column, Plan, ident, literal};
use super::{IdKind, SCHEMA};

/// A hash that no password has, for columns that must hold one.
const NO_PASSWORD: &str = "!";

/// Before our own tables are made.
pub(super) fn begin() -> String {
    format!("SET LOCAL lock_timeout = '5s'; CREATE SCHEMA {SCHEMA}; SET LOCAL search_path = {SCHEMA}, public")
}

/// After our own tables were made.
pub(super) fn adopt(plan: &Plan) -> String {
    let mut text = String::new();
    let table = plan.table.sql();
    let email = plan.theirs("email").map(|column| ident(&column.name)).unwrap_or_default();
    let mut say = |statement: String| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{statement};");
    };
    say(format!(
        "CREATE TABLE {SCHEMA}._adoption (source text NOT NULL, ids text NOT NULL, since timestamptz NOT NULL DEFAULT now(), \
         undo text NOT NULL)"
    ));
    say(format!(
        "INSERT INTO {SCHEMA}._adoption (source, ids, undo) VALUES ({}, {}, {})",
        literal(&table),
        literal(plan.ids.name()),
        literal(&undo(plan))
    ));
    // Ours holds nothing; its place is taken by a view.
    for ours in ["sessions", "accounts"] {
        say(format!("ALTER TABLE {SCHEMA}.{ours} DROP CONSTRAINT {ours}_user_id_fkey"));
        if plan.ids == IdKind::Text {
            say(format!(
                "ALTER TABLE {SCHEMA}.{ours} ADD CONSTRAINT {ours}_user_id_fkey FOREIGN KEY (user_id) REFERENCES {table} (id) \
                 ON DELETE CASCADE"
            ));
        } else {
            say(format!(
                "ALTER TABLE {SCHEMA}.{ours} ADD COLUMN user_ref {kind} GENERATED ALWAYS AS (user_id::{kind}) STORED \
                 CONSTRAINT {ours}_user_id_fkey REFERENCES {table} (id) ON DELETE CASCADE",
                kind = plan.id_type
            ));
            say(format!("CREATE INDEX {ours}_user_ref_idx ON {SCHEMA}.{ours} (user_ref)"));
        }
    }
    say(format!("DROP TABLE {SCHEMA}.users"));
    if plan.ids == IdKind::Number {
        say(format!(
            "CREATE FUNCTION {SCHEMA}.next_user_id() RETURNS text LANGUAGE sql AS \
             $$ SELECT nextval(pg_get_serial_sequence({}, 'id'))::text $$",
            literal(&table)
        ));
    }
    if plan.ids != IdKind::Text {
        say(format!("CREATE INDEX {} ON {table} ((id::text))", ident(&index(plan, "id_text"))));
    }
    say(format!("CREATE UNIQUE INDEX {} ON {table} (lower({email}::text))", ident(&index(plan, "email"))));
    if let Some(password) = plan.theirs("password") {
        let password = ident(&password.name);
        let created = plan.theirs("created_at").map_or_else(|| "now()".to_owned(), |column| instant("u.", column));
        say(format!(
            "INSERT INTO {SCHEMA}.accounts (id, account_id, provider_id, user_id, password, created_at, updated_at) \
             SELECT replace(gen_random_uuid()::text, '-', ''), u.id::text, 'credential', u.id::text, u.{password}, {created}, {created} \
             FROM {table} u WHERE u.{password} NOT IN ('', '{NO_PASSWORD}')"
        ));
    }
    for statement in add_columns(plan) {
        say(statement);
    }
    say(view(plan));
    for statement in triggers(plan) {
        say(statement);
    }
    text
}

fn index(plan: &Plan, what: &str) -> String {
    let mut name = plan.table.name.clone();
    // PostgreSQL cuts names at 63 bytes, and two that are cut alike would be one.
    while name.len() > 40 {
        name.pop();
    }
    format!("{name}_{what}_auth_sidecar_key")
}

fn undo(plan: &Plan) -> String {
    let table = plan.table.sql();
    let mut text = format!("DROP SCHEMA {SCHEMA} CASCADE;\n");
    for what in ["id_text", "email"] {
        let name = format!("{}.{}", ident(&plan.table.schema), ident(&index(plan, what)));
        let _ = writeln!(text, "DROP INDEX IF EXISTS {name};");
    }
    for column in ["software_background", "hardware_background"] {
        let _ = writeln!(text, "ALTER TABLE {table} DROP CONSTRAINT IF EXISTS users_{column}_check;");
        let _ = writeln!(text, "DROP INDEX IF EXISTS {}.users_{column}_idx;", ident(&plan.table.schema));
    }
    for column in &plan.added {
        let _ = writeln!(text, "ALTER TABLE {table} DROP COLUMN {column};");
    }
    text
}

fn add_columns(plan: &Plan) -> Vec<String> {
    let kind = |column: &str| match column {
        "name" => "text NOT NULL DEFAULT ''",
        "email_verified" => "boolean NOT NULL DEFAULT false",
        "created_at" | "updated_at" => "timestamptz NOT NULL DEFAULT now()",
        "additional_fields" => "text NOT NULL DEFAULT '{}'",
        _ => "text",
    };
    let added: Vec<String> = plan.added.iter().map(|column| format!("ADD COLUMN {column} {}", kind(column))).collect();
    let table = plan.table.sql();
    if added.is_empty() { Vec::new() } else { vec![format!("ALTER TABLE {table} {}", added.join(", "))] }
}

/// The name in the table of one of our columns.
fn theirs(plan: &Plan, ours: &str) -> String {
    plan.theirs(ours).map_or_else(|| ours.to_owned(), |column| ident(&column.name))
}

/// A time of theirs as an instant; one without a zone is taken for UTC.
fn instant(prefix: &str, column: &Column) -> String {
    let name = format!("{prefix}{}", ident(&column.name));
    let instant =
        if column.kind == "timestamp without time zone" { format!("{name} AT TIME ZONE 'UTC'") } else { name };
    format!("coalesce(date_trunc('milliseconds', {instant}), 'epoch'::timestamptz)")
}

/// A time of ours as theirs.
fn stored_time(plan: &Plan, ours: &str) -> String {
    match plan.theirs(ours) {
        Some(column) if column.kind == "timestamp without time zone" => format!("NEW.{ours} AT TIME ZONE 'UTC'"),
        _ => format!("NEW.{ours}"),
    }
}

fn view(plan: &Plan) -> String {
    let time = |ours: &str| {
        plan.theirs(ours)
            .map_or_else(|| format!("date_trunc('milliseconds', u.{ours})"), |column| instant("u.", column))
    };
    let active = plan.theirs("active").map_or_else(String::new, |column| {
        // Whoever is not active is nobody here, from this moment on.
        format!(" WHERE u.{} IS NOT FALSE", ident(&column.name))
    });
    format!(
        "CREATE VIEW {SCHEMA}.users AS SELECT u.id::text AS id, coalesce(u.{name}, '') AS name, lower(u.{email}::text) AS email, \
         coalesce(u.{verified}, false) AS email_verified, u.{image}::text AS image, {created} AS created_at, {updated} AS updated_at, \
         u.{software}::text AS software_background, u.{hardware}::text AS hardware_background, \
         u.{additional} AS additional_fields FROM {table} u{active}",
        name = theirs(plan, "name"),
        email = theirs(plan, "email"),
        verified = theirs(plan, "email_verified"),
        image = theirs(plan, "image"),
        created = time("created_at"),
        updated = time("updated_at"),
        software = theirs(plan, "software_background"),
        hardware = theirs(plan, "hardware_background"),
        additional = theirs(plan, "additional_fields"),
        table = plan.table.sql(),
    )
}

/// Ours in the order of the view, without the id and the address.
const REST: &[&str] = &[
    "name",
    "email_verified",
    "image",
    "created_at",
    "updated_at",
    "software_background",
    "hardware_background",
    "additional_fields",
];

fn triggers(plan: &Plan) -> Vec<String> {
    let table = plan.table.sql();
    let email = theirs(plan, "email");
    let value = |ours: &str| match ours {
        "created_at" | "updated_at" => stored_time(plan, ours),
        _ => format!("NEW.{ours}"),
    };
    let mut columns = vec!["id".to_owned(), email.clone()];
    let mut values = vec![format!("NEW.id::{}", plan.id_type), "NEW.email".to_owned()];
    for ours in REST {
        columns.push(theirs(plan, ours));
        values.push(value(ours));
    }
    if let Some(active) = plan.theirs("active") {
        columns.push(ident(&active.name));
        values.push("true".to_owned());
    }
    if let Some(password) = plan.theirs("password").filter(|column| column.not_null) {
        columns.push(ident(&password.name));
        values.push(literal(NO_PASSWORD));
    }
    for (column, given) in &plan.given {
        columns.push(ident(column));
        values.push((*given).to_owned());
    }
    let sets: Vec<String> = REST.iter().map(|ours| format!("{} = {}", theirs(plan, ours), value(ours))).collect();
    let mut statements = vec![
        format!(
            "CREATE FUNCTION {SCHEMA}.users_insert() RETURNS trigger LANGUAGE plpgsql AS $body$ BEGIN \
             INSERT INTO {table} ({}) OVERRIDING SYSTEM VALUE VALUES ({}); RETURN NEW; \
             EXCEPTION WHEN unique_violation THEN RAISE unique_violation USING MESSAGE = 'the user exists', \
             CONSTRAINT = 'users_email_key', TABLE = 'users'; END $body$",
            columns.join(", "),
            values.join(", ")
        ),
        format!(
            "CREATE FUNCTION {SCHEMA}.users_update() RETURNS trigger LANGUAGE plpgsql AS $body$ BEGIN \
             UPDATE {table} SET {email} = CASE WHEN NEW.email = OLD.email THEN {email} ELSE NEW.email END, {} \
             WHERE id = OLD.id::{}; IF NOT FOUND THEN RETURN NULL; END IF; RETURN NEW; \
             EXCEPTION WHEN unique_violation THEN RAISE unique_violation USING MESSAGE = 'the user exists', \
             CONSTRAINT = 'users_email_key', TABLE = 'users'; END $body$",
            sets.join(", "),
            plan.id_type
        ),
        format!(
            "CREATE FUNCTION {SCHEMA}.users_delete() RETURNS trigger LANGUAGE plpgsql AS $body$ BEGIN \
             DELETE FROM {table} WHERE id = OLD.id::{}; IF NOT FOUND THEN RETURN NULL; END IF; RETURN OLD; END $body$",
            plan.id_type
        ),
    ];
    for event in ["insert", "update", "delete"] {
        statements.push(format!(
            "CREATE TRIGGER users_{event} INSTEAD OF {event} ON {SCHEMA}.users FOR EACH ROW EXECUTE FUNCTION {SCHEMA}.users_{event}()"
        ));
    }
    if let Some(password) = plan.theirs("password") {
        statements.extend(password_triggers(plan, password));
    }
    statements
}

/// A password that either side sets is the other side's too. Both write only what differs, so they do not chase each other.
fn password_triggers(plan: &Plan, column: &Column) -> Vec<String> {
    let (table, password) = (plan.table.sql(), ident(&column.name));
    let none = if column.not_null { literal(NO_PASSWORD) } else { "NULL".to_owned() };
    vec![
        format!(
            "CREATE FUNCTION {SCHEMA}.password_to_theirs() RETURNS trigger LANGUAGE plpgsql AS $body$ BEGIN \
             IF TG_OP = 'DELETE' THEN IF OLD.provider_id = 'credential' THEN \
             UPDATE {table} SET {password} = {none} WHERE id = OLD.user_id::{kind}; END IF; RETURN NULL; END IF; \
             IF NEW.provider_id = 'credential' THEN \
             UPDATE {table} SET {password} = coalesce(NEW.password, {none}) WHERE id = NEW.user_id::{kind} \
             AND {password} IS DISTINCT FROM coalesce(NEW.password, {none}); END IF; RETURN NULL; END $body$",
            kind = plan.id_type
        ),
        format!(
            "CREATE TRIGGER password_to_theirs AFTER INSERT OR UPDATE OF password OR DELETE ON {SCHEMA}.accounts \
             FOR EACH ROW EXECUTE FUNCTION {SCHEMA}.password_to_theirs()"
        ),
        // Their program has no rights on our schema, and another search_path.
        format!(
            "CREATE FUNCTION {SCHEMA}.password_to_ours() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER \
             SET search_path = {SCHEMA}, pg_catalog, pg_temp AS $body$ BEGIN \
             IF coalesce(NEW.{password}, '') IN ('', '{NO_PASSWORD}') THEN RETURN NULL; END IF; \
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
