//! Whom the service trusts: the origins that may call it with cookies and the URLs it may send a browser to.
//!
//! Follows upstream `auth/trusted-origins.mjs` and `api/middlewares/origin-check.mjs`. URLs are parsed by the `url`
//! crate, which follows the WHATWG standard as browsers do; what is accepted here must be emitted unchanged.

mod check;
mod custom_scheme;
mod pattern;
pub(crate) mod wildcard;

#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use check::{OriginHeaders, OriginRefusal, UrlLabel, UrlRefusal, check_form_csrf, check_origin, check_urls};
use pattern::{OriginPattern, Target};
use url::Url;

/// A stand-in for the service's own origin, on which relative URLs are resolved.
const RELATIVE_URL_ORIGIN: &str = "https://better-auth.invalid";

/// The list of trusted origins. Cheap to clone.
#[derive(Clone, Debug)]
pub struct TrustedOrigins(Arc<Patterns>);

#[derive(Debug)]
struct Patterns {
    texts: Vec<String>,
    compiled: Vec<OriginPattern>,
}

impl TrustedOrigins {
    /// Prepares the patterns; empty ones are dropped, as upstream does. The service's own origin is one of them and is
    /// the caller's to add.
    ///
    /// | pattern | trusts |
    /// |---|---|
    /// | `https://app.example.com` | exactly this origin: no path, no trailing slash, in lower case |
    /// | `https://*.example.com`, `http://localhost:*` | a glob over the origin; `*` crosses dots, but not slashes |
    /// | `*.example.com` | a glob over host and port, with any scheme but `javascript:`, `data:`, `vbscript:` |
    /// | `http://192.168.*.*` | as a glob, IPv4 addresses alone |
    /// | `myapp://`, `myapp://host/cb`, `exp://**` | an app scheme: authority and path, where given, and below |
    pub fn new(patterns: impl IntoIterator<Item = String>) -> Self {
        let texts: Vec<String> = patterns.into_iter().filter(|pattern| !pattern.is_empty()).collect();
        let compiled = texts.iter().map(|pattern| OriginPattern::new(pattern)).collect();
        Self(Arc::new(Patterns { texts, compiled }))
    }

    /// Whether an `Origin` or `Referer` header is trusted. A relative URL never is.
    #[must_use]
    pub fn trusts_origin(&self, origin: &str) -> bool {
        Target::parse(origin).is_some_and(|target| self.0.compiled.iter().any(|pattern| pattern.matches(&target)))
    }

    /// Whether a browser may be sent to `url`: a path on the service's own origin, or a URL of a trusted one.
    #[must_use]
    pub fn trusts_callback(&self, url: &str) -> bool {
        if url.starts_with('/') { is_safe_relative_url(url) } else { self.trusts_origin(url) }
    }

    /// The patterns as they were given, without empty ones.
    #[must_use]
    pub fn patterns(&self) -> &[String] {
        &self.0.texts
    }
}

/// Refuses what browsers and routers read differently: `//evil.com`, `/\evil.com`, `/<TAB>/evil.com`, `/%2fevil.com`
/// (upstream `isSafeRelativeURL`).
fn is_safe_relative_url(url: &str) -> bool {
    if !url.starts_with('/') || url.starts_with("//") || url.contains('\\') || url.contains(char::is_control) {
        return false;
    }
    let path = url.split(['?', '#']).next().unwrap_or(url).to_ascii_lowercase();
    if path.contains("%2f") || path.contains("%5c") {
        return false;
    }
    Url::parse(RELATIVE_URL_ORIGIN)
        .and_then(|base| base.join(url))
        .is_ok_and(|resolved| resolved.origin().ascii_serialization() == RELATIVE_URL_ORIGIN)
}
