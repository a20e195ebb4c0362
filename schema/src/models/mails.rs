//! Mails, the outbox: what is to be sent, what was, and what failed.
//!
//! A worker takes a mail by moving `next_attempt_at` on to the end of its lease, in an update that
//! holds only while the row is as it was seen: of any number of workers one gets it. When that worker
//! dies the lease runs out and the mail is due again, so a mail is sent at least once.

use std::fmt;

use chrono::NaiveDateTime;
use diesel::prelude::*;

use crate::db::AnyConnection;
use crate::tables::mails;

/// A row of `mails`; `Debug` hides the payload, which holds a link, and the recipient.
#[derive(Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = mails, treat_none_as_default_value = false)]
pub struct MailRow {
    /// Made by the service; not a secret.
    pub id: String,
    /// What it is about, as `reset-password`.
    pub kind: String,
    /// The address it goes to.
    pub recipient: String,
    /// What is to be told, as JSON; blank once it was sent.
    pub payload: String,
    /// `pending`, `sent` or `failed`; see [`MailState`].
    pub state: String,
    /// How often it was taken to be sent.
    pub attempts: i32,
    /// When a pending mail is due (UTC).
    pub next_attempt_at: NaiveDateTime,
    /// When what it tells ends (UTC): not sent from then on. `None` when it tells nothing that ends.
    pub expires_at: Option<NaiveDateTime>,
    /// Why the last attempt failed, without secrets.
    pub last_error: Option<String>,
    /// When the row was made (UTC).
    pub created_at: NaiveDateTime,
    /// When the row changed last (UTC).
    pub updated_at: NaiveDateTime,
    /// When it was handed over (UTC).
    pub sent_at: Option<NaiveDateTime>,
}

impl fmt::Debug for MailRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailRow")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .field("state", &self.state)
            .field("attempts", &self.attempts)
            .field("next_attempt_at", &self.next_attempt_at)
            .finish_non_exhaustive()
    }
}

/// Where a mail stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailState {
    /// To be sent when it is due.
    Pending,
    /// Handed over.
    Sent,
    /// Given up.
    Failed,
}

impl MailState {
    /// As the column holds it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Sent => "sent",
            Self::Failed => "failed",
        }
    }
}

/// Inserts the full row.
///
/// # Errors
/// When the database fails.
pub fn insert_mail(conn: &mut AnyConnection, row: &MailRow) -> QueryResult<()> {
    diesel::insert_into(mails::table).values(row).execute(conn)?;
    Ok(())
}

/// Up to `limit` pending mails that are due, the longest due first.
///
/// # Errors
/// When the database fails.
pub fn due_mails(conn: &mut AnyConnection, now: NaiveDateTime, limit: i64) -> QueryResult<Vec<MailRow>> {
    mails::table
        .filter(mails::state.eq(MailState::Pending.as_str()))
        .filter(mails::next_attempt_at.le(now))
        .order((mails::next_attempt_at, mails::id))
        .limit(limit)
        .select(MailRow::as_select())
        .load(conn)
}

/// The number of pending mails, due or not.
///
/// # Errors
/// When the database fails.
pub fn count_pending(conn: &mut AnyConnection) -> QueryResult<i64> {
    mails::table.filter(mails::state.eq(MailState::Pending.as_str())).count().get_result(conn)
}

/// Takes a mail that was seen due: true for exactly one of any number of callers. From then on it
/// is not due before `lease_end`, and the attempt is counted.
///
/// # Errors
/// When the database fails.
pub fn claim_mail(
    conn: &mut AnyConnection,
    seen: &MailRow,
    now: NaiveDateTime,
    lease_end: NaiveDateTime,
) -> QueryResult<bool> {
    let as_seen = mails::table
        .filter(mails::id.eq(&seen.id))
        .filter(mails::state.eq(MailState::Pending.as_str()))
        .filter(mails::next_attempt_at.eq(seen.next_attempt_at))
        .filter(mails::attempts.eq(seen.attempts));
    let changes = (
        mails::next_attempt_at.eq(lease_end),
        mails::attempts.eq(seen.attempts.saturating_add(1)),
        mails::updated_at.eq(now),
    );
    Ok(diesel::update(as_seen).set(changes).execute(conn)? == 1)
}

