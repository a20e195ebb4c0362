//! Whether the session cookie reaches the service from the pages that are trusted.

use super::report::Report;
use super::site::{host_of, is_public_suffix, site_of_host};
use crate::config::Config;
use crate::cookies::SameSite;

const CHECK: &str = "cookies";
const BLOCKED: &str = "Safari and Brave block such cookies whatever a server does";

/// Judges mode and domain of the cookies.
pub fn check(config: &Config, report: &mut Report) {
    let host = host_of(&config.base_url).unwrap_or_default();
    let own_site = site_of_host(&host);
    let others: Vec<&String> = config
        .trusted_origins
        .iter()
        .skip(1)
        .filter(|origin| host_of(origin).is_some_and(|host| site_of_host(&host) != own_site))
        .collect();
    let cross_site = config.cookies.same_site == SameSite::None;
    match (others.first(), cross_site) {
        // The public address is said to be wrong already.
        (Some(_), false) if own_site == "localhost" => {
            report.ok(CHECK, "lax; what pages elsewhere need shows once BETTER_AUTH_URL is the public address");
        }
        (Some(page), false) => not_sent(config, page, &own_site, report),
        (Some(page), true) => report.warning(
            CHECK,
            format!(
                "cross-site: {page} is another site than {own_site}, and {BLOCKED}; serve both from one origin by a \
                 proxy, or let the client keep bearer tokens (docs/deployment.md), then"
            ),
            "AUTH_COOKIE_MODE=lax",
        ),
        (None, true) => report.warning(
            CHECK,
            format!("cross-site, but no trusted origin is on another site than {own_site}: lax is enough, and safer"),
            "AUTH_COOKIE_MODE=lax",
        ),
        (None, false) => report.ok(CHECK, format!("lax; every trusted page is on the site {own_site}")),
    }
    domain(config, &host, &own_site, report);
}

/// Lax cookies, and a page on another site.
fn not_sent(config: &Config, page: &str, own_site: &str, report: &mut Report) {
    let shared = host_of(page).and_then(|host| shared_suffix(&host)).or_else(|| shared_suffix(own_site));
    let why = shared.map(|suffix| format!(" (each name below {suffix} is a site of its own)")).unwrap_or_default();
    let seen = format!("{page} is another site than {own_site}{why}: browsers send no lax cookie from there");
    let fix = if config.base_url.starts_with("https://") {
        "AUTH_COOKIE_MODE=cross-site".to_owned()
    } else {
        format!("BETTER_AUTH_URL=https://{}", config.base_url.trim_start_matches("http://"))
    };
    if config.plugins.bearer.enabled {
        report.warning(
            CHECK,
            format!(
                "{seen}. Right if the client keeps bearer tokens; else serve both from one origin by a proxy, or take \
                 cross-site cookies, though {BLOCKED}"
            ),
            fix,
        );
    } else {
        report.problem(
            CHECK,
            format!(
                "{seen}, and the plugin bearer is off. Serve both from one origin by a proxy, take bearer tokens \
                 (AUTH_PLUGINS), or cross-site cookies, though {BLOCKED}"
            ),
            fix,
        );
    }
}

/// The hosting domain that a host is right below.
fn shared_suffix(host: &str) -> Option<String> {
    let (_, suffix) = host.split_once('.')?;
    // Of a domain one can buy, as example.com, nobody needs to be told.
    (is_public_suffix(suffix) && suffix.contains('.')).then(|| suffix.to_owned())
}

fn domain(config: &Config, host: &str, own_site: &str, report: &mut Report) {
    let Some(domain) = config.cookies.domain.as_deref() else { return };
    let bare = domain.trim_start_matches('.');
    if is_public_suffix(bare) {
        report.problem(
            "cookie-domain",
            format!("{domain} is shared by many people's sites: browsers refuse a cookie for it"),
            if own_site == host { "AUTH_COOKIE_DOMAIN=".to_owned() } else { format!("AUTH_COOKIE_DOMAIN={own_site}") },
        );
    } else if bare == host {
        report.ok("cookie-domain", format!("{domain}: cookies go to {host} and all hosts below it"));
    } else {
        report
            .ok("cookie-domain", format!("{domain}: every host below it gets the cookies; let only your own be there"));
    }
}

