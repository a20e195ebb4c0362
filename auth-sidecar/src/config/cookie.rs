//! Names and attributes of cookies (upstream `cookies/index`, `createCookieGetter`).

use super::env::Reader;
use super::origins::check_cookie_domain;
use super::parse;
use super::public_url::PublicUrl;
use crate::cookies::{CookieSettings, SameSite};

pub(super) fn read(r: &mut Reader<'_>, public: Option<&PublicUrl>) -> CookieSettings {
    let prefix = r.get("AUTH_COOKIE_PREFIX", check_prefix).unwrap_or_default();
    let https = public.is_none_or(|public| public.url.scheme() == "https");
    let chosen = r.get("AUTH_COOKIE_SECURE", |text| {
        if text.eq_ignore_ascii_case("auto") {
            return Ok(None);
        }
        parse::boolean(text).map(Some).map_err(|_| "is none of auto, true, false".to_owned())
    });
    let secure = chosen.flatten().unwrap_or(https);
    if secure && !https {
        r.warn("AUTH_COOKIE_SECURE is true but BETTER_AUTH_URL is http: browsers drop the cookies");
    }
    if !secure && https {
        r.warn("AUTH_COOKIE_SECURE is false though BETTER_AUTH_URL is https: cookies may travel unprotected");
    }
    let cross_site = r.choice("AUTH_COOKIE_MODE") == "cross-site";
    if cross_site && !https {
        r.problem(
            "AUTH_COOKIE_MODE",
            "\"cross-site\" needs an https BETTER_AUTH_URL, as browsers drop such cookies over http; \
             localhost is one site, so lax is right there",
        );
    } else if cross_site && !secure {
        r.problem("AUTH_COOKIE_SECURE", "is false, but AUTH_COOKIE_MODE=cross-site needs Secure cookies");
    }
    let domain = r.get("AUTH_COOKIE_DOMAIN", |text| match public {
        Some(public) => check_cookie_domain(text, &public.url),
        None => Ok(text.to_owned()),
    });
    let same_site = if cross_site { SameSite::None } else { SameSite::Lax };
    CookieSettings { prefix, secure, same_site, partitioned: cross_site, domain }
}

fn check_prefix(text: &str) -> Result<String, String> {
    if text.to_ascii_lowercase().starts_with("__secure-") || text.to_ascii_lowercase().starts_with("__host-") {
        return Err("has a prefix that is put before it where it belongs".to_owned());
    }
    if text.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c)) {
        Ok(text.to_owned())
    } else {
        Err("has characters other than letters, digits and -._".to_owned())
    }
}
