//! The plain REST face for FastAPI code and HTML forms: the same users, sessions, validation, CSRF
//! and rate rules as the protocol's own endpoints, with one shape of answer and of error.

use actix_web::HttpResponse;
use actix_web::http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::sign_in::{self, SignInBody};
use super::{Answer, AnswerBody, sign_up, update_user};
use crate::config::JwtSettings;
use crate::context::Context;
use crate::error::{ApiError, ErrorBody, codes};
use crate::extract::Check;
use crate::plugins::email_otp::send::on_sign_up;
use crate::plugins::jwt::{self, access_token, bearer_user};

/// `POST …/register`: creates a user with a password and signs them in. 201 `{user, token, access_token, token_type,
/// expires_in}`; the tokens are null when signing up does not sign in. A name may be left out.
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
    let body = with_access_token(cx, user, token).await;
    Ok(Answer { status: StatusCode::CREATED, body: AnswerBody::Json(body) })
}

/// `POST …/login`: 200 as of `register`.
///
/// # Errors
/// Those of `/sign-in/email`.
pub async fn login(cx: &mut Context) -> Result<Answer, ApiError> {
    accept_form_booleans(cx);
    let body = sign_in::parse_body(cx.body.as_ref())?;
    cx.check_form_csrf()?;
    let current = sign_in::sign_in(cx, body).await?;
    Ok(Answer::json(with_access_token(cx, current.user, Some(current.token)).await))
}

/// `GET …/token`: a JWT for the session. 200 `{access_token, token_type, expires_in}`, the last in seconds.
///
/// # Errors
/// 401 without a session, 404 without the plugin jwt, 503.
pub async fn token(cx: &mut Context) -> Result<Answer, ApiError> {
    let settings = jwt_settings(cx)?;
    refuse_jwt(cx)?;
    let current = cx.require_authoritative_session().await?;
    cx.user_id = Some(current.user_id);
    Ok(Answer::json(access_token(cx, &settings, &current.user).await?))
}

/// `POST …/token`: signs in with `username` (the address) and `password`, and answers as `GET …/token`: the password
/// grant (RFC 6749 §4.3) that FastAPI's `OAuth2PasswordBearer` and its documentation page use.
///
/// # Errors
/// Those of `/sign-in/email`; 400 for another grant, 404 without the plugin jwt.
pub async fn password_token(cx: &mut Context) -> Result<Answer, ApiError> {
    let settings = jwt_settings(cx)?;
    let mut check = Check::body(cx.body.as_ref());
    let (email, password) = (check.string("username"), check.string("password"));
    let grant = check.maybe_string("grant_type");
    if grant.is_some_and(|grant| !matches!(grant.as_str(), "" | "password")) {
        check.issue("grant_type", "Invalid input: expected \"password\"");
    }
    check.finish()?;
    cx.check_form_csrf()?;
    // Nobody is signed in for a token that cannot be made.
    access_token::prepare(&cx.app, &settings).await?;
    // The session behind the token is of no more use than the token: it lasts a day.
    let current = sign_in::sign_in(cx, SignInBody { email, password, callback_url: None, remember: false }).await?;
    Ok(Answer::json(access_token(cx, &settings, &current.user).await?))
}

fn jwt_settings(cx: &Context) -> Result<JwtSettings, ApiError> {
    let settings = cx.app.config.plugins.jwt.clone();
    settings.ok_or_else(|| ApiError::new(StatusCode::NOT_FOUND, &codes::NOT_FOUND))
}

async fn access_token(cx: &Context, settings: &JwtSettings, user: &Map<String, Value>) -> Result<Value, ApiError> {
    let token = access_token::sign(&cx.app, settings, user).await?;
    Ok(json!({ "access_token": token, "token_type": "bearer", "expires_in": settings.expires_in }))
}

/// The session's token and, with the plugin jwt, a JWT beside it. Who has just signed up or in stays so without a JWT:
/// it is null then.
async fn with_access_token(cx: &Context, user: Map<String, Value>, token: Option<String>) -> Value {
    let mut body = json!({ "user": user, "token": token });
    if let (Some(settings), Some(members)) = (&cx.app.config.plugins.jwt, body.as_object_mut()) {
        let signed = match token {
            Some(_) => access_token(cx, settings, &user).await.map_err(|error| {
                let cause = error.cause().map(tracing::field::display);
                tracing::error!(cause, "signed in without an access token");
            }),
            None => Err(()),
        };
        let none = json!({ "access_token": null, "token_type": "bearer", "expires_in": null });
        if let Value::Object(jwt) = signed.unwrap_or(none) {
            members.extend(jwt);
        }
    }
    body
}

/// A JWT is no session. Whoever sends one must not be taken for the owner of a cookie that comes with it.
fn refuse_jwt(cx: &Context) -> Result<(), ApiError> {
    if jwt::bearer_token(cx).is_some() { Err(ApiError::unauthorized()) } else { Ok(()) }
}

/// `GET …/me`: 200 `{user}`, by session or by JWT.
///
/// # Errors
/// 401 without a session, 503 when the database cannot tell.
pub async fn me(cx: &mut Context) -> Result<Answer, ApiError> {
    let user = match bearer_user(cx).await? {
        Some(user) => user,
        None => cx.require_authoritative_session().await?.user,
    };
    Ok(Answer::json(json!({ "user": user })))
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
    refuse_jwt(cx)?;
    let mut current = cx.require_authoritative_session().await?;
    update_user::apply(cx, &mut current, &members).await?;
    Ok(Answer::json(json!({ "user": current.user })))
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
    for field in &cx.app.fields().user {
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

/// The rate limiter's name for a request of this face: sign-up and sign-in share the buckets of the
/// protocol's own endpoints.
#[must_use]
pub fn limited_as<'a>(method: &Method, below: &'a str) -> &'a str {
    match below.trim_end_matches('/') {
        "/register" => "/sign-up/email",
        "/login" => "/sign-in/email",
        "/token" if method == Method::POST => "/sign-in/email",
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
