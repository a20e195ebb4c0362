//! `POST /verify-password` (upstream `api/routes/password`, `verifyPassword`).

use actix_web::http::StatusCode;

use super::Answer;
use crate::context::Context;
use crate::error::{ApiError, codes};
use crate::extract::Check;

/// Whether this is the user's password.
///
/// # Errors
/// 400 for a bad body, one too long or a wrong one; 401; 503.
pub async fn verify_password(cx: &mut Context) -> Result<Answer, ApiError> {
    let mut check = Check::body(cx.body.as_ref());
    let password = check.string("password");
    check.finish()?;
    let current = cx.require_authoritative_session().await?;
    cx.check_password_not_too_long(&password)?;
    let stored = cx.find_password_account(&current.user_id).await?.map(|(_, stored)| stored);
    if !cx.password_is_right(password, stored).await? {
        return Err(ApiError::new(StatusCode::BAD_REQUEST, &codes::INVALID_PASSWORD));
    }
    Ok(Answer::status_true())
}
