//! The configurable rules of the personalization columns, kept by the database itself.
//!
//! PostgreSQL keeps a rule as the CHECK constraint `users_<column>_check`, with its text as the
//! constraint's comment; SQLite, which cannot change a CHECK, as the triggers
//! `users_<column>_check_insert` and `_update`. Both report the violation of
//! `users_<column>_check`. On adopted tables the names begin with `auth_sidecar`. NULL satisfies every rule.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::result::Error;
use diesel::sql_types::{BigInt, Nullable, Text};

use crate::adoption;
use crate::db::{AnyConnection, Backend, DbError};

/// The columns that can have a rule.
const COLUMNS: [&str; 2] = ["software_background", "hardware_background"];

/// What the migrations allow at most, in characters.
const HARD_MAX_LENGTH: usize = 100_000;

/// What certainly fits into a btree entry of PostgreSQL (2704 bytes with its head), in bytes.
const BTREE_BYTES: usize = 2600;

/// The most bytes a character takes in UTF-8.
const MAX_CHARACTER_BYTES: usize = 4;

/// What a personalization column may hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnRule {
    /// `software_background` or `hardware_background`.
    pub column: &'static str,
    /// Of the stored text, in code points: 1 to 100 000. For a list, of the whole JSON text.
    pub max_length: usize,
    /// The allowed values; any text when `None`.
    pub values: Option<Vec<String>>,
    /// Whether empty text, or only spaces, tabs and line ends, is allowed.
    pub allow_blank: bool,
    /// The column holds a JSON array of strings. Then `values` and `allow_blank` speak of its
    /// items, which the service checks alone.
    pub list: bool,
}

/// Why a rule was not put into force.
#[derive(Debug, thiserror::Error)]
pub enum FieldsError {
    /// The rule makes no sense.
    #[error("the rule of {column} is not valid: {reason}")]
    Invalid {
        /// The column named by the rule.
        column: &'static str,
        /// What is wrong.
        reason: &'static str,
    },
    /// Rows break the rule; nothing was changed.
    #[error("{rows} rows of users break the rule configured for {column}; change the rows or the rule")]
    RowsViolate {
        /// The column.
        column: &'static str,
        /// How many rows.
        rows: i64,
    },
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DbError),
}

impl From<Error> for FieldsError {
    fn from(error: Error) -> Self {
        Self::Database(DbError::classify(error))
    }
}

impl ColumnRule {
    fn validate(&self) -> Result<(), FieldsError> {
        let reason = if !COLUMNS.contains(&self.column) {
            "no such personalization column"
        } else if !(1..=HARD_MAX_LENGTH).contains(&self.max_length) {
            "max_length is not between 1 and 100000"
        } else if self.values.as_ref().is_some_and(Vec::is_empty) {
            "the list of allowed values is empty"
        } else if self.values.iter().flatten().any(|value| value.contains('\0')) {
            "an allowed value holds a NUL"
        } else {
            return Ok(());
        };
        Err(FieldsError::Invalid { column: self.column, reason })
    }

    /// The condition on `operand`, the column or `NEW.column`. NULL makes it NULL, which neither a
    /// CHECK nor a trigger takes for a violation.
    fn condition(&self, backend: Backend, operand: &str) -> String {
        let (length, blank) = match backend {
            Backend::Postgres => ("char_length", format!("btrim({operand}, E' \\t\\n\\x0B\\f\\r') = ''")),
            Backend::Sqlite => ("length", format!("trim({operand}, char(9, 10, 11, 12, 13, 32)) = ''")),
        };
        let mut condition = format!("{length}({operand}) <= {}", self.max_length);
        if self.list {
            return condition;
        }
        if let Some(values) = &self.values {
            let values: Vec<String> = values.iter().map(|value| quote(value)).collect();
            let one_of = format!("{operand} IN ({})", values.join(", "));
            if self.allow_blank {
                condition.push_str(&format!(" AND ({one_of} OR {blank})"));
            } else {
                condition.push_str(&format!(" AND {one_of}"));
            }
        }
        if !self.allow_blank {
            condition.push_str(&format!(" AND NOT {blank}"));
        }
        condition
    }

    /// In an adopted table the usual names may be taken.
    fn constraint(&self, users: &Users) -> String {
        format!("{}_{}_check", users.owner(), self.column)
    }

    fn index(&self, users: &Users) -> String {
        format!("{}_{}_idx", users.owner(), self.column)
    }

