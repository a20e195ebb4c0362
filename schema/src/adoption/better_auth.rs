//! The tables of a Better Auth server on Node, whichever adapter made them (Kysely, Drizzle, Prisma) and whatever they
//! are called: they are known by their columns, in camel or snake case.

use diesel::QueryResult;

use super::AdoptError;
use super::catalog::{self, Table, count, ids, is_indexed, keep, spellings};
use super::expression::{ident, index_name, indexed_text, is_cast};
use super::plan::{Index, Lack, Overrides, Plan, Source, TableName, TablePlan, columns_of};
use crate::db::{AnyConnection, Backend};

/// Our tables, each with the columns by which the one of theirs is known and the names it usually has.
const KNOWN_BY: [(&str, &[&str], &[&str]); 5] = [
    ("users", &["email_verified"], &["user", "users"]),
    ("sessions", &["token", "expires_at", "user_id"], &["session", "sessions"]),
    ("accounts", &["account_id", "provider_id", "user_id"], &["account", "accounts"]),
    ("verifications", &["identifier", "value", "expires_at"], &["verification", "verifications"]),
    ("jwks", &["public_key", "private_key"], &["jwks"]),
];

/// Names that people give to columns of users, beside the usual ones.
const OTHER_NAMES: [(&str, &[&str]); 2] =
    [("email", &["email_address", "emailAddress"]), ("image", &["picture", "avatar", "avatar_url", "avatarUrl"])];

/// The columns that the server looks rows up by, and whether they keep rows apart.
const LOOKED_UP_BY: [(&str, &str, bool); 6] = [
    ("users", "email", true),
    ("sessions", "token", true),
    ("sessions", "user_id", false),
    ("sessions", "expires_at", false),
    ("accounts", "user_id", false),
    ("verifications", "identifier", false),
];

/// What was found of a Better Auth server's tables.
pub(super) struct Found<'a> {
    /// The tables that stand for ours.
    pub(super) tables: Vec<(&'static str, &'a Table)>,
    /// The usual names of those that are missing.
    missing: Vec<&'static str>,
}

/// The tables of a Better Auth server; `None` where there are none, or too few to take them for such.
pub(super) fn find<'a>(tables: &'a [Table], overrides: &Overrides) -> Option<Found<'a>> {
    let mut found = Found { tables: Vec::new(), missing: Vec::new() };
    for (ours, columns, names) in KNOWN_BY {
        let looks = |table: &&Table| columns.iter().all(|column| column_of(table, column).is_some());
        let mut like: Vec<&Table> = tables.iter().filter(looks).collect();
        if let (Some(name), "users") = (&overrides.table, ours) {
            like.retain(|table| table.name == *name);
        }
        let named = |table: &&Table| names.contains(&table.name.name.as_str());
        let usual = like.iter().copied().find(named).or(if let [one] = like.as_slice() { Some(*one) } else { None });
        // One of another shape is named for what it lacks.
        let other = || if ours == "users" { None } else { tables.iter().find(named) };
        match usual.or_else(other) {
            Some(table) => found.tables.push((ours, table)),
            None if ours == "jwks" => {}
            None => found.missing.extend(names.first()),
        }
    }
    let users = found.tables.iter().find(|(ours, _)| *ours == "users")?;
    let keeps_passwords = users.1.column(super::users_table::PASSWORDS).is_some();
    let enough = if keeps_passwords { 4 } else { 3 };
    (found.tables.iter().filter(|(ours, _)| *ours != "jwks").count() >= enough).then_some(found)
}

fn column_of<'a>(table: &'a Table, ours: &str) -> Option<&'a super::Column> {
    let [camel, snake] = spellings(ours);
    let others = OTHER_NAMES.iter().find(|(name, _)| *name == ours).map_or(&[][..], |(_, others)| others);
    table.column(&[&camel, &snake]).or_else(|| table.column(others))
}

