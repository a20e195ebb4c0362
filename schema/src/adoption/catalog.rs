//! What a database holds: its tables, their columns, and questions about their rows.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Nullable, Text};

use super::SCHEMA;
use super::expression::{ident, index_name, literal};
use super::plan::{Class, Column, Holds, IdKind, Index, Kept, Overrides, TableName, TablePlan, TimeForm};
use crate::db::{AnyConnection, Backend};

/// A table of another program.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) name: TableName,
    pub(super) columns: Vec<Column>,
}

impl Table {
    /// The first of its columns that has one of these names.
    pub(super) fn column(&self, names: &[&str]) -> Option<&Column> {
        names.iter().find_map(|name| self.columns.iter().find(|column| column.name == *name))
    }
}

#[derive(QueryableByName)]
struct ColumnRow {
    #[diesel(sql_type = Nullable<Text>)]
    schema: Option<String>,
    #[diesel(sql_type = Text)]
    table_name: String,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Bool)]
    not_null: bool,
    #[diesel(sql_type = Bool)]
    has_default: bool,
}

/// Every table that is not ours, by name.
pub(super) fn tables(conn: &mut AnyConnection) -> QueryResult<Vec<Table>> {
    let query = match conn {
        AnyConnection::Postgres(_) => format!(
            "SELECT n.nspname::text AS schema, c.relname::text AS table_name, attname::text AS name, \
             format_type(atttypid, NULL) AS kind, attnotnull AS not_null, \
             (atthasdef OR attidentity <> '') AS has_default \
             FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute ON attrelid = c.oid \
             WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('{SCHEMA}', 'information_schema') \
             AND n.nspname NOT LIKE 'pg\\_%' AND attnum > 0 AND NOT attisdropped AND attgenerated = '' \
             ORDER BY 1, 2, attnum"
        ),
        AnyConnection::Sqlite(_) => {
            "SELECT NULL AS schema, t.name AS table_name, c.name AS name, c.type AS kind, \
             (c.\"notnull\" <> 0 OR c.pk > 0) AS not_null, \
             (c.dflt_value IS NOT NULL OR (c.pk > 0 AND upper(c.type) LIKE '%INT%')) AS has_default \
             FROM main.sqlite_schema t, pragma_table_xinfo(t.name) c \
             WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND c.hidden = 0 ORDER BY t.name, c.cid"
                .to_owned()
        }
    };
    let rows: Vec<ColumnRow> = diesel::sql_query(query).load(conn)?;
    let mut tables: Vec<Table> = Vec::new();
    for ColumnRow { schema, table_name, name, kind, not_null, has_default } in rows {
        let column = Column { name, kind, not_null, has_default };
        let name = TableName { schema, name: table_name };
        match tables.last_mut().filter(|table| table.name == name) {
            Some(table) => table.columns.push(column),
            None => tables.push(Table { name, columns: vec![column] }),
        }
    }
    Ok(tables)
}

/// Whether the tables are our own: made by our migrations.
pub(super) fn are_ours(conn: &mut AnyConnection) -> QueryResult<bool> {
    let is_there = match conn {
        AnyConnection::Postgres(_) => "SELECT count(to_regclass('__diesel_schema_migrations')) AS n",
        AnyConnection::Sqlite(_) => {
            "SELECT count(*) AS n FROM main.sqlite_schema WHERE name = '__diesel_schema_migrations'"
        }
    };
    if count(conn, is_there)? == 0 {
        return Ok(false);
    }
    let ours = "SELECT count(*) AS n FROM __diesel_schema_migrations WHERE version = '20261123000000'";
    Ok(count(conn, ours)? > 0)
}

