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
    if diesel::delete(own).execute(conn)? == 0 {
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
    diesel::delete(verifications::table.filter(verifications::value.eq(value))).execute(conn)
}
