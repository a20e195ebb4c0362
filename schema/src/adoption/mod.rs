//! Adopting a table of users that another program made, on PostgreSQL: it stays the one table of users, and a schema of
//! our own puts a view over it that is shaped as ours.
//!
//! - `inspect`: what is there, and how its columns answer to ours
//! - `sql`: the statements that adopt and that undo it
//!
//! Everything else (sessions, accounts, …) are our own tables in that schema, made by the same migrations as elsewhere.
//! Each connection has the schema first in its `search_path`, so no query knows of it.

use chrono::NaiveDateTime;
use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::sql_types::{Nullable, Text, Timestamp};

mod inspect;
mod sql;

pub use self::inspect::{Overrides, Plan, TableName};

use crate::db::{AnyConnection, Backend, Db, DbError};
use crate::fields::{self, ColumnRule};
use crate::migrations;

/// The schema of what adoption makes.
pub const SCHEMA: &str = "auth_sidecar";

/// What the ids of users are. New users get the same kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IdKind {
    /// Texts, as everywhere else here.
    #[default]
    Text,
    /// UUIDs.
    Uuid,
    /// Whole numbers, counted up by the database.
    Number,
}

impl IdKind {
    fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Uuid => "uuid",
            Self::Number => "number",
        }
    }
}

/// An adoption that is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adoption {
    /// The table, as `schema.name` with quotes where needed.
    pub table: String,
    /// What its ids are.
    pub ids: IdKind,
    /// When it was adopted (UTC).
    pub since: NaiveDateTime,
}

/// Why a table was not adopted. No text holds a value of a row, but addresses where they are the problem.
#[derive(Debug, thiserror::Error)]
pub enum AdoptError {
    /// The database cannot be reached, or failed.
    #[error(transparent)]
    Database(#[from] DbError),
    /// It is no PostgreSQL.
    #[error("only tables of a PostgreSQL database can be adopted")]
    NotPostgres,
    /// There is an adoption in force, or none to be undone.
    #[error("{0}")]
    State(String),
    /// There is no such table, none that looks like one of users, or several.
    #[error("{0}")]
    NoTable(String),
    /// The plan has problems; nothing was changed.
    #[error("the plan has problems; nothing was changed")]
    Problems,
    /// A statement failed; nothing was changed.
    #[error("nothing was changed: {0}")]
    Failed(String),
}

impl From<diesel::result::Error> for AdoptError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Database(DbError::classify(error))
    }
}

/// What would be done with a table: the one that is named, or the only one that looks like one of users.
///
/// # Errors
/// When there is no such table or more than one, when one is adopted already, or the database fails.
pub async fn plan(db: &Db, overrides: Overrides) -> Result<Plan, AdoptError> {
    on_postgres(db, move |conn| {
        if let Some(adoption) = find(conn)? {
            return Err(AdoptError::State(format!("{} is adopted already", adoption.table)));
        }
        inspect::plan(conn, &overrides)
    })
    .await
}

/// Does it, in one transaction.
///
/// # Errors
/// When the plan has problems, or a statement fails; then nothing is changed.
pub async fn apply(db: &Db, plan: Plan, rules: &[ColumnRule]) -> Result<(), AdoptError> {
    if !plan.problems.is_empty() {
        return Err(AdoptError::Problems);
    }
    let rules = rules.to_vec();
    on_postgres(db, move |conn| {
        conn.transaction(|conn| {
            conn.batch_execute(&sql::begin())?;
            migrations::run_all(conn).map_err(AdoptError::Failed)?;
            conn.batch_execute(&sql::adopt(&plan)).map_err(|error| AdoptError::Failed(error.to_string()))?;
            fields::apply(conn, &rules).map_err(|error| AdoptError::Failed(error.to_string()))
        })
    })
    .await
}

/// Undoes the adoption in force: what it made is removed, the columns it added with what they hold.
///
/// # Errors
/// When there is none, or a statement fails; then nothing is changed.
pub async fn revert(db: &Db) -> Result<Adoption, AdoptError> {
    on_postgres(db, |conn| {
        let Some(adoption) = find(conn)? else { return Err(AdoptError::State("no table is adopted".to_owned())) };
        conn.transaction(|conn| {
            let undo: Undo = diesel::sql_query(format!("SELECT undo FROM {SCHEMA}._adoption")).get_result(conn)?;
            conn.batch_execute(&undo.undo).map_err(|error| AdoptError::Failed(error.to_string()))
        })?;
        Ok(adoption)
    })
    .await
}

/// The statements of [`apply`] that are the table's own, to be read.
#[must_use]
pub fn shown(plan: &Plan) -> String {
    sql::adopt(plan)
}

/// The adoption in force; `None` on a database of our own.
///
/// # Errors
/// When the database fails.
pub async fn current(db: &Db) -> Result<Option<Adoption>, DbError> {
    if db.backend() == Backend::Sqlite {
        return Ok(None);
    }
    db.read(find).await
}

#[derive(QueryableByName)]
struct Undo {
    #[diesel(sql_type = Text)]
    undo: String,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    source: String,
    #[diesel(sql_type = Text)]
    ids: String,
    #[diesel(sql_type = Timestamp)]
    since: NaiveDateTime,
}

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = Nullable<Text>)]
    found: Option<String>,
}

pub(crate) fn find(conn: &mut AnyConnection) -> QueryResult<Option<Adoption>> {
    if matches!(conn, AnyConnection::Sqlite(_)) {
        return Ok(None);
    }
    let query = format!("SELECT to_regclass('{SCHEMA}._adoption')::text AS found");
    if diesel::sql_query(query).get_result::<Found>(conn)?.found.is_none() {
        return Ok(None);
    }
    let query = format!("SELECT source, ids, since AT TIME ZONE 'UTC' AS since FROM {SCHEMA}._adoption");
    let row: Row = diesel::sql_query(query).get_result(conn)?;
    let ids = [IdKind::Uuid, IdKind::Number].into_iter().find(|kind| kind.name() == row.ids);
    Ok(Some(Adoption { table: row.source, ids: ids.unwrap_or_default(), since: row.since }))
}

/// An id for a new user of an adopted table whose ids are counted by the database.
///
/// # Errors
/// When the database fails.
pub fn next_user_id(conn: &mut AnyConnection) -> QueryResult<String> {
    let query = format!("SELECT {SCHEMA}.next_user_id() AS found");
    let answer: Found = diesel::sql_query(query).get_result(conn)?;
    answer.found.ok_or(diesel::result::Error::NotFound)
}

async fn on_postgres<T, F>(db: &Db, work: F) -> Result<T, AdoptError>
where
    F: FnOnce(&mut AnyConnection) -> Result<T, AdoptError> + Send + 'static,
    T: Send + 'static,
{
    if db.backend() != Backend::Postgres {
        return Err(AdoptError::NotPostgres);
    }
    let db = db.clone();
    let task = tokio::task::spawn_blocking(move || work(&mut db.connect_unlimited()?));
    task.await.map_err(|error| DbError::Internal(error.to_string()))?
}
