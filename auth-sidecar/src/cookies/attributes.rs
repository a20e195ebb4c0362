//! Cookie names and attributes (upstream: `cookies/index.mjs`, `createCookieGetter`; `better-call/dist/cookies.mjs`).

/// The longest `Max-Age` in seconds, 400 days (RFC 6265bis §4.1.2.2).
pub const MAX_AGE_LIMIT: i64 = 34_560_000;

/// The `SameSite` attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SameSite {
    /// Sent on same-site requests and top-level navigations.
    Lax,
    /// Sent everywhere; the cookie is then always `Secure`.
    None,
}

/// What all cookies of one installation have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CookieSettings {
    /// The part of the name before the dot, `better-auth` by default.
    pub prefix: String,
    /// Adds the name prefix `__Secure-` and the attribute `Secure`.
    pub secure: bool,
    /// The `SameSite` attribute.
    pub same_site: SameSite,
    /// The `Partitioned` attribute; the cookie is then always `Secure`.
    pub partitioned: bool,
    /// The `Domain` attribute, for cookies shared between subdomains.
    pub domain: Option<String>,
}

impl Default for CookieSettings {
    /// Upstream's defaults on a plain `http` origin.
    fn default() -> Self {
        Self {
            prefix: "better-auth".to_owned(),
            secure: false,
            same_site: SameSite::Lax,
            partitioned: false,
            domain: None,
        }
    }
}

impl CookieSettings {
    /// The full name of a cookie: `session_token` becomes `__Secure-better-auth.session_token` on https.
    pub fn name(&self, short: &str) -> String {
        let secure_prefix = if self.secure { "__Secure-" } else { "" };
        format!("{secure_prefix}{}.{short}", self.prefix)
    }
}

/// One `Set-Cookie` line (upstream: `better-call/dist/cookies.mjs`, `resolveCookie` and `serializeCookieValue`).
///
/// `encoded_value` is written as it is. `max_age` is in seconds; `None` or a negative one makes a cookie of the browser session,
/// one above [`MAX_AGE_LIMIT`] is cut to it (upstream throws; the configuration is to refuse it before).
pub fn serialize(name: &str, encoded_value: &str, max_age: Option<i64>, settings: &CookieSettings) -> String {
    let lower_name = name.to_ascii_lowercase();
    let host_prefix = lower_name.starts_with("__host-");
    let secure = settings.secure
        || host_prefix
        || lower_name.starts_with("__secure-")
        || settings.partitioned
        || settings.same_site == SameSite::None;

    let mut line = format!("{name}={encoded_value}");
    if let Some(seconds) = max_age.filter(|seconds| *seconds >= 0) {
        line.push_str(&format!("; Max-Age={}", seconds.min(MAX_AGE_LIMIT)));
    }
    // A `__Host-` cookie with a domain would be dropped by the browser.
    if let Some(domain) = settings.domain.as_deref().filter(|domain| !domain.is_empty() && !host_prefix) {
        line.push_str("; Domain=");
        line.push_str(domain);
    }
    line.push_str("; Path=/; HttpOnly");
    if secure {
        line.push_str("; Secure");
    }
    line.push_str(match settings.same_site {
        SameSite::Lax => "; SameSite=Lax",
        SameSite::None => "; SameSite=None",
    });
    if settings.partitioned {
        line.push_str("; Partitioned");
    }
    line
}
