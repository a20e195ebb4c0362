//! `BETTER_AUTH_URL`: what it should be, and what the client has to be told.

use url::Url;

use super::report::Report;
use super::site::{host_of, is_this_machine};
use crate::config::Config;

const CHECK: &str = "public-url";
const EXAMPLE: &str = "BETTER_AUTH_URL=https://auth.example.com";

/// Hosts of files only: no service runs there, and no proxy.
const ONLY_FILES: &[&str] = &["github.io", "gitlab.io", "surge.sh", "neocities.org"];

/// The argument of the client's `createAuthClient` for endpoints at this origin and path.
pub fn client_options(origin: &str, base_path: &str) -> String {
    match base_path {
        "/api/auth" => format!("createAuthClient({{ baseURL: \"{origin}\" }})"),
        "" => format!("createAuthClient({{ baseURL: \"{origin}\", basePath: \"/\" }})"),
        path => format!("createAuthClient({{ baseURL: \"{origin}{path}\" }})"),
    }
}

/// Judges the public address.
pub fn check(config: &Config, report: &mut Report) {
    let origin = config.base_url.as_str();
    let host = host_of(origin).unwrap_or_default();
    let is_local = is_this_machine(&host);
    let path = if config.base_path == "/api/auth" { "" } else { config.base_path.as_str() };
    if config.dev && !is_local {
        report.problem(
            "dev-mode",
            format!("dev mode at {origin}: sites on a visitor's own machine are trusted and nothing limits guessing"),
            "AUTH_DEV=false",
        );
    } else if config.dev {
        report.ok("dev-mode", "on: for a first try on this machine, never for a public address");
    }
    if let Some(files) = ONLY_FILES.iter().find(|files| host.ends_with(&format!(".{files}"))) {
        report.problem(
            CHECK,
            format!("{origin} is a site at {files}, where no service can run: name the address of this service"),
            EXAMPLE,
        );
        return;
    }
    if origin.starts_with("http://") && !is_local {
        let https = format!("BETTER_AUTH_URL=https://{}{path}", origin.trim_start_matches("http://"));
        report.problem(
            CHECK,
            format!(
                "{origin} has no https: passwords and cookies can be read on the way, and cookies are not Secure; \
                 if a proxy in front ends TLS, name its address"
            ),
            https,
        );
        return;
    }
    let elsewhere = |origin: &&String| {
        origin.starts_with("https://") && host_of(origin).is_some_and(|host| !is_this_machine(&host))
    };
    if !config.dev
        && is_local
        && let Some(page) = config.trusted_origins.iter().skip(1).find(elsewhere)
    {
        report.warning(
            CHECK,
            format!(
                "{origin} is this machine alone, but {page} is trusted: its visitors look for the service on theirs"
            ),
            EXAMPLE,
        );
        return;
    }
    report.ok(CHECK, format!("{origin}; the client: {}", client_options(origin, &config.base_path)));
    if !path.is_empty() {
        report.ok(
            CHECK,
            format!(
                "endpoints are below {path}: a client whose baseURL has no path calls {origin}/api/auth/… in vain, \
                 and a proxy must pass {path}/… unchanged"
            ),
        );
    }
}

/// The address with a scheme, where it was written without one.
pub fn with_scheme(given: &str) -> Option<String> {
    if given.contains("://") || given.starts_with('/') || given.is_empty() {
        return None;
    }
    let local = given.starts_with("localhost") || given.starts_with("127.");
    let url = format!("{}://{given}", if local { "http" } else { "https" });
    Url::parse(&url).is_ok().then_some(url)
}

#[cfg(test)]
mod tests {
    use super::super::report::Level;
    use super::super::testing::{deployed, fixes, worst};
    use super::*;

    #[test]
    fn addresses_are_judged_and_the_client_is_told() {
        for (given, level, said) in [
            (&[][..], Level::Ok, "createAuthClient({ baseURL: \"https://auth.example.com\" })"),
            (
                &[("BETTER_AUTH_URL", "https://example.com/book")],
                Level::Ok,
                "createAuthClient({ baseURL: \"https://example.com/book\" })",
            ),
            (
                &[("AUTH_BASE_PATH", "/")],
                Level::Ok,
                "createAuthClient({ baseURL: \"https://auth.example.com\", basePath: \"/\" })",
            ),
            (
                &[("BETTER_AUTH_URL", "http://auth.example.com")],
                Level::Problem,
                "BETTER_AUTH_URL=https://auth.example.com",
            ),
            (
                &[("BETTER_AUTH_URL", "http://auth.example.com/book")],
                Level::Problem,
                "BETTER_AUTH_URL=https://auth.example.com/book",
            ),
            (&[("BETTER_AUTH_URL", "https://user.github.io/repo")], Level::Problem, "no service can run"),
            (&[("BETTER_AUTH_URL", "http://localhost:4000")], Level::Ok, "http://localhost:4000"),
            (
                &[
                    ("BETTER_AUTH_URL", "http://localhost:4000"),
                    ("BETTER_AUTH_TRUSTED_ORIGINS", "https://www.example.com"),
                ],
                Level::Warning,
                "this machine alone",
            ),
            (&[("AUTH_DEV", "true")], Level::Problem, "AUTH_DEV=false"),
        ] {
            let (_, config) = deployed(given);
            let mut report = Report::default();
            check(&config, &mut report);
            assert_eq!(worst(&report), level, "{given:?}: {}", report.text());
            assert!(report.text().contains(said), "{given:?}: {}", report.text());
            assert_eq!(level == Level::Ok, fixes(&report).is_empty(), "{given:?}");
        }
    }

    #[test]
    fn a_missing_scheme_is_found_out() {
        for (given, meant) in [
            ("auth.example.com", Some("https://auth.example.com")),
            ("localhost:4000", Some("http://localhost:4000")),
            ("https://auth.example.com", None),
            ("/api/auth", None),
            ("", None),
        ] {
            assert_eq!(with_scheme(given).as_deref(), meant, "{given}");
        }
    }
}
