//! Lifetimes of sessions and their cookie cache.

use super::env::Reader;
use crate::cookies::{CacheSettings, Strategy};

/// Settings of sessions (upstream option `session`).
#[derive(Clone, Debug)]
pub struct SessionSettings {
    /// Lifetime since the last extension, in seconds.
    pub expires_in: i64,
    /// Age at which use extends a session, in seconds.
    pub update_age: i64,
    /// How long after its beginning a session is fresh, in seconds; 0: always.
    pub fresh_age: i64,
    /// Never extend.
    pub disable_refresh: bool,
    /// Extend by POST only.
    pub defer_refresh: bool,
    /// The cookie cache, if it is on.
    pub cookie_cache: Option<CacheSettings>,
}

pub(super) fn read(r: &mut Reader<'_>) -> SessionSettings {
    let expires_in = i64::from(r.number("AUTH_SESSION_EXPIRES_IN"));
    let update_age = i64::from(r.number("AUTH_SESSION_UPDATE_AGE"));
    let fresh_age = i64::from(r.number("AUTH_SESSION_FRESH_AGE"));
    let disable_refresh = r.flag("AUTH_SESSION_DISABLE_REFRESH");
    let defer_refresh = r.flag("AUTH_SESSION_DEFER_REFRESH");
    if update_age > expires_in && !disable_refresh {
        r.warn("AUTH_SESSION_UPDATE_AGE is above AUTH_SESSION_EXPIRES_IN: every use extends a session");
    }
    let strategy = match r.choice("AUTH_SESSION_COOKIE_CACHE") {
        "compact" => Some(Strategy::Compact),
        "jwt" => Some(Strategy::Jwt),
        "jwe" => Some(Strategy::Jwe),
        _ => None,
    };
    let max_age = i64::from(r.number("AUTH_SESSION_COOKIE_CACHE_MAX_AGE"));
    let version = r.text("AUTH_SESSION_COOKIE_CACHE_VERSION").unwrap_or_default();
    SessionSettings {
        expires_in,
        update_age,
        fresh_age,
        disable_refresh,
        defer_refresh,
        cookie_cache: strategy.map(|strategy| CacheSettings { strategy, max_age, version }),
    }
}
