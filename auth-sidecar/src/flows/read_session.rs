//! Whose session is it? The heart of `get-session` and of every session check
//! (upstream `api/routes/session`, `getSession`).

use actix_web::http::StatusCode;
use chrono::NaiveDateTime;
use schema::{Session, SessionChanges, User, sessions};
use serde_json::{Map, Value};

use crate::clock::{plus_seconds, to_ms};
use crate::context::{Context, session_cookies};
use crate::cookies::{CachedSession, ResponseCookies};
use crate::error::{ApiError, codes};
use crate::state::AppState;
use crate::wire;

/// A session and its user, as the wire shows them, with the parts handlers decide on.
#[derive(Clone)]
pub struct CurrentSession {
    /// The user's id.
    pub user_id: String,
    /// The user's address, lower case.
    pub email: String,
    /// The session's token; a secret.
    pub token: String,
    /// When the session began (UTC); a refresh does not move it.
    pub created_at: NaiveDateTime,
    /// The session object of the wire.
    pub session: Map<String, Value>,
    /// The user object of the wire.
    pub user: Map<String, Value>,
}

impl CurrentSession {
    /// From the rows of the database.
    #[must_use]
    pub fn from_rows(app: &AppState, session: &Session, user: &User) -> Self {
        Self {
            user_id: user.id.clone(),
            email: user.email.clone(),
            token: session.token.clone(),
            created_at: session.created_at,
            session: wire::session(session, app.fields()),
            user: wire::user(user, app.fields()),
        }
    }

    /// From a verified cookie cache; `None` when it lacks what every session has.
    fn from_cache(cached: CachedSession) -> Option<Self> {
        let text = |map: &Map<String, Value>, key: &str| map.get(key).and_then(Value::as_str).map(str::to_owned);
        Some(Self {
            user_id: text(&cached.user, "id")?,
            email: text(&cached.user, "email")?,
            token: text(&cached.session, "token")?,
            created_at: wire::parse_date(cached.session.get("createdAt")?)?,
            session: cached.session,
            user: cached.user,
        })
    }

    /// Whether the session began within the fresh age; an age of 0 turns the question off.
    #[must_use]
    pub fn is_fresh(&self, app: &AppState) -> bool {
        let fresh_age = app.config.session.fresh_age;
        fresh_age == 0 || app.clock.now() < plus_seconds(self.created_at, fresh_age)
    }

    /// Whether the user's address was proven.
    #[must_use]
    pub fn email_verified(&self) -> bool {
        self.user.get("emailVerified").and_then(Value::as_bool) == Some(true)
    }

    /// Brings address and proof up to date, every member in its place.
    pub fn set_email(&mut self, email: &str, verified: bool) {
        self.email = email.to_owned();
        self.user.insert("email".to_owned(), email.into());
        self.user.insert("emailVerified".to_owned(), verified.into());
    }

    /// The `{session, user}` object.
    #[must_use]
    pub fn into_wire(self) -> Map<String, Value> {
        let mut answer = Map::with_capacity(2);
        answer.insert("session".to_owned(), Value::Object(self.session));
        answer.insert("user".to_owned(), Value::Object(self.user));
        answer
    }
}

/// 403 `SESSION_NOT_FRESH`.
#[must_use]
pub fn not_fresh() -> ApiError {
    ApiError::new(StatusCode::FORBIDDEN, &codes::SESSION_NOT_FRESH)
}

/// How a session is read.
#[derive(Clone, Copy)]
pub struct ReadSession {
    /// Ask the database even when the cookie cache could answer.
    pub disable_cookie_cache: bool,
    /// Leave the session's end where it is.
    pub disable_refresh: bool,
    /// Whether this reading may extend or remove the session; false for GET in deferred mode.
    pub may_write: bool,
}

/// The query of `get-session`, which every session check reads too.
#[derive(Clone, Copy)]
pub struct Switches {
    /// `disableCookieCache`.
    pub disable_cookie_cache: bool,
    /// `disableRefresh`.
    pub disable_refresh: bool,
}

impl Switches {
    /// Coerces as `z.coerce.boolean()` does: any text but the empty one is true, even `false`.
    #[must_use]
    pub fn from_query(query: &Map<String, Value>) -> Self {
        let truthy = |key: &str| query.get(key).is_some_and(|value| value.as_str() != Some(""));
        Self { disable_cookie_cache: truthy("disableCookieCache"), disable_refresh: truthy("disableRefresh") }
    }
}

