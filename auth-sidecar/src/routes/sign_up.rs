//! `POST /sign-up/email` (upstream `api/routes/sign-up`).

use actix_web::http::StatusCode;
use schema::{Account, AnyConnection, DbError, MailRow, Session, User, accounts, mails, sessions, users};
use serde_json::{Map, Value, json};

use super::Answer;
use crate::context::Context;
use crate::email_form::is_email;
use crate::error::{ApiError, codes};
use crate::extract::Check;
use crate::fields::{Action, parse_input};
use crate::flows::credentials::new_account;
use crate::flows::email_tokens::EmailToken;
use crate::flows::read_session::CurrentSession;
use crate::flows::start_session::new_session;
use crate::mail::MailKind;
use crate::plugins::email_otp::send::on_sign_up;
use crate::wire::{
    self,
    declared::{merge_json, user_changes},
};

/// The members of a sign-up.
pub struct SignUpBody {
    /// Shown to others; may be empty.
    pub name: String,
    /// As typed; stored in lower case.
    pub email: String,
    /// As typed.
    pub password: String,
    /// Address of a picture.
    pub image: Option<String>,
    /// Where the link that proves the address leads.
    pub callback_url: Option<String>,
    /// False asks for a session that ends with the browser.
    pub remember: bool,
    /// All members, for the declared fields.
    pub members: Map<String, Value>,
}

/// What a sign-up did.
pub enum SignedUp {
    /// User, account and session were made; the cookies are set.
    SignedIn(CurrentSession),
    /// User and account were made, or it shall look so: the user object of the wire.
    NoSession(Map<String, Value>),
}

/// Creates a user with a password and signs them in.
///
/// # Errors
/// Those of the contract's table, in its order.
pub async fn sign_up_email(cx: &mut Context) -> Result<Answer, ApiError> {
    let body = parse_body(cx.body.as_ref())?;
    cx.check_form_csrf()?;
    let (token, user) = match sign_up(cx, body).await? {
        SignedUp::SignedIn(current) => (Some(current.token), current.user),
        SignedUp::NoSession(user) => (None, user),
    };
    on_sign_up(cx, &user).await;
    Ok(Answer::json(json!({ "token": token, "user": user })))
}

/// Checks the body.
///
/// # Errors
/// 400 with every issue.
pub fn parse_body(body: Option<&Value>) -> Result<SignUpBody, ApiError> {
    let mut check = Check::object_and_record(body);
    let parsed = SignUpBody {
        name: check.string("name"),
        email: check.email("email"),
        password: check.non_empty_string("password"),
        image: check.maybe_string("image"),
        callback_url: check.maybe_string("callbackURL"),
        remember: check.maybe_bool("rememberMe") != Some(false),
        members: check.members().cloned().unwrap_or_default(),
    };
    check.finish()?;
    Ok(parsed)
}

/// The sign-up itself: hash first, then one transaction.
///
/// # Errors
/// Those of the contract's table from row 3 on.
pub async fn sign_up(cx: &mut Context, body: SignUpBody) -> Result<SignedUp, ApiError> {
    let settings = &cx.app.config.email_password;
    if !settings.enabled || settings.disable_sign_up {
        return Err(ApiError::new(StatusCode::BAD_REQUEST, &codes::EMAIL_PASSWORD_SIGN_UP_DISABLED));
    }
    if !is_email(&body.email) {
        return Err(ApiError::new(StatusCode::BAD_REQUEST, &codes::INVALID_EMAIL));
    }
    // Where signing up signs nobody in, it does not tell either whether the address was free.
    let auto_sign_in = settings.auto_sign_in && !settings.require_verification;
    cx.check_password_not_too_short(&body.password)?;
    cx.check_password_not_too_long(&body.password)?;
    let declared = parse_input(&cx.app.fields().user, &body.members, Action::Create)?;
    cx.warn_of_lookalikes(&body.members);

    // Unlike upstream, which asks for the address first, every sign-up costs a hash: a taken
    // address cannot be told from a free one by time, and the unique index alone decides races.
    let hash = cx.app.hasher.hash(body.password.clone()).await?;
    let now = cx.app.clock.now();
    let (columns, json) = user_changes(cx.app.fields(), &declared);
    let mut user = User {
        id: cx.app.new_id("users").await?,
        name: body.name,
        email: body.email.to_lowercase(),
        email_verified: false,
        image: body.image,
        created_at: now,
        updated_at: now,
        software_background: columns.software_background.flatten(),
        hardware_background: columns.hardware_background.flatten(),
        additional_fields: merge_json("{}", json),
    };
    let mut tries = 0;
    let (session, outcome) = loop {
        let session = if auto_sign_in { Some(new_session(cx, &user.id, body.remember).await?) } else { None };
        let account = new_account(&user.id, hash.clone(), now);
        let mail = proof_mail(cx, &user, body.callback_url.as_deref())?;
        let rows = NewUser { user: user.clone(), account, session: session.clone(), mail };
        let outcome = cx.app.db.write(move |conn| rows.insert(conn)).await;
        // In an adopted table another program counts ids up, too, and may just have been faster.
        let id_is_taken =
            matches!(&outcome, Err(DbError::UniqueViolation { constraint }) if constraint.ends_with("_pkey"));
        if !id_is_taken || tries == MOST_TRIES {
            break (session, outcome);
        }
        tries += 1;
        user.id = cx.app.new_id("users").await?;
    };
    match outcome {
        Ok(()) => cx.app.mailer.wake(),
        Err(error) if error.is_unique_on("users", "email") && !auto_sign_in => {
            // The answer a new user would get, so that nobody learns who has an account.
            return Ok(SignedUp::NoSession(wire::user(&user, cx.app.fields())));
        }
        Err(error) if error.is_unique_on("users", "email") => {
            return Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, &codes::USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL));
        }
        // Adopted tables may keep other values apart, too.
        Err(DbError::CheckViolation { .. } | DbError::UniqueViolation { .. }) => {
            return Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, &codes::FAILED_TO_CREATE_USER));
        }
        Err(other) => return Err(other.into()),
    }
    cx.user_id = Some(user.id.clone());
    let Some(session) = session else {
        return Ok(SignedUp::NoSession(wire::user(&user, cx.app.fields())));
    };
    let current = CurrentSession::from_rows(&cx.app, &session, &user);
    cx.set_session_cookie(&current, Some(body.remember));
    Ok(SignedUp::SignedIn(current))
}

/// At most so many ids are tried that another program takes first.
const MOST_TRIES: u32 = 10;

/// The mail that proves the address, where sign-up sends one.
fn proof_mail(cx: &Context, user: &User, callback_url: Option<&str>) -> Result<Option<MailRow>, ApiError> {
    if !cx.app.config.email_verification.send_on_sign_up || !cx.app.mailer.is_on() {
        return Ok(None);
    }
    let mail =
        EmailToken::proof(&user.email, &user.id).compose(cx, MailKind::VerifyEmail, &user.email, callback_url)?;
    Ok(cx.app.mailer.row(&mail, user.created_at))
}

/// What a sign-up writes, all of it or nothing.
struct NewUser {
    user: User,
    account: Account,
    session: Option<Session>,
    mail: Option<MailRow>,
}

impl NewUser {
    fn insert(&self, conn: &mut AnyConnection) -> diesel::QueryResult<()> {
        users::insert_user(conn, &self.user)?;
        accounts::insert_account(conn, &self.account)?;
        self.session.iter().try_for_each(|session| sessions::insert_session(conn, session))?;
        self.mail.iter().try_for_each(|mail| mails::insert_mail(conn, mail))
    }
}
