//! Whoever proved a mailbox is signed in as its user, who is made when there is none
//! (upstream `plugins/magic-link`, `plugins/email-otp/routes` `signInEmailOTP`,
//! `db/revoke-unproven-account-access`).

use chrono::NaiveDateTime;
use diesel::QueryResult;
use schema::{AnyConnection, Db, DbError, Session, User, accounts, sessions, users};
use serde_json::{Map, Value};

use crate::context::Context;
use crate::wire::declared::{merge_json, user_changes};

/// What a proof led to.
pub enum Arrival {
    /// The session was written.
    SignedIn(Box<SignedIn>),
    /// Nobody has the address, and nobody was to be made.
    Nobody,
    /// The user is banned.
    Banned,
    /// The user went away, or to another address, at this very moment.
    Gone,
}

/// A session that was begun by a proof.
pub struct SignedIn {
    /// Whose it is, as it is now.
    pub user: User,
    /// The session.
    pub session: Session,
    /// Whether the user was made for it.
    pub is_new: bool,
}

/// A user with a proven address, for [`sign_in`]; the name is empty unless one is given.
#[must_use]
pub fn newcomer(
    cx: &Context,
    id: String,
    email: &str,
    name: Option<String>,
    image: Option<String>,
    declared: &Map<String, Value>,
) -> User {
    let now = cx.app.clock.now();
    let (columns, json) = user_changes(cx.app.fields(), declared);
    User {
        id,
        name: name.unwrap_or_default(),
        email: email.to_lowercase(),
        email_verified: true,
        image,
        created_at: now,
        updated_at: now,
        software_background: columns.software_background.flatten(),
        hardware_background: columns.hardware_background.flatten(),
        additional_fields: merge_json("{}", json),
    }
}

/// Signs in the user of a proven address (lower case) or `newcomer`; `session` becomes theirs. Call it
/// in the transaction that spends the proof.
///
/// # Errors
/// When the database fails; a unique violation when somebody else makes the same user at this very
/// moment (see [`write_again`]).
pub fn sign_in(
    conn: &mut AnyConnection,
    email: &str,
    newcomer: Option<&User>,
    session: &Session,
    now: NaiveDateTime,
) -> QueryResult<Arrival> {
    let (user, is_new) = match (users::find_user_by_email(conn, email)?, newcomer) {
        (Some(user), _) if user.email_verified => (user, false),
        (Some(user), _) => match revoke_unproven_access(conn, &user, now)? {
            Some(user) => (user, false),
            None => return Ok(Arrival::Gone),
        },
        (None, Some(newcomer)) => {
            users::insert_user(conn, newcomer)?;
            (newcomer.clone(), true)
        }
        (None, None) => return Ok(Arrival::Nobody),
    };
    if !is_new && users::is_banned(conn, &user.id, now)? {
        return Ok(Arrival::Banned);
    }
    let session = Session { user_id: user.id.clone(), ..session.clone() };
    sessions::insert_session(conn, &session)?;
    Ok(Arrival::SignedIn(Box::new(SignedIn { user, session, is_new })))
}

/// Ends whatever access to a user came before the proof of the mailbox: passwords, linked accounts and
/// sessions may be those of somebody who only typed the address. Returns the user as it is then.
fn revoke_unproven_access(conn: &mut AnyConnection, user: &User, now: NaiveDateTime) -> QueryResult<Option<User>> {
    // Of several proofs at once the first one revokes: the sessions of the others are good. The update
    // also holds back sign-ins by password until the accounts are gone.
    if users::prove_email(conn, &user.id, &user.email, now)? {
        accounts::delete_user_accounts(conn, &user.id)?;
        sessions::delete_user_sessions(conn, &user.id)?;
    }
    let user = users::find_user_by_id(conn, &user.id)?.filter(|now| now.email == user.email && now.email_verified);
    Ok(user)
}

/// Writes, and once more when somebody else made or deleted the same user meanwhile: the second time
/// that is known beforehand.
///
/// # Errors
/// As [`Db::write`].
pub async fn write_again<T, F>(db: &Db, work: F) -> Result<T, DbError>
where
    F: Fn(&mut AnyConnection) -> QueryResult<T> + Clone + Send + 'static,
    T: Send + 'static,
{
    match db.write(work.clone()).await {
        Err(DbError::UniqueViolation { .. } | DbError::ForeignKeyViolation) => db.write(work).await,
        other => other,
    }
}
