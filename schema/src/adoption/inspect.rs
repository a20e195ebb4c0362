//! What a foreign table of users is like, and how it would be adopted.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Nullable, Text};

use super::{AdoptError, IdKind, SCHEMA};
use crate::db::AnyConnection;

/// Names under which other programs keep what we need, the likeliest first.
const PASSWORDS: &[&str] = &["hashed_password", "password_hash", "password"];
const NAMES: &[&str] = &["name", "full_name", "fullname", "display_name"];
const ACTIVE: &[&str] = &["is_active", "active", "enabled"];
const VERIFIED: &[&str] = &["email_verified", "is_verified", "is_email_verified"];
const IMAGES: &[&str] = &["image", "avatar_url", "picture"];
const CREATED: &[&str] = &["created_at", "date_joined", "created", "created_on"];
const UPDATED: &[&str] = &["updated_at", "modified_at", "updated", "updated_on"];
/// Flags that are false for whoever signs up.
const FALSE_AT_FIRST: &[&str] = &["is_superuser", "superuser", "is_admin", "admin", "is_staff"];

/// At most so many addresses are named that stand in the way.
const MOST_NAMED: i64 = 20;

/// A table's schema and name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableName {
    /// The schema.
    pub schema: String,
    /// The name.
    pub name: String,
}

impl TableName {
    /// `schema.name`, or a name in the schema `public`.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let (schema, name) = text.split_once('.').unwrap_or(("public", text));
        let bare = |part: &str| part.trim_matches('"').replace("\"\"", "\"");
        Self { schema: bare(schema), name: bare(name) }
    }

    /// The schema, quoted for SQL.
    #[must_use]
    pub fn schema_sql(&self) -> String {
        ident(&self.schema)
    }

    /// Quoted, for SQL.
    #[must_use]
    pub fn sql(&self) -> String {
        format!("{}.{}", ident(&self.schema), ident(&self.name))
    }
}

/// What somebody says about the table beyond what it shows.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// The table.
    pub table: Option<TableName>,
    /// Ours by theirs, as `("password", "pwd_hash")`.
    pub columns: Vec<(String, String)>,
}

