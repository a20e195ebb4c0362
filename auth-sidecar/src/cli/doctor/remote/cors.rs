//! Whether pages elsewhere may call: those that are meant, and no others.

use super::Deployment;
use super::client::{Answer, Client};
use crate::cli::doctor::report::{Level, Report};
use crate::cli::doctor::trusted_origins::NAME;

const CHECK: &str = "cors";
/// A page that nobody can have (RFC 2606).
const STRANGER: &str = "https://a-stranger.example";
/// What the client's answers carry besides the body.
const EXPOSED: &[&str] = &["set-auth-token", "set-auth-jwt"];

/// Asks as browsers do before they let a page call.
pub async fn check(client: &Client, deployment: &Deployment, page: Option<&str>, report: &mut Report) {
    match page {
        None => report.add(
            CHECK,
            Level::Warning,
            "not checked: name the site that calls",
            Some(format!("auth-sidecar doctor --url {} --origin https://www.example.com", deployment.origin)),
        ),
        Some(page) if page == deployment.origin => {
            report.ok(CHECK, format!("{page} is the service's own origin: browsers need no CORS there"));
        }
        Some(page) => {
            let asks = [
                ("origin", page),
                ("access-control-request-method", "POST"),
                ("access-control-request-headers", "authorization,content-type"),
            ];
            match client.options(&deployment.endpoint("/sign-in/email"), &asks).await {
                Ok(answer) => judge_preflight(&answer, page, report),
                Err(error) => report.problem(CHECK, format!("the preflight got no answer: {error}"), pass_options()),
            }
            if !report.blames(CHECK) {
                match client.get(&deployment.endpoint("/get-session"), &[("origin", page)]).await {
                    Ok(answer) => judge_answer(&answer, page, report),
                    Err(error) => report.problem(CHECK, format!("get-session got no answer: {error}"), pass_options()),
                }
            }
        }
    }
    if let Ok(answer) = client.get(&deployment.endpoint("/get-session"), &[("origin", STRANGER)]).await {
        judge_stranger(&answer, report);
    }
    let own = deployment.origin.as_str();
    if let Ok(answer) = client.get(&deployment.endpoint("/get-session"), &[("origin", own)]).await {
        judge_own(deployment, &answer, report);
    }
}

fn pass_options() -> String {
    "let OPTIONS reach the service: no auth_request, no limit_except, no CORS of its own in the proxy".to_owned()
}

/// The origin that is allowed, if it is this one alone; otherwise what is wrong.
fn judge_origin(answer: &Answer, page: &str, report: &mut Report) -> bool {
    let allowed = answer.all("access-control-allow-origin");
    match allowed.as_slice() {
        [] => report.problem(CHECK, format!("{page} is not allowed to call"), format!("{NAME}={page}")),
        [one] if *one == page => return true,
        ["*"] => report.problem(
            CHECK,
            "Access-Control-Allow-Origin is *: browsers refuse it together with cookies; a proxy has set it",
            "proxy_hide_header Access-Control-Allow-Origin; and no add_header of that name",
        ),
        [one] => {
            report.problem(CHECK, format!("Access-Control-Allow-Origin is {one}, not {page}"), format!("{NAME}={page}"))
        }
        _ => report.problem(
            CHECK,
            "Access-Control-Allow-Origin comes twice: a proxy answers CORS, too, and browsers refuse both together",
            "AUTH_CORS=false, or better no CORS in the proxy",
        ),
    }
    false
}

fn judge_preflight(answer: &Answer, page: &str, report: &mut Report) {
    // The service refuses a preflight of an origin that it does not trust with 400.
    let is_refused = matches!(answer.status, 400 | 403) && answer.header("access-control-allow-origin").is_empty();
    if answer.status >= 300 && !is_refused {
        report.problem(
            CHECK,
            format!("the preflight is answered with {}, where browsers want 200 or 204", answer.status),
            pass_options(),
        );
        return;
    }
    if !judge_origin(answer, page, report) {
        return;
    }
    let by_proxy = "AUTH_CORS=true, and no CORS in the proxy";
    if answer.header("access-control-allow-credentials") != "true" {
        report.problem(CHECK, "Access-Control-Allow-Credentials is missing: no cookie is sent or kept", by_proxy);
    }
    for header in ["authorization", "content-type"] {
        if !answer.lists("access-control-allow-headers", header) {
            report.problem(CHECK, format!("the request header {header} is not allowed"), by_proxy);
        }
    }
    if !answer.lists("access-control-allow-methods", "POST") {
        report.problem(CHECK, "the method POST is not allowed", by_proxy);
    }
}

fn judge_answer(answer: &Answer, page: &str, report: &mut Report) {
    if !judge_origin(answer, page, report) {
        return;
    }
    let by_proxy = "AUTH_CORS=true, and no CORS in the proxy";
    if answer.header("access-control-allow-credentials") != "true" {
        report.problem(CHECK, "Access-Control-Allow-Credentials is missing: no cookie is sent or kept", by_proxy);
    }
    for header in EXPOSED {
        if !answer.lists("access-control-expose-headers", header) {
            report.warning(CHECK, format!("the header {header} is not exposed: the page cannot read it"), by_proxy);
        }
    }
    if !answer.lists("vary", "origin") {
        report.warning(
            CHECK,
            "Vary has no Origin: a cache may give one site the answer for another",
            "no proxy_hide_header Vary, no cache in front",
        );
    }
    if !report.blames(CHECK) {
        report.ok(CHECK, format!("{page} may call, with cookies, Authorization and Content-Type"));
    }
}