pub(super) fn plan(
    conn: &mut AnyConnection,
    backend: Backend,
    tables: &[Table],
    found: &Found<'_>,
    overrides: &Overrides,
) -> Result<Plan, AdoptError> {
    let mut plan = Plan {
        source: Source::BetterAuth,
        tables: Vec::new(),
        hash: "scrypt",
        notes: Vec::new(),
        problems: Vec::new(),
    };
    for missing in &found.missing {
        plan.problems.push(format!("there is no table {missing}, which every version of Better Auth has"));
    }
    for (ours, table) in &found.tables {
        let planned = plan_table(conn, backend, ours, table, overrides, &mut plan.problems)?;
        plan.tables.push(planned);
    }
    if backend == Backend::Sqlite {
        let missing: Vec<&str> = ["mails", "jwks"].into_iter().filter(|ours| plan.table(ours).is_none()).collect();
        catalog::judge_names(tables, &missing, &mut plan.problems);
    }
    if plan.table("jwks").is_none() {
        plan.notes.push("there is no table of keys: this service makes its own".to_owned());
    }
    say_what_is_behind_or_ahead(conn, backend, tables, &found.tables, &mut plan)?;
    if plan.problems.is_empty() {
        judge_rows(conn, &mut plan)?;
        let passwords = plan
            .table("accounts")
            .and_then(|accounts| Some((accounts.table.clone(), accounts.theirs("password")?.name.clone())));
        if let Some((table, password)) = passwords {
            plan.hash = catalog::hashes(conn, backend, &table, &password, &mut plan.notes)?.unwrap_or("scrypt");
        }
    }
    Ok(plan)
}

fn plan_table(
    conn: &mut AnyConnection,
    backend: Backend,
    ours: &'static str,
    table: &Table,
    overrides: &Overrides,
    problems: &mut Vec<String>,
) -> QueryResult<TablePlan> {
    let mut plan = TablePlan {
        ours,
        rows: count(conn, &format!("SELECT count(*) AS n FROM {}", table.name.sql()))?,
        table: table.name.clone(),
        ids: super::IdKind::Text,
        kept: Vec::new(),
        added: Vec::new(),
        given: Vec::new(),
        declared: catalog::declared(backend, ours, table, overrides),
        indexes: Vec::new(),
    };
    catalog::judge_policies(conn, &table.name, problems)?;
    let is_camel = table.columns.iter().any(|column| column.name.bytes().any(|byte| byte.is_ascii_uppercase()));
    for column in columns_of(ours) {
        let told = overrides.columns.iter().find(|(name, _)| ours == "users" && name == column.name);
        let theirs = told.map_or_else(|| column_of(table, column.name), |(_, theirs)| table.column(&[theirs]));
        match theirs {
            Some(theirs) => {
                let what = (column.name, column.holds);
                plan.kept.extend(keep(conn, backend, &table.name, what, theirs, problems)?);
            }
            None if column.lack == Lack::Problem => problems.push(format!(
                "{} has no column {}: no version of Better Auth since 1.3 has this shape, migrate it there first",
                table.name.sql(),
                spellings(column.name).join(" or "),
            )),
            // The two fields are called as on the wire by default; the others as their server would call them.
            None if is_camel && !column.name.ends_with("_background") => {
                let [camel, _] = spellings(column.name);
                plan.added.push((column.name, camel));
            }
            None => plan.added.push((column.name, column.name.to_owned())),
        }
    }
    if let Some(id) = table.column(&["id"]) {
        plan.ids = ids(conn, backend, &table.name, id, problems)?;
    }
    plan.given = catalog::given(table, &plan, &[], backend, problems);
    plan.indexes = indexes(conn, backend, &plan)?;
    Ok(plan)
}

fn indexes(conn: &mut AnyConnection, backend: Backend, plan: &TablePlan) -> QueryResult<Vec<Index>> {
    let mut indexes = Vec::new();
    let mut index = |what: &str, on: String, unique: bool| {
        indexes.push(Index { name: index_name(&plan.table.name, what, unique), on, unique });
    };
    for column in ["id", "user_id"] {
        if let Some(name) = plan.name_of(column).filter(|_| is_cast(backend, plan, column)) {
            index(&format!("{column}_text"), indexed_text(backend, &name), column == "id");
        }
    }
    for (_, column, unique) in LOOKED_UP_BY.into_iter().filter(|(ours, ..)| *ours == plan.ours) {
        let Some(theirs) = plan.theirs(column).filter(|_| !is_cast(backend, plan, column)) else { continue };
        // SQLite: the view shows the time in another form than an index could hold it.
        let of_no_use = backend == Backend::Sqlite && column == "expires_at";
        if !of_no_use && !is_indexed(conn, &plan.table, &theirs.name, unique)? {
            index(column, ident(&theirs.name), unique);
        }
    }
    if let ("accounts", Some(provider), Some(account)) =
        (plan.ours, plan.name_of("provider_id"), plan.name_of("account_id"))
    {
        index("provider_id_account_id", format!("{provider}, {account}"), true);
    }
    if backend == Backend::Sqlite && plan.ours == "users" {
        indexes.extend(catalog::field_indexes(conn, plan)?);
    }
    Ok(indexes)
}

