//! The settings as a whole: what stops the start, and the settings that are meant.

use std::collections::BTreeMap;

use url::Url;

use super::cookies::covering_domain;
use super::report::{Level, Report};
use super::service::MAIL;
use super::{public_url, trusted_origins};
use crate::config::settings::lookup;
use crate::config::{Config, ConfigErrors, OnlyLooking, Problem, Source};
use crate::ids::random_string;

const CHECK: &str = "settings";
const SECRET: &str = "BETTER_AUTH_SECRET";
const URL: &str = "BETTER_AUTH_URL";
const SECRETS: &[&str] = &[SECRET, "BETTER_AUTH_SECRETS", "AUTH_SECRET"];

/// Settings to go on with.
pub struct Meant {
    /// As they are, or as they are meant.
    pub config: Option<Config>,
    /// Whether the secret is the one that is set, so that it opens what it sealed.
    pub secret_is_known: bool,
}

/// Loads the settings. What is wrong with them is reported; they are then loaded once more as they
/// were meant, so that all mistakes are told in one go.
pub fn load(vars: &BTreeMap<String, String>, report: &mut Report) -> Meant {
    let mut meant = without_quotes(vars, report);
    if let Some(url) = meant.get(URL).and_then(|given| public_url::with_scheme(given.trim())) {
        report.problem("public-url", format!("{URL} has no scheme"), format!("{URL}={url}"));
        meant.insert(URL.to_owned(), url);
    }
    if let Some(origins) = trusted_origins::check_form(&meant, report) {
        meant.insert(trusted_origins::NAME.to_owned(), origins);
    }
    let outcome = match from_env(&meant) {
        Ok(config) => Meant { config: Some(config), secret_is_known: true },
        Err(errors) => {
            for problem in &errors.problems {
                report.problem(check_name(&problem.name), said(problem), fix(problem, vars));
            }
            let secret_is_known = put_right(&mut meant, &errors, vars);
            let config = from_env(&meant).ok();
            if config.is_none() {
                super::warnings::check(&errors.warnings, report);
            }
            Meant { config, secret_is_known }
        }
    };
    match &outcome.config {
        Some(config) if report.count(Level::Problem) == 0 => report.ok(CHECK, given(config)),
        Some(_) => report.ok(CHECK, "what follows is judged as if the lines above were set"),
        None => {}
    }
    outcome
}

fn from_env(vars: &BTreeMap<String, String>) -> Result<Config, ConfigErrors> {
    Config::from_env(vars.clone(), &OnlyLooking)
}

fn given(config: &Config) -> String {
    let count = config.resolved().iter().filter(|setting| setting.source != Source::Default).count();
    format!("{count} given, all of them right; auth-sidecar config lists every one")
}

/// `docker run --env-file` and systemd's `Environment=` keep quotes that a shell takes away.
fn without_quotes(vars: &BTreeMap<String, String>, report: &mut Report) -> BTreeMap<String, String> {
    let mut plain = vars.clone();
    for (name, value) in &mut plain {
        let text = value.trim();
        let inner = ['"', '\''].iter().find_map(|&quote| text.strip_prefix(quote)?.strip_suffix(quote));
        let Some((inner, setting)) = inner.zip(lookup(name)) else { continue };
        if name == trusted_origins::NAME {
            continue;
        }
        let shown =
            if setting.secret { format!("{name}=… (the same without quotes)") } else { format!("{name}={inner}") };
        report.problem(CHECK, format!("{name} has quotes around it, which are taken as part of it"), shown);
        *value = inner.to_owned();
    }
    plain
}

