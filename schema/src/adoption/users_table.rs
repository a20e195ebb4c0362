//! A table of users with the hashes of their passwords, as FastAPI and other programs keep it.

use diesel::QueryResult;

use super::catalog::{self, Group, Table, count, groups, ids, keep};
use super::expression::{ident, index_name, indexed_text, is_cast};
use super::plan::{
    Class, Holds, Index, Lack, Overrides, Plan, Source, TableName, TablePlan, USERS_OWN_TABLES, columns_of, is_citext,
};
use super::{AdoptError, SCHEMA};
use crate::db::{AnyConnection, Backend};

/// Names under which other programs keep what we need, the likeliest first.
const EMAILS: &[&str] = &["email", "email_address"];
pub(super) const PASSWORDS: &[&str] = &["hashed_password", "password_hash", "password"];
const NAMES: &[&str] = &["name", "full_name", "fullname", "display_name"];
const ACTIVE: &[&str] = &["is_active", "active", "enabled"];
const VERIFIED: &[&str] = &["email_verified", "is_verified", "is_email_verified"];
const IMAGES: &[&str] = &["image", "avatar_url", "picture"];
const CREATED: &[&str] = &["created_at", "date_joined", "created", "created_on"];
const UPDATED: &[&str] = &["updated_at", "modified_at", "updated", "updated_on"];
/// Flags that are false for whoever signs up.
const FALSE_AT_FIRST: &[&str] = &["is_superuser", "superuser", "is_admin", "admin", "is_staff"];

/// The length of the longest hash that is made here, argon2id's, in characters.
const LONGEST_HASH: i64 = 97;

/// At most so many addresses are named that stand in the way.
const MOST_NAMED: i64 = 20;

/// The tables that look like one of users.
pub(super) fn candidates(tables: &[Table]) -> Vec<&Table> {
    let looks = |table: &&Table| table.column(EMAILS).is_some() && table.column(PASSWORDS).is_some();
    tables.iter().filter(looks).collect()
}

pub(super) fn plan(
    conn: &mut AnyConnection,
    backend: Backend,
    tables: &[Table],
    overrides: &Overrides,
) -> Result<Plan, AdoptError> {
    let table = match &overrides.table {
        Some(name) => tables.iter().find(|table| table.name == *name),
        None => Some(only(&candidates(tables))?),
    };
    let Some(table) = table else {
        let name = overrides.table.as_ref().map(TableName::sql).unwrap_or_default();
        return Err(AdoptError::NoTable(format!("there is no table {name}")));
    };
    let mut problems = Vec::new();
    let mut plan = TablePlan {
        ours: "users",
        rows: count(conn, &format!("SELECT count(*) AS n FROM {}", table.name.sql()))?,
        table: table.name.clone(),
        ids: ids_of(conn, backend, table, &mut problems)?,
        kept: Vec::new(),
        added: Vec::new(),
        given: Vec::new(),
        declared: catalog::declared(backend, "users", table, overrides),
        indexes: Vec::new(),
    };
    map_columns(conn, backend, &mut plan, table, overrides, &mut problems)?;
    plan.given = catalog::given(table, &plan, FALSE_AT_FIRST, backend, &mut problems);
    if backend == Backend::Sqlite {
        catalog::judge_names(tables, &USERS_OWN_TABLES, &mut problems);
    }
    catalog::judge_policies(conn, &table.name, &mut problems)?;
    let (mut notes, mut hash) = (Vec::new(), "bcrypt");
    if problems.is_empty() {
        plan.indexes = indexes(conn, backend, &plan)?;
        judge_rows(conn, backend, &plan, &mut notes, &mut problems)?;
        judge_other_columns(conn, backend, &plan, table, overrides, &mut notes, &mut problems)?;
        if let Some(password) = plan.theirs("password") {
            hash = catalog::hashes(conn, backend, &plan.table, &password.name, &mut notes)?.unwrap_or("bcrypt");
            let limit = catalog::limit_of(conn, &plan.table, &password.name)?;
            if let Some(limit) = limit.filter(|limit| *limit < LONGEST_HASH) {
                notes.push(format!(
                    "{} holds {limit} characters: a longer hash (bcrypt has 60, bcrypt-sha256 75, argon2id 97) is refused",
                    password.name
                ));
            }
        }
    }
    Ok(Plan { source: Source::UsersTable, tables: vec![plan], hash, notes, problems })
}

