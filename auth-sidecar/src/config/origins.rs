//! Trusted origins. A pattern that can never match, or that matches everybody, stops the start.

use url::{Host, Url};

use super::env::Reader;

const NAME: &str = "BETTER_AUTH_TRUSTED_ORIGINS";

/// What dev mode trusts.
const DEV: &[&str] = &["http://localhost:*", "http://127.0.0.1:*"];

/// Hosting domains below which anybody may have a name.
pub(super) const SHARED_DOMAINS: &[&str] = &[
    "azurewebsites.net",
    "cloudfront.net",
    "fly.dev",
    "github.io",
    "gitlab.io",
    "herokuapp.com",
    "hf.space",
    "netlify.app",
    "ngrok-free.app",
    "ngrok.io",
    "onrender.com",
    "pages.dev",
    "railway.app",
    "run.app",
    "surge.sh",
    "trycloudflare.com",
    "up.railway.app",
    "vercel.app",
    "web.app",
    "workers.dev",
];

/// Schemes that are no place a browser could come from.
const NEVER: &[&str] = &["about", "blob", "data", "file", "javascript", "vbscript"];

/// The patterns in force, the service's own origin first.
pub(super) fn read(r: &mut Reader<'_>, dev: bool, own_origin: Option<&str>) -> Vec<String> {
    let mut patterns = r.list(NAME, |item| check(item).map(|()| item.to_owned()));
    for pattern in &patterns {
        let shared = |domain: &&&str| pattern.ends_with(&format!("://*.{domain}")) || *pattern == format!("*.{domain}");
        if let Some(domain) = SHARED_DOMAINS.iter().find(shared) {
            r.warn(format!(
                "{NAME}: \"{pattern}\" trusts everybody's sites under {domain}; name your own, as \
                 https://my-project-*.{domain}"
            ));
        }
    }
    if patterns.is_empty() && !r.has_problem(NAME) {
        if dev {
            patterns = DEV.iter().map(|&pattern| pattern.to_owned()).collect();
        }
        let shown = if dev { patterns.join(",") } else { "(only the service's own)".to_owned() };
        r.told(NAME, shown);
    }
    own_origin.map(str::to_owned).into_iter().chain(patterns).collect()
}

/// Whether a pattern can be meant; see upstream `auth/trusted-origins` for how it is matched.
pub(crate) fn check(item: &str) -> Result<(), String> {
    let wild = item.contains(['*', '?']);
    let place = item.split_once("://").map_or(item, |(_, place)| place);
    let web = place.len() == item.len() || item.starts_with("http") || item.starts_with('*');
    if wild && web && !place.chars().any(char::is_alphanumeric) {
        return Err("would trust every site; name the ones that are yours".to_owned());
    }
    if item.chars().any(|c| c.is_whitespace() || c.is_control() || c == '\\') {
        return Err("has a blank or backslash in it; put commas between origins".to_owned());
    }
    let Some((scheme, rest)) = item.split_once("://") else {
        return if wild {
            check_host(item)
        } else {
            Err(format!("has no scheme; write {}://{item}", likely_scheme(item)))
        };
    };
    if NEVER.contains(&scheme.to_ascii_lowercase().as_str()) || scheme.contains(['*', '?']) {
        return Err("has a scheme that no site has; write https://…".to_owned());
    }
    if !matches!(scheme, "http" | "https") {
        return Ok(());
    }
    let authority = rest.split(['/', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err("has a user name in it; write scheme, host and port only".to_owned());
    }
    if authority.len() != rest.len() {
        return Err(format!("has something after the host; write {scheme}://{authority}"));
    }
    if wild {
        return check_host(authority);
    }
    let url = Url::parse(item).map_err(|_| "is no origin".to_owned())?;
    let origin = url.origin().ascii_serialization();
    if origin == item { Ok(()) } else { Err(format!("would never match; write {origin}")) }
}

/// The scheme that was meant by somebody who wrote none.
fn likely_scheme(host: &str) -> &'static str {
    if host.starts_with("localhost") || host.starts_with("127.") { "http" } else { "https" }
}

