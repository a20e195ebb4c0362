//! The checks a request passes: its origin, its fetch metadata, and the URLs it asks to be sent to (upstream
//! `api/middlewares/origin-check.mjs`). Whether they run at all (method, settings) is the caller's choice.

use serde_json::Value;
use thiserror::Error;

use super::TrustedOrigins;
use crate::extract::check::is_truthy;

/// The request headers the checks read. An absent header is `None`.
#[derive(Clone, Copy, Debug, Default)]
pub struct OriginHeaders<'a> {
    /// `Origin`.
    pub origin: Option<&'a str>,
    /// `Referer`, read where `Origin` is absent or empty.
    pub referer: Option<&'a str>,
    /// Whether a `Cookie` header is there, whatever it holds.
    pub has_cookie: bool,
    /// `Sec-Fetch-Site`.
    pub sec_fetch_site: Option<&'a str>,
    /// `Sec-Fetch-Mode`.
    pub sec_fetch_mode: Option<&'a str>,
    /// `Sec-Fetch-Dest`.
    pub sec_fetch_dest: Option<&'a str>,
    /// The origin the request itself was sent to; it stands in for `Origin: null` when `Sec-Fetch-Site` is
    /// `same-origin`. Empty when unknown.
    pub own_origin: &'a str,
}

impl<'a> OriginHeaders<'a> {
    fn candidate(&self) -> Option<&'a str> {
        let origin = present(self.origin);
        if origin == Some("null") && self.sec_fetch_site == Some("same-origin") {
            return present(Some(self.own_origin)).or(origin);
        }
        origin.or(present(self.referer))
    }

    fn has_fetch_metadata(&self) -> bool {
        [self.sec_fetch_site, self.sec_fetch_mode, self.sec_fetch_dest]
            .into_iter()
            .flatten()
            .any(|value| !value.trim().is_empty())
    }
}

/// Why a request's origin was refused. Every refusal is answered with status 403.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum OriginRefusal {
    /// `MISSING_OR_NULL_ORIGIN`
    #[error("Missing or null Origin")]
    MissingOrNull,
    /// `INVALID_ORIGIN`
    #[error("Invalid origin")]
    Invalid,
    /// `CROSS_SITE_NAVIGATION_LOGIN_BLOCKED`
    #[error("Cross-site navigation login blocked. This request appears to be a CSRF attack.")]
    CrossSiteNavigation,
}

/// Demands a trusted `Origin` (or `Referer`) of a request that carries a cookie, or, with `force`, of any.
///
/// # Errors
/// [`OriginRefusal::MissingOrNull`] without an origin, [`OriginRefusal::Invalid`] with one that is not trusted.
/// Upstream `validateOrigin`.
pub fn check_origin(trusted: &TrustedOrigins, headers: &OriginHeaders<'_>, force: bool) -> Result<(), OriginRefusal> {
    if !(force || headers.has_cookie) {
        return Ok(());
    }
    match headers.candidate() {
        None | Some("null") => Err(OriginRefusal::MissingOrNull),
        Some(origin) if trusted.trusts_origin(origin) => Ok(()),
        Some(_) => Err(OriginRefusal::Invalid),
    }
}

/// The check of the forms that start a session, where no cookie may exist yet: fetch metadata or an origin header is
/// held against the trusted list, and a program that sends neither passes.
///
/// # Errors
/// [`OriginRefusal::CrossSiteNavigation`] for a form posted from another site, else as [`check_origin`].
/// Upstream `validateFormCsrf`.
pub fn check_form_csrf(trusted: &TrustedOrigins, headers: &OriginHeaders<'_>) -> Result<(), OriginRefusal> {
    if headers.has_cookie {
        return check_origin(trusted, headers, false);
    }
    if headers.sec_fetch_site == Some("cross-site") && headers.sec_fetch_mode == Some("navigate") {
        return Err(OriginRefusal::CrossSiteNavigation);
    }
    let comes_from_a_page =
        headers.has_fetch_metadata() || present(headers.origin).is_some() || present(headers.referer).is_some();
    if comes_from_a_page { check_origin(trusted, headers, true) } else { Ok(()) }
}

/// A URL parameter, by the name refusals give it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UrlLabel {
    /// `callbackURL`, of the body or of the query.
    Callback,
    /// `redirectTo` of the body, called `redirectURL` in messages.
    Redirect,
    /// `errorCallbackURL`
    ErrorCallback,
    /// `newUserCallbackURL`
    NewUserCallback,
}

impl UrlLabel {
    /// The name in upstream's messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Callback => "callbackURL",
            Self::Redirect => "redirectURL",
            Self::ErrorCallback => "errorCallbackURL",
            Self::NewUserCallback => "newUserCallbackURL",
        }
    }
}

impl std::fmt::Display for UrlLabel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a URL parameter was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum UrlRefusal {
    /// Status 400 and this message, without a code.
    #[error("Invalid {label}: expected a string")]
    NotAString {
        /// The parameter.
        label: UrlLabel,
    },
    /// Status 403; the code is `INVALID_` and the label in upper snake case.
    #[error("Invalid {label}")]
    Untrusted {
        /// The parameter.
        label: UrlLabel,
    },
}

/// Holds the URL parameters of a request against the trusted list, in upstream's order. The query's `callbackURL`
/// counts where the body's is absent or falsy (`""`, `0`, `false`, `null`); falsy values pass.
///
/// # Errors
/// The first parameter that is no string or is not trusted. Upstream `originCheckMiddleware`.
pub fn check_urls(
    trusted: &TrustedOrigins,
    body: Option<&Value>,
    query_callback: Option<&Value>,
) -> Result<(), UrlRefusal> {
    let field = |name: &str| body.and_then(|body| body.get(name)).filter(|value| is_truthy(value));
    let parameters = [
        (UrlLabel::Callback, field("callbackURL").or(query_callback.filter(|value| is_truthy(value)))),
        (UrlLabel::Redirect, field("redirectTo")),
        (UrlLabel::ErrorCallback, field("errorCallbackURL")),
        (UrlLabel::NewUserCallback, field("newUserCallbackURL")),
    ];
    for (label, value) in parameters {
        match value {
            None => {}
            Some(Value::String(url)) if trusted.trusts_callback(url) => {}
            Some(Value::String(_)) => return Err(UrlRefusal::Untrusted { label }),
            Some(_) => return Err(UrlRefusal::NotAString { label }),
        }
    }
    Ok(())
}

/// A header that is there and not empty.
fn present(header: Option<&str>) -> Option<&str> {
    header.filter(|value| !value.is_empty())
}