    /// PostgreSQL: btree serves ranges and sorting too, but refuses a text that does not fit.
    fn index_method(&self) -> &'static str {
        let values_fit = |values: &Vec<String>| values.iter().all(|value| value.len() <= BTREE_BYTES);
        let fits = self.max_length.saturating_mul(MAX_CHARACTER_BYTES) <= BTREE_BYTES
            || (!self.list && !self.allow_blank && self.values.as_ref().is_some_and(values_fit));
        if fits { "btree" } else { "hash" }
    }

    /// SQLite: the two triggers, by name.
    fn triggers(&self, users: &Users) -> [(String, String); 2] {
        let (column, constraint) = (users.column(self), self.constraint(users));
        let condition = self.condition(Backend::Sqlite, &format!("NEW.{column}"));
        [("insert", "INSERT".to_owned()), ("update", format!("UPDATE OF {column}"))].map(|(suffix, event)| {
            let name = format!("{constraint}_{suffix}");
            // In the file, where a temporary view may have the name of the table.
            let place = if users.adopted.is_some() { "main." } else { "" };
            let sql = format!(
                "CREATE TRIGGER {place}{name} BEFORE {event} ON {} WHEN NOT ({condition}) \
                 BEGIN SELECT RAISE(ABORT, 'CHECK constraint failed: {constraint}'); END",
                users.table
            );
            (name, sql)
        })
    }

    /// The statements that make the database agree with the rule; none when it does.
    fn statements(&self, backend: Backend, users: &Users, present: &[Present]) -> Vec<String> {
        let definition = |name: &str| {
            present.iter().find(|object| object.name == name).and_then(|object| object.definition.as_deref())
        };
        let mut statements = Vec::new();
        match backend {
            Backend::Postgres => {
                let (column, constraint) = (users.column(self), self.constraint(users));
                let condition = self.condition(backend, column);
                if definition(&constraint) != Some(condition.as_str()) {
                    let table = &users.table;
                    statements.push(format!("ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {constraint}"));
                    statements.push(format!("ALTER TABLE {table} ADD CONSTRAINT {constraint} CHECK ({condition})"));
                    let comment = quote(&condition);
                    statements.push(format!("COMMENT ON CONSTRAINT {constraint} ON {table} IS {comment}"));
                }
                let (index, method) = (self.index(users), self.index_method());
                if !definition(&index).is_some_and(|sql| sql.contains(&format!(" USING {method} "))) {
                    statements.push(format!("DROP INDEX IF EXISTS {}{index}", users.schema));
                    statements.push(format!("CREATE INDEX {index} ON {} USING {method} ({column})", users.table));
                }
            }
            Backend::Sqlite => {
                for (name, sql) in self.triggers(users) {
                    if definition(&name) != Some(sql.as_str()) {
                        statements.push(format!("DROP TRIGGER IF EXISTS {name}"));
                        statements.push(sql);
                    }
                }
            }
        }
        statements
    }
}

/// The SQL that puts the rules into force on a freshly migrated database, to be run by hand.
///
/// # Errors
/// When a rule makes no sense.
pub fn sql(backend: Backend, rules: &[ColumnRule]) -> Result<String, FieldsError> {
    let mut text = String::new();
    for rule in rules {
        rule.validate()?;
        for statement in rule.statements(backend, &Users::own(), &[]) {
            text.push_str(&statement);
            text.push_str(";\n");
        }
    }
    Ok(text)
}

/// Makes the constraints, triggers and indexes of `users` agree with the rules: all or, on an
/// error, none. One query when they do already.
pub(crate) fn apply(conn: &mut AnyConnection, rules: &[ColumnRule]) -> Result<(), FieldsError> {
    for rule in rules {
        rule.validate()?;
    }
    let backend = match conn {
        AnyConnection::Postgres(_) => Backend::Postgres,
        AnyConnection::Sqlite(_) => Backend::Sqlite,
    };
    let users = Users::find(conn)?;
    let present = present(conn, &users)?;
    let changes: Vec<(&ColumnRule, Vec<String>)> = rules
        .iter()
        .map(|rule| (rule, rule.statements(backend, &users, &present)))
        .filter(|(_, statements)| !statements.is_empty())
        .collect();
    if changes.is_empty() {
        return Ok(());
    }
    conn.transaction(|conn| {
        if backend == Backend::Postgres {
            // At once what ALTER TABLE needs: raising a lock later may deadlock.
            conn.batch_execute(&format!("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", users.table))?;
        }
        for (rule, statements) in changes {
            let rows = violating_rows(conn, &users, rule, backend)?;
            if rows > 0 {
                return Err(FieldsError::RowsViolate { column: rule.column, rows });
            }
            for statement in statements {
                conn.batch_execute(&statement)?;
            }
        }
        Ok(())
    })
}

/// The table that holds the columns: our own, or one that was adopted.
struct Users {
    /// As SQL names it.
    table: String,
    /// What stands before the names of its indexes: empty, or its schema and a dot.
    schema: String,
    adopted: Option<adoption::Adopted>,
}