/// A host pattern with a wildcard: it has to end in a domain of its own.
fn check_host(authority: &str) -> Result<(), String> {
    if authority.contains('/') {
        return Err("has a path; write the host only".to_owned());
    }
    if authority.starts_with('[') {
        return Ok(());
    }
    let host = authority.split_once(':').map_or(authority, |(host, _)| host);
    // Upstream matches such a pattern against IPv4 addresses only.
    if host.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | '*' | '?')) {
        let numbered = host.split('.').next().is_some_and(|part| !part.is_empty() && !part.contains(['*', '?']));
        return if numbered { Ok(()) } else { Err("would trust every site".to_owned()) };
    }
    let labels: Vec<&str> = host.split('.').collect();
    let fixed = labels.iter().rev().take_while(|label| !label.is_empty() && !label.contains(['*', '?'])).count();
    match fixed {
        0 => Err("ends in a wildcard, so that others' domains match too; end it in your domain".to_owned()),
        1 if labels.len() > 1 => Err(format!("would trust every site under .{}", labels.last().unwrap_or(&""))),
        _ => Ok(()),
    }
}

/// The domain cookies are shared below: that of the public URL, or one above it.
pub(super) fn check_cookie_domain(domain: &str, public: &Url) -> Result<String, String> {
    // It goes into the cookie as it was given, with its dot if it has one: upstream does so too.
    let given = domain.to_ascii_lowercase();
    let domain = given.trim_start_matches('.').to_owned();
    let host = match public.host() {
        Some(Host::Domain(host)) => host.to_owned(),
        _ => return Err("cannot be used: BETTER_AUTH_URL has no host name".to_owned()),
    };
    if !domain.contains('.') {
        return Err("is not a domain of one's own; browsers refuse it".to_owned());
    }
    if SHARED_DOMAINS.contains(&domain.as_str()) {
        return Err("is shared by many people's sites; browsers refuse it".to_owned());
    }
    if host != domain && !host.ends_with(&format!(".{domain}")) {
        return Err(format!("is neither {host}, the host of BETTER_AUTH_URL, nor a domain above it"));
    }
    Ok(given)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_that_can_be_meant_are_accepted() {
        for item in [
            "https://www.example.com",
            "http://localhost:3000",
            "http://localhost:*",
            "http://127.0.0.1:*",
            "https://*.trusted.example.test",
            "https://my-project-*.vercel.app",
            "*.example.com",
            "192.168.1.*",
            "http://[::1]:3000",
            "myapp://",
            "exp://**",
        ] {
            assert_eq!(check(item), Ok(()), "{item}");
        }
    }

    #[test]
    fn origins_that_match_never_or_everybody_are_refused_with_the_right_form() {
        for (item, reason) in [
            ("*", "every site"),
            ("**", "every site"),
            ("*://*", "every site"),
            ("https://*", "every site"),
            ("https://*:*", "every site"),
            ("https://*.com", "under .com"),
            ("https://app.example*", "ends in a wildcard"),
            ("*.*.*.*", "every site"),
            ("https://*.example.com/", "write https://*.example.com"),
            ("https://www.example.com/", "write https://www.example.com"),
            ("https://www.example.com/docs", "write https://www.example.com"),
            ("https://WWW.example.com", "write https://www.example.com"),
            ("https://www.example.com:443", "write https://www.example.com"),
            ("www.example.com", "write https://www.example.com"),
            ("localhost:3000", "write http://localhost:3000"),
            ("https://me@example.com", "user name"),
            ("javascript://x", "scheme"),
            ("http*://example.com", "scheme"),
            ("https://a.example.com https://b.example.com", "commas"),
        ] {
            let refused = check(item).unwrap_err();
            assert!(refused.contains(reason), "{item}: {refused}");
        }
    }

    #[test]
    fn cookie_domain_is_the_public_host_or_above_it() {
        let public = Url::parse("https://auth.example.co.uk").unwrap();
        assert_eq!(check_cookie_domain("example.co.uk", &public), Ok("example.co.uk".to_owned()));
        assert_eq!(check_cookie_domain(".Example.co.uk", &public), Ok(".example.co.uk".to_owned()));
        assert_eq!(check_cookie_domain("auth.example.co.uk", &public), Ok("auth.example.co.uk".to_owned()));
        for domain in ["uk", "localhost", "example.com", "www.example.co.uk", "ample.co.uk", "."] {
            assert!(check_cookie_domain(domain, &public).is_err(), "{domain}");
        }
        let shared = Url::parse("https://mine.up.railway.app").unwrap();
        assert!(check_cookie_domain("up.railway.app", &shared).is_err());
        let numbered = Url::parse("http://127.0.0.1:4000").unwrap();
        assert!(check_cookie_domain("0.0.1", &numbered).is_err());
    }
}