/// Marks a mail as handed over and blanks its payload.
///
/// # Errors
/// When the database fails.
pub fn mark_sent(conn: &mut AnyConnection, id: &str, now: NaiveDateTime) -> QueryResult<()> {
    let changes = (
        mails::state.eq(MailState::Sent.as_str()),
        mails::payload.eq(""),
        mails::last_error.eq(None::<String>),
        mails::updated_at.eq(now),
        mails::sent_at.eq(Some(now)),
    );
    diesel::update(mails::table.filter(mails::id.eq(id))).set(changes).execute(conn)?;
    Ok(())
}

/// Notes why an attempt failed and when the next is due. Nothing happens when the lease that ended
/// at `lease_end` is no longer the last one: somebody else has the mail now.
///
/// # Errors
/// When the database fails.
pub fn postpone_mail(
    conn: &mut AnyConnection,
    id: &str,
    lease_end: NaiveDateTime,
    next_attempt_at: NaiveDateTime,
    error: &str,
    now: NaiveDateTime,
) -> QueryResult<()> {
    let leased = mails::table
        .filter(mails::id.eq(id))
        .filter(mails::state.eq(MailState::Pending.as_str()))
        .filter(mails::next_attempt_at.eq(lease_end));
    let changes =
        (mails::next_attempt_at.eq(next_attempt_at), mails::last_error.eq(Some(error)), mails::updated_at.eq(now));
    diesel::update(leased).set(changes).execute(conn)?;
    Ok(())
}

/// Gives a leased mail up, like [`postpone_mail`]. Its payload stays for [`retry_mails`].
///
/// # Errors
/// When the database fails.
pub fn mark_failed(
    conn: &mut AnyConnection,
    id: &str,
    lease_end: NaiveDateTime,
    error: &str,
    now: NaiveDateTime,
) -> QueryResult<()> {
    let leased = mails::table
        .filter(mails::id.eq(id))
        .filter(mails::state.eq(MailState::Pending.as_str()))
        .filter(mails::next_attempt_at.eq(lease_end));
    let changes =
        (mails::state.eq(MailState::Failed.as_str()), mails::last_error.eq(Some(error)), mails::updated_at.eq(now));
    diesel::update(leased).set(changes).execute(conn)?;
    Ok(())
}

/// Up to `limit` mails of one state or of all, newest first.
///
/// # Errors
/// When the database fails.
pub fn list_mails(conn: &mut AnyConnection, state: Option<MailState>, limit: i64) -> QueryResult<Vec<MailRow>> {
    let newest = mails::table.order((mails::created_at.desc(), mails::id)).limit(limit).select(MailRow::as_select());
    match state {
        Some(state) => newest.filter(mails::state.eq(state.as_str())).load(conn),
        None => newest.load(conn),
    }
}

/// Makes failed mails due at once, with all their attempts before them: the one with `id`, or all.
/// Returns how many; those that tell nothing of use any more are left as they are.
///
/// # Errors
/// When the database fails.
pub fn retry_mails(conn: &mut AnyConnection, id: Option<&str>, now: NaiveDateTime) -> QueryResult<usize> {
    let failed = mails::table
        .filter(mails::state.eq(MailState::Failed.as_str()))
        .filter(mails::expires_at.is_null().or(mails::expires_at.gt(now)));
    let changes = (
        mails::state.eq(MailState::Pending.as_str()),
        mails::attempts.eq(0),
        mails::next_attempt_at.eq(now),
        mails::updated_at.eq(now),
    );
    match id {
        Some(id) => diesel::update(failed.filter(mails::id.eq(id))).set(changes).execute(conn),
        None => diesel::update(failed).set(changes).execute(conn),
    }
}

/// Deletes the mails of a state that were made before `before`; returns how many.
///
/// # Errors
/// When the database fails.
pub fn delete_mails(conn: &mut AnyConnection, state: MailState, before: NaiveDateTime) -> QueryResult<usize> {
    let old = mails::table.filter(mails::created_at.lt(before)).filter(mails::state.eq(state.as_str()));
    diesel::delete(old).execute(conn)
}
