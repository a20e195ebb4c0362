//! Limits on how often one client may call one path (upstream `api/rate-limiter/index.mjs`, with its memory store).
//!
//! A window starts anew at each accepted request, and the count falls to zero only after a whole window without one.
//! A refused request is not counted. Every path has its own bucket, known to the router or not.

mod rules;
mod store;

#[cfg(test)]
mod tests;

use rules::Rules;
pub use rules::{CustomRule, PathMatch, PluginRule, RateLimitSettings, Rule, normalize_pathname, parse_custom_rule};
use store::Store;

/// Stands for all clients whose address is unknown: they share one bucket per path.
const NO_TRUSTED_IP: &str = "no-trusted-ip";

/// A refusal: the seconds after which the next request will be accepted. Answered with status 429 and, as upstream,
/// the header `X-Retry-After`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryAfter(pub u64);

impl RetryAfter {
    /// Rounds up, so that whoever waits as told is not refused again.
    fn until(expires_at_ms: i64, now_ms: i64) -> Self {
        let left_ms = expires_at_ms.saturating_sub(now_ms);
        Self(u64::try_from(left_ms).unwrap_or(0).div_ceil(1000))
    }
}

/// The rate limiter of one process. All methods may be called from any thread.
///
/// It holds at most 100 000 counters, about 10 MB, whatever clients send.
#[derive(Debug)]
pub struct RateLimiter {
    /// `None` when switched off.
    rules: Option<Rules>,
    store: Store,
}

impl RateLimiter {
    /// A limiter without any request counted yet.
    #[must_use]
    pub fn new(settings: RateLimitSettings) -> Self {
        Self { rules: settings.enabled.then(|| Rules::new(settings)), store: Store::new() }
    }

    /// The same limiter with the rules of plugins.
    #[must_use]
    pub fn with_plugins(mut self, plugins: Vec<PluginRule>) -> Self {
        if let Some(rules) = &mut self.rules {
            rules.plugins = plugins;
        }
        self
    }

    /// The limit of a path as [`normalize_pathname`] gives it: a custom rule, else a plugin's, else a built-in one, else
    /// the default.
    /// `None` where nothing is limited.
    #[must_use]
    pub fn rule_for(&self, path: &str) -> Option<Rule> {
        self.rules.as_ref()?.rule_for(path)
    }

    /// Counts a request of the client with the normalised address `ip` to `path`, at `now_ms` in milliseconds since
    /// 1970. Requests that come without an address because addresses are switched off must not be brought here.
    ///
    /// # Errors
    /// [`RetryAfter`] if the limit is reached; the request is then not counted.
    pub fn check(&self, ip: Option<&str>, path: &str, now_ms: i64) -> Result<(), RetryAfter> {
        match self.rule_for(path) {
            Some(rule) => self.store.consume(ip.unwrap_or(NO_TRUSTED_IP), path, rule, now_ms),
            None => Ok(()),
        }
    }

    /// Begins anew for this client and path.
    pub fn forget(&self, client: &str, path: &str) {
        self.store.forget(client, path);
    }

    /// How many counters are held at the moment.
    #[must_use]
    pub fn len(&self) -> usize {
        self.store.len()
    }

    /// Whether no counter is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