/// Makes the settings loadable where that is possible; whether the secret is still the real one.
fn put_right(meant: &mut BTreeMap<String, String>, errors: &ConfigErrors, vars: &BTreeMap<String, String>) -> bool {
    let mut secret_is_known = true;
    for problem in &errors.problems {
        let name = &problem.name;
        let setting = name.strip_suffix("_FILE").filter(|_| lookup(name).is_none()).unwrap_or(name);
        // A scheme that does not fit the mode is the scheme's fault, most likely.
        if name == "AUTH_COOKIE_MODE"
            && let Some(url) = meant.get(URL).and_then(|url| url.strip_prefix("http://")).map(str::to_owned)
            && !fix(problem, vars).starts_with(name)
        {
            meant.insert(URL.to_owned(), format!("https://{url}"));
            continue;
        }
        meant.remove(name);
        if problem.what.starts_with("is no setting")
            && let Some((other, value)) = instead_of_unknown(problem, vars).split_once('=')
            && !value.starts_with('$')
        {
            meant.insert(other.to_owned(), value.to_owned());
        }
        secret_is_known &= !SECRETS.contains(&setting);
    }
    // Without a secret nothing loads, but only the keys depend on it.
    if !secret_is_known {
        for name in SECRETS {
            meant.remove(*name);
            meant.remove(&format!("{name}_FILE"));
        }
        meant.insert(SECRET.to_owned(), random_string(43));
    }
    secret_is_known
}

/// The check that a setting's mistakes are told under.
fn check_name(name: &str) -> &'static str {
    match name.strip_suffix("_FILE").unwrap_or(name) {
        URL => "public-url",
        trusted_origins::NAME => "trusted-origins",
        name if SECRETS.contains(&name) => "secret",
        "DATABASE_URL" => "database",
        "AUTH_COOKIE_MODE" | "AUTH_COOKIE_SECURE" => "cookies",
        "AUTH_COOKIE_DOMAIN" => "cookie-domain",
        "AUTH_MAIL" | "AUTH_MAIL_FROM" => "mail",
        "AUTH_JWT_ALG" | "AUTH_JWT_SECRET" => "jwt",
        _ => CHECK,
    }
}

fn said(problem: &Problem) -> String {
    format!("{}: {}", problem.name, problem.what)
}

/// The line that ends a problem.
fn fix(problem: &Problem, vars: &BTreeMap<String, String>) -> String {
    let name = problem.name.as_str();
    let url = vars.get(URL).map(|url| url.trim()).unwrap_or_default();
    if problem.what.starts_with("is no setting") {
        return instead_of_unknown(problem, vars);
    }
    if problem.what.starts_with("is set, and") {
        return format!("unset {name}");
    }
    if let Some(file) = name.strip_suffix("_FILE") {
        return format!("{name}=/run/secrets/{}", file.to_lowercase());
    }
    match name {
        name if SECRETS.contains(&name) => format!("{name}=$(auth-sidecar secret)"),
        "AUTH_JWT_SECRET" => format!("{name}=$(auth-sidecar secret)"),
        "AUTH_COOKIE_MODE" if url.starts_with("http://") => https_of(url),
        "AUTH_COOKIE_SECURE" => format!("{name}=auto"),
        "AUTH_COOKIE_DOMAIN" => format!("{name}={}", covering_domain(url)),
        "AUTH_PLUGINS" if problem.what.contains("AUTH_MAIL is off") => MAIL.to_owned(),
        _ if !problem.example.is_empty() => format!("{name}={}", problem.example),
        // A blank value is as good as none.
        _ => format!("{name}="),
    }
}

fn https_of(url: &str) -> String {
    let host = Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
    if super::site::is_this_machine(&host) {
        return "AUTH_COOKIE_MODE=lax".to_owned();
    }
    format!("{URL}=https://{}", url.trim_start_matches("http://"))
}

