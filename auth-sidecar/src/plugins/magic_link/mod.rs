//! Sign-in by a mailed link (upstream `plugins/magic-link`).

use schema::{Verification, mails, verifications};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use url::Url;

use super::mailbox::{self, Arrival, SignedIn, newcomer, write_again};
use crate::clock::plus_seconds;
use crate::config::MagicLinkSettings;
use crate::context::Context;
use crate::email_form::is_email;
use crate::error::{ApiError, ErrorBody, codes};
use crate::extract::Check;
use crate::fields::{Action, parse_input};
use crate::flows::read_session::CurrentSession;
use crate::flows::start_session::new_session;
use crate::ids::{generate_id, random_letters};
use crate::links::set_query;
use crate::mail::{Mail, MailKind};
use crate::routes::sign_in::banned;
use crate::routes::{Answer, Route, routes};

/// The plugin's endpoints.
pub const ROUTES: &[Route] = routes! {
    POST "/sign-in/magic-link" Json sign_in_magic_link;
    GET "/magic-link/verify" Json magic_link_verify;
};

/// What a link proves, as upstream stores it: any other value opens nothing.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    #[serde(rename = "type")]
    purpose: Purpose,
    email: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

#[derive(Serialize, Deserialize)]
enum Purpose {
    #[serde(rename = "magic-link")]
    MagicLink,
}

impl Record {
    fn parse(value: &str) -> Option<Self> {
        serde_json::from_str(value).ok().filter(|record: &Self| is_email(&record.email))
    }
}

/// Mails a link that signs in. Known and unknown addresses get the same answer, and the same mail.
///
/// # Errors
/// 400 for a bad body, 403 for an untrusted page; 503.
pub async fn sign_in_magic_link(cx: &mut Context) -> Result<Answer, ApiError> {
    let mut check = Check::body(cx.body.as_ref());
    let email = check.email("email");
    let name = check.maybe_string("name");
    let callback_url = check.maybe_string("callbackURL").filter(|url| !url.is_empty());
    let new_user_url = check.maybe_string("newUserCallbackURL").filter(|url| !url.is_empty());
    let error_url = check.maybe_string("errorCallbackURL").filter(|url| !url.is_empty());
    check.maybe_record("metadata");
    check.finish()?;
    cx.check_form_csrf()?;

    let (token, now) = (random_letters(32), cx.app.clock.now());
    let expires_in = settings(cx)?.expires_in;
    let mut url = Url::parse(&format!("{}/magic-link/verify", cx.app.config.auth_url())).map_err(ApiError::internal)?;
    {
        let mut query = url.query_pairs_mut();
        query.append_pair("token", &token).append_pair("callbackURL", callback_url.as_deref().unwrap_or("/"));
        for (key, url) in [("newUserCallbackURL", new_user_url), ("errorCallbackURL", error_url)] {
            query.extend_pairs(url.map(|url| (key, url)));
        }
    }
    let record = Record { purpose: Purpose::MagicLink, email: email.clone(), name };
    let row = Verification {
        id: generate_id(),
        identifier: identifier(&token),
        value: serde_json::to_string(&record).map_err(ApiError::internal)?,
        expires_at: plus_seconds(now, expires_in),
        created_at: now,
        updated_at: now,
    };
    // The name is left out of the mail: whoever asks may not be its reader.
    let mail = Mail::link(MailKind::MagicLink, email, url.into(), token, expires_in);
    if let Some(mail) = cx.app.mailer.row(&mail, now) {
        cx.app
            .db
            .write(move |conn| {
                verifications::insert_verification(conn, &row)?;
                mails::insert_mail(conn, &mail)
            })
            .await?;
        cx.app.mailer.wake();
    }
    Ok(Answer::status_true())
}

