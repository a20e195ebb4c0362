//! The attributes of cookies, as a sign-out without a session shows them: it takes cookies back
//! that are not there, by the names and attributes they would have.

use super::Deployment;
use super::client::{Answer, Client};
use crate::cli::doctor::report::{Level, Report};
use crate::cli::doctor::site::{host_of, is_public_suffix, site_of_host};

const CHECK: &str = "set-cookie";

/// Asks and judges.
pub async fn check(client: &Client, deployment: &Deployment, page: Option<&str>, report: &mut Report) {
    let origin = page.unwrap_or(&deployment.origin);
    match client.post(&deployment.endpoint("/sign-out"), &[("origin", origin)]).await {
        Ok(answer) => judge(deployment, &answer, page, report),
        Err(error) => report.problem(
            CHECK,
            format!("a POST got no answer: {error}"),
            "let POST reach the service, and answers come back whole",
        ),
    }
}

fn judge(deployment: &Deployment, answer: &Answer, page: Option<&str>, report: &mut Report) {
    let lines = answer.all("set-cookie");
    let Some(line) = lines.iter().find(|line| line.contains("session_token")).or(lines.first()) else {
        match answer.status {
            200 => report.warning(
                CHECK,
                "a sign-out set no cookie: a proxy keeps Set-Cookie back, or the service is another one",
                "no proxy_hide_header Set-Cookie, no cache in front",
            ),
            status => {
                report.add(CHECK, Level::Warning, format!("not seen: a sign-out is answered with {status}"), None)
            }
        }
        return;
    };
    let cookie = Cookie::parse(line);
    let before = report.count(Level::Ok);
    cookie.judge_transport(deployment, report);
    cookie.judge_site(deployment, page, report);
    cookie.judge_scope(deployment, report);
    if !report.blames(CHECK) && before == report.count(Level::Ok) {
        report.ok(CHECK, format!("{}: {}", cookie.name, cookie.attributes.join("; ")));
    }
}

/// A line of `Set-Cookie`, without its value.
struct Cookie<'a> {
    name: &'a str,
    attributes: Vec<&'a str>,
}

impl<'a> Cookie<'a> {
    fn parse(line: &'a str) -> Self {
        let mut parts = line.split(';').map(str::trim);
        let name = parts.next().and_then(|pair| pair.split('=').next()).unwrap_or_default();
        let passing = |part: &&str| {
            let part = part.to_ascii_lowercase();
            !part.starts_with("max-age") && !part.starts_with("expires") && !part.is_empty()
        };
        Self { name, attributes: parts.filter(passing).collect() }
    }

    fn has(&self, attribute: &str) -> bool {
        self.attributes.iter().any(|given| given.eq_ignore_ascii_case(attribute))
    }

