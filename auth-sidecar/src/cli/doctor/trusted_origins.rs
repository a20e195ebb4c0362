//! `BETTER_AUTH_TRUSTED_ORIGINS`: how it is written, and whom it trusts.

use std::collections::BTreeMap;

use url::Url;

use super::report::Report;
use super::site::{host_of, is_this_machine};
use crate::config::{Config, check_origin};

/// The setting.
pub const NAME: &str = "BETTER_AUTH_TRUSTED_ORIGINS";
const CHECK: &str = "trusted-origins";
const EXAMPLE: &str = "BETTER_AUTH_TRUSTED_ORIGINS=https://www.example.com";

/// A list of origins as it was meant.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Mended {
    /// The origins that are right, or could be put right.
    pub origins: Vec<String>,
    /// What was wrong, each in a sentence.
    pub mistakes: Vec<String>,
}

/// The line that sets these origins.
pub fn line_with(origins: &[String]) -> String {
    if origins.is_empty() { EXAMPLE.to_owned() } else { format!("{NAME}={}", origins.join(",")) }
}

/// Reads a list as people write it.
pub fn mended(text: &str) -> Mended {
    let mut found = Mended::default();
    let list = text.trim();
    let inner = list.trim_matches(['"', '\'']).trim();
    let inner = match inner.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        // An IPv6 address has brackets, too, but not at its end.
        Some(items) => {
            found.mistakes.push("the list is JSON: write the origins with commas between them".to_owned());
            items
        }
        None => {
            if list.contains(['"', '\'']) {
                found.mistakes.push("the list has quotes in it, which are taken as part of the origins".to_owned());
            }
            inner
        }
    };
    let separated = inner.split(',').map(str::trim).any(|item| item.contains([' ', ';', '\t', '\n']));
    if separated {
        found.mistakes.push("the list has blanks or semicolons between its origins: write commas".to_owned());
    }
    for item in inner.split([',', ';', ' ', '\t', '\n', '\r']) {
        let item = item.trim_matches(['"', '\'']);
        if item.is_empty() {
            continue;
        }
        let Err(reason) = check_origin(item) else {
            found.add(item.to_owned());
            continue;
        };
        match origin_meant(item) {
            Some((origin, mistake)) => {
                found.mistakes.push(format!("\"{}\" {mistake}", without_user(item)));
                found.add(origin);
            }
            None => found.mistakes.push(format!("\"{}\" {reason}", without_user(item))),
        }
    }
    found
}

impl Mended {
    fn add(&mut self, origin: String) {
        if !self.origins.contains(&origin) {
            self.origins.push(origin);
        }
    }
}

/// The origin in a text that is more or less than one, and what is wrong with the text.
fn origin_meant(item: &str) -> Option<(String, &'static str)> {
    let (text, mut mistake) = match item.split_once("://") {
        Some(_) => (item.to_owned(), "is no origin as browsers send it"),
        None if item.starts_with("localhost") || item.starts_with("127.") => {
            (format!("http://{item}"), "has no scheme")
        }
        None => (format!("https://{item}"), "has no scheme"),
    };
    let (scheme, rest) = text.split_once("://")?;
    let authority = rest.split(['/', '#', '?']).next()?;
    if authority.contains('@') {
        mistake = "has a user name in it";
    } else if let Some(path) = rest.strip_prefix(authority).filter(|path| !path.is_empty()) {
        mistake = match path {
            "/" => "ends in a slash, which origins do not have",
            _ => "has a path: an origin is scheme, host and port, and holds for every page there",
        };
    }
    let bare = format!("{scheme}://{}", authority.rsplit('@').next()?);
    if check_origin(&bare).is_ok() {
        return Some((bare, mistake));
    }
    let origin = Url::parse(&bare).ok()?.origin().ascii_serialization();
    check_origin(&origin).is_ok().then_some((origin, mistake))
}

/// Whatever stands before an @ may be a password.
fn without_user(item: &str) -> String {
    match item.rsplit_once('@') {
        Some((_, place)) => format!("***@{place}"),
        None => item.to_owned(),
    }
}

/// Says how the list is written wrong; the value it should have, if that is another.
pub fn check_form(vars: &BTreeMap<String, String>, report: &mut Report) -> Option<String> {
    let given = vars.get(NAME).map(|text| text.trim()).filter(|text| !text.is_empty())?;
    let found = mended(given);
    for mistake in &found.mistakes {
        report.problem(CHECK, mistake, line_with(&found.origins));
    }
    (!found.mistakes.is_empty()).then(|| found.origins.join(","))
}

