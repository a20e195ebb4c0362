//! What would be done with another program's tables, and what ours are like.

use super::expression::{ident, unquoted};
use crate::db::Backend;

/// A table's schema and name; a SQLite file has no schemas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableName {
    /// The schema.
    pub schema: Option<String>,
    /// The name.
    pub name: String,
}

impl TableName {
    /// `schema.name`, or a name in the schema `public`; on SQLite a name.
    #[must_use]
    pub fn parse(backend: Backend, text: &str) -> Self {
        match (backend, text.split_once('.')) {
            (Backend::Postgres, Some((schema, name))) => Self { schema: Some(unquoted(schema)), name: unquoted(name) },
            (Backend::Postgres, None) => Self { schema: Some("public".to_owned()), name: unquoted(text) },
            (Backend::Sqlite, _) => Self { schema: None, name: unquoted(text.strip_prefix("main.").unwrap_or(text)) },
        }
    }

    /// Its schema with a dot, quoted for SQL; empty on SQLite.
    #[must_use]
    pub fn prefix(&self) -> String {
        self.schema.as_ref().map_or_else(String::new, |schema| format!("{}.", ident(schema)))
    }

    /// Quoted, for SQL. SQLite's triggers know no schemas.
    #[must_use]
    pub fn sql(&self) -> String {
        format!("{}{}", self.prefix(), ident(&self.name))
    }
}

/// What somebody says about the tables beyond what they show.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// The table of users.
    pub table: Option<TableName>,
    /// Columns of the table of users: ours by theirs, as `("password", "pwd_hash")`.
    pub columns: Vec<(String, String)>,
    /// The declared fields beside the two columns.
    pub fields: Vec<DeclaredField>,
    /// Columns that keep nobody out, whatever their names suggest.
    pub ignored: Vec<String>,
}

/// A declared field that ours would hold in the JSON column, and theirs may have a column for.
#[derive(Clone, Debug)]
pub struct DeclaredField {
    /// `users` or `sessions`.
    pub table: &'static str,
    /// Its name in the JSON text.
    pub name: String,
    /// Its key on the wire, after which theirs may be called.
    pub key: String,
}

/// Whose tables they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A program that keeps its users, with the hashes of their passwords, in one table.
    UsersTable,
    /// A Better Auth server on Node.
    BetterAuth,
}

impl Source {
    pub(super) const ALL: [Self; 2] = [Self::UsersTable, Self::BetterAuth];

    /// How it is recorded.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::UsersTable => "users table",
            Self::BetterAuth => "Better Auth",
        }
    }
}

/// What the ids of a table are. New rows get the same kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IdKind {
    /// Texts, as everywhere else here.
    #[default]
    Text,
    /// UUIDs.
    Uuid,
    /// UUIDs without hyphens, as SQLAlchemy keeps them on SQLite.
    UuidHex,
    /// Whole numbers, counted up by the database.
    Number,
}

impl IdKind {
    pub(super) const ALL: [Self; 4] = [Self::Text, Self::Uuid, Self::UuidHex, Self::Number];

    /// How it is recorded.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Uuid => "uuid",
            Self::UuidHex => "uuid without hyphens",
            Self::Number => "number",
        }
    }
}

/// What would be done.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Whose tables they are.
    pub source: Source,
    /// The tables that stand for ours; that of users is the first.
    pub tables: Vec<TablePlan>,
    /// The kind of most passwords' hashes, as [`Adoption::hash`](super::Adoption).
    pub hash: &'static str,
    /// What a person should know.
    pub notes: Vec<String>,
    /// What stands in the way.
    pub problems: Vec<String>,
}

impl Plan {
    /// The table that stands for one of ours.
    #[must_use]
    pub fn table(&self, ours: &str) -> Option<&TablePlan> {
        self.tables.iter().find(|table| table.ours == ours)
    }
}