/// Where the mailed link leads: signs in, and makes the user when nobody has the address.
///
/// # Errors
/// 400 for a bad query, 403 for an untrusted callback; 503. A bad token is a redirect.
pub async fn magic_link_verify(cx: &mut Context) -> Result<Answer, ApiError> {
    let mut check = Check::query(&cx.query);
    let token = check.string("token");
    let callback_url = check.maybe_string("callbackURL").filter(|url| !url.is_empty());
    let error_url = check.maybe_string("errorCallbackURL").filter(|url| !url.is_empty());
    let new_user_url = check.maybe_string("newUserCallbackURL").filter(|url| !url.is_empty());
    check.finish()?;
    for url in [&callback_url, &new_user_url, &error_url] {
        cx.check_callback(url.as_deref())?;
    }
    let base = Url::parse(&cx.app.config.auth_url()).map_err(ApiError::internal)?;
    let absolute = |url: &str| base.join(url).map_err(ApiError::internal);
    let callback = absolute(callback_url.as_deref().unwrap_or("/"))?;
    let on_error = error_url.as_deref().map_or_else(|| Ok(callback.clone()), absolute)?;
    let for_new_user = new_user_url.as_deref().map_or_else(|| Ok(callback.clone()), absolute)?;

    let SignedIn { user, session, is_new } = match arrive(cx, &token).await? {
        Ok(Arrival::SignedIn(signed_in)) => *signed_in,
        Ok(Arrival::Nobody) => return Ok(refuse(on_error, "new_user_signup_disabled", None)),
        Ok(Arrival::Banned) => return Err(banned()),
        Ok(Arrival::Gone) => return Ok(refuse(on_error, "user_not_found", None)),
        Err(ErrorBody::Coded { code, message }) => return Ok(refuse(on_error, code, Some(&message))),
        Err(_) => return Ok(refuse(on_error, codes::INVALID_TOKEN.code, None)),
    };
    let current = CurrentSession::from_rows(&cx.app, &session, &user);
    cx.user_id = Some(user.id);
    cx.set_session_cookie(&current, None);
    if callback_url.is_none() {
        let (token, user, session) = (current.token, current.user, current.session);
        return Ok(Answer::json(json!({ "token": token, "user": user, "session": session })));
    }
    Ok(Answer::redirect(if is_new { for_new_user } else { callback }.into()))
}

/// Spends the token. The inner error says why nobody was signed in: without a code when the token is bad.
async fn arrive(cx: &Context, token: &str) -> Result<Result<Arrival, ErrorBody>, ApiError> {
    let (wanted, now) = (identifier(token), cx.app.clock.now());
    let found = cx.app.db.read(move |conn| verifications::find_verification(conn, &wanted)).await?;
    let found = found.filter(|row| row.expires_at >= now);
    let Some((row, record)) = found.and_then(|row| Record::parse(&row.value).map(|record| (row, record))) else {
        return Ok(Err(ErrorBody::Empty));
    };
    // No field can be given on this way, but some have defaults and others may be required.
    let declared = parse_input(&cx.app.fields().user, &Map::<String, Value>::new(), Action::Create);
    let new_user = match &declared {
        Ok(declared) if !settings(cx)?.disable_sign_up => {
            Some(newcomer(cx, cx.app.new_id("users").await?, &record.email, record.name, None, declared))
        }
        _ => None,
    };
    let (email, session) = (record.email.to_lowercase(), new_session(cx, "", true).await?);
    let arrival = write_again(&cx.app.db, move |conn| {
        if !verifications::consume_verification(conn, &row)? {
            return Ok(None);
        }
        mailbox::sign_in(conn, &email, new_user.as_ref(), &session, now).map(Some)
    });
    let Some(arrival) = arrival.await? else { return Ok(Err(ErrorBody::Empty)) };
    match (&arrival, declared.map_err(ApiError::from)) {
        (Arrival::Nobody, Err(ApiError::Refused { body, .. })) if !settings(cx)?.disable_sign_up => Ok(Err(body)),
        _ => Ok(Ok(arrival)),
    }
}

fn settings(cx: &Context) -> Result<&MagicLinkSettings, ApiError> {
    cx.app.config.plugins.magic_link.as_ref().ok_or_else(|| ApiError::internal("magic-link is not enabled"))
}

fn identifier(token: &str) -> String {
    format!("magic-link:{token}")
}

/// upstream `redirectWithError`.
fn refuse(to: Url, error: &str, description: Option<&str>) -> Answer {
    let to = set_query(to, "error", error);
    let described = description.and_then(|text| Some(set_query(Url::parse(&to).ok()?, "error_description", text)));
    Answer::redirect(described.unwrap_or(to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_record_of_a_magic_link_is_read() {
        let record = |name| Record { purpose: Purpose::MagicLink, email: "a@b.co".to_owned(), name };
        let text = serde_json::to_string(&record(None)).unwrap();
        assert_eq!(text, r#"{"type":"magic-link","email":"a@b.co"}"#);
        assert!(Record::parse(&text).is_some_and(|record| record.name.is_none()));
        let text = serde_json::to_string(&record(Some("Ada".to_owned()))).unwrap();
        assert_eq!(text, r#"{"type":"magic-link","email":"a@b.co","name":"Ada"}"#);
        for other in [
            "user-id",
            "",
            "{}",
            r#"{"email":"a@b.co"}"#,
            r#"{"type":"oauth-state","email":"a@b.co"}"#,
            r#"{"type":"magic-link","email":"nope"}"#,
            r#"{"type":"magic-link","email":"a@b.co","codeVerifier":"x"}"#,
            r#"{"type":"magic-link","email":"a@b.co","name":5}"#,
            "123456:0",
        ] {
            assert!(Record::parse(other).is_none(), "{other}");
        }
    }
}