fn only<'a>(found: &[&'a Table]) -> Result<&'a Table, AdoptError> {
    match found {
        [one] => Ok(one),
        [] => Err(AdoptError::NoTable(
            "no table has a column email and one of hashed_password, password_hash and password; name it by --table"
                .to_owned(),
        )),
        several => {
            let names: Vec<String> = several
                .iter()
                .map(|table| {
                    table.name.schema.as_ref().map_or_else(String::new, |schema| format!("{schema}."))
                        + &table.name.name
                })
                .collect();
            Err(AdoptError::NoTable(format!(
                "several tables look like one of users: {}; name one by --table",
                names.join(", ")
            )))
        }
    }
}

fn ids_of(
    conn: &mut AnyConnection,
    backend: Backend,
    table: &Table,
    problems: &mut Vec<String>,
) -> QueryResult<super::IdKind> {
    match table.column(&["id"]) {
        Some(id) => ids(conn, backend, &table.name, id, problems),
        None => {
            problems.push("the table has no column id".to_owned());
            Ok(super::IdKind::Text)
        }
    }
}

/// The names that one of our columns may have there.
fn names(ours: &str) -> &[&str] {
    match ours {
        "id" => &["id"],
        "email" => EMAILS,
        "password" => PASSWORDS,
        "active" => ACTIVE,
        "name" => NAMES,
        "email_verified" => VERIFIED,
        "image" => IMAGES,
        "created_at" => CREATED,
        "updated_at" => UPDATED,
        "software_background" => &["software_background", "softwareBackground"],
        "hardware_background" => &["hardware_background", "hardwareBackground"],
        "additional_fields" => &["additional_fields"],
        "banned" => &["banned"],
        "ban_reason" => &["ban_reason"],
        _ => &["ban_expires"],
    }
}

