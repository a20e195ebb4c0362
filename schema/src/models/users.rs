//! Users: the row and its queries (upstream `db/internal-adapter`).

use chrono::NaiveDateTime;
use diesel::prelude::*;
use diesel::result::OptionalEmptyChangesetExtension;

use crate::db::AnyConnection;
use crate::tables::users;

diesel::define_sql_function! {
    /// SQL's `lower`; SQLite's knows ASCII only.
    fn lower(text: diesel::sql_types::Text) -> diesel::sql_types::Text;
}

/// A row of `users`.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = users, treat_none_as_default_value = false)]
pub struct User {
    /// Made by the service.
    pub id: String,
    /// The name to show.
    pub name: String,
    /// Unique; lower case.
    pub email: String,
    /// Whether the address was shown to be the user's.
    pub email_verified: bool,
    /// The URL of a picture.
    pub image: Option<String>,
    /// When the user was made (UTC).
    pub created_at: NaiveDateTime,
    /// When the row changed last (UTC).
    pub updated_at: NaiveDateTime,
    /// Personalization: text, or a JSON array of strings.
    pub software_background: Option<String>,
    /// Personalization: text, or a JSON array of strings.
    pub hardware_background: Option<String>,
    /// A JSON object of the other declared fields; `{}` when there are none.
    pub additional_fields: String,
}

/// What to change in a user; `None` leaves a column as it is, `Some(None)` sets it to NULL.
#[derive(Clone, Debug, Default, AsChangeset)]
#[diesel(table_name = users)]
#[expect(missing_docs, reason = "the columns are those of `User`")]
pub struct UserChanges {
    pub name: Option<String>,
    pub email: Option<String>,
    pub email_verified: Option<bool>,
    pub image: Option<Option<String>>,
    pub updated_at: Option<NaiveDateTime>,
    pub software_background: Option<Option<String>>,
    pub hardware_background: Option<Option<String>>,
    pub additional_fields: Option<String>,
}

/// Inserts the full row.
///
/// # Errors
/// A unique violation on `users.email` when the address is taken; a check violation when a value
/// breaks a column's rule.
pub fn insert_user(conn: &mut AnyConnection, user: &User) -> QueryResult<()> {
    diesel::insert_into(users::table).values(user).execute(conn)?;
    Ok(())
}

/// `None` when nobody has the address, which must be lower case.
///
/// # Errors
/// When the database fails.
pub fn find_user_by_email(conn: &mut AnyConnection, email: &str) -> QueryResult<Option<User>> {
    users::table.filter(users::email.eq(email)).select(User::as_select()).get_result(conn).optional()
}

/// `None` when there is no such user.
///
/// # Errors
/// When the database fails.
pub fn find_user_by_id(conn: &mut AnyConnection, id: &str) -> QueryResult<Option<User>> {
    users::table.find(id).select(User::as_select()).get_result(conn).optional()
}

/// The user, locked until the transaction ends: what is decided on this row stays true. `None` when
/// no user has the id. Call it in [`Db::write`](crate::Db::write), which on SQLite is alone anyway.
///
/// # Errors
/// When the database fails.
pub fn lock_user(conn: &mut AnyConnection, id: &str) -> QueryResult<Option<User>> {
    match conn {
        AnyConnection::Postgres(conn) => {
            users::table.find(id).for_update().select(User::as_select()).get_result(conn).optional()
        }
        AnyConnection::Sqlite(_) => find_user_by_id(conn, id),
    }
}

/// Changes the row and returns it as it is then; `None` when it is gone. Call it in
/// [`Db::write`](crate::Db::write).
///
/// # Errors
/// A unique violation on `users.email` when the new address is taken; a check violation when a
/// value breaks a column's rule.
pub fn update_user(conn: &mut AnyConnection, id: &str, changes: &UserChanges) -> QueryResult<Option<User>> {
    // No change at all is no error: the row is only read.
    diesel::update(users::table.find(id)).set(changes).execute(conn).optional_empty_changeset()?;
    find_user_by_id(conn, id)
}

/// Marks the address of a user as proven while it still is `email` and was not proven yet; true for
/// exactly one of any number of callers.
///
/// # Errors
/// When the database fails.
pub fn prove_email(conn: &mut AnyConnection, id: &str, email: &str, now: NaiveDateTime) -> QueryResult<bool> {
    let unproven = users::table.find(id).filter(users::email.eq(email)).filter(users::email_verified.eq(false));
    let changes = (users::email_verified.eq(true), users::updated_at.eq(now));
    lock!(conn, users::table.find(id).select(users::id));
    Ok(changed!(conn, diesel::update(unproven).set(changes))? == 1)
}

/// Whether no ban of the user is in force at `now`.
#[diesel::dsl::auto_type]
pub(super) fn is_free(now: NaiveDateTime) -> _ {
    users::banned.is_null().or(users::banned.eq(false)).or(users::ban_expires.le(now))
}