/// Says whom the list should not trust, or lacks.
pub fn check(config: &Config, report: &mut Report) {
    let trusted: Vec<String> = config.trusted_origins.iter().skip(1).cloned().collect();
    let own = config.base_url.as_str();
    if config.dev {
        let note = "open the site as http://localhost, not 127.0.0.1: to browsers they are two sites";
        report.ok(CHECK, format!("dev mode trusts {}; {note}", trusted.join(", ")));
        return;
    }
    if trusted.is_empty() {
        let message = format!("none: only pages of {own} itself may call, as behind a proxy that serves the site too");
        if !report.blames(CHECK) {
            report.warning(CHECK, message, EXAMPLE);
        }
        return;
    }
    let own_is_local = host_of(own).is_some_and(|host| is_this_machine(&host));
    let is_local = |origin: &str| host_of(origin).is_some_and(|host| is_this_machine(&host));
    let with_https = |origin: &str| match origin.strip_prefix("http://") {
        Some(rest) if !is_local(origin) => format!("https://{rest}"),
        _ => origin.to_owned(),
    };
    let secured = || {
        let mut all: Vec<String> = Vec::new();
        for origin in trusted.iter().map(|origin| with_https(origin)).filter(|origin| origin != own) {
            if !all.contains(&origin) {
                all.push(origin);
            }
        }
        line_with(&all)
    };
    for origin in &trusted {
        let twin = with_https(origin);
        if twin != *origin && twin == own {
            report.warning(
                CHECK,
                format!("{origin} is {own} without https: its pages can be forged on the way"),
                secured(),
            );
        } else if twin != *origin {
            let message = format!("{origin} has no https: whoever is on the way can put a page there that is trusted");
            report.warning(CHECK, message, secured());
        } else if is_local(origin) && !own_is_local {
            let rest: Vec<String> = trusted.iter().filter(|other| !is_local(other)).cloned().collect();
            let message = format!("{origin} is a deployment's trust in whatever runs on a visitor's own machine");
            report.warning(CHECK, message, line_with(&rest));
        }
    }
    if !report.blames(CHECK) {
        report.ok(CHECK, trusted.join(", "));
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{deployed, fixes, vars};
    use super::*;

    #[test]
    fn lists_are_read_as_they_were_meant_and_told_how_to_be_written() {
        for (text, origins, mistakes) in [
            ("https://a.example.com, https://b.example.com", "https://a.example.com,https://b.example.com", &[][..]),
            ("https://user.github.io/repo", "https://user.github.io", &["has a path"]),
            ("https://user.github.io/repo/", "https://user.github.io", &["has a path"]),
            ("https://www.example.com/", "https://www.example.com", &["ends in a slash"]),
            ("\"https://www.example.com\"", "https://www.example.com", &["quotes"]),
            ("'https://www.example.com'", "https://www.example.com", &["quotes"]),
            (
                "[\"https://a.example.com\",\"https://b.example.com/\"]",
                "https://a.example.com,https://b.example.com",
                &["JSON", "ends in a slash"],
            ),
            (
                "https://a.example.com https://b.example.com",
                "https://a.example.com,https://b.example.com",
                &["write commas"],
            ),
            (
                "https://a.example.com;b.example.com",
                "https://a.example.com,https://b.example.com",
                &["write commas", "no scheme"],
            ),
            ("www.example.com", "https://www.example.com", &["has no scheme"]),
            ("localhost:3000", "http://localhost:3000", &["has no scheme"]),
            ("https://WWW.Example.com", "https://www.example.com", &["no origin as browsers"]),
            ("https://www.example.com:443", "https://www.example.com", &["no origin as browsers"]),
            ("https://ada:hunter2@www.example.com", "https://www.example.com", &["user name"]),
            ("*", "", &["would trust every site"]),
            ("http://[::1]:3000", "http://[::1]:3000", &[]),
            ("myapp://", "myapp://", &[]),
            ("https://*.example.com/", "https://*.example.com", &["ends in a slash"]),
        ] {
            let found = mended(text);
            assert_eq!(found.origins.join(","), origins, "{text}");
            assert_eq!(found.mistakes.len(), mistakes.len(), "{text}: {:?}", found.mistakes);
            for (said, part) in found.mistakes.iter().zip(mistakes) {
                assert!(said.contains(part) && !said.contains("hunter2"), "{text}: {said}");
            }
        }
    }

    #[test]
    fn the_fix_is_the_whole_line() {
        let vars = vars(&[(NAME, "https://user.github.io/repo,https://www.example.com")]);
        let mut report = Report::default();
        let value = check_form(&vars, &mut report);
        assert_eq!(value.as_deref(), Some("https://user.github.io,https://www.example.com"));
        assert_eq!(fixes(&report), ["BETTER_AUTH_TRUSTED_ORIGINS=https://user.github.io,https://www.example.com"]);
    }

    #[test]
    fn trust_that_is_too_wide_or_missing_is_told() {
        for (given, said, fix) in [
            ("", "none: only pages of", EXAMPLE),
            ("http://www.example.com", "has no https", "BETTER_AUTH_TRUSTED_ORIGINS=https://www.example.com"),
            (
                "http://auth.example.com,https://www.example.com",
                "without https",
                "BETTER_AUTH_TRUSTED_ORIGINS=https://www.example.com",
            ),
            (
                "https://www.example.com,http://localhost:3000",
                "visitor's own machine",
                "BETTER_AUTH_TRUSTED_ORIGINS=https://www.example.com",
            ),
        ] {
            let (_, config) = deployed(&[(NAME, given)]);
            let mut report = Report::default();
            check(&config, &mut report);
            assert_eq!(fixes(&report), [fix], "{given}");
            assert!(report.text().contains(said), "{given}: {}", report.text());
        }
        let (_, config) = deployed(&[(NAME, "https://www.example.com,https://*.preview.example.com,myapp://")]);
        let mut report = Report::default();
        check(&config, &mut report);
        assert!(!report.blames(CHECK), "{}", report.text());
    }
}