/// Leaves the tables that a name without a schema may mean.
pub(super) fn keep_reachable(conn: &mut AnyConnection, tables: &mut Vec<Table>) -> QueryResult<()> {
    if matches!(conn, AnyConnection::Sqlite(_)) {
        return Ok(());
    }
    let reachable = texts(conn, "SELECT s::text AS found FROM unnest(current_schemas(false)) s")?;
    tables.retain(|table| table.name.schema.as_ref().is_some_and(|schema| reachable.contains(schema)));
    Ok(())
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

/// The `n` of a query.
pub(super) fn count(conn: &mut AnyConnection, query: &str) -> QueryResult<i64> {
    Ok(diesel::sql_query(query).get_result::<Count>(conn)?.n)
}

/// One row of [`groups`].
#[derive(QueryableByName)]
pub(super) struct Group {
    #[diesel(sql_type = Nullable<Text>)]
    pub(super) what: Option<String>,
    #[diesel(sql_type = BigInt)]
    pub(super) n: i64,
}

/// The `what` and `n` of a query.
pub(super) fn groups(conn: &mut AnyConnection, query: &str) -> QueryResult<Vec<Group>> {
    diesel::sql_query(query).load(conn)
}

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = Nullable<Text>)]
    found: Option<String>,
}

/// The `found` of a query; `None` too when there is no row.
pub(super) fn text(conn: &mut AnyConnection, query: &str) -> QueryResult<Option<String>> {
    Ok(diesel::sql_query(query).get_result::<Found>(conn).optional()?.and_then(|row| row.found))
}

/// Every `found` of a query that is not NULL.
pub(super) fn texts(conn: &mut AnyConnection, query: &str) -> QueryResult<Vec<String>> {
    let rows: Vec<Found> = diesel::sql_query(query).load(conn)?;
    Ok(rows.into_iter().filter_map(|row| row.found).collect())
}

/// Whether a column is the first of an index; of one on it alone that keeps its values apart, when `unique`.
pub(super) fn is_indexed(conn: &mut AnyConnection, table: &TableName, column: &str, unique: bool) -> QueryResult<bool> {
    let query = match conn {
        AnyConnection::Postgres(_) => format!(
            "SELECT count(*) AS n FROM pg_index JOIN pg_attribute a ON a.attrelid = indrelid AND a.attnum = indkey[0] \
             WHERE indrelid = to_regclass({}) AND a.attname = {} AND indpred IS NULL{}",
            literal(&table.sql()),
            literal(column),
            if unique { " AND indisunique AND indnkeyatts = 1" } else { "" }
        ),
        AnyConnection::Sqlite(_) => format!(
            "SELECT (SELECT count(*) FROM pragma_index_list({table}) l WHERE l.partial = 0{} \
             AND (SELECT i.name FROM pragma_index_info(l.name) i WHERE i.seqno = 0) = {column}) \
             + (SELECT count(*) FROM pragma_table_info({table}) c WHERE c.name = {column} AND c.pk = 1 \
             AND (SELECT count(*) FROM pragma_table_info({table}) k WHERE k.pk > 0) = 1) AS n",
            if unique { " AND l.\"unique\" = 1 AND (SELECT count(*) FROM pragma_index_info(l.name)) = 1" } else { "" },
            table = literal(&table.name),
            column = literal(column),
        ),
    };
    Ok(count(conn, &query)? > 0)
}

/// PostgreSQL: a problem where policies hide rows of a table from us.
pub(super) fn judge_policies(
    conn: &mut AnyConnection,
    table: &TableName,
    problems: &mut Vec<String>,
) -> QueryResult<()> {
    if matches!(conn, AnyConnection::Sqlite(_)) {
        return Ok(());
    }
    let query = format!("SELECT (row_security_active(to_regclass({})))::int::bigint AS n", literal(&table.sql()));
    if count(conn, &query)? > 0 {
        problems.push(format!("policies of {} hide rows from this role: adopt as one that sees all", table.sql()));
    }
    Ok(())
}