impl Users {
    fn own() -> Self {
        Self { table: "users".to_owned(), schema: String::new(), adopted: None }
    }

    fn find(conn: &mut AnyConnection) -> QueryResult<Self> {
        let adopted = adoption::find(conn)?.and_then(|adoption| adoption.tables.into_iter().next());
        Ok(adopted.map_or_else(Self::own, |adopted| Self {
            table: adopted.table.clone(),
            schema: adopted.prefix().to_owned(),
            adopted: Some(adopted),
        }))
    }

    /// What the names of constraints and indexes begin with.
    fn owner(&self) -> &'static str {
        if self.adopted.is_some() { "auth_sidecar" } else { "users" }
    }

    /// What the rule's column is called there.
    fn column<'a>(&'a self, rule: &'a ColumnRule) -> &'a str {
        self.adopted.as_ref().map_or(rule.column, |adopted| adopted.field(rule.column))
    }

    /// The table as a query names it: on SQLite not the view of the same name.
    fn queried(&self, backend: Backend) -> String {
        if backend == Backend::Sqlite { format!("main.{}", self.table) } else { self.table.clone() }
    }
}

/// A constraint, trigger or index of `users` as the database has it.
#[derive(QueryableByName)]
struct Present {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Nullable<Text>)]
    definition: Option<String>,
}

fn present(conn: &mut AnyConnection, users: &Users) -> QueryResult<Vec<Present>> {
    let query = match conn {
        AnyConnection::Postgres(_) => {
            let table = quote(&users.table);
            format!(
                "SELECT conname::text AS name, obj_description(oid, 'pg_constraint') AS definition \
                 FROM pg_constraint WHERE conrelid = to_regclass({table}) \
                 UNION ALL \
                 SELECT relname::text, pg_get_indexdef(indexrelid) \
                 FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid WHERE indrelid = to_regclass({table})"
            )
        }
        AnyConnection::Sqlite(_) => {
            let table = users.adopted.as_ref().map_or_else(|| "users".to_owned(), adoption::Adopted::name);
            format!(
                "SELECT name, sql AS definition FROM main.sqlite_schema WHERE tbl_name = {} AND type = 'trigger'",
                quote(&table)
            )
        }
    };
    diesel::sql_query(query).load(conn)
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

fn violating_rows(conn: &mut AnyConnection, users: &Users, rule: &ColumnRule, backend: Backend) -> QueryResult<i64> {
    let condition = rule.condition(backend, users.column(rule));
    let query = format!("SELECT count(*) AS n FROM {} WHERE NOT ({condition})", users.queried(backend));
    Ok(diesel::sql_query(query).get_result::<Count>(conn)?.n)
}

/// A string literal of either database; PostgreSQL with `standard_conforming_strings`.
fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule() -> ColumnRule {
        ColumnRule { column: "software_background", max_length: 1000, values: None, allow_blank: false, list: false }
    }

    #[test]
    fn the_index_is_a_btree_only_when_every_allowed_value_fits() {
        let values = |values: &[String]| ColumnRule { values: Some(values.to_vec()), ..rule() };
        assert_eq!(rule().index_method(), "hash");
        assert_eq!(ColumnRule { max_length: 650, ..rule() }.index_method(), "btree");
        assert_eq!(ColumnRule { max_length: 651, ..rule() }.index_method(), "hash");
        assert_eq!(values(&["beginner".to_owned()]).index_method(), "btree");
        assert_eq!(values(&["x".repeat(2601)]).index_method(), "hash");
        assert_eq!(ColumnRule { list: true, ..values(&["a".to_owned()]) }.index_method(), "hash");
        // A thousand spaces and more may then be stored beside the values.
        assert_eq!(ColumnRule { allow_blank: true, ..values(&["a".to_owned()]) }.index_method(), "hash");
    }

    #[test]
    fn values_are_quoted() {
        let rule = ColumnRule { values: Some(vec!["it's".to_owned(), "b\\".to_owned()]), ..rule() };
        assert!(rule.condition(Backend::Postgres, "c").contains(r"c IN ('it''s', 'b\')"));
    }

    #[test]
    fn rules_that_make_no_sense_are_refused() {
        for bad in [
            ColumnRule { column: "email", ..rule() },
            ColumnRule { max_length: 0, ..rule() },
            ColumnRule { max_length: 100_001, ..rule() },
            ColumnRule { values: Some(Vec::new()), ..rule() },
            ColumnRule { values: Some(vec!["a\0".to_owned()]), ..rule() },
        ] {
            assert!(matches!(bad.validate(), Err(FieldsError::Invalid { .. })), "{bad:?}");
        }
        assert!(rule().validate().is_ok());
    }
}