/// Columns and tables of plugins, and of versions that we do not know.
fn say_what_is_behind_or_ahead(
    conn: &mut AnyConnection,
    backend: Backend,
    tables: &[Table],
    found: &[(&'static str, &Table)],
    plan: &mut Plan,
) -> QueryResult<()> {
    for table in &plan.tables {
        let behind: Vec<&str> = table.added.iter().map(|(_, name)| name.as_str()).collect();
        if table.ours == "jwks" && !behind.is_empty() {
            plan.notes.push(format!(
                "{} is of an earlier version of Better Auth, without {}: they are added, which that version does not mind",
                table.table.sql(),
                behind.join(", ")
            ));
        }
        let Some((_, theirs)) = found.iter().find(|(ours, _)| *ours == table.ours) else { continue };
        let unknown: Vec<&str> =
            theirs.columns.iter().map(|column| column.name.as_str()).filter(|name| !table.knows(name)).collect();
        if !unknown.is_empty() {
            plan.notes.push(format!(
                "{} has columns that this service does not know and leaves alone: {}",
                table.table.sql(),
                unknown.join(", ")
            ));
        }
    }
    if let Some((_, users)) = found.iter().find(|(ours, _)| *ours == "users")
        && let Some(flag) = users.column(&["twoFactorEnabled", "two_factor_enabled"])
    {
        let two = match backend {
            Backend::Postgres => format!("{} IS TRUE", ident(&flag.name)),
            Backend::Sqlite => format!("{} = 1", ident(&flag.name)),
        };
        let n = count(conn, &format!("SELECT count(*) AS n FROM {} WHERE {two}", users.name.sql()))?;
        if n > 0 {
            plan.problems.push(format!(
                "{n} users have a second factor, which this service does not ask for: they could sign in without it"
            ));
        }
    }
    let schema = found.first().and_then(|(_, table)| table.name.schema.as_ref());
    let others: Vec<&str> = tables
        .iter()
        .filter(|table| table.name.schema.as_ref() == schema && !found.iter().any(|(_, own)| own.name == table.name))
        .map(|table| table.name.name.as_str())
        .filter(|name| OF_PLUGINS.contains(&name.to_ascii_lowercase().replace('_', "").trim_end_matches('s')))
        .collect();
    if !others.is_empty() {
        plan.notes.push(format!("tables of plugins that this service leaves alone: {}", others.join(", ")));
    }
    Ok(())
}

/// Tables of plugins, in lower case and without the plural.
const OF_PLUGINS: [&str; 16] = [
    "apikey",
    "devicecode",
    "invitation",
    "member",
    "oauthaccesstoken",
    "oauthapplication",
    "oauthclient",
    "oauthconsent",
    "oauthrefreshtoken",
    "organization",
    "organizationrole",
    "passkey",
    "ssoprovider",
    "team",
    "teammember",
    "twofactor",
];

fn judge_rows(conn: &mut AnyConnection, plan: &mut Plan) -> QueryResult<()> {
    if let Some(users) = plan.table("users") {
        let (table, email) = (users.table.sql(), users.name_of("email").unwrap_or_default());
        let upper = count(conn, &format!("SELECT count(*) AS n FROM {table} WHERE {email} <> lower({email})"))?;
        if upper > 0 {
            plan.notes.push(format!("{upper} addresses are not in lower case; neither server finds them"));
        }
    }
    if let Some(accounts) = plan.table("accounts") {
        let (provider, account) = (accounts.name_of("provider_id"), accounts.name_of("account_id"));
        let (provider, account) = (provider.unwrap_or_default(), account.unwrap_or_default());
        let twice = format!(
            "SELECT count(*) AS n FROM (SELECT 1 FROM {} GROUP BY {provider}, {account} HAVING count(*) > 1) twice",
            accounts.table.sql()
        );
        let twice = count(conn, &twice)?;
        if twice > 0 {
            plan.problems.push(format!(
                "{twice} accounts of a provider are linked to several users; with them Better Auth itself signs nobody in"
            ));
        }
    }
    Ok(())
}

/// Whether the tables look like those of a Better Auth server, to be named to whoever would make ours beside them.
pub(super) fn looks_like(tables: &[Table]) -> Option<TableName> {
    find(tables, &Overrides::default())?.tables.first().map(|(_, table)| table.name.clone())
}
