//! Adopting the tables of another program: they stay where they are, and views over them that are shaped as ours let the
//! rest of this program work on them. That is one table of users with their passwords, or the tables of a Better Auth
//! server on Node.
//!
//! - `catalog`: what the database holds
//! - `users_table`, `better_auth`: what would be done with it
//! - [`compat`]: views for those who read a Better Auth server's tables
//! - `plan`: that, and the columns of our tables; `expression`: how each is read and written
//! - `postgres`, `sqlite`: the statements that adopt and undo it; `record`: what is kept about it
//!
//! What is not adopted are our own tables, made by the same migrations as elsewhere. On PostgreSQL everything that is made
//! is in a schema of its own, which each connection has first in its `search_path`; on SQLite each connection begins with
//! temporary views. So no query knows of it.

use chrono::NaiveDateTime;
use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::sql_types::{Text, Timestamp};

mod better_auth;
mod catalog;
pub mod compat;
mod expression;
mod plan;
mod postgres;
mod record;
mod sqlite;
mod users_table;

pub use self::plan::{Column, DeclaredField, IdKind, Index, Kept, Overrides, Plan, Source, TableName, TablePlan};

use self::expression::unquoted;
use self::record::{adopted_table, adoption_table};
use crate::db::{AnyConnection, Backend, Db, DbError};
use crate::fields::{self, ColumnRule};
use crate::migrations;

/// PostgreSQL: the schema of what adoption makes.
pub const SCHEMA: &str = "auth_sidecar";

/// PostgreSQL: a query of [`SCHEMA`], or of nothing where there is no record of an adoption in it, or it is not ours, a
/// superuser's or the database owner's: whoever may make schemas could put one there.
pub(crate) const TRUSTED_SCHEMA: &str = "SELECT n.nspname::text FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid \
    JOIN pg_roles r ON r.oid = n.nspowner WHERE n.nspname = 'auth_sidecar' AND c.relname = '_adoption' \
    AND c.relowner = n.nspowner AND (pg_has_role(current_user, r.oid, 'MEMBER') OR r.rolsuper \
    OR r.oid = (SELECT datdba FROM pg_database WHERE datname = current_database()))";

/// An adoption that is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adoption {
    /// Whose tables they are.
    pub source: Source,
    /// The tables that stand for ours, that of users first.
    pub tables: Vec<Adopted>,
    /// The kind of most passwords' hashes: `bcrypt`, `bcrypt-sha256`, `argon2id` or `scrypt`.
    pub hash: String,
    /// When they were adopted (UTC).
    pub since: NaiveDateTime,
}

/// A table that stands for one of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adopted {
    /// Ours.
    pub ours: String,
    /// Its name, quoted for SQL.
    pub table: String,
    /// What its ids are.
    pub ids: IdKind,
    prefix: String,
    id_column: String,
    fields: [String; 2],
}

impl Adoption {
    /// What the ids of one of our tables are.
    #[must_use]
    pub fn ids(&self, ours: &str) -> IdKind {
        self.table(ours).map_or(IdKind::Text, |table| table.ids)
    }

