//! Sessions: the row and its queries (upstream `db/internal-adapter`).

use std::fmt;

use chrono::NaiveDateTime;
use diesel::prelude::*;
use diesel::result::OptionalEmptyChangesetExtension;

use super::users::{User, is_free};
use crate::db::AnyConnection;
use crate::tables::{sessions, users};

/// A row of `sessions`; `Debug` hides the token.
#[derive(Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = sessions, treat_none_as_default_value = false)]
pub struct Session {
    /// Made by the service; not a secret.
    pub id: String,
    /// The session is over after this instant (UTC).
    pub expires_at: NaiveDateTime,
    /// The secret the cookie carries; unique.
    pub token: String,
    /// When the session began (UTC).
    pub created_at: NaiveDateTime,
    /// When the row changed last (UTC).
    pub updated_at: NaiveDateTime,
    /// The client's address; empty when unknown, and `None` in rows that others wrote.
    pub ip_address: Option<String>,
    /// The client's `User-Agent`; as the address.
    pub user_agent: Option<String>,
    /// Whose session it is.
    pub user_id: String,
    /// A JSON object of the other declared fields; `{}` when there are none.
    pub additional_fields: String,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("id", &self.id)
            .field("user_id", &self.user_id)
            .field("expires_at", &self.expires_at)
            .field("created_at", &self.created_at)
            .field("updated_at", &self.updated_at)
            .field("token", &"[redacted]")
            .finish_non_exhaustive()
    }
}

/// What to change in a session; `None` leaves a column as it is.
#[derive(Clone, Debug, Default, AsChangeset)]
#[diesel(table_name = sessions)]
#[expect(missing_docs, reason = "the columns are those of `Session`")]
pub struct SessionChanges {
    pub expires_at: Option<NaiveDateTime>,
    pub updated_at: Option<NaiveDateTime>,
    pub ip_address: Option<Option<String>>,
    pub user_agent: Option<Option<String>>,
    pub additional_fields: Option<String>,
}

/// Inserts the full row.
///
/// # Errors
/// A unique violation on `sessions.token`; a foreign-key violation when the user is gone.
pub fn insert_session(conn: &mut AnyConnection, session: &Session) -> QueryResult<()> {
    diesel::insert_into(sessions::table).values(session).execute(conn)?;
    Ok(())
}

/// The session and its user in one query; `None` when no session has the token, or the user is banned at `now`. An
/// expired session is returned too: the caller judges by its clock.
///
/// # Errors
/// When the database fails.
pub fn find_session_with_user(
    conn: &mut AnyConnection,
    token: &str,
    now: NaiveDateTime,
) -> QueryResult<Option<(Session, User)>> {
    sessions::table
        .inner_join(users::table)
        .filter(sessions::token.eq(token))
        .filter(is_free(now))
        .select((Session::as_select(), User::as_select()))
        .get_result(conn)
        .optional()
}

/// Changes the row and returns it as it is then; `None` when it is gone. Call it in
/// [`Db::write`](crate::Db::write).
///
/// # Errors
/// When the database fails.
pub fn update_session(conn: &mut AnyConnection, token: &str, changes: &SessionChanges) -> QueryResult<Option<Session>> {
    let session = sessions::table.filter(sessions::token.eq(token));
    // No change at all is no error: the row is only read.
    diesel::update(session).set(changes).execute(conn).optional_empty_changeset()?;
    session.select(Session::as_select()).get_result(conn).optional()
}

/// Returns the number deleted: 0 or 1.
///
/// # Errors
/// When the database fails.
pub fn delete_session(conn: &mut AnyConnection, token: &str) -> QueryResult<usize> {
    changed!(conn, diesel::delete(sessions::table.filter(sessions::token.eq(token))))
}

/// Deletes the session only when it is this user's; returns the number deleted: 0 or 1.
///
/// # Errors
/// When the database fails.
pub fn delete_session_of_user(conn: &mut AnyConnection, token: &str, user_id: &str) -> QueryResult<usize> {
    let own = sessions::table.filter(sessions::token.eq(token)).filter(sessions::user_id.eq(user_id));
    changed!(conn, diesel::delete(own))
}

/// Deletes all sessions of a user; returns the number deleted.
///
/// # Errors
/// When the database fails.
pub fn delete_user_sessions(conn: &mut AnyConnection, user_id: &str) -> QueryResult<usize> {
    changed!(conn, diesel::delete(sessions::table.filter(sessions::user_id.eq(user_id))))
}