/// What would be done with one table.
#[derive(Clone, Debug)]
pub struct TablePlan {
    /// The table of ours that it stands for.
    pub ours: &'static str,
    /// Its name.
    pub table: TableName,
    /// How many rows it has.
    pub rows: i64,
    /// What its ids are.
    pub ids: IdKind,
    /// Columns of ours that are there already.
    pub kept: Vec<Kept>,
    /// Columns that are added: ours, and the name they get there.
    pub added: Vec<(&'static str, String)>,
    /// Columns of theirs that a new row needs, and the value we give.
    pub given: Vec<(String, &'static str)>,
    /// Columns of theirs that hold declared fields, by the fields' names.
    pub declared: Vec<(String, Column)>,
    /// Indexes that are made.
    pub indexes: Vec<Index>,
}

impl Plan {
    /// SQLite: gives columns without a time in them the form of others: of the same type first, else of any.
    pub(super) fn settle_times(&mut self) {
        let known: Vec<(String, TimeForm)> = self
            .tables
            .iter()
            .flat_map(|table| &table.kept)
            .filter(|kept| kept.time != TimeForm::Native)
            .map(|kept| (kept.column.kind.to_ascii_uppercase(), kept.time))
            .collect();
        let source = self.source;
        for kept in self.tables.iter_mut().flat_map(TablePlan::times).filter(|kept| kept.time == TimeForm::Native) {
            let kind = kept.column.kind.to_ascii_uppercase();
            let like = known.iter().find(|(other, _)| *other == kind).map(|(_, form)| *form);
            let counts = kept.column.class(Backend::Sqlite) == Class::Number;
            kept.time = like.unwrap_or(match source {
                _ if counts => TimeForm::Milliseconds,
                Source::BetterAuth => TimeForm::Iso,
                Source::UsersTable => TimeForm::Spaced,
            });
        }
    }
}

/// A column of theirs that stands for one of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Ours.
    pub ours: &'static str,
    /// Theirs.
    pub column: Column,
    /// How it holds a time.
    pub(super) time: TimeForm,
}

/// An index that is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    /// Its name.
    pub name: String,
    /// What it is on, as SQL.
    pub on: String,
    /// Whether it keeps values apart.
    pub unique: bool,
}

impl TablePlan {
    /// The column that stands for one of ours.
    pub(super) fn theirs(&self, ours: &str) -> Option<&Column> {
        self.kept.iter().find(|kept| kept.ours == ours).map(|kept| &kept.column)
    }

    /// The name in the table of one of our columns, quoted.
    pub(super) fn name_of(&self, ours: &str) -> Option<String> {
        let added = || self.added.iter().find(|(column, _)| *column == ours).map(|(_, name)| ident(name));
        self.theirs(ours).map(|column| ident(&column.name)).or_else(added)
    }

    /// Its columns that hold times.
    fn times(&mut self) -> impl Iterator<Item = &mut Kept> {
        let ours = columns_of(self.ours);
        let holds_time = |name: &str| ours.iter().any(|column| column.name == name && column.holds == Holds::Time);
        self.kept.iter_mut().filter(move |kept| holds_time(kept.ours))
    }

    /// Whether one of its columns stands for something of ours.
    pub(super) fn knows(&self, name: &str) -> bool {
        self.kept.iter().any(|kept| kept.column.name == name)
            || self.declared.iter().any(|(_, column)| column.name == name)
            || self.given.iter().any(|(column, _)| column == name)
    }

    /// The statements that make its indexes.
    pub(super) fn create_indexes(&self) -> Vec<String> {
        let create = |index: &Index| {
            let unique = if index.unique { "UNIQUE " } else { "" };
            format!("CREATE {unique}INDEX {} ON {} ({})", ident(&index.name), self.table.sql(), index.on)
        };
        self.indexes.iter().map(create).collect()
    }

    /// The type of a column that is there.
    pub(super) fn type_of(&self, ours: &str) -> &str {
        self.theirs(ours).map_or("text", |column| column.kind.as_str())
    }
}

/// How a column holds times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum TimeForm {
    /// As the database's own type.
    #[default]
    Native,
    /// SQLite: `2026-01-31T12:00:00.123Z`.
    Iso,
    /// SQLite: `2026-01-31T12:00:00.123+00:00`.
    Offset,
    /// SQLite: `2026-01-31 12:00:00.123456`.
    Spaced,
    /// SQLite: milliseconds since the Unix epoch.
    Milliseconds,
    /// SQLite: seconds since the Unix epoch.
    Seconds,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type, as the database writes it.
    pub kind: String,
    /// Whether it holds no NULL.
    pub not_null: bool,
    /// Whether a row may be inserted without it.
    pub has_default: bool,
}

/// PostgreSQL: a text without regard to case, whichever schema its extension is in.
pub(super) fn is_citext(kind: &str) -> bool {
    kind.rsplit('.').next() == Some("citext")
}

/// What the type of a column is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Text,
    Bool,
    Number,
    Time,
    Uuid,
    Other,
}

impl Column {
    pub(super) fn class(&self, backend: Backend) -> Class {
        if backend == Backend::Postgres {
            return match self.kind.as_str() {
                "text" | "character varying" => Class::Text,
                kind if is_citext(kind) => Class::Text,
                "boolean" => Class::Bool,
                "smallint" | "integer" | "bigint" => Class::Number,
                "timestamp with time zone" | "timestamp without time zone" => Class::Time,
                "uuid" => Class::Uuid,
                _ => Class::Other,
            };
        }
        let kind = self.kind.to_ascii_uppercase();
        let has = |parts: &[&str]| parts.iter().any(|part| kind.contains(part));
        if has(&["BOOL"]) {
            Class::Bool
        } else if has(&["DATE", "TIME"]) {
            Class::Time
        } else if has(&["INT"]) {
            Class::Number
        } else if kind.is_empty() || has(&["CHAR", "CLOB", "TEXT", "UUID", "GUID", "STRING"]) {
            Class::Text
        } else {
            Class::Other
        }
    }
}

