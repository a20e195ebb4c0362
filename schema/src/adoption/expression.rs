//! How each column of ours is read from, and written to, the one of theirs that stands for it.

use super::plan::{Class, Column, Holds, Kept, Plan, Source, TablePlan, TimeForm, columns_of, is_citext};
use super::record::no_password;
use crate::db::Backend;

/// The name that a quoted identifier, or one without quotes, stands for.
pub(crate) fn unquoted(ident: &str) -> String {
    ident.trim_matches('"').replace("\"\"", "\"")
}

/// A quoted identifier.
pub(super) fn ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A string literal; on PostgreSQL with `standard_conforming_strings`.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// One column of a view.
pub(super) struct Mapped {
    /// Ours.
    pub(super) ours: &'static str,
    /// Theirs, quoted; `None` where nothing is kept.
    pub(super) theirs: Option<String>,
    /// What the view shows of a row `u`.
    pub(super) read: String,
    /// What a trigger writes of a row `NEW`.
    pub(super) write: String,
}

impl Mapped {
    /// Whether the view shows the column as it is.
    pub(super) fn is_plain(&self) -> bool {
        self.theirs.as_ref().is_some_and(|theirs| self.read == format!("u.{theirs}"))
    }
}

/// The columns of the view that stands for one of our tables, in our order.
pub(super) fn mapped(backend: Backend, plan: &Plan, table: &TablePlan) -> Vec<Mapped> {
    columns_of(table.ours)
        .iter()
        .map(|ours| {
            let (read, write) = expressions(backend, plan, table, ours.name, ours.holds, ours.null);
            let theirs = match (ours.name, table.theirs("active")) {
                ("banned", Some(active)) => Some(ident(&active.name)),
                _ => table.name_of(ours.name),
            };
            Mapped { ours: ours.name, theirs, read, write }
        })
        .collect()
}

/// What the triggers of a view write into the table.
pub(super) struct Written {
    /// The columns of a new row.
    pub(super) columns: String,
    /// Their values.
    pub(super) values: String,
    /// The assignments of an update.
    pub(super) sets: String,
}

/// The parts of the triggers' statements.
pub(super) fn written(backend: Backend, plan: &Plan, table: &TablePlan, mapped: &[Mapped]) -> Written {
    let kept = || mapped.iter().filter_map(|column| Some((column, column.theirs.as_ref()?)));
    let (mut columns, mut values): (Vec<String>, Vec<String>) =
        kept().map(|(column, theirs)| (theirs.clone(), column.write.clone())).unzip();
    if let Some(password) = table.theirs("password").filter(|column| table.ours == "users" && column.not_null) {
        columns.push(ident(&password.name));
        values.push(literal(&no_password(plan.hash)));
    }
    for (name, column) in &table.declared {
        columns.push(ident(&column.name));
        values.push(declared_value(backend, name, column));
    }
    for (column, given) in &table.given {
        columns.push(ident(column));
        values.push((*given).to_owned());
    }
    let differs = match backend {
        Backend::Postgres => "IS DISTINCT FROM",
        Backend::Sqlite => "IS NOT",
    };
    // A column that is not changed is not written: it may hold more than the view shows, or have been changed meanwhile.
    let sets: Vec<String> = kept()
        .filter(|(column, _)| column.ours != "id")
        .map(|(column, theirs)| {
            let of = column.ours;
            format!("{theirs} = CASE WHEN NEW.{of} {differs} OLD.{of} THEN {} ELSE {theirs} END", column.write)
        })
        .collect();
    let declared = table.declared.iter().map(|(name, column)| {
        let (theirs, value) = (ident(&column.name), declared_value(backend, name, column));
        format!(
            "{theirs} = CASE WHEN NEW.additional_fields {differs} OLD.additional_fields THEN {value} ELSE {theirs} END"
        )
    });
    let sets: Vec<String> = sets.into_iter().chain(declared).collect();
    Written { columns: columns.join(", "), values: values.join(", "), sets: sets.join(", ") }
}

/// What the view shows.
pub(super) fn select(table: &TablePlan, columns: &[Mapped]) -> String {
    let columns: Vec<String> = columns.iter().map(|column| format!("{} AS {}", column.read, column.ours)).collect();
    // Whoever has no address cannot be a user of ours.
    let addressed = match table.theirs("email").filter(|column| table.ours == "users" && !column.not_null) {
        Some(email) => format!(" WHERE u.{} IS NOT NULL", ident(&email.name)),
        None => String::new(),
    };
    format!("SELECT {} FROM {} u{addressed}", columns.join(", "), table.table.sql())
}

