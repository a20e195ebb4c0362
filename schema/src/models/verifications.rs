//! Verifications, the values behind mailed links: the row and its queries
//! (upstream `db/internal-adapter`).

use std::fmt;

use chrono::NaiveDateTime;
use diesel::prelude::*;

use crate::db::AnyConnection;
use crate::tables::verifications;

/// A row of `verifications`; `Debug` hides the identifier, which holds a token, and the value.
#[derive(Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = verifications, treat_none_as_default_value = false)]
pub struct Verification {
    /// Made by the service; not a secret.
    pub id: String,
    /// What the value is for, with its token: `reset-password:<token>`.
    pub identifier: String,
    /// What is verified: for a reset, the user's id.
    pub value: String,
    /// The value counts as absent after this instant (UTC).
    pub expires_at: NaiveDateTime,
    /// When the row was made (UTC).
    pub created_at: NaiveDateTime,
    /// When the row changed last (UTC).
    pub updated_at: NaiveDateTime,
}

impl fmt::Debug for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verification")
            .field("id", &self.id)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// Inserts the full row.
///
/// # Errors
/// When the database fails.
pub fn insert_verification(conn: &mut AnyConnection, row: &Verification) -> QueryResult<()> {
    diesel::insert_into(verifications::table).values(row).execute(conn)?;
    Ok(())
}

/// The newest row of an identifier; `None` when there is none. An expired row is returned too: the
/// caller judges by its clock.
///
/// # Errors
/// When the database fails.
pub fn find_verification(conn: &mut AnyConnection, identifier: &str) -> QueryResult<Option<Verification>> {
    verifications::table
        .filter(verifications::identifier.eq(identifier))
        .order((verifications::created_at.desc(), verifications::id.desc()))
        .select(Verification::as_select())
        .first(conn)
        .optional()
}

/// Removes a row that was found, with all older ones of its identifier; false when somebody else
/// was first. Of any number of callers exactly one gets true.
///
/// # Errors
/// When the database fails.
pub fn consume_verification(conn: &mut AnyConnection, row: &Verification) -> QueryResult<bool> {
    let own = verifications::table.filter(verifications::id.eq(&row.id));
    if changed!(conn, diesel::delete(own))? == 0 {
        return Ok(false);
    }
    let older = verifications::table.filter(verifications::identifier.eq(&row.identifier));
    diesel::delete(older).execute(conn)?;
    Ok(true)
}

/// Deletes every row whose value is this, such as the links mailed to a user; returns their number.
///
/// # Errors
/// When the database fails.
pub fn delete_verifications_with_value(conn: &mut AnyConnection, value: &str) -> QueryResult<usize> {
    changed!(conn, diesel::delete(verifications::table.filter(verifications::value.eq(value))))
}

/// Ends every mailed link with which this user could set a password; returns their number.
///
/// # Errors
/// When the database fails.
pub fn delete_reset_tokens(conn: &mut AnyConnection, user_id: &str) -> QueryResult<usize> {
    let tokens = verifications::table
        .filter(verifications::value.eq(user_id))
        .filter(verifications::identifier.like("reset-password:%"));
    changed!(conn, diesel::delete(tokens))
}

/// Deletes up to `limit` rows that ended before `now`; returns the number deleted.
///
/// # Errors
/// When the database fails.
pub fn purge_verifications(conn: &mut AnyConnection, now: NaiveDateTime, limit: i64) -> QueryResult<usize> {
    let over = verifications::table.filter(verifications::expires_at.lt(now)).select(verifications::id).limit(limit);
    let ids: Vec<String> = over.load(conn)?;
    changed!(conn, diesel::delete(verifications::table.filter(verifications::id.eq_any(&ids))))
}

/// The newest row of an identifier, locked until the transaction ends: of any number of callers each
/// sees what the one before left. `None` when there is none, or when another caller has just removed
/// it. An expired row is returned too. Call it in [`Db::write`](crate::Db::write), which on SQLite is
/// alone anyway.
///
/// # Errors
/// When the database fails.
pub fn lock_verification(conn: &mut AnyConnection, identifier: &str) -> QueryResult<Option<Verification>> {
    match conn {
        AnyConnection::Postgres(conn) => verifications::table
            .filter(verifications::identifier.eq(identifier))
            .order((verifications::created_at.desc(), verifications::id.desc()))
            .limit(1)
            .for_update()
            .select(Verification::as_select())
            .get_result(conn)
            .optional(),
        AnyConnection::Sqlite(_) => find_verification(conn, identifier),
    }
}

/// Inserts the full row in place of every older one of its identifier.
///
/// # Errors
/// When the database fails.
pub fn replace_verification(conn: &mut AnyConnection, row: &Verification) -> QueryResult<()> {
    delete_verifications(conn, &row.identifier)?;
    insert_verification(conn, row)
}

/// Deletes every row of an identifier; returns their number.
///
/// # Errors
/// When the database fails.
pub fn delete_verifications(conn: &mut AnyConnection, identifier: &str) -> QueryResult<usize> {
    changed!(conn, diesel::delete(verifications::table.filter(verifications::identifier.eq(identifier))))
}

/// Changes the value of a row that was found; false when somebody else changed or removed it since.
///
/// # Errors
/// When the database fails.
pub fn update_value(
    conn: &mut AnyConnection,
    found: &Verification,
    value: &str,
    now: NaiveDateTime,
) -> QueryResult<bool> {
    let as_found =
        verifications::table.filter(verifications::id.eq(&found.id)).filter(verifications::value.eq(&found.value));
    let changes = (verifications::value.eq(value), verifications::updated_at.eq(now));
    lock!(conn, verifications::table.find(&found.id).select(verifications::id));
    Ok(changed!(conn, diesel::update(as_found).set(changes))? == 1)
}