/// What a column of ours holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    Text,
    Bool,
    Time,
    /// The id of the row, or of its user.
    Id,
}

/// What a table without one of our columns gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lack {
    /// It cannot stand for ours.
    Problem,
    /// A column that may be NULL.
    Null,
    /// One with this default.
    Default(&'static str),
    /// One that holds the time of the adoption, and then of each row.
    Now,
}

/// A column of one of our tables.
pub(super) struct Ours {
    pub(super) name: &'static str,
    pub(super) holds: Holds,
    pub(super) null: bool,
    pub(super) lack: Lack,
}

const fn column(name: &'static str, holds: Holds, null: bool, lack: Lack) -> Ours {
    Ours { name, holds, null, lack }
}

/// The columns of one of our tables, in their order.
pub(super) fn columns_of(ours: &str) -> &'static [Ours] {
    match ours {
        "users" => USERS,
        "sessions" => SESSIONS,
        "accounts" => ACCOUNTS,
        "verifications" => VERIFICATIONS,
        _ => JWKS,
    }
}

const USERS: &[Ours] = &[
    column("id", Holds::Id, false, Lack::Problem),
    column("name", Holds::Text, false, Lack::Default("''")),
    column("email", Holds::Text, false, Lack::Problem),
    column("email_verified", Holds::Bool, false, Lack::Default("false")),
    column("image", Holds::Text, true, Lack::Null),
    column("created_at", Holds::Time, false, Lack::Now),
    column("updated_at", Holds::Time, false, Lack::Now),
    column("software_background", Holds::Text, true, Lack::Null),
    column("hardware_background", Holds::Text, true, Lack::Null),
    column("additional_fields", Holds::Text, false, Lack::Default("'{}'")),
    column("banned", Holds::Bool, true, Lack::Default("false")),
    column("ban_reason", Holds::Text, true, Lack::Null),
    column("ban_expires", Holds::Time, true, Lack::Null),
];

const SESSIONS: &[Ours] = &[
    column("id", Holds::Id, false, Lack::Problem),
    column("expires_at", Holds::Time, false, Lack::Problem),
    column("token", Holds::Text, false, Lack::Problem),
    column("created_at", Holds::Time, false, Lack::Problem),
    column("updated_at", Holds::Time, false, Lack::Problem),
    column("ip_address", Holds::Text, true, Lack::Null),
    column("user_agent", Holds::Text, true, Lack::Null),
    column("user_id", Holds::Id, false, Lack::Problem),
    column("additional_fields", Holds::Text, false, Lack::Default("'{}'")),
];

const ACCOUNTS: &[Ours] = &[
    column("id", Holds::Id, false, Lack::Problem),
    column("account_id", Holds::Text, false, Lack::Problem),
    column("provider_id", Holds::Text, false, Lack::Problem),
    column("user_id", Holds::Id, false, Lack::Problem),
    column("access_token", Holds::Text, true, Lack::Null),
    column("refresh_token", Holds::Text, true, Lack::Null),
    column("id_token", Holds::Text, true, Lack::Null),
    column("access_token_expires_at", Holds::Time, true, Lack::Null),
    column("refresh_token_expires_at", Holds::Time, true, Lack::Null),
    column("scope", Holds::Text, true, Lack::Null),
    column("password", Holds::Text, true, Lack::Problem),
    column("created_at", Holds::Time, false, Lack::Problem),
    column("updated_at", Holds::Time, false, Lack::Problem),
];

const VERIFICATIONS: &[Ours] = &[
    column("id", Holds::Id, false, Lack::Problem),
    column("identifier", Holds::Text, false, Lack::Problem),
    column("value", Holds::Text, false, Lack::Problem),
    column("expires_at", Holds::Time, false, Lack::Problem),
    column("created_at", Holds::Time, false, Lack::Problem),
    column("updated_at", Holds::Time, false, Lack::Problem),
];

const JWKS: &[Ours] = &[
    column("id", Holds::Id, false, Lack::Problem),
    column("public_key", Holds::Text, false, Lack::Problem),
    column("private_key", Holds::Text, false, Lack::Problem),
    column("created_at", Holds::Time, false, Lack::Problem),
    column("expires_at", Holds::Time, true, Lack::Null),
    column("alg", Holds::Text, true, Lack::Null),
    column("crv", Holds::Text, true, Lack::Null),
];

/// Our tables that stand beside an adopted table of users.
pub(super) const USERS_OWN_TABLES: [&str; 5] = ["sessions", "accounts", "verifications", "mails", "jwks"];