fn expressions(
    backend: Backend,
    plan: &Plan,
    table: &TablePlan,
    ours: &'static str,
    holds: Holds,
    null: bool,
) -> (String, String) {
    let new = format!("NEW.{ours}");
    if let ("banned", Some(active)) = (ours, table.theirs("active")) {
        return (format!("NOT coalesce(u.{}, true)", ident(&active.name)), format!("NOT coalesce({new}, false)"));
    }
    let Some(name) = table.name_of(ours) else {
        // Who is not active there has neither a reason nor an end here.
        let nothing = match (backend, holds) {
            (Backend::Postgres, Holds::Time) => "NULL::timestamptz",
            (Backend::Postgres, _) => "NULL::text",
            (Backend::Sqlite, _) => "NULL",
        };
        return (nothing.to_owned(), new);
    };
    let kept = table.kept.iter().find(|kept| kept.ours == ours);
    let column = format!("u.{name}");
    if ours == "additional_fields" && !table.declared.is_empty() {
        return (declared(backend, table, &format!("u.{name}")), new);
    }
    // What is added is as ours, but for times on SQLite, which adds no column with such a default.
    let added_null = backend == Backend::Sqlite && holds == Holds::Time;
    let holds_null = kept.map_or(added_null, |kept| !kept.column.not_null) && !null;
    let filled = |read: String, nothing: &str| if holds_null { format!("coalesce({read}, {nothing})") } else { read };
    match holds {
        Holds::Id => id(backend, table, ours, &column, &new),
        Holds::Bool => match backend {
            Backend::Postgres if null => (column, format!("coalesce({new}, false)")),
            Backend::Postgres => (filled(column, "false"), new),
            Backend::Sqlite => (format!("(coalesce({column}, 0) <> 0)"), format!("coalesce({new}, 0)")),
        },
        Holds::Time => match backend {
            Backend::Postgres => postgres_time(plan.source, kept, &column, new, holds_null),
            Backend::Sqlite => {
                let form = kept.map_or(added_time(plan), |kept| kept.time);
                (filled(sqlite_time(form, &column), "'1970-01-01 00:00:00'"), stored_time(form, &new))
            }
        },
        Holds::Text if ours == "email" && plan.source == Source::UsersTable => {
            (format!("lower({})", as_text(backend, table, ours, &column)), new)
        }
        Holds::Text => (filled(as_text(backend, table, ours, &column), "''"), new),
    }
}

/// The JSON text with what their own columns hold.
fn declared(backend: Backend, table: &TablePlan, column: &str) -> String {
    let members: Vec<String> = table
        .declared
        .iter()
        .map(|(name, column)| {
            let value = format!("u.{}", ident(&column.name));
            let is_flag = matches!(column.class(Backend::Sqlite), Class::Bool);
            let value = match backend {
                Backend::Sqlite if is_flag => {
                    format!("json(CASE WHEN {value} IS NULL THEN 'null' WHEN {value} THEN 'true' ELSE 'false' END)")
                }
                _ => value,
            };
            format!("{}, {value}", literal(name))
        })
        .collect();
    match backend {
        Backend::Postgres => format!("({column}::jsonb || jsonb_build_object({}))::text", members.join(", ")),
        Backend::Sqlite => format!("json_patch({column}, json_object({}))", members.join(", ")),
    }
}

/// A declared field out of the JSON text that is written.
fn declared_value(backend: Backend, name: &str, column: &Column) -> String {
    match backend {
        Backend::Postgres => format!("(NEW.additional_fields::jsonb ->> {})::{}", literal(name), column.kind),
        Backend::Sqlite => format!("json_extract(NEW.additional_fields, {})", literal(&format!("$.\"{name}\""))),
    }
}

fn as_text(backend: Backend, table: &TablePlan, ours: &str, column: &str) -> String {
    let is_citext = backend == Backend::Postgres && is_citext(table.type_of(ours));
    if is_citext { format!("{column}::text") } else { column.to_owned() }
}