fn map_columns(
    conn: &mut AnyConnection,
    backend: Backend,
    plan: &mut TablePlan,
    table: &Table,
    overrides: &Overrides,
    problems: &mut Vec<String>,
) -> QueryResult<()> {
    let more = [("password", Holds::Text, Lack::Null), ("active", Holds::Bool, Lack::Null)];
    let ours = columns_of("users").iter().map(|ours| (ours.name, ours.holds, ours.lack));
    let all: Vec<(&'static str, Holds, Lack)> = more.into_iter().chain(ours).collect();
    for (ours, theirs) in &overrides.columns {
        if !all.iter().any(|(name, ..)| name == ours) || table.column(&[theirs]).is_none() {
            problems.push(format!("--column {ours}={theirs}: there is no such column"));
        }
    }
    for (ours, holds, lack) in all {
        let told = overrides.columns.iter().find(|(name, _)| name == ours).map(|(_, theirs)| theirs.as_str());
        let found = told.map_or_else(|| table.column(names(ours)), |told| table.column(&[told]));
        match (found, ours) {
            (Some(column), _) => {
                plan.kept.extend(keep(conn, backend, &table.name, (ours, holds), column, problems)?);
            }
            (None, "email") => problems.push("the table has no column email".to_owned()),
            // Who is not active there is who is banned here.
            (None, "banned" | "ban_reason" | "ban_expires") if plan.theirs("active").is_some() => {}
            (None, "id" | "password" | "active") => {}
            (None, _) if lack == Lack::Problem => problems.push(format!("the table has no column {ours}")),
            (None, _) => plan.added.push((ours, ours.to_owned())),
        }
    }
    Ok(())
}

fn indexes(conn: &mut AnyConnection, backend: Backend, plan: &TablePlan) -> QueryResult<Vec<Index>> {
    let mut indexes = Vec::new();
    if is_cast(backend, plan, "id") {
        let name = index_name(&plan.table.name, "id_text", true);
        indexes.push(Index { name, on: indexed_text(backend, "\"id\""), unique: true });
    }
    let email = plan.name_of("email").unwrap_or_default();
    let on = match backend {
        Backend::Postgres if is_citext(plan.type_of("email")) => format!("lower({email}::text)"),
        _ => format!("lower({email})"),
    };
    indexes.push(Index { name: index_name(&plan.table.name, "email", true), on, unique: true });
    if backend == Backend::Sqlite {
        indexes.extend(catalog::field_indexes(conn, plan)?);
    }
    Ok(indexes)
}

/// Columns by which the other program may keep people out, or ask for more than a password.
const KEEP_OUT: [&str; 12] = [
    "deleted_at",
    "is_deleted",
    "is_locked",
    "locked_until",
    "is_disabled",
    "disabled",
    "is_blocked",
    "is_banned",
    "mfa_enabled",
    "totp_enabled",
    "two_factor_enabled",
    "totp_secret",
];

/// What this service knows nothing of.
fn judge_other_columns(
    conn: &mut AnyConnection,
    backend: Backend,
    plan: &TablePlan,
    table: &Table,
    overrides: &Overrides,
    notes: &mut Vec<String>,
    problems: &mut Vec<String>,
) -> QueryResult<()> {
    let others: Vec<&super::Column> = table.columns.iter().filter(|column| !plan.knows(&column.name)).collect();
    for column in others.iter().filter(|column| KEEP_OUT.contains(&column.name.as_str())) {
        let name = ident(&column.name);
        let is_flag = column.class(backend) == Class::Bool;
        let set = if is_flag { format!("{name} IS TRUE") } else { format!("{name} IS NOT NULL") };
        let n = count(conn, &format!("SELECT count(*) AS n FROM {} WHERE {set}", plan.table.sql()))?;
        if n > 0 && !overrides.ignored.contains(&column.name) {
            problems.push(format!(
                "{n} rows have {0}, which this service does not look at: those people could sign in. If that is right, \
                 --ignore {0}",
                column.name
            ));
        }
    }
    if !others.is_empty() {
        let names: Vec<&str> = others.iter().map(|column| column.name.as_str()).collect();
        notes.push(format!("columns that this service does not know and leaves alone: {}", names.join(", ")));
    }
    if plan.theirs("email_verified").is_none() {
        notes.push(
            "no address counts as proven: a first sign-in by a mailed code or link removes the password, as Better Auth does \
             (users verify marks an address as proven)"
                .to_owned(),
        );
    }
    Ok(())
}

/// What the rows say: who stands in the way, and what becomes of the others.
fn judge_rows(
    conn: &mut AnyConnection,
    backend: Backend,
    plan: &TablePlan,
    notes: &mut Vec<String>,
    problems: &mut Vec<String>,
) -> QueryResult<()> {
    let table = plan.table.sql();
    let email = plan.name_of("email").unwrap_or_default();
    let as_text = if backend == Backend::Postgres { format!("{email}::text") } else { email.clone() };
    let twice = format!(
        "SELECT lower({as_text}) AS what, count(*) AS n FROM {table} WHERE {email} IS NOT NULL \
         GROUP BY 1 HAVING count(*) > 1 ORDER BY 1 LIMIT {MOST_NAMED}"
    );
    for Group { what, n } in groups(conn, &twice)? {
        let what = what.unwrap_or_default();
        problems.push(format!("{n} rows have the address {what}, whatever its case; one may keep it"));
    }
    let without = format!("SELECT count(*) AS n FROM {table} WHERE {email} IS NULL OR {as_text} NOT LIKE '%_@_%'");
    let without = count(conn, &without)?;
    if without > 0 {
        notes.push(format!("{without} rows have no address; nobody can sign in as them"));
    }
    if let Some(active) = plan.theirs("active").map(|column| ident(&column.name)) {
        let inactive = count(conn, &format!("SELECT count(*) AS n FROM {table} WHERE {active} IS FALSE"))?;
        notes.push(format!("{inactive} rows are not active; nobody can sign in as them"));
    }
    for other in catalog::that_hold_back(conn, &plan.table)? {
        notes.push(format!("a user to whom rows of {other} refer cannot be deleted: it has no ON DELETE CASCADE"));
    }
    if backend == Backend::Postgres {
        notes.push(format!("sessions, accounts and the rest are made in the schema {SCHEMA}"));
    }
    Ok(())
}
