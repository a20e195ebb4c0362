//! `POST /sign-in/email` (upstream `api/routes/sign-in`, `signInEmail`).

use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use schema::{accounts, sessions, users};
use serde_json::{Map, Value};

use super::Answer;
use crate::context::Context;
use crate::email_form::is_email;
use crate::error::{ApiError, codes};
use crate::extract::Check;
use crate::flows::email_tokens::EmailToken;
use crate::flows::read_session::CurrentSession;
use crate::flows::start_session::new_session;
use crate::password::Verdict;

/// The members of a sign-in.
pub struct SignInBody {
    /// As typed.
    pub email: String,
    /// As typed; may be empty.
    pub password: String,
    /// Where the page wants to go afterwards.
    pub callback_url: Option<String>,
    /// False asks for a session that ends with the browser.
    pub remember: bool,
}

/// Signs a user in with address and password.
///
/// # Errors
/// Those of the contract's table, in its order.
pub async fn sign_in_email(cx: &mut Context) -> Result<Answer, ApiError> {
    let body = parse_body(cx.body.as_ref())?;
    cx.check_form_csrf()?;
    let callback_url = body.callback_url.clone();
    let current = sign_in(cx, body).await?;

    let wanted = callback_url.as_deref().filter(|url| !url.is_empty());
    if let Some(url) = wanted {
        cx.set_header(LOCATION, url);
    }
    let mut answer = Map::new();
    answer.insert("redirect".to_owned(), wanted.is_some().into());
    answer.insert("token".to_owned(), current.token.into());
    if let Some(url) = callback_url {
        answer.insert("url".to_owned(), url.into());
    }
    answer.insert("user".to_owned(), Value::Object(current.user));
    Ok(Answer::json(answer))
}

/// Checks the body.
///
/// # Errors
/// 400 with every issue.
pub fn parse_body(body: Option<&Value>) -> Result<SignInBody, ApiError> {
    let mut check = Check::body(body);
    let parsed = SignInBody {
        email: check.string("email"),
        password: check.string("password"),
        callback_url: check.maybe_string("callbackURL"),
        remember: check.maybe_bool("rememberMe") != Some(false),
    };
    check.finish()?;
    Ok(parsed)
}

/// The sign-in itself: one query, one hash on every path, one transaction. The cookies are set.
///
/// # Errors
/// Those of the contract's table from row 3 on.
pub async fn sign_in(cx: &mut Context, body: SignInBody) -> Result<CurrentSession, ApiError> {
    if !cx.app.config.email_password.enabled {
        return Err(ApiError::new(StatusCode::BAD_REQUEST, &codes::EMAIL_PASSWORD_DISABLED));
    }
    if !is_email(&body.email) {
        return Err(ApiError::new(StatusCode::BAD_REQUEST, &codes::INVALID_EMAIL));
    }
    cx.check_password_not_too_long(&body.password)?;

    let email = body.email.to_lowercase();
    let attempt = cx.take_sign_in_attempt(&email).await?;
    let found = cx.app.db.read(move |conn| accounts::find_user_with_credential(conn, &email)).await?;
    let (user, account) = match found {
        Some((user, account)) => (Some(user), account),
        None => (None, None),
    };
    let stored = account.as_ref().and_then(|account| account.password.clone());
    let verdict = cx.app.hasher.verify(body.password.clone(), stored.clone()).await?;
    let (Some(user), Some(account), Some(stored), Verdict::Right { rehash }) = (user, account, stored, verdict) else {
        return Err(wrong_email_or_password());
    };
    if cx.app.config.email_password.require_verification && !user.email_verified {
        if cx.app.config.email_verification.send_on_sign_in {
            let token = EmailToken::proof(&user.email, &user.id);
            token.mail(cx, &user.email, body.callback_url.as_deref()).await?;
        }
        return Err(ApiError::new(StatusCode::FORBIDDEN, &codes::EMAIL_NOT_VERIFIED));
    }
    // An upgrade that the hashing threads have no time for waits for the next sign-in.
    let new_hash = if rehash { cx.app.hasher.hash(body.password).await.ok() } else { None };

    let session = new_session(cx, &user.id, body.remember).await?;
    let row = session.clone();
    let now = cx.app.clock.now();
    let outcome = cx
        .app
        .db
        .write(move |conn| {
            let banned = users::is_banned(conn, &row.user_id, now)?;
            // A password changed, or a user deleted, while this one was being checked opens nothing.
            if !accounts::lock_password(conn, &account.id, &stored)? {
                return Ok(Outcome::Wrong);
            }
            if banned {
                return Ok(Outcome::Banned);
            }
            if let Some(new_hash) = &new_hash {
                accounts::update_password(conn, &account.id, new_hash, now)?;
            }
            sessions::insert_session(conn, &row)?;
            Ok(Outcome::SignedIn)
        })
        .await?;
    match outcome {
        Outcome::Wrong => return Err(wrong_email_or_password()),
        // The password was no guess.
        Outcome::SignedIn | Outcome::Banned => cx.give_sign_in_attempts_back(&attempt),
    }
    if let Outcome::Banned = outcome {
        return Err(banned());
    }
    let current = CurrentSession::from_rows(&cx.app, &session, &user);
    cx.user_id = Some(user.id);
    cx.set_session_cookie(&current, Some(body.remember));
    Ok(current)
}

/// What became of a right password.
enum Outcome {
    SignedIn,
    Wrong,
    Banned,
}

/// 403 `BANNED_USER` (upstream `plugins/admin`).
#[must_use]
pub fn banned() -> ApiError {
    ApiError::new(StatusCode::FORBIDDEN, &codes::BANNED_USER)
}

fn wrong_email_or_password() -> ApiError {
    ApiError::new(StatusCode::UNAUTHORIZED, &codes::INVALID_EMAIL_OR_PASSWORD)
}
