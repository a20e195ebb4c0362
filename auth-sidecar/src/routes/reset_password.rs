//! `request-password-reset`, `reset-password/:token` and `reset-password`
//! (upstream `api/routes/password`).

use actix_web::http::StatusCode;
use chrono::NaiveDateTime;
use schema::{Db, Verification, mails, users, verifications};
use serde_json::json;
use url::Url;

use super::Answer;
use crate::clock::plus_seconds;
use crate::context::Context;
use crate::cookies::sign::encode_uri_component;
use crate::error::{ApiError, codes};
use crate::extract::Check;
use crate::ids::{generate_id, random_string};
use crate::links::set_query;
use crate::mail::{Mail, MailKind, Mailer};

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
    let expires_in = cx.app.config.email_password.reset_token_expires_in;
    let now = cx.app.clock.now();
    // A known address must not take longer than an unknown one: one read for both, and what is to be
    // written comes after the answer.
    let later = cx.app.mailer.later().await;
    let user = cx.app.db.read(move |conn| users::find_user_by_email(conn, &email)).await?;
    if let Some(user) = user {
        let callback = redirect_to.as_deref().map(encode_uri_component).unwrap_or_default();
        let url = format!("{}/reset-password/{token}?callbackURL={callback}", cx.app.config.auth_url());
        let row = Verification {
            id: generate_id(),
            identifier: identifier(&token),
            value: user.id,
            expires_at: plus_seconds(now, expires_in),
            created_at: now,
            updated_at: now,
        };
        let mail =
            Mail { name: Some(user.name), ..Mail::link(MailKind::ResetPassword, user.email, url, token, expires_in) };
        later.spawn(remember_and_mail(cx.app.mailer.clone(), cx.app.db.clone(), row, mail, now));
    }
    Ok(Answer::json(json!({
        "status": true,
        "message": "If this email exists in our system, check your email for the reset link",
    })))
}

/// The verification and its mail, both or neither.
async fn remember_and_mail(mailer: Mailer, db: Db, row: Verification, mail: Mail, now: NaiveDateTime) {
    let Some(mail) = mailer.row(&mail, now) else { return };
    let written = db.write(move |conn| {
        verifications::insert_verification(conn, &row)?;
        mails::insert_mail(conn, &mail)
    });
    match written.await {
        Ok(()) => mailer.wake(),
        Err(error) => tracing::error!(%error, "a password reset could not be written down; no mail is sent"),
    }
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
    let Some(user) = user else {
        return Err(ApiError::new(StatusCode::BAD_REQUEST, &codes::USER_NOT_FOUND));
    };
    let hash = cx.app.hasher.hash(new_password).await?;
    let reset = cx.password_reset(&user, hash);
    let consumed = cx
        .app
        .db
        .write(move |conn| {
            if !verifications::consume_verification(conn, &row)? {
                return Ok(false);
            }
            reset.write(conn, &user.id)?;
            Ok(true)
        })
        .await?;
    cx.app.mailer.wake();
    if consumed { Ok(Answer::status_true()) } else { Err(invalid()) }
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