/// An id that is not of their kind, which only rows have that nobody names by it, is left to the database.
fn id(backend: Backend, table: &TablePlan, ours: &str, column: &str, new: &str) -> (String, String) {
    let class = table.theirs(ours).map_or(Class::Text, |column| column.class(backend));
    let own = ours == "id";
    match (backend, class) {
        (_, Class::Text) => (column.to_owned(), new.to_owned()),
        (Backend::Postgres, Class::Uuid) if own => (
            format!("{column}::text"),
            format!(
                "CASE WHEN {new} LIKE '________-____-____-____-____________' THEN {new}::uuid ELSE gen_random_uuid() END"
            ),
        ),
        (Backend::Postgres, Class::Number) if own => (
            format!("{column}::text"),
            format!(
                "CASE WHEN {new} ~ '^[0-9]{{1,18}}$' THEN {new}::bigint ELSE nextval(pg_get_serial_sequence({}, {})) END",
                literal(&table.table.sql()),
                literal(&table.theirs(ours).map(|column| column.name.clone()).unwrap_or_default())
            ),
        ),
        (Backend::Postgres, _) => (format!("{column}::text"), format!("{new}::{}", table.type_of(ours))),
        (Backend::Sqlite, _) if own => (
            format!("CAST({column} AS TEXT)"),
            format!(
                "CASE WHEN {new} NOT GLOB '*[^0-9]*' AND length({new}) BETWEEN 1 AND 18 THEN CAST({new} AS INTEGER) END"
            ),
        ),
        (Backend::Sqlite, _) => (format!("CAST({column} AS TEXT)"), format!("CAST({new} AS INTEGER)")),
    }
}

/// One without a zone is taken for UTC. Our own code knows milliseconds alone; what Better Auth writes has no more.
fn postgres_time(source: Source, kept: Option<&Kept>, column: &str, new: String, holds_null: bool) -> (String, String) {
    let zoneless = kept.is_some_and(|kept| kept.column.kind == "timestamp without time zone");
    if source == Source::BetterAuth {
        let nothing = if zoneless { "'epoch'::timestamp" } else { "'epoch'::timestamptz" };
        return (if holds_null { format!("coalesce({column}, {nothing})") } else { column.to_owned() }, new);
    }
    let instant = if zoneless { format!("{column} AT TIME ZONE 'UTC'") } else { column.to_owned() };
    let read = format!("date_trunc('milliseconds', {instant})");
    (
        if holds_null { format!("coalesce({read}, 'epoch'::timestamptz)") } else { read },
        if zoneless { format!("{new} AT TIME ZONE 'UTC'") } else { new },
    )
}

/// SQLite: how columns that are added hold times; as the others of that program.
pub(super) fn added_time(plan: &Plan) -> TimeForm {
    let kept = plan.tables.iter().flat_map(|table| &table.kept).find(|kept| kept.time != TimeForm::Native);
    kept.map_or(if plan.source == Source::BetterAuth { TimeForm::Iso } else { TimeForm::Spaced }, |kept| kept.time)
}

/// SQLite: as diesel reads times, whatever the form, since rows of several forms occur in one column.
fn sqlite_time(form: TimeForm, column: &str) -> String {
    let unit = if form == TimeForm::Seconds { "" } else { " / 1000.0" };
    format!(
        "CASE typeof({column}) WHEN 'integer' THEN strftime('%Y-%m-%d %H:%M:%f', {column}{unit}, 'unixepoch') \
         ELSE strftime('%Y-%m-%d %H:%M:%f', {column}) END"
    )
}

/// SQLite: a time of ours as theirs.
pub(super) fn stored_time(form: TimeForm, time: &str) -> String {
    match form {
        TimeForm::Offset => format!("strftime('%Y-%m-%dT%H:%M:%f+00:00', {time})"),
        TimeForm::Iso => format!("strftime('%Y-%m-%dT%H:%M:%fZ', {time})"),
        // SQLAlchemy takes the digits for microseconds.
        TimeForm::Spaced | TimeForm::Native => format!("strftime('%Y-%m-%d %H:%M:%f', {time}) || '000'"),
        TimeForm::Milliseconds => {
            format!(
                "(CAST(strftime('%s', {time}) AS INTEGER) * 1000 + CAST(substr(strftime('%f', {time}), 4) AS INTEGER))"
            )
        }
        TimeForm::Seconds => format!("CAST(strftime('%s', {time}) AS INTEGER)"),
    }
}

/// The name of an index of ours on a table of theirs.
pub(super) fn index_name(table: &str, what: &str, unique: bool) -> String {
    let mut name = table.to_owned();
    // PostgreSQL cuts names at 63 bytes, and two that are cut alike would be one.
    while name.len() > 36 {
        name.pop();
    }
    format!("{name}_{what}_auth_sidecar_{}", if unique { "key" } else { "idx" })
}

/// Whether ids of this kind are shown as another type than they have.
pub(super) fn is_cast(backend: Backend, table: &TablePlan, ours: &str) -> bool {
    table.theirs(ours).is_some_and(|column| column.class(backend) != Class::Text)
}

/// A column that is cast, as an index is on it.
pub(super) fn indexed_text(backend: Backend, column: &str) -> String {
    match backend {
        Backend::Postgres => format!("({column}::text)"),
        Backend::Sqlite => format!("CAST({column} AS TEXT)"),
    }
}