/// The domain to share cookies below, for a public address that the configured one does not cover.
pub fn covering_domain(public_url: &str) -> String {
    let host = host_of(public_url).unwrap_or_default();
    let site = site_of_host(&host);
    if site == host || !site.contains('.') { String::new() } else { site }
}

#[cfg(test)]
mod tests {
    use super::super::report::Level;
    use super::super::testing::{deployed, fixes, worst};
    use super::*;

    fn judged(given: &[(&str, &str)]) -> Report {
        let (_, config) = deployed(given);
        let mut report = Report::default();
        check(&config, &mut report);
        report
    }

    #[test]
    fn a_page_on_another_site_gets_no_lax_cookie() {
        let cross = ["AUTH_COOKIE_MODE=cross-site"];
        for (url, page, level) in [
            ("https://auth.example.com", "https://www.example.com", Level::Ok),
            ("https://auth.example.com", "https://*.preview.example.com", Level::Ok),
            ("https://auth.example.com", "myapp://", Level::Ok),
            ("https://auth.example.co.uk", "https://www.other.co.uk", Level::Warning),
            ("https://auth.example.com", "https://user.github.io", Level::Warning),
            ("https://a.up.railway.app", "https://b.up.railway.app", Level::Warning),
            ("https://api.onrender.com", "https://site.vercel.app", Level::Warning),
            ("https://user-space.hf.space", "https://user.github.io", Level::Warning),
        ] {
            let report = judged(&[("BETTER_AUTH_URL", url), ("BETTER_AUTH_TRUSTED_ORIGINS", page)]);
            assert_eq!(worst(&report), level, "{url} {page}: {}", report.text());
            if level != Level::Ok {
                assert_eq!(fixes(&report), cross, "{url} {page}");
                assert!(report.text().contains("Safari and Brave"), "{}", report.text());
            }
        }
    }

    #[test]
    fn without_bearer_it_is_a_problem_and_without_https_there_is_no_such_cookie() {
        let github = ("BETTER_AUTH_TRUSTED_ORIGINS", "https://user.github.io");
        let report = judged(&[github, ("AUTH_PLUGINS", "jwt")]);
        assert_eq!(worst(&report), Level::Problem);
        let report = judged(&[github, ("BETTER_AUTH_URL", "http://auth.example.com")]);
        assert_eq!(fixes(&report), ["BETTER_AUTH_URL=https://auth.example.com"]);
        let report = judged(&[github, ("AUTH_COOKIE_MODE", "cross-site")]);
        assert!(worst(&report) == Level::Warning && report.text().contains("Safari"), "{}", report.text());
        let report =
            judged(&[("BETTER_AUTH_TRUSTED_ORIGINS", "https://www.example.com"), ("AUTH_COOKIE_MODE", "cross-site")]);
        assert_eq!(fixes(&report), ["AUTH_COOKIE_MODE=lax"]);
    }

    #[test]
    fn a_domain_of_many_people_is_refused() {
        for (url, domain, fix) in [
            ("https://mine.deno.dev", "deno.dev", "AUTH_COOKIE_DOMAIN="),
            ("https://auth.example.co.uk", "co.uk", "AUTH_COOKIE_DOMAIN=example.co.uk"),
        ] {
            let report = judged(&[("BETTER_AUTH_URL", url), ("AUTH_COOKIE_DOMAIN", domain)]);
            assert_eq!((worst(&report), fixes(&report)), (Level::Problem, vec![fix]), "{}", report.text());
        }
        let report = judged(&[("AUTH_COOKIE_DOMAIN", "example.com")]);
        assert_eq!(worst(&report), Level::Ok);
        assert_eq!(covering_domain("https://auth.example.com"), "example.com");
        assert_eq!(covering_domain("https://mine.onrender.com"), "");
    }
}
