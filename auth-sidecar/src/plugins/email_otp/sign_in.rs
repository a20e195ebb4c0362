//! `POST /sign-in/email-otp` (upstream `plugins/email-otp/routes`, `signInEmailOTP`).

use actix_web::http::StatusCode;
use schema::DbError;
use serde_json::json;

use super::otp::{Guess, invalid};
use super::{OtpType, settings};
use crate::context::Context;
use crate::error::{ApiError, codes};
use crate::extract::Check;
use crate::fields::{Action, parse_input};
use crate::flows::read_session::CurrentSession;
use crate::flows::start_session::new_session;
use crate::plugins::mailbox::{self, Arrival, SignedIn, newcomer, write_again};
use crate::routes::Answer;
use crate::routes::sign_in::banned;

/// Signs in by a code, and makes the user when nobody has the address.
///
/// # Errors
/// 400 for a bad body, code or declared field, 403 after too many guesses; 503.
pub async fn sign_in_email_otp(cx: &mut Context) -> Result<Answer, ApiError> {
    let mut check = Check::object_and_record(cx.body.as_ref());
    let email = check.string("email").to_lowercase();
    let otp = check.string("otp");
    let name = check.maybe_string("name");
    let image = check.maybe_string("image");
    let members = check.members().cloned().unwrap_or_default();
    check.finish()?;

    let settings = settings(cx)?;
    let (guess, now) = (Guess::new(settings, OtpType::SignIn.identifier(&email), otp), cx.app.clock.now());
    // Whether they matter shows once the code is spent.
    let declared = if settings.disable_sign_up {
        Err(invalid())
    } else {
        parse_input(&cx.app.fields().user, &members, Action::Create).map_err(ApiError::from)
    };
    let new_user = match &declared {
        Ok(declared) => Some(newcomer(cx, cx.app.new_id("users").await?, &email, name, image, declared)),
        Err(_) => None,
    };
    let session = new_session(cx, "", true).await?;
    let arrived = write_again(&cx.app.db, move |conn| match guess.spend(conn, now)? {
        Ok(()) => mailbox::sign_in(conn, &email, new_user.as_ref(), &session, now).map(Ok),
        Err(refusal) => Ok(Err(refusal)),
    });
    let arrival = match arrived.await {
        Err(DbError::CheckViolation { .. }) => {
            return Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, &codes::FAILED_TO_CREATE_USER));
        }
        other => other??,
    };
    let SignedIn { user, session, is_new } = match arrival {
        Arrival::SignedIn(signed_in) => *signed_in,
        Arrival::Nobody => return Err(declared.err().unwrap_or_else(invalid)),
        Arrival::Banned => return Err(banned()),
        Arrival::Gone => return Err(invalid()),
    };
    if is_new {
        cx.warn_of_lookalikes(&members);
    }
    let current = CurrentSession::from_rows(&cx.app, &session, &user);
    cx.user_id = Some(user.id);
    cx.set_session_cookie(&current, None);
    Ok(Answer::json(json!({ "token": current.token, "user": current.user })))
}
