//! `POST /change-password` (upstream `api/routes/update-user`, `changePassword`).

use actix_web::http::StatusCode;
use schema::{accounts, mails, sessions, verifications};
use serde_json::{Value, json};

use super::Answer;
use crate::context::Context;
use crate::error::{ApiError, codes};
use crate::extract::Check;
use crate::flows::read_session::CurrentSession;
use crate::flows::start_session::new_session;
use crate::mail::{Mail, MailKind};
use crate::wire;

/// Sets a new password, given the current one; optionally ends every session and begins a new one.
///
/// # Errors
/// 400 for a bad body, a password out of limits, no password to change or a wrong one; 401; 503.
pub async fn change_password(cx: &mut Context) -> Result<Answer, ApiError> {
    let mut check = Check::body(cx.body.as_ref());
    let new_password = check.string("newPassword");
    let current_password = check.string("currentPassword");
    let revoke = check.maybe_bool("revokeOtherSessions") == Some(true);
    check.finish()?;
    let current = cx.require_authoritative_session().await?;
    cx.check_password_not_too_short(&new_password)?;
    cx.check_password_not_too_long(&new_password)?;
    cx.check_password_not_too_long(&current_password)?;

    let Some((account, stored)) = cx.find_password_account(&current.user_id).await? else {
        return Err(ApiError::new(StatusCode::BAD_REQUEST, &codes::CREDENTIAL_ACCOUNT_NOT_FOUND));
    };
    let wrong = || ApiError::new(StatusCode::BAD_REQUEST, &codes::INVALID_PASSWORD);
    let hash = cx.app.hasher.verify_then_hash(current_password, stored.clone(), new_password).await?;
    let hash = hash.ok_or_else(wrong)?;

    let now = cx.app.clock.now();
    let session = if revoke { Some(new_session(cx, &current.user_id, true).await?) } else { None };
    let (user_id, row) = (current.user_id.clone(), session.clone());
    let notice = cx.app.mailer.row(&Mail::new(MailKind::PasswordChanged, &current.email), now);
    let changed = cx
        .app
        .db
        .write(move |conn| {
            // Of two changes from one password only the first counts.
            if !accounts::lock_password(conn, &account.id, &stored)? {
                return Ok(false);
            }
            accounts::update_password(conn, &account.id, &hash, now)?;
            verifications::delete_reset_tokens(conn, &user_id)?;
            notice.iter().try_for_each(|notice| mails::insert_mail(conn, notice))?;
            if let Some(row) = &row {
                sessions::delete_user_sessions(conn, &user_id)?;
                sessions::insert_session(conn, row)?;
            }
            Ok(true)
        })
        .await?;
    if !changed {
        return Err(wrong());
    }
    cx.app.mailer.wake();

    let mut token = Value::Null;
    if let Some(session) = session {
        token = session.token.clone().into();
        let renewed = CurrentSession {
            token: session.token.clone(),
            created_at: session.created_at,
            session: wire::session(&session, cx.app.fields()),
            ..current.clone()
        };
        cx.set_session_cookie(&renewed, None);
    }
    Ok(Answer::json(json!({ "token": token, "user": Value::Object(current.user) })))
}
