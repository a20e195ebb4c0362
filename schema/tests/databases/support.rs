//! Rows to insert, and small queries the crate itself has no use for.

use chrono::{NaiveDate, NaiveDateTime, TimeDelta};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use schema::{Account, AnyConnection, Session, User, accounts, sessions, users};

/// 2026-01-31 12:00:00.123 plus some seconds.
pub fn at(seconds: i64) -> NaiveDateTime {
    let base = NaiveDate::from_ymd_opt(2026, 1, 31).unwrap().and_hms_milli_opt(12, 0, 0, 123).unwrap();
    base + TimeDelta::seconds(seconds)
}

pub fn user(id: &str) -> User {
    User {
        id: id.to_owned(),
        name: "Ada".to_owned(),
        email: format!("{id}@example.com"),
        email_verified: false,
        image: None,
        created_at: at(0),
        updated_at: at(0),
        software_background: Some("ten years of C".to_owned()),
        hardware_background: None,
        additional_fields: "{}".to_owned(),
    }
}

pub fn session(id: &str, user_id: &str, expires_in: i64) -> Session {
    Session {
        id: id.to_owned(),
        expires_at: at(expires_in),
        token: format!("token-{id}"),
        created_at: at(0),
        updated_at: at(0),
        ip_address: Some("192.0.2.1".to_owned()),
        user_agent: Some(String::new()),
        user_id: user_id.to_owned(),
        additional_fields: "{}".to_owned(),
    }
}

pub fn credential(id: &str, user_id: &str) -> Account {
    Account {
        id: id.to_owned(),
        account_id: user_id.to_owned(),
        provider_id: accounts::CREDENTIAL.to_owned(),
        user_id: user_id.to_owned(),
        access_token: None,
        refresh_token: None,
        id_token: None,
        access_token_expires_at: None,
        refresh_token_expires_at: None,
        scope: None,
        password: Some("hash".to_owned()),
        created_at: at(0),
        updated_at: at(0),
    }
}

/// A user with a password and one session of an hour, all named after `id`.
pub fn insert_all(conn: &mut AnyConnection, id: &str) -> QueryResult<()> {
    users::insert_user(conn, &user(id))?;
    accounts::insert_account(conn, &credential(id, id))?;
    sessions::insert_session(conn, &session(id, id, 3600))
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    value: i64,
}

/// The one number of `SELECT … AS value`.
pub fn number(conn: &mut AnyConnection, query: &str) -> QueryResult<i64> {
    Ok(diesel::sql_query(query).get_result::<Number>(conn)?.value)
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    value: String,
}

/// The texts of `SELECT … AS value`.
pub fn lines(conn: &mut AnyConnection, query: &str) -> QueryResult<Vec<String>> {
    let rows: Vec<Line> = diesel::sql_query(query).load(conn)?;
    Ok(rows.into_iter().map(|row| row.value).collect())
}
