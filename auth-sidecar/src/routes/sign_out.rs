//! `POST /sign-out` (upstream `api/routes/sign-out`).

use schema::sessions;
use serde_json::json;

use super::Answer;
use crate::context::Context;
use crate::error::ApiError;
use crate::extract::Check;

/// Ends the session of the request's cookie and expires its cookies; without one it succeeds too.
///
/// # Errors
/// 400 for a bad body; 503, with the cookies kept, when the database cannot end the session.
pub async fn sign_out(cx: &mut Context) -> Result<Answer, ApiError> {
    if cx.body.is_some() {
        let mut check = Check::body(cx.body.as_ref());
        check.maybe_string("callbackURL");
        check.maybe_bool("disableRedirect");
        check.maybe_string("state");
        check.finish()?;
    }
    let token = cx.session_cookies().0.session_token();
    if let Some(token) = token {
        // upstream swallows a failing database here and answers success with the session alive.
        cx.app.db.write(move |conn| sessions::delete_session(conn, &token)).await?;
    }
    cx.delete_session_cookies();
    Ok(Answer::json(json!({ "success": true })))
}
