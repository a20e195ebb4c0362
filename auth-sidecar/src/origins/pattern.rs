//! One trusted-origin pattern, prepared, and the URL it is held against (upstream `auth/trusted-origins.mjs`,
//! `matchesOriginPattern`).

use std::net::Ipv4Addr;

use url::Url;

use super::{custom_scheme::CustomScheme, wildcard::Glob};

/// Schemes that run or embed code where they are navigated to (upstream `@better-auth/core` `utils/url.mjs`,
/// `DANGEROUS_URL_SCHEMES`).
const DANGEROUS_SCHEMES: [&str; 3] = ["javascript", "data", "vbscript"];

/// A URL, parsed once for all patterns.
pub(super) struct Target {
    /// Host and non-default port; empty for URLs without an authority.
    host: String,
    /// Set for `http` and `https` alone.
    origin: Option<String>,
    custom: Option<CustomScheme>,
}

impl Target {
    /// `None` for what no pattern may trust.
    ///
    /// Stricter than upstream in three ways that only an attack can notice: a control character anywhere (the URL parser
    /// drops line breaks, so `https://trusted/\r\nx: y` would reach a `Location` header), a scheme that runs code
    /// (`javascript://a.example.com/…` has a host that `*.example.com` matches), and a backslash ahead of the query, a
    /// slash to some parsers and part of the name to others (`https://trusted\@evil.com`, `myapp://host:1\x`).
    pub(super) fn parse(url: &str) -> Option<Self> {
        let before_query = url.split(['?', '#']).next().unwrap_or(url);
        if url.contains(char::is_control) || before_query.contains('\\') {
            return None;
        }
        let parsed = Url::parse(url).ok().filter(|parsed| !DANGEROUS_SCHEMES.contains(&parsed.scheme()))?;
        let host = parsed.host_str().unwrap_or_default();
        Some(Self {
            host: parsed.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")),
            origin: matches!(parsed.scheme(), "http" | "https").then(|| parsed.origin().ascii_serialization()),
            custom: CustomScheme::parse(url),
        })
    }
}

/// A pattern of the trusted list.
#[derive(Debug)]
pub(super) enum OriginPattern {
    /// `*.example.com`: a glob over host and port, whatever the scheme.
    Host(AuthorityGlob),
    /// `https://app.example.com`, `myapp://`: no wildcard.
    Exact { origin: String, custom: Option<CustomScheme> },
    /// `https://*.example.com`, `exp://**`: a glob over the origin of web URLs, and by parts for app schemes.
    Glob { origin: Glob, ipv4_only: bool, custom: Option<CustomGlob> },
}

impl OriginPattern {
    pub(super) fn new(pattern: &str) -> Self {
        if !pattern.contains(['*', '?']) {
            return Self::Exact { origin: pattern.to_owned(), custom: CustomScheme::parse(pattern) };
        }
        match pattern.split_once("://") {
            None => Self::Host(AuthorityGlob::new(pattern)),
            Some((_, authority)) => Self::Glob {
                origin: Glob::new(pattern),
                ipv4_only: names_addresses(authority),
                custom: CustomScheme::parse_glob(pattern).map(CustomGlob::new),
            },
        }
    }

    pub(super) fn matches(&self, target: &Target) -> bool {
        match (self, &target.origin) {
            (Self::Host(glob), _) => !target.host.is_empty() && glob.matches(&target.host),
            (Self::Exact { origin, .. }, Some(target_origin)) => origin == target_origin,
            (Self::Exact { custom, .. }, None) => match (custom, &target.custom) {
                (Some(pattern), Some(url)) => is_within(pattern, url),
                _ => false,
            },
            (Self::Glob { origin, ipv4_only, .. }, Some(target_origin)) => {
                origin.matches(target_origin) && (!ipv4_only || is_ipv4(&target.host))
            }
            (Self::Glob { custom, .. }, None) => match (custom, &target.custom) {
                (Some(glob), Some(url)) => glob.matches(url),
                _ => false,
            },
        }
    }
}

/// A pattern of an app scheme without wildcards covers its authority and the paths below its own.
fn is_within(pattern: &CustomScheme, url: &CustomScheme) -> bool {
    pattern.scheme == url.scheme
        && (pattern.authority.is_empty() || pattern.authority == url.authority)
        && url.path.strip_prefix(&pattern.path).is_some_and(|below| below.is_empty() || below.starts_with('/'))
}

/// A pattern of an app scheme with wildcards; an absent part matches anything.
#[derive(Debug)]
pub(super) struct CustomGlob {
    scheme: String,
    authority: Option<AuthorityGlob>,
    path: Option<Glob>,
}

impl CustomGlob {
    fn new(pattern: CustomScheme) -> Self {
        Self {
            authority: (!pattern.authority.is_empty()).then(|| AuthorityGlob::new(&pattern.authority)),
            path: (!pattern.path.is_empty()).then(|| Glob::new(&pattern.path)),
            scheme: pattern.scheme,
        }
    }

    fn matches(&self, url: &CustomScheme) -> bool {
        let path = if url.path.is_empty() { "/" } else { &url.path };
        self.scheme == url.scheme
            && !url.authority.contains('@')
            && self.authority.as_ref().is_none_or(|glob| glob.matches(&url.authority))
            && self.path.as_ref().is_none_or(|glob| glob.matches(path))
    }
}

/// A glob over `host` or `host:port`.
#[derive(Debug)]
pub(super) struct AuthorityGlob {
    glob: Glob,
    ipv4_only: bool,
}

impl AuthorityGlob {
    fn new(pattern: &str) -> Self {
        Self { glob: Glob::new(pattern), ipv4_only: names_addresses(pattern) }
    }

    fn matches(&self, authority: &str) -> bool {
        self.glob.matches(authority) && (!self.ipv4_only || is_ipv4(authority))
    }
}

/// Whether a pattern's host is digits, dots and wildcards alone. Such a pattern (`192.168.*.*`) means addresses, and
/// must not let `192.168.attacker.com` in (upstream `isAllowedIPv4Host`). A path after the host, which upstream takes
/// for a part of it, does not switch the rule off here.
fn names_addresses(pattern: &str) -> bool {
    let host = pattern.split([':', '/']).next().unwrap_or_default();
    host.contains(|c: char| c.is_ascii_digit())
        && host.chars().all(|c| c.is_ascii_digit() || matches!(c, '*' | '?' | '.'))
}

/// Whether the host of `host:port` is an IPv4 address in its canonical four decimal parts.
fn is_ipv4(authority: &str) -> bool {
    authority.split(':').next().unwrap_or_default().parse::<Ipv4Addr>().is_ok()
}