/// What would be done.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The table.
    pub table: TableName,
    /// What its ids are.
    pub ids: IdKind,
    /// The type of its ids, as SQL writes it.
    pub id_type: String,
    /// About how many rows it has.
    pub rows: i64,
    /// Columns of ours that are there already: ours, theirs, and their type.
    pub kept: Vec<(&'static str, Column)>,
    /// Columns that are added.
    pub added: Vec<&'static str>,
    /// Columns of theirs that a new row needs, and the value we give.
    pub given: Vec<(String, &'static str)>,
    /// What a person should know.
    pub notes: Vec<String>,
    /// What stands in the way.
    pub problems: Vec<String>,
}

/// A column of the table.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName)]
pub struct Column {
    /// Its name.
    #[diesel(sql_type = Text)]
    pub name: String,
    /// Its type, as PostgreSQL writes it.
    #[diesel(sql_type = Text)]
    pub kind: String,
    /// Whether it holds no NULL.
    #[diesel(sql_type = Bool)]
    pub not_null: bool,
    /// Whether a row may be inserted without it.
    #[diesel(sql_type = Bool)]
    pub has_default: bool,
}

impl Plan {
    /// The column that answers to one of ours.
    pub(super) fn theirs(&self, ours: &str) -> Option<&Column> {
        self.kept.iter().find(|(name, _)| *name == ours).map(|(_, column)| column)
    }
}

/// A quoted identifier.
pub(super) fn ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A string literal, with `standard_conforming_strings`.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

pub(super) fn plan(conn: &mut AnyConnection, overrides: &Overrides) -> Result<Plan, AdoptError> {
    let table = match &overrides.table {
        Some(table) => table.clone(),
        None => only_candidate(conn)?,
    };
    let columns = columns(conn, &table)?;
    if columns.is_empty() {
        return Err(AdoptError::NoTable(format!("there is no table {}", table.sql())));
    }
    let mut plan = Plan {
        rows: count(conn, &format!("SELECT count(*) AS n FROM {}", table.sql()))?,
        table,
        ids: IdKind::Text,
        id_type: "text".to_owned(),
        kept: Vec::new(),
        added: Vec::new(),
        given: Vec::new(),
        notes: Vec::new(),
        problems: Vec::new(),
    };
    read_ids(conn, &mut plan, &columns)?;
    map_columns(&mut plan, &columns, overrides);
    needed_by_new_rows(&mut plan, &columns);
    if plan.problems.is_empty() {
        judge_rows(conn, &mut plan)?;
    }
    Ok(plan)
}

#[derive(QueryableByName)]
struct Candidate {
    #[diesel(sql_type = Text)]
    schema: String,
    #[diesel(sql_type = Text)]
    name: String,
}

fn only_candidate(conn: &mut AnyConnection) -> Result<TableName, AdoptError> {
    let passwords: Vec<String> = PASSWORDS.iter().map(|name| literal(name)).collect();
    let query = format!(
        "SELECT n.nspname::text AS schema, c.relname::text AS name FROM pg_class c \
         JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('{SCHEMA}', 'information_schema') \
         AND n.nspname NOT LIKE 'pg\\_%' \
         AND EXISTS (SELECT FROM pg_attribute WHERE attrelid = c.oid AND attname = 'email' AND NOT attisdropped) \
         AND EXISTS (SELECT FROM pg_attribute WHERE attrelid = c.oid AND attname IN ({}) AND NOT attisdropped) \
         ORDER BY 1, 2",
        passwords.join(", ")
    );
    let found: Vec<Candidate> = diesel::sql_query(query).load(conn)?;
    match found.as_slice() {
        [one] => Ok(TableName { schema: one.schema.clone(), name: one.name.clone() }),
        [] => Err(AdoptError::NoTable(
            "no table has a column email and one of hashed_password, password_hash and password; name it by --table"
                .to_owned(),
        )),
        several => {
            let names: Vec<String> = several.iter().map(|one| format!("{}.{}", one.schema, one.name)).collect();
            Err(AdoptError::NoTable(format!(
                "several tables look like one of users: {}; name one by --table",
                names.join(", ")
            )))
        }
    }
}

fn columns(conn: &mut AnyConnection, table: &TableName) -> QueryResult<Vec<Column>> {
    let query = format!(
        "SELECT attname::text AS name, format_type(atttypid, NULL) AS kind, attnotnull AS not_null, \
         (atthasdef OR attidentity <> '') AS has_default FROM pg_attribute \
         WHERE attrelid = to_regclass({}) AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        literal(&table.sql())
    );
    diesel::sql_query(query).load(conn)
}

fn read_ids(conn: &mut AnyConnection, plan: &mut Plan, columns: &[Column]) -> QueryResult<()> {
    let Some(id) = columns.iter().find(|column| column.name == "id") else {
        plan.problems.push("the table has no column id".to_owned());
        return Ok(());
    };
    let unique = format!(
        "SELECT count(*) AS n FROM pg_index WHERE indrelid = to_regclass({}) AND indisunique AND indnkeyatts = 1 \
         AND indpred IS NULL AND indkey[0] = (SELECT attnum FROM pg_attribute WHERE attrelid = indrelid AND attname = 'id')",
        literal(&plan.table.sql())
    );
    if count(conn, &unique)? == 0 {
        plan.problems.push("the column id is neither the primary key nor unique".to_owned());
    }
    plan.id_type.clone_from(&id.kind);
    match id.kind.as_str() {
        "uuid" => plan.ids = IdKind::Uuid,
        "smallint" | "integer" | "bigint" => {
            plan.ids = IdKind::Number;
            let query = format!("SELECT pg_get_serial_sequence({}, 'id') AS found", literal(&plan.table.sql()));
            if diesel::sql_query(query).get_result::<super::Found>(conn)?.found.is_none() {
                plan.problems.push("the numbers of the column id are not counted by a sequence of its own".to_owned());
            }
        }
        "text" | "character varying" => plan.ids = IdKind::Text,
        other => plan.problems.push(format!("ids of the type {other} cannot be adopted: uuid, integers and texts can")),
    }
    Ok(())
}

/// Ours, the names it may have, and the types it may have.
const COLUMNS: &[(&str, &[&str], &[&str])] = &[
    ("email", &["email"], &["text", "character varying", "citext"]),
    ("password", PASSWORDS, &["text", "character varying"]),
    ("active", ACTIVE, &["boolean"]),
    ("name", NAMES, &["text", "character varying"]),
    ("email_verified", VERIFIED, &["boolean"]),
    ("image", IMAGES, &["text", "character varying"]),
    ("created_at", CREATED, &["timestamp with time zone", "timestamp without time zone"]),
    ("updated_at", UPDATED, &["timestamp with time zone", "timestamp without time zone"]),
    ("software_background", &["software_background"], &["text", "character varying"]),
    ("hardware_background", &["hardware_background"], &["text", "character varying"]),
    ("additional_fields", &["additional_fields"], &["text"]),
];

fn map_columns(plan: &mut Plan, columns: &[Column], overrides: &Overrides) {
    for (ours, theirs) in &overrides.columns {
        if !COLUMNS.iter().any(|(name, ..)| name == ours) || !columns.iter().any(|column| column.name == *theirs) {
            plan.problems.push(format!("--column {ours}={theirs}: there is no such column"));
        }
    }
    for (ours, names, kinds) in COLUMNS {
        let told = overrides.columns.iter().find(|(name, _)| name == ours).map(|(_, theirs)| theirs.as_str());
        let names: Vec<&str> = told.map_or_else(|| names.to_vec(), |told| vec![told]);
        let found = names.iter().find_map(|name| columns.iter().find(|column| column.name == *name));
        match found {
            Some(column) if kinds.contains(&column.kind.as_str()) => plan.kept.push((*ours, column.clone())),
            Some(column) => plan.problems.push(format!(
                "the column {} is of the type {}; {ours} needs {}",
                column.name,
                column.kind,
                kinds.join(" or ")
            )),
            None if *ours == "email" => plan.problems.push("the table has no column email".to_owned()),
            None if matches!(*ours, "password" | "active") => {}
            None => plan.added.push(*ours),
        }
    }
}

/// A new user is a new row of their table: what it cannot be without, and we know nothing of, is a problem.
fn needed_by_new_rows(plan: &mut Plan, columns: &[Column]) {
    for column in columns.iter().filter(|column| column.not_null && !column.has_default && column.name != "id") {
        if plan.kept.iter().any(|(_, kept)| kept.name == column.name) {
            continue;
        }
        if column.kind == "boolean" && FALSE_AT_FIRST.contains(&column.name.as_str()) {
            plan.given.push((column.name.clone(), "false"));
            continue;
        }
        plan.problems.push(format!(
            "nobody could sign up: {} is NOT NULL without a default. ALTER TABLE {} ALTER COLUMN {} SET DEFAULT …;",
            column.name,
            plan.table.sql(),
            ident(&column.name)
        ));
    }
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

fn count(conn: &mut AnyConnection, query: &str) -> QueryResult<i64> {
    Ok(diesel::sql_query(query).get_result::<Count>(conn)?.n)
}

#[derive(QueryableByName)]
struct Group {
    #[diesel(sql_type = Nullable<Text>)]
    what: Option<String>,
    #[diesel(sql_type = BigInt)]
    n: i64,
}

fn judge_rows(conn: &mut AnyConnection, plan: &mut Plan) -> QueryResult<()> {
    let table = plan.table.sql();
    let Some(email) = plan.theirs("email").map(|column| ident(&column.name)) else { return Ok(()) };
    let twice = format!(
        "SELECT lower({email}::text) AS what, count(*) AS n FROM {table} WHERE {email} IS NOT NULL \
         GROUP BY 1 HAVING count(*) > 1 ORDER BY 1 LIMIT {MOST_NAMED}"
    );
    for Group { what, n } in diesel::sql_query(twice).load::<Group>(conn)? {
        let what = what.unwrap_or_default();
        plan.problems.push(format!("{n} rows have the address {what}, whatever its case; one may keep it"));
    }
    let without = count(
        conn,
        &format!("SELECT count(*) AS n FROM {table} WHERE {email} IS NULL OR {email}::text NOT LIKE '%_@_%'"),
    )?;
    if without > 0 {
        plan.notes.push(format!("{without} rows have no address; nobody can sign in as them"));
    }
    if let Some(active) = plan.theirs("active").map(|column| ident(&column.name)) {
        let inactive = count(conn, &format!("SELECT count(*) AS n FROM {table} WHERE {active} IS FALSE"))?;
        plan.notes.push(format!("{inactive} rows are not active; nobody can sign in as them"));
    }
    if let Some(password) = plan.theirs("password").map(|column| ident(&column.name)) {
        let kinds = format!(
            "SELECT CASE WHEN coalesce({password}, '') = '' THEN NULL \
             WHEN {password} ~ '^\\$2[abxy]\\$[0-9]{{2}}\\$' THEN 'bcrypt' \
             WHEN {password} LIKE '$bcrypt-sha256$%' THEN 'bcrypt-sha256' \
             WHEN {password} LIKE '$argon2id$%' THEN 'argon2id' \
             WHEN {password} ~ '^[0-9a-f]{{32}}:[0-9a-f]{{128}}$' THEN 'scrypt of Better Auth' \
             ELSE 'another kind' END AS what, count(*) AS n FROM {table} GROUP BY 1 ORDER BY 1"
        );
        for Group { what, n } in diesel::sql_query(kinds).load::<Group>(conn)? {
            plan.notes.push(match what.as_deref() {
                None => format!("{n} rows have no password; it can be set by mail"),
                Some("another kind") => {
                    format!("{n} rows have a hash of another kind; their owners have to set a new password by mail")
                }
                Some(kind) => format!("{n} passwords by {kind} go on working"),
            });
        }
    }
    Ok(())
}