    fn value(&self, attribute: &str) -> Option<&'a str> {
        self.attributes.iter().find_map(|given| {
            let (name, value) = given.split_once('=')?;
            name.eq_ignore_ascii_case(attribute).then_some(value)
        })
    }

    fn judge_transport(&self, deployment: &Deployment, report: &mut Report) {
        let secure = self.has("secure");
        if deployment.is_https() && !secure {
            report.problem(
                CHECK,
                format!("{} is not Secure: the service takes its public address for http", self.name),
                format!("BETTER_AUTH_URL={}", deployment.origin),
            );
        } else if !deployment.is_https() && secure {
            let message = format!("{} is Secure, and browsers drop it over plain http", self.name);
            let fix = format!("auth-sidecar doctor --url https://{}", deployment.host);
            if deployment.is_local { report.warning(CHECK, message, fix) } else { report.problem(CHECK, message, fix) }
        }
        if !self.has("httponly") {
            report.problem(
                CHECK,
                format!("{} is not HttpOnly: every script of the page can read it; a proxy has changed it", self.name),
                "no proxy_cookie_flags, no proxy_cookie_path in the proxy",
            );
        }
    }

    fn judge_site(&self, deployment: &Deployment, page: Option<&str>, report: &mut Report) {
        let none = self.value("samesite").is_some_and(|value| value.eq_ignore_ascii_case("none"));
        let own_site = site_of_host(&deployment.host);
        let elsewhere = page.filter(|page| host_of(page).is_some_and(|host| site_of_host(&host) != own_site));
        match (elsewhere, none) {
            (Some(page), false) => report.warning(
                CHECK,
                format!(
                    "{page} is another site than {own_site}, and browsers send it no lax cookie: one origin by a proxy, \
                     bearer tokens, or cross-site cookies, which Safari and Brave block whatever a server does"
                ),
                "AUTH_COOKIE_MODE=cross-site",
            ),
            (Some(page), true) if self.has("partitioned") => report.add(
                CHECK,
                Level::Warning,
                format!("cross-site: right for {page}, but Safari and Brave block such cookies whatever a server does"),
                Some("AUTH_COOKIE_MODE=lax, and one origin by a proxy or bearer tokens".to_owned()),
            ),
            (_, true) if !self.has("partitioned") => report.warning(
                CHECK,
                format!("{} is SameSite=None without Partitioned: browsers that block third parties drop it", self.name),
                "no proxy_cookie_flags in the proxy",
            ),
            (None, true) if page.is_some() => report.warning(
                CHECK,
                "SameSite=None, though the page is on the same site: lax is enough, and safer",
                "AUTH_COOKIE_MODE=lax",
            ),
            _ => {}
        }
    }

    fn judge_scope(&self, deployment: &Deployment, report: &mut Report) {
        if let Some(domain) = self.value("domain").map(|domain| domain.trim_start_matches('.')) {
            let covers = deployment.host == domain || deployment.host.ends_with(&format!(".{domain}"));
            if is_public_suffix(domain) || !covers {
                report.problem(
                    CHECK,
                    format!("its Domain {domain} is refused by browsers for a cookie of {}", deployment.host),
                    "AUTH_COOKIE_DOMAIN=",
                );
            }
        }
        let path = self.value("path").unwrap_or_default();
        if path != "/" {
            report.problem(
                CHECK,
                format!(
                    "its Path is {path:?}, not /: the cookie is not sent where it is needed; a proxy has changed it"
                ),
                "no proxy_cookie_path in the proxy",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{answer, at};
    use super::*;
    use crate::cli::doctor::testing::{fixes, worst};

    const LAX: &str = "__Secure-better-auth.session_token=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Lax";
    const CROSS: &str = "__Secure-better-auth.session_token=; Path=/; HttpOnly; Secure; SameSite=None; Partitioned";
    const PLAIN: &str = "better-auth.session_token=; Path=/; HttpOnly; SameSite=Lax";

    #[test]
    fn attributes_are_judged_for_the_page_that_calls() {
        let (https, same, other) =
            ("https://auth.example.com", Some("https://www.example.com"), Some("https://u.github.io"));
        for (url, line, page, level, fix) in [
            (https, LAX, same, Level::Ok, None),
            (https, LAX, None, Level::Ok, None),
            (https, LAX, other, Level::Warning, Some("AUTH_COOKIE_MODE=cross-site")),
            (
                https,
                CROSS,
                other,
                Level::Warning,
                Some("AUTH_COOKIE_MODE=lax, and one origin by a proxy or bearer tokens"),
            ),
            (https, CROSS, same, Level::Warning, Some("AUTH_COOKIE_MODE=lax")),
            (https, PLAIN, same, Level::Problem, Some("BETTER_AUTH_URL=https://auth.example.com")),
            (
                "http://auth.example.com",
                LAX,
                None,
                Level::Problem,
                Some("auth-sidecar doctor --url https://auth.example.com"),
            ),
            ("http://localhost:4000", PLAIN, None, Level::Ok, None),
            (
                https,
                "a.session_token=; Path=/; Secure; SameSite=Lax",
                None,
                Level::Problem,
                Some("no proxy_cookie_flags, no proxy_cookie_path in the proxy"),
            ),
            (
                https,
                "a.session_token=; Path=/; HttpOnly; Secure; SameSite=Lax; Domain=other.com",
                None,
                Level::Problem,
                Some("AUTH_COOKIE_DOMAIN="),
            ),
            (
                https,
                "a.session_token=; Path=/api; HttpOnly; Secure; SameSite=Lax",
                None,
                Level::Problem,
                Some("no proxy_cookie_path in the proxy"),
            ),
        ] {
            let mut report = Report::default();
            judge(&at(url), &answer(200, &[("set-cookie", line)], "{}"), page, &mut report);
            assert_eq!((worst(&report), fixes(&report).first().copied()), (level, fix), "{line}: {}", report.text());
        }
        let mut report = Report::default();
        judge(&at(https), &answer(200, &[], "{}"), None, &mut report);
        assert!(report.text().contains("keeps Set-Cookie back"), "{}", report.text());
    }
}
