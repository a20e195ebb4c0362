//! Accounts, the ways a user signs in: the row and its queries (upstream `db/internal-adapter`).

use std::fmt;

use chrono::NaiveDateTime;
use diesel::prelude::*;

use super::users::{Ban, User};
use crate::db::AnyConnection;
use crate::tables::{accounts, users};

/// The provider id of an account that signs in with a password; its account id is the user's id.
pub const CREDENTIAL: &str = "credential";

/// A row of `accounts`; `Debug` hides the password hash and the tokens.
#[derive(Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = accounts, treat_none_as_default_value = false)]
pub struct Account {
    /// Made by the service.
    pub id: String,
    /// The provider's id of the user; the user's own id for [`CREDENTIAL`].
    pub account_id: String,
    /// The provider; unique together with `account_id`.
    pub provider_id: String,
    /// Whose account it is.
    pub user_id: String,
    /// The provider's access token; a secret.
    pub access_token: Option<String>,
    /// The provider's refresh token; a secret.
    pub refresh_token: Option<String>,
    /// The provider's id token; a secret.
    pub id_token: Option<String>,
    /// When the access token ends (UTC).
    pub access_token_expires_at: Option<NaiveDateTime>,
    /// When the refresh token ends (UTC).
    pub refresh_token_expires_at: Option<NaiveDateTime>,
    /// The granted scopes, comma separated.
    pub scope: Option<String>,
    /// The password's hash; a secret.
    pub password: Option<String>,
    /// When the account was made (UTC).
    pub created_at: NaiveDateTime,
    /// When the row changed last (UTC).
    pub updated_at: NaiveDateTime,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secret = |value: &Option<String>| value.as_ref().map(|_| "[redacted]");
        f.debug_struct("Account")
            .field("id", &self.id)
            .field("provider_id", &self.provider_id)
            .field("account_id", &self.account_id)
            .field("user_id", &self.user_id)
            .field("access_token", &secret(&self.access_token))
            .field("refresh_token", &secret(&self.refresh_token))
            .field("id_token", &secret(&self.id_token))
            .field("password", &secret(&self.password))
            .finish_non_exhaustive()
    }
}

/// Inserts the full row.
///
/// # Errors
/// A unique violation on `accounts (provider_id, account_id)`; a foreign-key violation when the
/// user is gone.
pub fn insert_account(conn: &mut AnyConnection, account: &Account) -> QueryResult<()> {
    diesel::insert_into(accounts::table).values(account).execute(conn)?;
    Ok(())
}

/// The account a user signs in to with a password; `None` when there is none. Its password may
/// still be NULL.
///
/// # Errors
/// When the database fails.
pub fn find_credential_account(conn: &mut AnyConnection, user_id: &str) -> QueryResult<Option<Account>> {
    accounts::table
        .filter(accounts::provider_id.eq(CREDENTIAL))
        .filter(accounts::account_id.eq(user_id))
        .filter(accounts::user_id.eq(user_id))
        .select(Account::as_select())
        .get_result(conn)
        .optional()
}

/// Whether an account is the one with the user's password.
#[diesel::dsl::auto_type]
fn is_credential_of_user() -> _ {
    let provider: &'static str = CREDENTIAL;
    accounts::user_id.eq(users::id).and(accounts::account_id.eq(users::id)).and(accounts::provider_id.eq(provider))
}

/// The user with this address (lower case) and the account with the password, in one query; `None`
/// when nobody has the address, `Some((user, None))` when the user has no such account.
///
/// # Errors
/// When the database fails.
pub fn find_user_with_credential(
    conn: &mut AnyConnection,
    email: &str,
) -> QueryResult<Option<(User, Option<Account>)>> {
    users::table
        .left_join(accounts::table.on(is_credential_of_user()))
        .filter(users::email.eq(email))
        .select((User::as_select(), Option::<Account>::as_select()))
        .get_result(conn)
        .optional()
}

/// A user's accounts, oldest first.
///
/// # Errors
/// When the database fails.
pub fn list_accounts(conn: &mut AnyConnection, user_id: &str) -> QueryResult<Vec<Account>> {
    accounts::table
        .filter(accounts::user_id.eq(user_id))
        .order((accounts::created_at, accounts::id))
        .select(Account::as_select())
        .load(conn)
}

/// Sets the password's hash of the account with this `id`; returns the number changed: 0 or 1.
///
/// # Errors
/// When the database fails.
pub fn update_password(conn: &mut AnyConnection, id: &str, hash: &str, now: NaiveDateTime) -> QueryResult<usize> {
    let changes = (accounts::password.eq(hash), accounts::updated_at.eq(now));
    changed!(conn, diesel::update(accounts::table.find(id)).set(changes))
}

/// Whether the account's hash still is `hash`; if so it stays so until the transaction ends, and
/// what a right password allowed may be done. Call it in [`Db::write`](crate::Db::write), which on
/// SQLite is alone anyway.
///
/// # Errors
/// When the database fails.
pub fn lock_password(conn: &mut AnyConnection, id: &str, hash: &str) -> QueryResult<bool> {
    let row = accounts::table.find(id).filter(accounts::password.eq(hash)).select(accounts::id);
    let found: Option<String> = match conn {
        AnyConnection::Postgres(conn) => row.for_update().get_result(conn).optional()?,
        AnyConnection::Sqlite(conn) => row.get_result(conn).optional()?,
    };
    Ok(found.is_some())
}

/// Deletes the account only when it is this user's; returns the number deleted: 0 or 1.
///
/// # Errors
/// When the database fails.
pub fn delete_account(conn: &mut AnyConnection, id: &str, user_id: &str) -> QueryResult<usize> {
    changed!(conn, diesel::delete(accounts::table.find(id).filter(accounts::user_id.eq(user_id))))
}

/// Deletes every account of a user; returns their number.
///
/// # Errors
/// When the database fails.
pub fn delete_user_accounts(conn: &mut AnyConnection, user_id: &str) -> QueryResult<usize> {
    changed!(conn, diesel::delete(accounts::table.filter(accounts::user_id.eq(user_id))))
}

/// Inserts full rows by one statement: all or, on an error, none. At most 2500 of them, for SQLite's number of
/// parameters.
///
/// # Errors
/// As [`insert_account`].
pub fn insert_accounts(conn: &mut AnyConnection, rows: &[Account]) -> QueryResult<usize> {
    if rows.is_empty() {
        return Ok(0);
    }
    // The connection over both knows no statement with several rows.
    let insert = diesel::insert_into(accounts::table).values(rows);
    match conn {
        AnyConnection::Postgres(conn) => insert.execute(conn),
        AnyConnection::Sqlite(conn) => insert.execute(conn),
    }
}

/// All that is kept of a user but sessions and other ways to sign in.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct WholeUser {
    /// The row.
    pub user: User,
    /// The hash of the password; `None` for a user without one.
    pub hash: Option<String>,
    /// Whether there is a ban.
    pub banned: Option<bool>,
    /// Which one.
    pub ban: Ban,
}

/// Up to `limit` users by id, from the first after `after` on (`""` for the first of all).
///
/// # Errors
/// When the database fails.
pub fn list_whole_users(conn: &mut AnyConnection, after: &str, limit: i64) -> QueryResult<Vec<WholeUser>> {
    let ban = (users::ban_reason, users::ban_expires);
    users::table
        .left_join(accounts::table.on(is_credential_of_user()))
        .filter(users::id.gt(after))
        .order(users::id)
        .limit(limit)
        .select((User::as_select(), accounts::password.nullable(), users::banned, ban))
        .load(conn)
}
