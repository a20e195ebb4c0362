//! Keys that sign tokens for other services: the row and its queries (upstream `plugins/jwt/adapter`).

use std::fmt;

use chrono::NaiveDateTime;
use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;

use crate::db::AnyConnection;
use crate::tables::jwks;

/// A row of `jwks`; `Debug` hides the private key.
#[derive(Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = jwks, treat_none_as_default_value = false)]
pub struct Jwk {
    /// The key's id, `kid` in tokens and in the key set.
    pub id: String,
    /// The public key: a JWK (RFC 7517) as JSON text.
    pub public_key: String,
    /// The private key: a JWK as JSON text, or its ciphertext as a JSON string.
    pub private_key: String,
    /// From when on it signs (UTC): when it was made, or a little later.
    pub created_at: NaiveDateTime,
    /// From when on nothing is signed with it (UTC); `None`: never.
    pub expires_at: Option<NaiveDateTime>,
    /// Its algorithm, such as `EdDSA`; `None` in rows of early versions of upstream.
    pub alg: Option<String>,
    /// Its curve, such as `Ed25519`; `None` when it is on none.
    pub crv: Option<String>,
}

impl Jwk {
    /// Whether it may sign at `now`.
    #[must_use]
    pub fn is_live(&self, now: NaiveDateTime) -> bool {
        self.expires_at.is_none_or(|end| end > now)
    }
}

impl fmt::Debug for Jwk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jwk")
            .field("id", &self.id)
            .field("alg", &self.alg)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// Every key, the newest first.
///
/// # Errors
/// When the database fails.
pub fn list_keys(conn: &mut AnyConnection) -> QueryResult<Vec<Jwk>> {
    jwks::table.order((jwks::created_at.desc(), jwks::id.desc())).select(Jwk::as_select()).load(conn)
}

/// Every key, while no other process adds or removes one until the transaction ends. Call it in
/// [`Db::write`](crate::Db::write), which on SQLite is alone anyway. Reading goes on meanwhile.
///
/// # Errors
/// When the database fails.
pub fn lock_keys(conn: &mut AnyConnection) -> QueryResult<Vec<Jwk>> {
    if let AnyConnection::Postgres(conn) = conn {
        conn.batch_execute("LOCK TABLE jwks IN EXCLUSIVE MODE")?;
    }
    list_keys(conn)
}

/// Inserts the full row and returns it as it is then: an adopted table may have ids of another kind.
///
/// # Errors
/// When the database fails.
pub fn insert_key(conn: &mut AnyConnection, row: &Jwk) -> QueryResult<Jwk> {
    diesel::insert_into(jwks::table).values(row).execute(conn)?;
    jwks::table.filter(jwks::public_key.eq(&row.public_key)).select(Jwk::as_select()).first(conn)
}

/// From `end` on nothing is signed with any key there is; returns the number of keys this is news to.
///
/// # Errors
/// When the database fails.
pub fn retire_keys(conn: &mut AnyConnection, end: NaiveDateTime) -> QueryResult<usize> {
    let live = jwks::table.filter(jwks::expires_at.is_null().or(jwks::expires_at.gt(end)));
    changed!(conn, diesel::update(live).set(jwks::expires_at.eq(Some(end))))
}

/// Removes a key; false when there is none of this id.
///
/// # Errors
/// When the database fails.
pub fn delete_key(conn: &mut AnyConnection, id: &str) -> QueryResult<bool> {
    Ok(changed!(conn, diesel::delete(jwks::table.filter(jwks::id.eq(id))))? == 1)
}

/// Removes up to `limit` keys that ended before `before`; returns their number.
///
/// # Errors
/// When the database fails.
pub fn purge_keys(conn: &mut AnyConnection, before: NaiveDateTime, limit: i64) -> QueryResult<usize> {
    let over = jwks::table.filter(jwks::expires_at.lt(before)).select(jwks::id).limit(limit);
    let ids: Vec<String> = over.load(conn)?;
    changed!(conn, diesel::delete(jwks::table.filter(jwks::id.eq_any(&ids))))
}

/// One key; `None` when there is none of this id.
///
/// # Errors
/// When the database fails.
pub fn find_key(conn: &mut AnyConnection, id: &str) -> QueryResult<Option<Jwk>> {
    jwks::table.find(id).select(Jwk::as_select()).get_result(conn).optional()
}

/// Replaces the private key of a row that was found; false when somebody else replaced or removed it since.
///
/// # Errors
/// When the database fails.
pub fn update_private_key(conn: &mut AnyConnection, found: &Jwk, private_key: &str) -> QueryResult<bool> {
    let as_found = jwks::table.filter(jwks::id.eq(&found.id)).filter(jwks::private_key.eq(&found.private_key));
    lock!(conn, jwks::table.find(&found.id).select(jwks::id));
    Ok(changed!(conn, diesel::update(as_found).set(jwks::private_key.eq(private_key)))? == 1)
}