/// The setting that was meant by a name that is none, if the refusal names one.
fn instead_of_unknown(problem: &Problem, vars: &BTreeMap<String, String>) -> String {
    let name = problem.name.as_str();
    let last = problem.what.rsplit(' ').next().unwrap_or_default().trim_end_matches('?');
    let Some(setting) = lookup(last).filter(|_| last != name) else { return format!("unset {name}") };
    if vars.contains_key(last) {
        return format!("unset {name}");
    }
    match vars.get(name).map(|value| value.trim()).filter(|value| !value.is_empty() && !setting.secret) {
        Some(value) if last == trusted_origins::NAME => {
            trusted_origins::line_with(&trusted_origins::mended(value).origins)
        }
        Some(value) => format!("{last}={value}"),
        None => format!("{last}=${name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{SECRET as GOOD, fixes, vars};
    use super::*;

    fn loaded(given: &[(&str, &str)]) -> (Meant, Report) {
        let mut all = vars(&[
            (URL, "https://auth.example.com"),
            (SECRET, GOOD),
            ("DATABASE_URL", "postgres://auth:pass-hunter2@db/auth"),
        ]);
        for (name, value) in given {
            match *value {
                "(unset)" => all.remove(*name),
                value => all.insert((*name).to_owned(), value.to_owned()),
            };
        }
        let mut report = Report::default();
        let meant = load(&all, &mut report);
        assert!(!report.text().contains("hunter"), "{}", report.text());
        (meant, report)
    }

    #[test]
    fn what_stops_the_start_is_told_with_the_line_that_ends_it() {
        for (given, fix) in [
            (("BETTER_AUTH_SECRET", "hunter3"), "BETTER_AUTH_SECRET=$(auth-sidecar secret)"),
            (("BETTER_AUTH_SECRET", "(unset)"), "BETTER_AUTH_SECRET=$(auth-sidecar secret)"),
            (("AUTH_URL", "https://a.example.com"), "unset AUTH_URL"),
            (("AUTH_TRUSTED_ORIGINS", "https://a.example.com/x"), "BETTER_AUTH_TRUSTED_ORIGINS=https://a.example.com"),
            (("AUTH_DATABASE_URL", "postgres://u:hunter2@h/d"), "unset AUTH_DATABASE_URL"),
            (("AUTH_SESSION_EXPIERS_IN", "7d"), "AUTH_SESSION_EXPIRES_IN=7d"),
            (("AUTH_NONSENSE", "hunter4"), "unset AUTH_NONSENSE"),
            (("BETTER_AUTH_URL", "auth.example.com"), "BETTER_AUTH_URL=https://auth.example.com"),
            (("BETTER_AUTH_URL", "\"https://auth.example.com\""), "BETTER_AUTH_URL=https://auth.example.com"),
            (
                ("BETTER_AUTH_TRUSTED_ORIGINS", "https://a.example.com/"),
                "BETTER_AUTH_TRUSTED_ORIGINS=https://a.example.com",
            ),
            (("DATABASE_URL", "mysql://u:hunter2@h/d"), "DATABASE_URL=postgres://auth:password@db.example.com/auth"),
            (("AUTH_COOKIE_DOMAIN", "example.org"), "AUTH_COOKIE_DOMAIN=example.com"),
            (("AUTH_PLUGINS", "magic-link"), MAIL),
            (("AUTH_SESSION_COOKIE_CACHE", "on"), "AUTH_SESSION_COOKIE_CACHE=compact"),
            (("BETTER_AUTH_SECRET_FILE", "/nowhere"), "unset BETTER_AUTH_SECRET"),
        ] {
            let (_, report) = loaded(&[given]);
            assert_eq!(fixes(&report), [fix], "{given:?}: {}", report.text());
        }
        let (_, report) = loaded(&[("BETTER_AUTH_URL", "http://auth.example.com"), ("AUTH_COOKIE_MODE", "cross-site")]);
        assert_eq!(fixes(&report), ["BETTER_AUTH_URL=https://auth.example.com"]);
        let (_, report) = loaded(&[("AUTH_URL", "https://a.example.com"), (URL, "(unset)")]);
        assert_eq!(
            fixes(&report),
            ["BETTER_AUTH_URL=https://auth.example.com", "BETTER_AUTH_URL=https://a.example.com"]
        );
    }

    #[test]
    fn the_checks_go_on_with_what_was_meant() {
        let (meant, _) = loaded(&[
            ("BETTER_AUTH_SECRET", "short"),
            ("BETTER_AUTH_TRUSTED_ORIGINS", "[\"https://user.github.io/repo\"]"),
            ("AUTH_NONSENSE", "1"),
        ]);
        let config = meant.config.unwrap();
        assert_eq!(config.trusted_origins, ["https://auth.example.com", "https://user.github.io"]);
        assert!(!meant.secret_is_known);
        let (meant, report) = loaded(&[]);
        assert!(meant.secret_is_known && meant.config.is_some() && fixes(&report).is_empty());
        let (meant, _) = loaded(&[("DATABASE_URL", "mysql://h/d")]);
        assert!(meant.config.is_none());
    }
}