fn judge_stranger(answer: &Answer, report: &mut Report) {
    const CHECK: &str = "cors-strangers";
    let with_cookies = answer.header("access-control-allow-credentials") == "true";
    let allowed = answer.all("access-control-allow-origin");
    if allowed.contains(&STRANGER) {
        let what = if with_cookies { "act as whoever is signed in" } else { "call" };
        report.problem(
            CHECK,
            format!("every origin is allowed, {STRANGER} too: any site may {what}"),
            format!("{NAME}=https://www.example.com, and no CORS in the proxy"),
        );
    } else if allowed.contains(&"*") {
        report.warning(
            CHECK,
            "Access-Control-Allow-Origin is * for an origin that is not trusted",
            "no add_header Access-Control-Allow-Origin in the proxy",
        );
    } else {
        report.ok(CHECK, "an origin that is not trusted may read nothing");
    }
}

/// The service trusts the origin of `BETTER_AUTH_URL`: that shows whether it is this one.
fn judge_own(deployment: &Deployment, answer: &Answer, report: &mut Report) {
    const CHECK: &str = "issuer";
    let own = deployment.origin.as_str();
    if answer.all("access-control-allow-origin").contains(&own) {
        report.ok(CHECK, format!("BETTER_AUTH_URL is {own}, or trusts it: backends expect it as issuer and audience"));
        return;
    }
    let level = if deployment.is_local { Level::Warning } else { Level::Problem };
    report.add(
        CHECK,
        level,
        format!(
            "the service does not take {own} for its own: BETTER_AUTH_URL is another address (then so is iss in tokens), \
             or CORS is off"
        ),
        Some(format!("BETTER_AUTH_URL={own}")),
    );
}

#[cfg(test)]
mod tests {
    use super::super::testing::{answer, at};
    use super::*;
    use crate::cli::doctor::testing::{fixes, worst};

    const PAGE: &str = "https://www.example.com";
    const GOOD: &[(&str, &str)] = &[
        ("access-control-allow-origin", PAGE),
        ("access-control-allow-credentials", "true"),
        ("access-control-allow-headers", "Accept, Authorization, content-type"),
        ("access-control-allow-methods", "GET, POST, PUT"),
        ("access-control-expose-headers", "set-auth-token, set-auth-jwt"),
        ("vary", "Origin, Access-Control-Request-Method"),
    ];

    fn with(name: &str, value: Option<&'static str>) -> Vec<(&'static str, &'static str)> {
        let mut headers: Vec<_> = GOOD.iter().copied().filter(|(given, _)| *given != name).collect();
        let named = GOOD.iter().map(|(given, _)| *given).find(|given| *given == name);
        headers.extend(named.zip(value));
        headers
    }

    #[test]
    fn preflights_are_judged_header_by_header() {
        let judged = |status, headers: &[(&str, &str)]| {
            let mut report = Report::default();
            judge_preflight(&answer(status, headers, ""), PAGE, &mut report);
            report
        };
        assert_eq!(worst(&judged(204, GOOD)), Level::Ok);
        for status in [204, 400] {
            assert_eq!(fixes(&judged(status, &[])), ["BETTER_AUTH_TRUSTED_ORIGINS=https://www.example.com"]);
        }
        for (status, headers, said) in [
            (200, with("access-control-allow-origin", Some("*")), "is *"),
            (
                200,
                with("access-control-allow-origin", Some("http://www.example.com")),
                "is http://www.example.com, not",
            ),
            (200, [GOOD, &[("access-control-allow-origin", PAGE)]].concat(), "comes twice"),
            (200, with("access-control-allow-credentials", None), "Credentials is missing"),
            (200, with("access-control-allow-headers", Some("content-type")), "authorization is not allowed"),
            (200, with("access-control-allow-methods", Some("GET")), "POST is not allowed"),
            (301, GOOD.to_vec(), "answered with 301"),
            (405, GOOD.to_vec(), "answered with 405"),
        ] {
            let report = judged(status, &headers);
            assert!(worst(&report) == Level::Problem && report.text().contains(said), "{said}: {}", report.text());
        }
    }

    #[test]
    fn answers_expose_tokens_and_vary_by_origin() {
        for (headers, level) in [
            (GOOD.to_vec(), Level::Ok),
            (with("access-control-expose-headers", Some("set-auth-token")), Level::Warning),
            (with("vary", None), Level::Warning),
            (with("access-control-allow-origin", None), Level::Problem),
        ] {
            let mut report = Report::default();
            judge_answer(&answer(200, &headers, "null"), PAGE, &mut report);
            assert_eq!(worst(&report), level, "{headers:?}");
        }
    }

    #[test]
    fn strangers_are_to_be_refused_and_the_own_origin_known() {
        for (headers, level) in [
            (&[][..], Level::Ok),
            (&[("access-control-allow-origin", "*")], Level::Warning),
            (&[("access-control-allow-origin", STRANGER)], Level::Problem),
        ] {
            let mut report = Report::default();
            judge_stranger(&answer(200, headers, "null"), &mut report);
            assert_eq!(worst(&report), level, "{headers:?}");
        }
        for (url, allowed, level) in [
            ("https://auth.example.com", "https://auth.example.com", Level::Ok),
            ("https://auth.example.com", "", Level::Problem),
            ("http://127.0.0.1:4000", "", Level::Warning),
        ] {
            let mut report = Report::default();
            judge_own(&at(url), &answer(200, &[("access-control-allow-origin", allowed)], "null"), &mut report);
            assert_eq!(worst(&report), level, "{url}");
        }
    }
}
