//! `request-password-reset`, `reset-password/:token` and `reset-password`
//! (upstream `api/routes/password`).

use actix_web::http::StatusCode;
use chrono::NaiveDateTime;
use schema::{AnyConnection, Verification, accounts, users, verifications};
use serde_json::json;
use url::Url;

use super::Answer;
use crate::clock::plus_seconds;
use crate::context::Context;
use crate::cookies::sign::encode_uri_component;
use crate::error::{ApiError, codes};
use crate::extract::Check;
use crate::flows::credentials::new_account;
use crate::ids::{generate_id, random_string};
use crate::links::set_query;
use crate::mail::{Mail, MailKind};

/// Life of a reset link: one hour.
const EXPIRES_IN: i64 = 3_600;

/// Mails a link to set a new password. An unknown address gives the same answer.
///
/// # Errors
/// 400 for a bad body or when no mail can be sent; 503.
pub async fn request_password_reset(cx: &mut Context) -> Result<Answer, ApiError> {
    let mut check = Check::body(cx.body.as_ref());
    let email = check.email("email").to_lowercase();
    let redirect_to = check.maybe_string("redirectTo");
    check.finish()?;
    if !cx.app.mailer.is_on() {
        return Err(ApiError::new(StatusCode::BAD_REQUEST, &codes::RESET_PASSWORD_DISABLED));
    }
    let token = random_string(24);
    let now = cx.app.clock.now();
    let identifier = identifier(&token);
    let user = cx
        .app
        .db
        .write(move |conn| {
            let Some(user) = users::find_user_by_email(conn, &email)? else { return Ok(None) };
            let row = Verification {
                id: generate_id(),
                identifier,
                value: user.id.clone(),
                expires_at: plus_seconds(now, EXPIRES_IN),
                created_at: now,
                updated_at: now,
            };
            verifications::insert_verification(conn, &row)?;
            Ok(Some(user))
        })
        .await?;
    if let Some(user) = user {
        let callback = redirect_to.as_deref().map(encode_uri_component).unwrap_or_default();
        let url = format!("{}/reset-password/{token}?callbackURL={callback}", cx.app.config.auth_url());
        cx.app.mailer.send(Mail { kind: MailKind::ResetPassword, to: user.email, url, token, new_email: None });
    }
    Ok(Answer::json(json!({
        "status": true,
        "message": "If this email exists in our system, check your email for the reset link",
    })))
}

/// Where the mailed link leads: on to the page that asks for the new password. The token stays good.
///
/// # Errors
/// 400 for a bad query, 403 for an untrusted callback, 503.
pub async fn reset_password_callback(cx: &mut Context) -> Result<Answer, ApiError> {
    let mut check = Check::query(&cx.query);
    let callback_url = check.string("callbackURL");
    check.finish()?;
    cx.check_callback(Some(&callback_url))?;
    let token = cx.parameter.clone();
    if callback_url.is_empty() {
        return Ok(redirect(cx, None, "error", "INVALID_TOKEN"));
    }
    let (wanted, now) = (identifier(&token), cx.app.clock.now());
    let row = cx.app.db.read(move |conn| verifications::find_verification(conn, &wanted)).await?;
    Ok(match row {
        Some(row) if row.expires_at >= now => redirect(cx, Some(&callback_url), "token", &token),
        _ => redirect(cx, Some(&callback_url), "error", "INVALID_TOKEN"),
    })
}

/// Sets a new password, given the mailed token.
///
/// # Errors
/// 400 for a bad body, a password out of limits or a bad token; 503.
pub async fn reset_password(cx: &mut Context) -> Result<Answer, ApiError> {
    let mut check = Check::body(cx.body.as_ref());
    let new_password = check.string("newPassword");
    let body_token = check.maybe_string("token").filter(|token| !token.is_empty());
    check.finish()?;
    let mut check = Check::query(&cx.query);
    let query_token = check.maybe_string("token").filter(|token| !token.is_empty());
    check.finish()?;
    let invalid = || ApiError::new(StatusCode::BAD_REQUEST, &codes::INVALID_TOKEN);
    let token = body_token.or(query_token).ok_or_else(invalid)?;
    cx.check_password_not_too_short(&new_password)?;
    cx.check_password_not_too_long(&new_password)?;

    let (wanted, now) = (identifier(&token), cx.app.clock.now());
    let found = cx
        .app
        .db
        .read(move |conn| {
            let Some(row) = verifications::find_verification(conn, &wanted)? else { return Ok(None) };
            let user = users::find_user_by_id(conn, &row.value)?;
            Ok(Some((row, user)))
        })
        .await?;
    let Some((row, user)) = found.filter(|(row, _)| row.expires_at >= now) else { return Err(invalid()) };
    if user.is_none() {
        return Err(ApiError::new(StatusCode::BAD_REQUEST, &codes::USER_NOT_FOUND));
    }
    let hash = cx.app.hasher.hash(new_password).await?;
    let consumed = cx
        .app
        .db
        .write(move |conn| {
            if !verifications::consume_verification(conn, &row)? {
                return Ok(false);
            }
            set_password(conn, &row.value, hash, now)?;
            Ok(true)
        })
        .await?;
    if consumed { Ok(Answer::status_true()) } else { Err(invalid()) }
}

fn set_password(conn: &mut AnyConnection, user_id: &str, hash: String, now: NaiveDateTime) -> diesel::QueryResult<()> {
    if let Some(account) = accounts::find_credential_account(conn, user_id)? {
        accounts::update_password(conn, &account.id, &hash, now)?;
        return Ok(());
    }
    accounts::insert_account(conn, &new_account(user_id, hash, now))
}

fn identifier(token: &str) -> String {
    format!("reset-password:{token}")
}

/// upstream `redirectError` and `redirectCallback`: the callback becomes absolute.
fn redirect(cx: &Context, callback: Option<&str>, key: &str, value: &str) -> Answer {
    let base = cx.app.config.auth_url();
    let url = match callback {
        Some(callback) => Url::parse(&base).and_then(|base| base.join(callback)),
        None => Url::parse(&format!("{base}/error")),
    };
    Answer::redirect(url.map_or(base, |url| set_query(url, key, value)))
}
