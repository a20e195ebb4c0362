//! `POST /change-email` (upstream `api/routes/update-user`, `changeEmail`).

use actix_web::http::StatusCode;
use schema::{UserChanges, mails, users, verifications};

use super::Answer;
use crate::context::Context;
use crate::error::{ApiError, codes};
use crate::extract::Check;
use crate::flows::email_tokens::{CHANGE_CONFIRMATION, CHANGE_VERIFICATION, EmailToken};
use crate::mail::{Mail, MailKind};

/// Changes the user's address: at once while it is unproven and that is allowed, else by a link
/// mailed to the new one. A taken address gives the same answer.
///
/// # Errors
/// 400 for a bad body, when it is switched off or impossible, or for the same address; 401; 503.
pub async fn change_email(cx: &mut Context) -> Result<Answer, ApiError> {
    let mut check = Check::body(cx.body.as_ref());
    let new_email = check.email("newEmail").to_lowercase();
    let callback_url = check.maybe_string("callbackURL");
    check.finish()?;
    let mut current = cx.require_authoritative_session().await?;
    let settings = &cx.app.config.user.change_email;
    if !settings.enabled {
        return Err(ApiError::new(StatusCode::BAD_REQUEST, &codes::CHANGE_EMAIL_DISABLED));
    }
    if new_email == current.email {
        return Err(ApiError::message_only(StatusCode::BAD_REQUEST, "Email is the same"));
    }
    let at_once = !current.email_verified() && settings.update_without_verification;
    if !at_once && !cx.app.mailer.is_on() {
        return Err(ApiError::message_only(StatusCode::BAD_REQUEST, "Verification email isn't enabled"));
    }
    let wanted = new_email.clone();
    let taken = cx.app.db.read(move |conn| users::find_user_by_email(conn, &wanted)).await?;
    if taken.is_some() {
        return Ok(Answer::status_true());
    }
    if !at_once {
        let confirm = settings.confirmation && current.email_verified();
        let request_type = if confirm { CHANGE_CONFIRMATION } else { CHANGE_VERIFICATION };
        let token = EmailToken {
            email: current.email.clone(),
            update_to: Some(new_email.clone()),
            request_type: Some(request_type.to_owned()),
            user_id: Some(current.user_id.clone()),
            was_verified: Some(current.email_verified()),
        };
        let (kind, to) =
            if confirm { (MailKind::ChangeEmail, &current.email) } else { (MailKind::VerifyEmail, &new_email) };
        let mut mail = token.compose(cx, kind, to, callback_url.as_deref())?;
        mail.new_email = confirm.then_some(new_email);
        cx.app.mailer.enqueue(&cx.app.db, &mail, cx.app.clock.now()).await?;
        return Ok(Answer::status_true());
    }
    let changes =
        UserChanges { email: Some(new_email.clone()), updated_at: Some(cx.app.clock.now()), ..UserChanges::default() };
    let (user_id, old_email) = (current.user_id.clone(), current.email.clone());
    let notice = Mail { new_email: Some(new_email), ..Mail::new(MailKind::EmailChanged, &current.email) };
    let notice = cx.app.mailer.row(&notice, cx.app.clock.now());
    let updated = cx
        .app
        .db
        .write(move |conn| {
            // An address that was proven or changed in the meantime is not given up so easily.
            let user = users::lock_user(conn, &user_id)?;
            let user = user.filter(|user| user.email == old_email && !user.email_verified);
            let Some(user) = user else { return Ok(None) };
            verifications::delete_reset_tokens(conn, &user.id)?;
            notice.iter().try_for_each(|notice| mails::insert_mail(conn, notice))?;
            users::update_user(conn, &user.id, &changes)
        })
        .await;
    match updated {
        Ok(Some(user)) => {
            cx.app.mailer.wake();
            current.set_email(&user.email, user.email_verified);
            cx.set_session_cookie(&current, None);
            if cx.app.mailer.is_on() {
                EmailToken::proof(&user.email, &user.id).mail(cx, &user.email, callback_url.as_deref()).await?;
            }
        }
        Ok(None) => {
            return Err(ApiError::message_only(StatusCode::CONFLICT, "The user has changed. Please try again."));
        }
        // Somebody else took the address in the meantime: as above.
        Err(error) if error.is_unique_on("users", "email") => {}
        Err(error) => return Err(error.into()),
    }
    Ok(Answer::status_true())
}
