//! What routes do with the session's three cookies: `session_token`, `session_data`, `dont_remember`
//! (upstream: `cookies/index.mjs`, `cookies/session-store.mjs`).

use super::JsonObject;
use super::attributes::{CookieSettings, serialize};
use super::cache::{self, CacheSettings, CachedSession};
use super::jar::ResponseCookies;
use super::parse::{MAX_COOKIE_CHUNKS, RequestCookies};
use crate::secrets::Secrets;

/// Bytes of a whole `Set-Cookie` line above which a value is cut.
const MAX_COOKIE_SIZE: usize = 4_050;

/// Everything the session cookies of one request depend on.
#[derive(Clone, Copy)]
pub struct SessionCookies<'a> {
    /// Names and attributes.
    pub settings: &'a CookieSettings,
    /// The cookie cache, `None` when it is off.
    pub cache: Option<&'a CacheSettings>,
    /// The secrets.
    pub secrets: &'a Secrets,
    /// The cookies the request brought.
    pub request: &'a RequestCookies,
    /// The time, in ms.
    pub now_ms: i64,
    /// Life of a session in seconds, the `Max-Age` of `session_token`.
    pub expires_in: i64,
}

impl SessionCookies<'_> {
    /// The session token the request brings under a valid signature.
    pub fn session_token(&self) -> Option<String> {
        // No session has a token with a NUL, and PostgreSQL fails on it.
        self.request.signed(&self.session_token_name(), self.secrets).filter(|token| !token.contains('\0'))
    }

    /// Whether the request brings a validly signed `dont_remember` cookie.
    pub fn is_dont_remember(&self) -> bool {
        self.request.signed(&self.dont_remember_name(), self.secrets).is_some()
    }

    /// Whether the request brings a cookie cache at all, whole or in chunks.
    pub fn has_cookie_cache(&self) -> bool {
        self.request.chunked(&self.session_data_name()).is_some()
    }

    /// The cookie cache the request brings; `None` when the cache is off, absent or not to be read (see [`cache::decode`]).
    /// The caller asks [`CachedSession::is_current`] before it is used.
    pub fn cookie_cache(&self) -> Option<CachedSession> {
        let value = self.request.chunked(&self.session_data_name())?;
        cache::decode(self.cache?, self.secrets, &value, self.now_ms)
    }

    /// Signs the browser in: `session_token`, then `dont_remember` where it changes, then the cookie cache (upstream:
    /// `setSessionCookie`).
    ///
    /// `dont_remember: None` keeps to what the request's cookie says. `max_age` in seconds overrides that of `session_token`.
    /// `cached` is session and user as they go to the client; `None` writes no cache.
    pub fn set_session_cookie(
        &self,
        response: &mut ResponseCookies,
        token: &str,
        dont_remember: Option<bool>,
        max_age: Option<i64>,
        cached: Option<(&JsonObject, &JsonObject)>,
    ) {
        let asked_before = self.is_dont_remember();
        let dont_remember = dont_remember.unwrap_or(asked_before);
        let max_age = max_age.or((!dont_remember).then_some(self.expires_in));
        let secret = self.secrets.current();
        response.set_signed(&self.session_token_name(), token, secret, max_age, self.settings);
        if dont_remember {
            response.set_signed(&self.dont_remember_name(), "true", secret, None, self.settings);
        } else if asked_before {
            response.expire(&self.dont_remember_name(), self.settings);
        }
        if let Some((session, user)) = cached {
            self.set_cookie_cache(response, session, user, dont_remember);
        }
    }

    /// Writes the cookie cache where it is on, in chunks where it is long, and expires the chunks the request brought that are not
    /// written again (upstream: `setCookieCache`). A cache that cannot be made is left out: it is only a shortcut.
    pub fn set_cookie_cache(
        &self,
        response: &mut ResponseCookies,
        session: &JsonObject,
        user: &JsonObject,
        dont_remember: bool,
    ) {
        let Some(settings) = self.cache else { return };
        let value = match cache::encode(settings, self.secrets, session, user, self.now_ms, !dont_remember) {
            Ok(value) => value,
            Err(error) => {
                tracing::error!(%error, "the cookie cache could not be written");
                return;
            }
        };
        let max_age = (!dont_remember).then_some(settings.max_age);
        let name = self.session_data_name();
        let mut cookies: Vec<(String, String, Option<i64>)> =
            self.request.chunk_names(&name).into_iter().map(|stale| (stale, String::new(), Some(0))).collect();
        for (name, value) in chunk(&name, &value, max_age, self.settings) {
            // A name that is written again keeps the place it had in the request, as in upstream's object of cookies.
            match cookies.iter_mut().find(|(stale, _, _)| *stale == name) {
                Some(cookie) => *cookie = (name, value, max_age),
                None => cookies.push((name, value, max_age)),
            }
        }
        for (name, value, max_age) in cookies {
            response.set(&name, &value, max_age, self.settings);
        }
    }

    /// Makes the browser forget the cookie cache (upstream: `expireCookie` on `sessionData`).
    pub fn expire_cookie_cache(&self, response: &mut ResponseCookies) {
        response.expire(&self.session_data_name(), self.settings);
    }

    /// Expires every cookie the request brought for the cache, itself and its chunks (upstream: `createSessionStore`, `clean`).
    pub fn clean_cookie_cache(&self, response: &mut ResponseCookies) {
        for name in self.request.chunk_names(&self.session_data_name()) {
            response.set(&name, "", Some(0), self.settings);
        }
    }

    /// Signs the browser out (upstream: `deleteSessionCookie`). `session_data` is expired twice where the request brought it, as
    /// upstream does. `keep_dont_remember` leaves that cookie alone.
    pub fn delete_session_cookies(&self, response: &mut ResponseCookies, keep_dont_remember: bool) {
        response.expire(&self.session_token_name(), self.settings);
        self.expire_cookie_cache(response);
        self.clean_cookie_cache(response);
        if !keep_dont_remember {
            response.expire(&self.dont_remember_name(), self.settings);
        }
    }

    fn session_token_name(&self) -> String {
        self.settings.name("session_token")
    }

    fn session_data_name(&self) -> String {
        self.settings.name("session_data")
    }

    fn dont_remember_name(&self) -> String {
        self.settings.name("dont_remember")
    }
}

/// Names and values a long value is cut into; the whole under its own name where it fits; nothing where it is too long for
/// [`MAX_COOKIE_CHUNKS`] (upstream: `chunkCookie`). `value` is of unreserved ASCII characters, as all caches are.
fn chunk(name: &str, value: &str, max_age: Option<i64>, settings: &CookieSettings) -> Vec<(String, String)> {
    let overhead = serialize(&format!("{name}.99"), "", max_age, settings).len();
    let size = MAX_COOKIE_SIZE.saturating_sub(overhead);
    if size > 0 && value.len() <= size {
        return vec![(name.to_owned(), value.to_owned())];
    }
    if size == 0 || value.len().div_ceil(size) > MAX_COOKIE_CHUNKS {
        tracing::warn!("the cookie cache is too large for cookies and was left out");
        return Vec::new();
    }
    let chunks = value.as_bytes().chunks(size).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    chunks.enumerate().map(|(index, chunk)| (format!("{name}.{index}"), chunk)).collect()
}