/// What was found.
pub struct Found {
    /// The session and its user.
    pub current: CurrentSession,
    /// Only in deferred mode: whether a POST should extend the session.
    pub needs_refresh: Option<bool>,
}

/// Finds the session of the request's cookie and renews its cookies as upstream does: from the
/// cookie cache, or with one query. `None` when there is none.
///
/// # Errors
/// 401 `FAILED_TO_GET_SESSION` when the session vanished while it was being extended; 503 when the
/// database cannot tell.
pub async fn read_session(
    cx: &Context,
    how: ReadSession,
    set_cookies: &mut ResponseCookies,
) -> Result<Option<Found>, ApiError> {
    let app = &cx.app;
    let cookies = session_cookies(app, &cx.cookies);
    let token = cookies.session_token();
    if token.is_none() && cookies.cache.is_some() {
        return Ok(None);
    }
    if cookies.cache.is_none() && cookies.has_cookie_cache() {
        // A cache from the time when it was on.
        cookies.clean_cookie_cache(set_cookies);
    }
    let Some(token) = token else { return Ok(None) };

    if let Some(cache) = cookies.cache.filter(|_| !how.disable_cookie_cache)
        && cookies.has_cookie_cache()
    {
        let cached = cookies.cookie_cache();
        let current = cached.filter(|cached| cached.is_current(&token, &cache.version, cookies.now_ms));
        if let Some(current) = current.and_then(CurrentSession::from_cache) {
            return Ok(Some(Found { current, needs_refresh: None }));
        }
        cookies.expire_cookie_cache(set_cookies);
    }

    let now = app.clock.now();
    let row = {
        let token = token.clone();
        app.db.read(move |conn| sessions::find_session_with_user(conn, &token, now)).await?
    };
    let (mut session, user) = match row {
        Some((session, user)) if session.expires_at >= now => (session, user),
        expired => {
            cookies.delete_session_cookies(set_cookies, false);
            if expired.is_some() && how.may_write {
                // The row is over whether or not it can be removed now.
                let removed = app.db.write(move |conn| sessions::delete_expired_session(conn, &token, now)).await;
                if let Err(error) = removed {
                    tracing::warn!(%error, "an expired session could not be removed");
                }
            }
            return Ok(None);
        }
    };
    if cookies.is_dont_remember() || how.disable_refresh {
        return Ok(Some(Found { current: CurrentSession::from_rows(app, &session, &user), needs_refresh: None }));
    }

    let settings = &app.config.session;
    let due = to_ms(session.expires_at) - (settings.expires_in - settings.update_age) * 1000 <= app.clock.now_ms();
    let needs_refresh = due && !settings.disable_refresh;
    if needs_refresh && how.may_write {
        let changes = SessionChanges {
            expires_at: Some(plus_seconds(now, settings.expires_in)),
            updated_at: Some(now),
            ..SessionChanges::default()
        };
        match app.db.write(move |conn| sessions::update_session(conn, &token, &changes)).await {
            Ok(Some(updated)) => session = updated,
            Ok(None) => {
                cookies.delete_session_cookies(set_cookies, false);
                return Err(ApiError::new(StatusCode::UNAUTHORIZED, &codes::FAILED_TO_GET_SESSION));
            }
            // A database that can be read but not written still knows who is signed in.
            Err(error) => {
                tracing::warn!(%error, "a session could not be extended");
                let current = CurrentSession::from_rows(app, &session, &user);
                return Ok(Some(Found { current, needs_refresh: None }));
            }
        }
        let current = CurrentSession::from_rows(app, &session, &user);
        let cached = Some((&current.session, &current.user));
        cookies.set_session_cookie(set_cookies, &current.token, Some(false), None, cached);
        return Ok(Some(Found { current, needs_refresh: None }));
    }
    let current = CurrentSession::from_rows(app, &session, &user);
    cookies.set_cookie_cache(set_cookies, &current.session, &current.user, false);
    let needs_refresh = (settings.defer_refresh && !how.may_write).then_some(needs_refresh);
    Ok(Some(Found { current, needs_refresh }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn query_switches_are_coerced_as_javascript_does() {
        let query = json!({"disableCookieCache": "false", "disableRefresh": ""});
        let switches = Switches::from_query(query.as_object().unwrap());
        assert!(switches.disable_cookie_cache);
        assert!(!switches.disable_refresh);
    }
}