/// Whether a ban of the user is in force at `now`, which is so until the transaction ends: a ban waits for it, and then
/// finds the session that was begun. Call it in [`Db::write`](crate::Db::write), before rows that refer to the user are
/// locked.
///
/// # Errors
/// When the database fails.
pub fn is_banned(conn: &mut AnyConnection, id: &str, now: NaiveDateTime) -> QueryResult<bool> {
    if let AnyConnection::Postgres(conn) = conn {
        users::table.find(id).for_share().select(users::id).load::<String>(conn)?;
    }
    let free: Option<String> =
        users::table.find(id).filter(is_free(now)).select(users::id).get_result(conn).optional()?;
    Ok(free.is_none())
}

/// Bans a user, until `until` or for good, or lifts the ban; returns the number changed: 0 or 1.
///
/// # Errors
/// When the database fails.
pub fn set_banned(conn: &mut AnyConnection, id: &str, ban: Option<&Ban>) -> QueryResult<usize> {
    let changes = (
        users::banned.eq(Some(ban.is_some())),
        users::ban_reason.eq(ban.and_then(|ban| ban.reason.as_deref())),
        users::ban_expires.eq(ban.and_then(|ban| ban.until)),
    );
    changed!(conn, diesel::update(users::table.find(id)).set(changes))
}

/// The ban of a user, whether or not it is over; `None` when there is none.
///
/// # Errors
/// When the database fails.
pub fn find_ban(conn: &mut AnyConnection, id: &str) -> QueryResult<Option<Ban>> {
    users::table
        .find(id)
        .filter(users::banned.eq(true))
        .select((users::ban_reason, users::ban_expires))
        .get_result(conn)
        .optional()
}

/// Why and until when somebody must not sign in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Queryable)]
pub struct Ban {
    /// For operators; never shown to the user.
    pub reason: Option<String>,
    /// When it ends (UTC); `None`: when it is lifted.
    pub until: Option<NaiveDateTime>,
}

/// Deletes the user with sessions, accounts and mailed links; returns the number of users deleted. In our own tables the
/// database would delete the first two by itself, in adopted ones it may not.
///
/// # Errors
/// When the database fails.
pub fn delete_user(conn: &mut AnyConnection, id: &str) -> QueryResult<usize> {
    super::verifications::delete_verifications_with_value(conn, id)?;
    super::sessions::delete_user_sessions(conn, id)?;
    super::accounts::delete_user_accounts(conn, id)?;
    changed!(conn, diesel::delete(users::table.find(id)))
}

/// Inserts full rows by one statement: all or, on an error, none. At most 3000 of them, for SQLite's number of
/// parameters.
///
/// # Errors
/// As [`insert_user`].
pub fn insert_users(conn: &mut AnyConnection, rows: &[User]) -> QueryResult<usize> {
    if rows.is_empty() {
        return Ok(0);
    }
    // The connection over both knows no statement with several rows.
    let insert = diesel::insert_into(users::table).values(rows);
    match conn {
        AnyConnection::Postgres(conn) => insert.execute(conn),
        AnyConnection::Sqlite(conn) => insert.execute(conn),
    }
}

/// Id and address of every user who has one of the addresses (lower case) or one of the ids; who has both may come
/// twice.
///
/// # Errors
/// When the database fails.
pub fn find_owners(conn: &mut AnyConnection, emails: &[String], ids: &[String]) -> QueryResult<Vec<(String, String)>> {
    let columns = (users::id, users::email);
    let mut owners: Vec<(String, String)> = Vec::new();
    if !emails.is_empty() {
        owners.extend(users::table.filter(users::email.eq_any(emails)).select(columns).load(conn)?);
    }
    if !ids.is_empty() {
        owners.extend(users::table.filter(users::id.eq_any(ids)).select(columns).load(conn)?);
    }
    Ok(owners)
}

/// Up to `limit` users by address, from the first after `after` on (`""` for the first of all). With `search`, those
/// whose address or name holds the text, in any letter case; then rows are read on until there are enough.
///
/// # Errors
/// When the database fails.
pub fn list_users(conn: &mut AnyConnection, after: &str, search: Option<&str>, limit: i64) -> QueryResult<Vec<User>> {
    let page = users::table.filter(users::email.gt(after)).order(users::email).limit(limit).select(User::as_select());
    let Some(search) = search else { return page.load(conn) };
    let (as_typed, folded) = (holding(search), holding(&search.to_lowercase()));
    let holds = users::email
        .like(&folded)
        .escape('\\')
        .or(lower(users::name).like(&folded).escape('\\'))
        .or(users::name.like(&as_typed).escape('\\'));
    page.filter(holds).load(conn)
}

/// The pattern of a text that holds `text`, with `\` before what LIKE would read as its own.
fn holding(text: &str) -> String {
    let mut pattern = String::from("%");
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}
