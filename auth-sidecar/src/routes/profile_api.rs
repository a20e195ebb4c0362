//! The plain REST face for FastAPI code and HTML forms: the same users, sessions, validation, CSRF
//! and rate rules as the protocol's own endpoints, with one shape of answer and of error.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde_json::{Map, Value, json};

use super::{Answer, AnswerBody, sign_in, sign_up, update_user};
use crate::context::Context;
use crate::cookies::sign;
use crate::error::{ApiError, ErrorBody, codes};
use crate::extract::Check;
use crate::plugins::email_otp::send::on_sign_up;

/// `POST …/register`: creates a user with a password and signs them in. 201 `{user, token}`; the
/// token is null when signing up does not sign in. A name may be left out.
///
/// # Errors
/// Those of `/sign-up/email`.
pub async fn register(cx: &mut Context) -> Result<Answer, ApiError> {
    if let Some(Value::Object(members)) = &mut cx.body {
        members.entry("name").or_insert_with(|| "".into());
    }
    accept_column_names(cx);
    accept_form_booleans(cx);
    let body = sign_up::parse_body(cx.body.as_ref())?;
    cx.check_form_csrf()?;
    let (token, user) = match sign_up::sign_up(cx, body).await? {
        sign_up::SignedUp::SignedIn(current) => (Some(current.token), current.user),
        sign_up::SignedUp::NoSession(user) => (None, user),
    };
    on_sign_up(cx, &user).await;
    Ok(Answer { status: StatusCode::CREATED, body: AnswerBody::Json(json!({ "user": user, "token": token })) })
}

/// `POST …/login`: 200 `{user, token}`.
///
/// # Errors
/// Those of `/sign-in/email`.
pub async fn login(cx: &mut Context) -> Result<Answer, ApiError> {
    accept_form_booleans(cx);
    let body = sign_in::parse_body(cx.body.as_ref())?;
    cx.check_form_csrf()?;
    let current = sign_in::sign_in(cx, body).await?;
    Ok(Answer::json(json!({ "user": current.user, "token": current.token })))
}

/// `GET …/me`: 200 `{user}`.
///
/// # Errors
/// 401 without a session, 503 when the database cannot tell.
pub async fn me(cx: &mut Context) -> Result<Answer, ApiError> {
    let current = cx.require_authoritative_session().await?;
    Ok(Answer::json(json!({ "user": current.user })))
}

/// `PUT …/profile`: changes name, picture and declared fields. 200 `{user}`.
///
/// # Errors
/// Those of `/update-user`.
pub async fn update_profile(cx: &mut Context) -> Result<Answer, ApiError> {
    accept_column_names(cx);
    let check = Check::record(cx.body.as_ref());
    let members = check.members().cloned().unwrap_or_default();
    check.finish()?;
    let mut current = cx.require_authoritative_session().await?;
    update_user::apply(cx, &mut current, &members).await?;
    Ok(Answer::json(json!({ "user": current.user })))
}

/// Takes `Authorization: Bearer <session token>`, plain or signed, as the session cookie; it beats
/// a cookie. Anything else is left alone.
pub fn accept_bearer(cx: &mut Context) {
    let Some(authorization) = cx.header("authorization") else { return };
    let Some((scheme, token)) = authorization.split_once(' ') else { return };
    if !scheme.eq_ignore_ascii_case("bearer") {
        return;
    }
    let token = token.trim();
    let value = if token.contains('.') {
        percent_encoding::percent_decode_str(token).decode_utf8_lossy().into_owned()
    } else {
        sign::sign(cx.app.config.secrets.current(), token)
    };
    let name = cx.app.config.cookies.name("session_token");
    if cx.app.config.secrets.all().any(|secret| sign::verify(secret, &value).is_some()) {
        cx.cookies.set(&name, &value);
    }
}

/// A form can only send text.
fn accept_form_booleans(cx: &mut Context) {
    if let Some(remember) = cx.body.as_mut().and_then(|body| body.get_mut("rememberMe"))
        && let Some(value) = remember.as_str().and_then(|text| text.parse::<bool>().ok())
    {
        *remember = value.into();
    }
}

/// Lets code say a declared field by its column's name even where the browser's key differs.
fn accept_column_names(cx: &mut Context) {
    let Some(Value::Object(members)) = &mut cx.body else { return };
    for field in &cx.app.config.fields.user {
        if field.name != field.key && !members.contains_key(&field.key) {
            rename(members, &field.name, &field.key);
        }
    }
}

fn rename(members: &mut Map<String, Value>, from: &str, to: &str) {
    if let Some(value) = members.shift_remove(from) {
        members.insert(to.to_owned(), value);
    }
}

/// The rate limiter's name for a path of this face: sign-up and sign-in share the buckets of the
/// protocol's own endpoints.
#[must_use]
pub fn limited_as(below: &str) -> &str {
    match below.trim_end_matches('/') {
        "/register" => "/sign-up/email",
        "/login" => "/sign-in/email",
        "/me" => "/get-session",
        "/profile" => "/update-user",
        other => other,
    }
}

/// Gives an error the face's shape: always a `code` and a `message`.
#[must_use]
pub fn coded(error: ApiError) -> ApiError {
    match error {
        ApiError::Refused { status, body: ErrorBody::Message(message) } => {
            ApiError::with_message(status, &codes::BAD_REQUEST, message)
        }
        other => other,
    }
}

/// 404 for a path the face does not have.
#[must_use]
pub fn not_found() -> HttpResponse {
    HttpResponse::NotFound().json(json!({ "message": codes::NOT_FOUND.message, "code": codes::NOT_FOUND.code }))
}