/// Deletes all sessions of a user but the one with `keep_token`; returns the number deleted.
///
/// # Errors
/// When the database fails.
pub fn delete_other_sessions(conn: &mut AnyConnection, user_id: &str, keep_token: &str) -> QueryResult<usize> {
    let others = sessions::table.filter(sessions::user_id.eq(user_id)).filter(sessions::token.ne(keep_token));
    changed!(conn, diesel::delete(others))
}

/// A user's sessions that end after `now`, oldest first.
///
/// # Errors
/// When the database fails.
pub fn list_sessions(conn: &mut AnyConnection, user_id: &str, now: NaiveDateTime) -> QueryResult<Vec<Session>> {
    sessions::table
        .filter(sessions::user_id.eq(user_id))
        .filter(sessions::expires_at.gt(now))
        .order((sessions::created_at, sessions::id))
        .select(Session::as_select())
        .load(conn)
}

/// Deletes the session when it ended before `now`, and leaves it when another request extended it
/// meanwhile; returns the number deleted: 0 or 1.
///
/// # Errors
/// When the database fails.
pub fn delete_expired_session(conn: &mut AnyConnection, token: &str, now: NaiveDateTime) -> QueryResult<usize> {
    let own = sessions::table.filter(sessions::token.eq(token));
    lock!(conn, own.select(sessions::id));
    changed!(conn, diesel::delete(own.filter(sessions::expires_at.lt(now))))
}

/// Deletes up to `limit` sessions that ended before `now`; returns the number deleted.
///
/// # Errors
/// When the database fails.
pub fn purge_sessions(conn: &mut AnyConnection, now: NaiveDateTime, limit: i64) -> QueryResult<usize> {
    let over = sessions::table.filter(sessions::expires_at.lt(now)).select(sessions::id).limit(limit);
    let ids: Vec<String> = over.load(conn)?;
    changed!(conn, diesel::delete(sessions::table.filter(sessions::id.eq_any(&ids))))
}

/// Whether the user with this address (lower case) has a session, not over at `now`, that was begun
/// from `ip_address`.
///
/// # Errors
/// When the database fails.
pub fn is_signed_in_from(
    conn: &mut AnyConnection,
    email: &str,
    ip_address: &str,
    now: NaiveDateTime,
) -> QueryResult<bool> {
    let found: Option<String> = sessions::table
        .inner_join(users::table)
        .filter(users::email.eq(email))
        .filter(is_free(now))
        .filter(sessions::ip_address.eq(ip_address))
        .filter(sessions::expires_at.ge(now))
        .select(sessions::id)
        .first(conn)
        .optional()?;
    Ok(found.is_some())
}

/// The user, if a session that began before `before` is not over at `now`: somebody who was signed in
/// then and still is. `None` else.
///
/// # Errors
/// When the database fails.
pub fn find_user_signed_in_since(
    conn: &mut AnyConnection,
    user_id: &str,
    before: NaiveDateTime,
    now: NaiveDateTime,
) -> QueryResult<Option<User>> {
    sessions::table
        .inner_join(users::table)
        .filter(sessions::user_id.eq(user_id))
        .filter(is_free(now))
        .filter(sessions::created_at.lt(before))
        .filter(sessions::expires_at.ge(now))
        .select(User::as_select())
        .first(conn)
        .optional()
}

/// Deletes the session with this id, which is no secret; returns the number deleted: 0 or 1.
///
/// # Errors
/// When the database fails.
pub fn delete_session_by_id(conn: &mut AnyConnection, id: &str) -> QueryResult<usize> {
    changed!(conn, diesel::delete(sessions::table.find(id)))
}

/// Deletes up to `limit` sessions by id, from the first after `after` on (`""` for the first of all); returns their
/// number and the last id, `None` when there was none left.
///
/// # Errors
/// When the database fails.
pub fn delete_next_sessions(conn: &mut AnyConnection, after: &str, limit: i64) -> QueryResult<Option<(usize, String)>> {
    let next = sessions::table.filter(sessions::id.gt(after)).order(sessions::id).limit(limit).select(sessions::id);
    let ids: Vec<String> = next.load(conn)?;
    let Some(last) = ids.last().cloned() else { return Ok(None) };
    let deleted = changed!(conn, diesel::delete(sessions::table.filter(sessions::id.eq_any(&ids))))?;
    Ok(Some((deleted, last)))
}