/// What the ids of a table are, and what stands in the way of new ones.
pub(super) fn ids(
    conn: &mut AnyConnection,
    backend: Backend,
    table: &TableName,
    id: &Column,
    problems: &mut Vec<String>,
) -> QueryResult<IdKind> {
    if !is_indexed(conn, table, &id.name, true)? {
        problems.push(format!("the column {} of {} is neither the primary key nor unique", id.name, table.sql()));
    }
    match id.class(backend) {
        Class::Uuid => return Ok(IdKind::Uuid),
        Class::Number => {
            let counted = match backend {
                Backend::Postgres => {
                    let sequence = format!(
                        "SELECT pg_get_serial_sequence({}, {}) AS found",
                        literal(&table.sql()),
                        literal(&id.name)
                    );
                    text(conn, &sequence)?.is_some()
                }
                Backend::Sqlite => id.has_default,
            };
            if !counted {
                problems.push(format!(
                    "the numbers of the column {} of {} are not counted by {}",
                    id.name,
                    table.sql(),
                    if backend == Backend::Postgres { "a sequence of its own" } else { "SQLite" }
                ));
            }
            return Ok(IdKind::Number);
        }
        Class::Text => {}
        Class::Bool | Class::Time | Class::Other => {
            problems.push(format!(
                "ids of the type {} cannot be adopted: uuid, integers and texts can ({})",
                id.kind,
                table.sql()
            ));
            return Ok(IdKind::Text);
        }
    }
    let sample = format!("SELECT {} AS found FROM {} LIMIT 1", ident(&id.name), table.sql());
    let declared = id.kind.to_ascii_uppercase();
    Ok(match text(conn, &sample)? {
        Some(id) if is_uuid(&id, true) => IdKind::Uuid,
        Some(id) if is_uuid(&id, false) && declared != "TEXT" => IdKind::UuidHex,
        Some(_) => text_ids(conn, table, id, problems)?,
        None if declared == "CHAR(32)" => IdKind::UuidHex,
        None if matches!(declared.as_str(), "CHAR(36)" | "UUID" | "GUID") => IdKind::Uuid,
        None => text_ids(conn, table, id, problems)?,
    })
}

/// The characters of an id that is made here.
const ID_LENGTH: i64 = 32;

fn text_ids(
    conn: &mut AnyConnection,
    table: &TableName,
    id: &Column,
    problems: &mut Vec<String>,
) -> QueryResult<IdKind> {
    if let Some(limit) = limit_of(conn, table, &id.name)?.filter(|limit| *limit < ID_LENGTH) {
        problems.push(format!(
            "nobody could sign up: {} of {} holds {limit} characters, and new ids have {ID_LENGTH}",
            id.name,
            table.sql()
        ));
    }
    Ok(IdKind::Text)
}

/// Whether a text is a UUID, with or without hyphens.
fn is_uuid(text: &str, hyphens: bool) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let lengths: &[usize] = if hyphens { &[8, 4, 4, 4, 12] } else { &[32] };
    parts.len() == lengths.len()
        && parts.iter().zip(lengths).all(|(part, length)| {
            part.len() == *length && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        })
}