    /// The names of the tables, quoted for SQL, to be read by a person.
    #[must_use]
    pub fn names(&self) -> String {
        self.tables.iter().map(|table| table.table.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// The name of the column that holds one of the two fields.
    #[must_use]
    pub fn field(&self, column: &str) -> String {
        unquoted(self.table("users").map_or(column, |users| users.field(column)))
    }

    fn table(&self, ours: &str) -> Option<&Adopted> {
        self.tables.iter().find(|table| table.ours == ours)
    }
}

impl Adopted {
    /// Its name without quotes; on SQLite, where it has no schema.
    pub(crate) fn name(&self) -> String {
        unquoted(&self.table)
    }

    /// What stands before the names of its indexes: its schema and a dot, or nothing.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The quoted name of the column that holds one of the two fields.
    pub(crate) fn field(&self, column: &str) -> &str {
        let [software, hardware] = &self.fields;
        if column == "software_background" { software } else { hardware }
    }
}

/// Why a table was not adopted. No text holds a value of a row, but addresses where they are the problem.
#[derive(Debug, thiserror::Error)]
pub enum AdoptError {
    /// The database cannot be reached, or failed.
    #[error(transparent)]
    Database(#[from] DbError),
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

/// What would be done: with the tables of a Better Auth server, if they are there, or with the table of users that is
/// named or the only one that looks like one.
///
/// # Errors
/// When there is no such table or more than one, when some are adopted already, or the database fails.
pub async fn plan(db: &Db, overrides: Overrides) -> Result<Plan, AdoptError> {
    blocking(db, move |conn, backend| {
        if let Some(adoption) = find(conn)? {
            return Err(AdoptError::State(format!("{} is adopted already", adoption.names())));
        }
        if catalog::are_ours(conn)? {
            return Err(AdoptError::State("this database holds tables of this service itself".to_owned()));
        }
        let tables = catalog::tables(conn)?;
        let mut plan = match better_auth::find(&tables, &overrides) {
            Some(found) => better_auth::plan(conn, backend, &tables, &found, &overrides)?,
            None => users_table::plan(conn, backend, &tables, &overrides)?,
        };
        if backend == Backend::Sqlite {
            plan.settle_times();
        }
        Ok(plan)
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
    blocking(db, move |conn, backend| {
        conn.write_transaction(|conn| {
            let statements = match backend {
                Backend::Postgres => {
                    conn.batch_execute(&postgres::begin())?;
                    migrations::run_all(conn).map_err(AdoptError::Failed)?;
                    postgres::adopt(&plan)
                }
                Backend::Sqlite => sqlite::adopt(&plan, &own_tables(&plan)?),
            };
            for statement in statements {
                conn.batch_execute(&statement).map_err(|error| AdoptError::Failed(error.to_string()))?;
            }
            fields::apply(conn, &rules).map_err(|error| AdoptError::Failed(error.to_string()))
        })
    })
    .await
}

fn own_tables(plan: &Plan) -> Result<sqlite::OwnTables, AdoptError> {
    sqlite::OwnTables::of(plan, migrations::SQLITE).map_err(AdoptError::Failed)
}

/// Undoes the adoption in force: what it made is removed, the columns it added with what they hold.
///
/// # Errors
/// When there is none, or a statement fails; then nothing is changed.
pub async fn revert(db: &Db) -> Result<Adoption, AdoptError> {
    blocking(db, |conn, backend| {
        let Some(adoption) = find(conn)? else { return Err(AdoptError::State("nothing is adopted".to_owned())) };
        let undo = script(conn, backend, "undo")?;
        conn.write_transaction(|conn| {
            match backend {
                Backend::Postgres => conn.batch_execute(&undo),
                Backend::Sqlite => sqlite::run_kept(conn, &undo),
            }
            .map_err(|error| AdoptError::Failed(error.to_string()))
        })?;
        Ok(adoption)
    })
    .await
}

/// SQLite: takes the views and triggers away, so that a migration of the other program may make its tables anew. The next
/// start of the service, or [`migrations::up`], brings them back.
///
/// # Errors
/// When nothing is adopted, on PostgreSQL, or when the database fails.
pub async fn pause(db: &Db) -> Result<Adoption, AdoptError> {
    blocking(db, |conn, backend| {
        let Some(adoption) = find(conn)? else { return Err(AdoptError::State("nothing is adopted".to_owned())) };
        if backend == Backend::Postgres {
            return Err(AdoptError::State(
                "only a SQLite file can be paused; on PostgreSQL undo the adoption with --revert".to_owned(),
            ));
        }
        let ours: Vec<&str> = adoption.tables.iter().map(|table| table.ours.as_str()).collect();
        let unmake = sqlite::unmake(&ours).join(";\n");
        conn.write_transaction(|conn| conn.batch_execute(&unmake))?;
        Ok(adoption)
    })
    .await
}

/// The statements of [`apply`] that are the tables' own, to be read.
///
/// # Errors
/// When our own tables cannot be made in memory.
pub fn shown(backend: Backend, plan: &Plan) -> Result<String, AdoptError> {
    let statements = match backend {
        Backend::Postgres => postgres::adopt(plan),
        Backend::Sqlite => sqlite::adopt(plan, &own_tables(plan)?),
    };
    Ok(statements.join(";\n") + ";\n")
}

/// The adoption in force; `None` on a database of our own.
///
/// # Errors
/// When the database fails.
pub async fn current(db: &Db) -> Result<Option<Adoption>, DbError> {
    db.read(find).await
}

#[derive(QueryableByName)]
struct AdoptionRow {
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Text)]
    hash: String,
    #[diesel(sql_type = Timestamp)]
    since: NaiveDateTime,
}

#[derive(QueryableByName)]
struct AdoptedRow {
    #[diesel(sql_type = Text)]
    ours: String,
    #[diesel(sql_type = Text)]
    source: String,
    #[diesel(sql_type = Text)]
    prefix: String,
    #[diesel(sql_type = Text)]
    ids: String,
    #[diesel(sql_type = Text)]
    id_column: String,
    #[diesel(sql_type = Text)]
    software_background: String,
    #[diesel(sql_type = Text)]
    hardware_background: String,
}

fn is_adopted(conn: &mut AnyConnection) -> QueryResult<bool> {
    let query = match conn {
        AnyConnection::Postgres(_) => format!("SELECT ({TRUSTED_SCHEMA}) AS found"),
        AnyConnection::Sqlite(_) => {
            "SELECT max(name) AS found FROM main.sqlite_schema WHERE name = 'auth_sidecar_adoption'".to_owned()
        }
    };
    Ok(catalog::text(conn, &query)?.is_some())
}

pub(crate) fn find(conn: &mut AnyConnection) -> QueryResult<Option<Adoption>> {
    if !is_adopted(conn)? {
        return Ok(None);
    }
    let (backend, since) = match conn {
        AnyConnection::Postgres(_) => (Backend::Postgres, "since AT TIME ZONE 'UTC' AS since"),
        AnyConnection::Sqlite(_) => (Backend::Sqlite, "since"),
    };
    let query = format!("SELECT kind, hash, {since} FROM {}", adoption_table(backend));
    let row: AdoptionRow = diesel::sql_query(query).get_result(conn)?;
    let query = format!("SELECT * FROM {} ORDER BY place", adopted_table(backend));
    let tables: Vec<AdoptedRow> = diesel::sql_query(query).load(conn)?;
    let source = Source::ALL.into_iter().find(|source| source.name() == row.kind).unwrap_or(Source::UsersTable);
    let tables = tables.into_iter().map(|table| Adopted {
        ids: IdKind::ALL.into_iter().find(|kind| kind.name() == table.ids).unwrap_or_default(),
        ours: table.ours,
        table: table.source,
        prefix: table.prefix,
        id_column: table.id_column,
        fields: [table.software_background, table.hardware_background],
    });
    Ok(Some(Adoption { source, tables: tables.collect(), hash: row.hash, since: row.since }))
}

fn script(conn: &mut AnyConnection, backend: Backend, which: &str) -> QueryResult<String> {
    let query = format!("SELECT {which} AS found FROM {}", adoption_table(backend));
    Ok(catalog::text(conn, &query)?.unwrap_or_default())
}

/// SQLite: what a connection begins with, on a file whose tables are adopted.
pub(crate) fn connect(conn: &mut AnyConnection) -> QueryResult<()> {
    if is_adopted(conn)? {
        let query = format!("SELECT ours AS found FROM {}", adopted_table(Backend::Sqlite));
        let adopted = catalog::texts(conn, &query)?;
        conn.batch_execute(&sqlite::connect(&adopted).join(";\n"))?;
    }
    Ok(())
}

/// SQLite: brings back what a migration of the other program removed.
pub(crate) fn restore(conn: &mut AnyConnection) -> QueryResult<()> {
    if matches!(conn, AnyConnection::Sqlite(_)) && is_adopted(conn)? {
        let statements = script(conn, Backend::Sqlite, "make")?;
        sqlite::run_kept(conn, &statements)?;
    }
    Ok(())
}

/// As [`migrations::up`] does at the end: SQLite's views and triggers that a migration of the other program removed are
/// brought back.
///
/// # Errors
/// When the database fails.
pub async fn bring_back(db: &Db) -> Result<(), DbError> {
    let db = db.clone();
    let task = tokio::task::spawn_blocking(move || {
        db.connect_unlimited()?.write_transaction(restore).map_err(DbError::classify)
    });
    task.await.map_err(|error| DbError::Internal(error.to_string()))?
}

/// Why our own tables must not be made in this database.
pub(crate) enum Obstacle {
    /// This table of a Better Auth server, which nobody adopted.
    BetterAuth(String),
    /// An adoption by this role, which we do not trust.
    Stranger(String),
}

/// What stands in the way of our own tables, where they are not there yet.
pub(crate) fn obstacle(conn: &mut AnyConnection) -> QueryResult<Option<Obstacle>> {
    if is_adopted(conn)? {
        return Ok(None);
    }
    if catalog::are_ours(conn)? {
        return Ok(None);
    }
    if matches!(conn, AnyConnection::Postgres(_)) {
        let query = format!(
            "SELECT max(pg_get_userbyid(n.nspowner)::text) AS found FROM pg_namespace n \
             JOIN pg_class c ON c.relnamespace = n.oid WHERE n.nspname = '{SCHEMA}' AND c.relname = '_adoption'"
        );
        if let Some(owner) = catalog::text(conn, &query)? {
            return Ok(Some(Obstacle::Stranger(owner)));
        }
    }
    let mut tables = catalog::tables(conn)?;
    catalog::keep_reachable(conn, &mut tables)?;
    Ok(better_auth::looks_like(&tables).map(|table| Obstacle::BetterAuth(table.sql())))
}

/// A new id of one of our tables for which an adopted one stands whose ids are counted. Call it in
/// [`Db::write`](crate::Db::write).
///
/// # Errors
/// When the database fails, or nothing such is adopted.
pub fn next_id(conn: &mut AnyConnection, ours: &str) -> QueryResult<String> {
    let query = match conn {
        AnyConnection::Postgres(_) => postgres::next_id(ours),
        AnyConnection::Sqlite(_) => {
            let adoption = find(conn)?.ok_or(diesel::result::Error::NotFound)?;
            let table = adoption.table(ours).ok_or(diesel::result::Error::NotFound)?;
            sqlite::next_id(ours, &table.table, &table.id_column)
        }
    };
    catalog::text(conn, &query)?.ok_or(diesel::result::Error::NotFound)
}

/// Runs `work` on a connection of its own, without the doors' time limits.
async fn blocking<T, F>(db: &Db, work: F) -> Result<T, AdoptError>
where
    F: FnOnce(&mut AnyConnection, Backend) -> Result<T, AdoptError> + Send + 'static,
    T: Send + 'static,
{
    let db = db.clone();
    let backend = db.backend();
    let task = tokio::task::spawn_blocking(move || work(&mut db.connect_unlimited()?, backend));
    task.await.map_err(|error| DbError::Internal(error.to_string()))?
}
