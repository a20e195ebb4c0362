//! Which limit holds for which path (upstream `api/rate-limiter/index.mjs`, `resolveRateLimitConfig` and
//! `getDefaultSpecialRules`; `@better-auth/core` `utils/url.mjs`, `normalizePathname`).

use crate::origins::wildcard::Glob;

/// A limit on the requests of one client to one path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Seconds, counted anew from each accepted request.
    pub window: u32,
    /// Requests accepted before a whole window must pass in quiet.
    pub max: u32,
}

/// What the settings say of one path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CustomRule {
    /// No limit.
    Off,
    /// This limit in place of the built-in one.
    Limit(Rule),
}

/// The rate limiter's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimitSettings {
    /// Whether any request is limited at all.
    pub enabled: bool,
    /// Seconds; for paths without a rule of their own.
    pub window: u32,
    /// Requests per window; for paths without a rule of their own.
    pub max: u32,
    /// Rules by path, or by glob where the name holds a `*`; the first that matches wins. [`parse_custom_rule`] reads
    /// one from text.
    pub custom: Vec<(String, CustomRule)>,
}

impl Default for RateLimitSettings {
    /// Upstream's 100 requests in 10 seconds, and no rule besides the built-in ones.
    fn default() -> Self {
        Self { enabled: true, window: 10, max: 100, custom: Vec::new() }
    }
}

/// Reads one custom rule: `PATH=MAX/WINDOW` with the window in seconds, or `PATH=off`, as in `/list-sessions=1/3`,
/// `/sign-in/*=20/60` and `/ok=off`. Space around the parts is ignored.
///
/// # Errors
/// What is wrong, worded to follow the rule's text: `"/ok" is no rule; …`.
pub fn parse_custom_rule(text: &str) -> Result<(String, CustomRule), String> {
    const FORM: &str = "write PATH=MAX/SECONDS or PATH=off";
    let (path, limit) = text.rsplit_once('=').ok_or_else(|| format!("is no rule; {FORM}"))?;
    let (path, limit) = (path.trim(), limit.trim());
    if !path.starts_with('/') && !path.contains('*') {
        return Err("has a path that does not start with /".to_owned());
    }
    if limit == "off" {
        return Ok((path.to_owned(), CustomRule::Off));
    }
    let (max, window) = limit.split_once('/').ok_or_else(|| format!("has no limit; {FORM}"))?;
    let max = max.trim().parse().map_err(|_| "has a MAX that is no whole number")?;
    let window = window.trim().parse().map_err(|_| "has SECONDS that are no whole number")?;
    if max == 0 || window == 0 {
        return Err("has a 0 in it; to lift a limit, write PATH=off".to_owned());
    }
    Ok((path.to_owned(), CustomRule::Limit(Rule { window, max })))
}

/// A rule that a plugin brings along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PluginRule {
    /// The paths it is for.
    pub path: PathMatch,
    /// The limit.
    pub rule: Rule,
}

/// How a plugin names paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathMatch {
    /// This path alone.
    Exact(&'static str),
    /// Every path that begins so.
    Prefix(&'static str),
}

impl PathMatch {
    fn matches(self, path: &str) -> bool {
        match self {
            Self::Exact(exact) => path == exact,
            Self::Prefix(prefix) => path.starts_with(prefix),
        }
    }
}

/// The settings, ready to be asked.
#[derive(Debug)]
pub(super) struct Rules {
    default: Rule,
    pub(super) plugins: Vec<PluginRule>,
    custom: Vec<(PathMatcher, CustomRule)>,
}

#[derive(Debug)]
enum PathMatcher {
    Exact(String),
    Glob(Glob),
}

impl Rules {
    pub(super) fn new(settings: RateLimitSettings) -> Self {
        let custom = settings.custom.into_iter().map(|(path, rule)| {
            // upstream: a `?` makes a glob only next to a `*`.
            let matcher =
                if path.contains('*') { PathMatcher::Glob(Glob::new(&path)) } else { PathMatcher::Exact(path) };
            (matcher, rule)
        });
        let default = Rule { window: settings.window, max: settings.max };
        Self { default, plugins: Vec::new(), custom: custom.collect() }
    }

    /// The limit of a path; `None` where there is none.
    pub(super) fn rule_for(&self, path: &str) -> Option<Rule> {
        let custom = self.custom.iter().find(|(matcher, _)| match matcher {
            PathMatcher::Exact(exact) => exact == path,
            PathMatcher::Glob(glob) => glob.matches(path),
        });
        match custom {
            Some((_, CustomRule::Off)) => None,
            Some((_, CustomRule::Limit(rule))) => Some(*rule),
            None => self.plugin_rule(path).or_else(|| special_rule(path)).or_else(|| {
                // Nor is there a default for it.
                (path != GATEWAY_CHECK).then_some(self.default)
            }),
        }
    }

    fn plugin_rule(&self, path: &str) -> Option<Rule> {
        self.plugins.iter().find(|plugin| plugin.path.matches(path)).map(|plugin| plugin.rule)
    }
}

/// The check for gateways: they ask it for every request they pass on, each picture of a page included.
const GATEWAY_CHECK: &str = "/verify";

/// The tighter limits on guessing passwords and on sending mail.
fn special_rule(path: &str) -> Option<Rule> {
    const GUESSED: [&str; 4] = ["/sign-in", "/sign-up", "/change-password", "/change-email"];
    const MAILED: [&str; 4] = [
        "/request-password-reset",
        "/send-verification-email",
        "/email-otp/send-verification-otp",
        "/email-otp/request-password-reset",
    ];
    if GUESSED.iter().any(|prefix| path.starts_with(prefix)) {
        Some(Rule { window: 10, max: 3 })
    } else if MAILED.contains(&path) || path.starts_with("/forget-password") {
        Some(Rule { window: 60, max: 3 })
    } else {
        None
    }
}

/// The part of a request's path that rules and buckets go by: without the base path and without trailing slashes, `/`
/// where nothing is left. A path outside the base path stays whole. Case, escapes and doubled slashes are kept, so the
/// router must not see past them either: what it takes for one route must be one bucket.
#[must_use]
pub fn normalize_pathname<'a>(path: &'a str, base_path: &str) -> &'a str {
    let path = path.trim_end_matches('/');
    let inner = match path.strip_prefix(base_path.trim_end_matches('/')) {
        Some(inner) if inner.is_empty() || inner.starts_with('/') => inner,
        _ => path,
    };
    if inner.is_empty() { "/" } else { inner }
}
