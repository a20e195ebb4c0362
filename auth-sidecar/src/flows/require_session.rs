//! The session classes of the contract, and the session's cookies on the answer.

use crate::context::Context;
use crate::cookies::ResponseCookies;
use crate::error::ApiError;
use crate::flows::read_session::{self, CurrentSession, ReadSession};

impl Context {
    /// Session class S: a session, from the cookie cache if there is one.
    ///
    /// # Errors
    /// 401 without a session, 503 when the database cannot tell.
    pub async fn require_session(&mut self) -> Result<CurrentSession, ApiError> {
        self.session_middleware(false).await
    }

    /// Session class A: a session as the database has it now.
    ///
    /// # Errors
    /// 401 without a session, 503 when the database cannot tell.
    pub async fn require_authoritative_session(&mut self) -> Result<CurrentSession, ApiError> {
        self.session_middleware(true).await
    }

    /// Session class F: class S, and begun within the fresh age.
    ///
    /// # Errors
    /// 401 without a session, 403 `SESSION_NOT_FRESH`, 503 when the database cannot tell.
    pub async fn require_fresh_session(&mut self) -> Result<CurrentSession, ApiError> {
        let current = self.require_session().await?;
        if current.is_fresh(&self.app) { Ok(current) } else { Err(read_session::not_fresh()) }
    }

    /// Inline reading, as some handlers do it: no session is no error.
    ///
    /// # Errors
    /// 503 when the database cannot tell.
    pub async fn find_session(&mut self, authoritative: bool) -> Result<Option<CurrentSession>, ApiError> {
        let mut set_cookies = ResponseCookies::default();
        let found = self.read_as_middleware(authoritative, &mut set_cookies).await?;
        self.set_cookies.extend(set_cookies);
        Ok(found)
    }

    async fn session_middleware(&mut self, authoritative: bool) -> Result<CurrentSession, ApiError> {
        let mut set_cookies = ResponseCookies::default();
        let found = self.read_as_middleware(authoritative, &mut set_cookies).await?;
        if found.is_some() {
            // upstream: better-call's `createInternalContext` copies the headers of a middleware
            // that passed with `set`, so that of several cookies only the last survives.
            set_cookies.keep_last();
        }
        self.set_cookies.extend(set_cookies);
        found.ok_or_else(ApiError::unauthorized)
    }

    async fn read_as_middleware(
        &mut self,
        authoritative: bool,
        set_cookies: &mut ResponseCookies,
    ) -> Result<Option<CurrentSession>, ApiError> {
        let query = read_session::Switches::from_query(&self.query);
        let how = ReadSession {
            disable_cookie_cache: authoritative || query.disable_cookie_cache,
            disable_refresh: query.disable_refresh,
            may_write: !self.app.config.session.defer_refresh,
        };
        // upstream `getSessionFromCtx` takes any error for "no session"; ours lets a failing
        // database through, which is no reason to call somebody signed out.
        let found = match read_session::read_session(self, how, set_cookies).await {
            Err(ApiError::Refused { .. }) => None,
            other => other?,
        };
        self.user_id = found.as_ref().map(|found| found.current.user_id.clone());
        Ok(found.map(|found| found.current))
    }

    /// Sets the session cookies for a session that was begun or changed; `remember` as the sign-in
    /// said, or `None` to keep to what the request's `dont_remember` cookie says.
    pub fn set_session_cookie(&mut self, current: &CurrentSession, remember: Option<bool>) {
        let (cookies, set_cookies) = self.session_cookies();
        let cached = Some((&current.session, &current.user));
        cookies.set_session_cookie(set_cookies, &current.token, remember.map(|remember| !remember), None, cached);
    }

    /// Expires every cookie of the session.
    pub fn delete_session_cookies(&mut self) {
        let (cookies, set_cookies) = self.session_cookies();
        cookies.delete_session_cookies(set_cookies, false);
    }
}