/// A column of theirs as the one of ours that it stands for, with the form of its times; a problem where its type does
/// not fit.
pub(super) fn keep(
    conn: &mut AnyConnection,
    backend: Backend,
    table: &TableName,
    (ours, holds): (&'static str, Holds),
    column: &Column,
    problems: &mut Vec<String>,
) -> QueryResult<Option<Kept>> {
    let class = column.class(backend);
    let (fits, needed) = match (holds, backend) {
        (Holds::Id, _) => (true, ""),
        (Holds::Text, _) => (class == Class::Text, "text"),
        (Holds::Bool, Backend::Postgres) => (class == Class::Bool, "boolean"),
        (Holds::Bool, Backend::Sqlite) => (matches!(class, Class::Bool | Class::Number), "boolean"),
        (Holds::Time, Backend::Postgres) => (class == Class::Time, "timestamp"),
        (Holds::Time, Backend::Sqlite) => (matches!(class, Class::Time | Class::Text | Class::Number), "timestamp"),
    };
    if !fits {
        problems.push(format!(
            "the column {} of {} is of the type {}; {ours} needs {needed}",
            column.name,
            table.sql(),
            column.kind
        ));
        return Ok(None);
    }
    let time = match (holds, backend) {
        (Holds::Time, Backend::Sqlite) => time_form(conn, table, column)?,
        _ => TimeForm::Native,
    };
    Ok(Some(Kept { ours, column: column.clone(), time }))
}

/// How a SQLite column holds times, by one of them; [`TimeForm::Native`] where it holds none.
fn time_form(conn: &mut AnyConnection, table: &TableName, column: &Column) -> QueryResult<TimeForm> {
    let name = ident(&column.name);
    let query = format!(
        "SELECT CASE typeof({name}) WHEN 'integer' THEN CASE WHEN {name} > 100000000000 THEN 'ms' ELSE 's' END \
         WHEN 'text' THEN CASE WHEN {name} LIKE '%T%+00:00' THEN 'offset' WHEN {name} LIKE '%T%' THEN 'iso' ELSE 'spaced' END \
         END AS found \
         FROM {} WHERE {name} IS NOT NULL LIMIT 1",
        table.sql()
    );
    Ok(match text(conn, &query)?.as_deref() {
        Some("ms") => TimeForm::Milliseconds,
        Some("s") => TimeForm::Seconds,
        Some("iso") => TimeForm::Iso,
        Some("offset") => TimeForm::Offset,
        Some(_) => TimeForm::Spaced,
        None => TimeForm::Native,
    })
}

/// Columns of theirs that a new row needs and that we know nothing of: a flag gets a value, another is a problem.
pub(super) fn given(
    table: &Table,
    plan: &TablePlan,
    false_at_first: &[&str],
    backend: Backend,
    problems: &mut Vec<String>,
) -> Vec<(String, &'static str)> {
    let mut given = Vec::new();
    for column in table.columns.iter().filter(|column| column.not_null && !column.has_default) {
        if plan.knows(&column.name) {
            continue;
        }
        let is_flag = matches!(column.class(backend), Class::Bool | Class::Number);
        if is_flag && false_at_first.contains(&column.name.as_str()) {
            given.push((column.name.clone(), "false"));
            continue;
        }
        let table = table.name.sql();
        let cure = match backend {
            Backend::Postgres => format!("ALTER TABLE {table} ALTER COLUMN {} SET DEFAULT …;", ident(&column.name)),
            Backend::Sqlite => "declare one, or let it be NULL".to_owned(),
        };
        problems
            .push(format!("nobody could sign up: {} of {table} is NOT NULL without a default. {cure}", column.name));
    }
    given
}

/// The columns of theirs that hold declared fields.
pub(super) fn declared(backend: Backend, ours: &str, table: &Table, overrides: &Overrides) -> Vec<(String, Column)> {
    let fields = overrides.fields.iter().filter(|field| field.table == ours);
    fields
        .filter_map(|field| {
            let [camel, snake] = spellings(&field.name);
            let column = table.column(&[&field.key, &camel, &snake])?;
            let fits = matches!(column.class(backend), Class::Text | Class::Bool | Class::Number);
            fits.then(|| (field.name.clone(), column.clone()))
        })
        .collect()
}

/// The names that a column of ours may have with Better Auth's adapters: `emailVerified`, `email_verified`.
pub(super) fn spellings(ours: &str) -> [String; 2] {
    let mut camel = String::new();
    let mut upper = false;
    for c in ours.chars() {
        match c {
            '_' => upper = true,
            c if upper => {
                camel.push(c.to_ascii_uppercase());
                upper = false;
            }
            c => camel.push(c),
        }
    }
    [camel, ours.to_owned()]
}

/// A problem for each table of a SQLite file that has the name of one of ours, which are made in it.
pub(super) fn judge_names(tables: &[Table], ours: &[&str], problems: &mut Vec<String>) {
    for name in tables.iter().map(|table| &table.name.name).filter(|name| ours.contains(&name.as_str())) {
        problems.push(format!("there is a table {name} already, and one of ours has that name: rename it first"));
    }
}

/// SQLite: the indexes of the two fields, where there are none. PostgreSQL has them with the fields' rules.
pub(super) fn field_indexes(conn: &mut AnyConnection, plan: &TablePlan) -> QueryResult<Vec<Index>> {
    let mut indexes = Vec::new();
    for field in ["software_background", "hardware_background"] {
        let theirs = plan.theirs(field).map(|column| column.name.as_str());
        let is_there = theirs.map_or(Ok(false), |name| is_indexed(conn, &plan.table, name, false))?;
        if !is_there {
            let name = index_name(&plan.table.name, field, false);
            indexes.push(Index { name, on: ident(theirs.unwrap_or(field)), unique: false });
        }
    }
    Ok(indexes)
}

/// The tables whose rows keep a row of this one from being deleted.
pub(super) fn that_hold_back(conn: &mut AnyConnection, table: &TableName) -> QueryResult<Vec<String>> {
    let query = match conn {
        AnyConnection::Postgres(_) => format!(
            "SELECT DISTINCT conrelid::regclass::text AS found FROM pg_constraint \
             WHERE contype = 'f' AND confrelid = to_regclass({}) AND confdeltype IN ('a', 'r') ORDER BY 1",
            literal(&table.sql())
        ),
        AnyConnection::Sqlite(_) => format!(
            "SELECT DISTINCT t.name AS found FROM main.sqlite_schema t, pragma_foreign_key_list(t.name) f \
             WHERE t.type = 'table' AND f.\"table\" = {} AND f.on_delete IN ('NO ACTION', 'RESTRICT') ORDER BY 1",
            literal(&table.name)
        ),
    };
    texts(conn, &query)
}

/// PostgreSQL: the most characters that a column holds; `None` where there is no limit.
pub(super) fn limit_of(conn: &mut AnyConnection, table: &TableName, column: &str) -> QueryResult<Option<i64>> {
    if matches!(conn, AnyConnection::Sqlite(_)) {
        return Ok(None);
    }
    let query = format!(
        "SELECT coalesce(max(atttypmod - 4), 0)::bigint AS n FROM pg_attribute \
         WHERE attrelid = to_regclass({}) AND attname = {} AND atttypmod > 4",
        literal(&table.sql()),
        literal(column)
    );
    Ok(Some(count(conn, &query)?).filter(|limit| *limit > 0))
}

/// What the hashes of passwords are, said in the notes; the kind that most have, if it is one that is made here.
pub(super) fn hashes(
    conn: &mut AnyConnection,
    backend: Backend,
    table: &TableName,
    password: &str,
    notes: &mut Vec<String>,
) -> QueryResult<Option<&'static str>> {
    let password = ident(password);
    let scrypt = match backend {
        Backend::Postgres => format!("{password} ~ '^[0-9a-f]{{32}}:[0-9a-f]{{128}}$'"),
        Backend::Sqlite => format!("(length({password}) = 161 AND {password} NOT GLOB '*[^0-9a-f:]*')"),
    };
    let query = format!(
        "SELECT CASE WHEN coalesce({password}, '') = '' THEN NULL \
         WHEN {password} LIKE '$2a$__$%' OR {password} LIKE '$2b$__$%' OR {password} LIKE '$2y$__$%' THEN 'bcrypt' \
         WHEN {password} LIKE '$bcrypt-sha256$%' THEN 'bcrypt-sha256' \
         WHEN {password} LIKE '$argon2id$%' THEN 'argon2id' \
         WHEN {password} LIKE '$argon2i$%' THEN 'argon2i' \
         WHEN {scrypt} THEN 'scrypt' \
         ELSE 'another kind' END AS what, count(*) AS n FROM {} GROUP BY 1 ORDER BY 2 DESC, 1",
        table.sql()
    );
    let mut most = None;
    for Group { what, n } in groups(conn, &query)? {
        let kind =
            ["bcrypt", "bcrypt-sha256", "argon2id", "scrypt"].into_iter().find(|kind| what.as_deref() == Some(*kind));
        most = most.or(kind);
        notes.push(match what.as_deref() {
            None => format!("{n} rows have no password; it can be set by mail"),
            Some("another kind") => {
                format!("{n} rows have a hash of another kind; their owners have to set a new password by mail")
            }
            Some(kind) => format!("{n} passwords by {kind} go on working"),
        });
    }
    if let Some(kind) = most {
        notes.push(format!(
            "new passwords get hashes of {kind}, and none is replaced by another kind, unless AUTH_PASSWORD_HASH is set"
        ));
    }
    Ok(most)
}
