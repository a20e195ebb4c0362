//! The JSON objects of the protocol, in upstream's key order (contract: object shapes).

use chrono::{DateTime, NaiveDateTime};
use schema::{Account, Session, User};
use serde_json::{Map, Value, json};

use crate::fields::FieldRegistry;

pub mod declared;

/// A user: core fields, declared fields, the id last.
#[must_use]
pub fn user(user: &User, fields: &FieldRegistry) -> Map<String, Value> {
    let mut object = Map::with_capacity(8 + fields.user.len());
    object.insert("name".to_owned(), user.name.clone().into());
    object.insert("email".to_owned(), user.email.clone().into());
    object.insert("emailVerified".to_owned(), user.email_verified.into());
    object.insert("image".to_owned(), user.image.clone().into());
    object.insert("createdAt".to_owned(), date(user.created_at));
    object.insert("updatedAt".to_owned(), date(user.updated_at));
    object.extend(declared::user_members(fields, user));
    object.insert("id".to_owned(), user.id.clone().into());
    object
}

/// A session: core fields, declared fields, the id last.
#[must_use]
pub fn session(session: &Session, fields: &FieldRegistry) -> Map<String, Value> {
    let mut object = Map::with_capacity(8 + fields.session.len());
    object.insert("expiresAt".to_owned(), date(session.expires_at));
    object.insert("token".to_owned(), session.token.clone().into());
    object.insert("createdAt".to_owned(), date(session.created_at));
    object.insert("updatedAt".to_owned(), date(session.updated_at));
    object.insert("ipAddress".to_owned(), session.ip_address.clone().into());
    object.insert("userAgent".to_owned(), session.user_agent.clone().into());
    object.insert("userId".to_owned(), session.user_id.clone().into());
    object.extend(declared::session_members(fields, &session.additional_fields));
    object.insert("id".to_owned(), session.id.clone().into());
    object
}

/// An account of `list-accounts`; never its tokens or password.
#[must_use]
pub fn account(account: &Account) -> Value {
    let scopes: Vec<&str> = account
        .scope
        .as_deref()
        .unwrap_or_default()
        .split(',')
        .map(str::trim)
        .filter(|scope| !scope.is_empty())
        .collect();
    json!({
        "accountId": account.account_id,
        "providerId": account.provider_id,
        "userId": account.user_id,
        "createdAt": date(account.created_at),
        "updatedAt": date(account.updated_at),
        "id": account.id,
        "scopes": scopes,
    })
}

/// A date as `Date.prototype.toISOString` writes it: UTC, always three digits of milliseconds.
#[must_use]
pub fn date(time: NaiveDateTime) -> Value {
    Value::String(time.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
}

/// The UTC time of a date on the wire; `None` when it is none.
#[must_use]
pub fn parse_date(value: &Value) -> Option<NaiveDateTime> {
    DateTime::parse_from_rfc3339(value.as_str()?).ok().map(|time| time.naive_utc())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::from_ms;

    #[test]
    fn dates_always_carry_three_digits_of_milliseconds() {
        assert_eq!(date(from_ms(1_893_456_000_000)), json!("2030-01-01T00:00:00.000Z"));
        assert_eq!(date(from_ms(1_893_456_000_120)), json!("2030-01-01T00:00:00.120Z"));
        assert_eq!(parse_date(&date(from_ms(1_893_456_000_007))), Some(from_ms(1_893_456_000_007)));
    }
}
