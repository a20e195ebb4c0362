//! What else the answers show: keys, caches, clock, headers, and what should not be public.

use chrono::DateTime;

use super::Deployment;
use super::client::{Answer, Client};
use crate::cli::doctor::database::CLOCK_TOLERANCE_MS;
use crate::cli::doctor::report::{Level, Report};

/// Longest time, in seconds, that a key set may be kept: a new key signs two minutes after it is published.
const LONGEST_CACHE: u64 = 3_600;

/// Asks and judges.
pub async fn check(client: &Client, deployment: &Deployment, report: &mut Report) {
    match client.get(&deployment.endpoint("/get-session"), &[]).await {
        Ok(answer) => {
            judge_session(&answer, report);
            judge_clock(&answer, report);
            judge_headers(deployment, &answer, report);
        }
        Err(error) => report.problem("get-session", format!("got no answer: {error}"), "auth-sidecar healthcheck"),
    }
    match client.get(&deployment.endpoint("/jwks"), &[]).await {
        Ok(answer) => judge_jwks(&answer, report),
        Err(error) => report.problem("jwks", format!("got no answer: {error}"), "auth-sidecar healthcheck"),
    }
    if !report.blames("jwks")
        && let Ok(answer) = client.get(&format!("{}/.well-known/jwks.json", deployment.origin), &[]).await
    {
        judge_well_known(&answer, report);
    }
    if let Ok(answer) = client.get(&deployment.endpoint("/no-such-endpoint"), &[]).await {
        judge_not_found(&answer, report);
    }
    check_public(client, deployment, report).await;
    report.ok(
        "x-forwarded-for",
        "not tested: see that the proxy overwrites it (nginx: proxy_set_header X-Forwarded-For $remote_addr;), or that \
         AUTH_TRUSTED_PROXIES names the proxies that append to it; else a client chooses its own rate limit",
    );
}

/// A guest's session is `null`, and nobody may keep it.
fn judge_session(answer: &Answer, report: &mut Report) {
    const CHECK: &str = "cache-control";
    if answer.status != 200 || answer.json() != Some(serde_json::Value::Null) {
        let fix = if answer.status == 503 { "auth-sidecar healthcheck" } else { "auth-sidecar doctor" };
        report.problem("get-session", format!("a guest gets {}, not 200 and null", answer.status), fix);
        return;
    }
    report.ok("get-session", "a guest gets null");
    let from_cache = ["x-cache", "cf-cache-status", "x-vercel-cache", "x-proxy-cache"]
        .iter()
        .any(|name| answer.header(name).to_ascii_uppercase().starts_with("HIT"));
    if from_cache || answer.header("age").parse::<u64>().is_ok_and(|age| age > 0) {
        report.problem(
            CHECK,
            "get-session comes from a cache: one visitor may get the session of another",
            "proxy_cache off; for /api/auth/ and /auth/ in every proxy and CDN",
        );
    } else if answer.lists("cache-control", "no-store") {
        report.ok(CHECK, "no-store on sessions is kept");
    } else {
        report.warning(
            CHECK,
            format!("get-session has {:?} instead of no-store", answer.header("cache-control")),
            "AUTH_NO_STORE=true, and no expires or proxy_hide_header Cache-Control in the proxy",
        );
    }
}

fn judge_clock(answer: &Answer, report: &mut Report) {
    const CHECK: &str = "clock";
    let Ok(date) = DateTime::parse_from_rfc2822(answer.header("date")) else {
        report.ok(CHECK, "not seen: the answer has no Date");
        return;
    };
    let (asked, answered) = answer.between;
    // The header has whole seconds, cut off.
    let apart = date.timestamp_millis() - date.timestamp_millis().clamp(asked - 1_000, answered);
    if apart.abs() <= CLOCK_TOLERANCE_MS {
        report.ok(CHECK, "as this machine's");
        return;
    }
    let (seconds, way) = (apart.abs() / 1_000, if apart > 0 { "ahead of" } else { "behind" });
    report.warning(
        CHECK,
        format!(
            "{seconds} s {way} this machine's: backends whose clock is right refuse tokens as too early or too late"
        ),
        "timedatectl set-ntp true",
    );
}

fn judge_headers(deployment: &Deployment, answer: &Answer, report: &mut Report) {
    const CHECK: &str = "security-headers";
    if deployment.is_local {
        return;
    }
    if deployment.is_https() && answer.header("strict-transport-security").is_empty() {
        report.warning(
            CHECK,
            "no Strict-Transport-Security: a first visit by http can be kept there",
            "add_header Strict-Transport-Security \"max-age=31536000\" always;",
        );
    }
    if !answer.header("x-content-type-options").eq_ignore_ascii_case("nosniff") {
        report.warning(CHECK, "no X-Content-Type-Options", "add_header X-Content-Type-Options nosniff always;");
    }
    if !report.blames(CHECK) {
        report.ok(CHECK, "Strict-Transport-Security and X-Content-Type-Options are there");
    }
}

fn judge_jwks(answer: &Answer, report: &mut Report) {
    const CHECK: &str = "jwks";
    if answer.status == 404 && !answer.is_html() {
        report.ok(CHECK, "none: the plugin jwt is off");
        return;
    }
    let body = answer.json().unwrap_or_default();
    let keys = body.get("keys").and_then(|keys| keys.as_array());
    let Some(keys) = keys.filter(|_| answer.status == 200) else {
        report.problem(CHECK, format!("/jwks is {} and no key set", answer.status), "auth-sidecar keys list");
        return;
    };
    if keys.is_empty() {
        report.warning(
            CHECK,
            "the set is empty: tokens have a shared secret (HS256), so whoever verifies them can make them",
            "AUTH_JWT_ALG=EdDSA",
        );
        return;
    }
    let algorithms: Vec<&str> = keys.iter().filter_map(|key| key.get("alg")?.as_str()).collect();
    let cache = answer.header("cache-control").to_ascii_lowercase();
    let max_age = cache.split(',').find_map(|part| part.trim().strip_prefix("max-age=")?.parse::<u64>().ok());
    match max_age {
        Some(seconds) if seconds > LONGEST_CACHE => report.warning(
            CHECK,
            format!("may be kept for {seconds} s: backends learn of a new key too late"),
            "no expires in the proxy for /api/auth/jwks",
        ),
        Some(seconds) if seconds > 0 && !cache.contains("no-store") => {
            report.ok(CHECK, format!("keys: {} ({}), may be kept for {seconds} s", keys.len(), algorithms.join(", ")));
        }
        _ => report.warning(
            CHECK,
            format!("may not be kept ({cache:?}): backends fetch it more often than they need"),
            "no expires, add_header or proxy_hide_header for Cache-Control in the proxy",
        ),
    }
}

fn judge_well_known(answer: &Answer, report: &mut Report) {
    const CHECK: &str = "jwks-well-known";
    if answer.status == 200 && answer.json().is_some_and(|body| body.get("keys").is_some()) {
        report.ok(CHECK, "/.well-known/jwks.json is there, too");
    } else {
        report.warning(
            CHECK,
            format!("/.well-known/jwks.json is {}: backends that look there find no keys", answer.status),
            "location = /.well-known/jwks.json { proxy_pass http://auth-sidecar:4000; }",
        );
    }
}

/// An unknown endpoint is a plain 404, which the client understands.
fn judge_not_found(answer: &Answer, report: &mut Report) {
    const CHECK: &str = "not-found";
    if answer.status == 404 && !answer.is_html() {
        report.ok(CHECK, "an unknown endpoint is 404");
    } else if answer.is_html() {
        report.warning(
            CHECK,
            format!(
                "an unknown endpoint is a page ({}): the proxy puts it in place of the service's answers",
                answer.status
            ),
            "proxy_intercept_errors off; and no try_files for the service's paths",
        );
    } else {
        report.add(CHECK, Level::Warning, format!("an unknown endpoint is {}, not 404", answer.status), None);
    }
}

/// Whether an answer is that of the service.
type Judge = fn(&Answer) -> bool;

/// What is for gateways and supervisors inside should not answer outside.
async fn check_public(client: &Client, deployment: &Deployment, report: &mut Report) {
    const CHECK: &str = "public";
    if deployment.is_local {
        return;
    }
    let inner: [(&str, Judge, &str); 2] = [
        (
            "/auth/verify",
            is_verdict,
            "location = /auth/verify { return 404; } or, where it must be reachable, AUTH_RATE_LIMIT_RULES=/verify=100/10",
        ),
        ("/health/ready", says_status, "location /health/ { return 404; }"),
    ];
    for (path, is_theirs, fix) in inner {
        if let Ok(answer) = client.get(&format!("{}{path}", deployment.origin), &[]).await
            && is_theirs(&answer)
        {
            report.warning(CHECK, format!("{path} is public: it is for gateways and supervisors, without limits"), fix);
        }
    }
    if !report.blames(CHECK) {
        report.ok(CHECK, "/auth/verify and /health/ are not reachable from outside");
    }
}

fn is_verdict(answer: &Answer) -> bool {
    matches!(answer.status, 204 | 401) && !answer.is_html()
}

fn says_status(answer: &Answer) -> bool {
    matches!(answer.status, 200 | 503) && answer.json().is_some_and(|body| body.get("status").is_some())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{answer, at};
    use super::*;
    use crate::cli::doctor::testing::worst;

    fn judged(judge: impl Fn(&mut Report)) -> Level {
        let mut report = Report::default();
        judge(&mut report);
        worst(&report)
    }

    #[test]
    fn sessions_are_not_kept_by_caches() {
        let no_store = ("cache-control", "no-store");
        for (status, headers, body, level) in [
            (200, &[no_store][..], "null", Level::Ok),
            (200, &[no_store, ("age", "0")], "null", Level::Ok),
            (200, &[no_store, ("age", "7")], "null", Level::Problem),
            (200, &[no_store, ("cf-cache-status", "HIT")], "null", Level::Problem),
            (200, &[no_store, ("cf-cache-status", "DYNAMIC")], "null", Level::Ok),
            (200, &[("cache-control", "public, max-age=60")], "null", Level::Warning),
            (200, &[no_store], "<html>", Level::Problem),
            (503, &[], "", Level::Problem),
        ] {
            let level_found = judged(|report| judge_session(&answer(status, headers, body), report));
            assert_eq!(level_found, level, "{status} {headers:?} {body}");
        }
    }

    #[test]
    fn the_date_tells_the_clock() {
        // Asked at 2001-09-09 01:46:40 GMT.
        for (date, level) in [
            ("Sun, 09 Sep 2001 01:46:40 GMT", Level::Ok),
            ("Sun, 09 Sep 2001 01:46:44 GMT", Level::Ok),
            ("Sun, 09 Sep 2001 01:46:46 GMT", Level::Warning),
            ("Sun, 09 Sep 2001 01:46:30 GMT", Level::Warning),
            ("Sun, 09 Sep 2001 03:46:40 GMT", Level::Warning),
            ("", Level::Ok),
        ] {
            assert_eq!(judged(|report| judge_clock(&answer(200, &[("date", date)], ""), report)), level, "{date}");
        }
    }

    #[test]
    fn key_sets_are_there_and_may_be_kept_for_a_while() {
        let set = "{\"keys\":[{\"alg\":\"EdDSA\",\"kid\":\"a\"}]}";
        for (status, cache, body, level) in [
            (200, "public, max-age=60", set, Level::Ok),
            (200, "no-store", set, Level::Warning),
            (200, "no-store, max-age=0", set, Level::Warning),
            (200, "public, max-age=86400", set, Level::Warning),
            (200, "", set, Level::Warning),
            (200, "public, max-age=60", "{\"keys\":[]}", Level::Warning),
            (404, "", "", Level::Ok),
            (404, "", "<html>", Level::Problem),
            (500, "", "", Level::Problem),
            (200, "", "<html>", Level::Problem),
        ] {
            let found = judged(|report| judge_jwks(&answer(status, &[("cache-control", cache)], body), report));
            assert_eq!(found, level, "{status} {cache:?} {body}");
        }
        assert_eq!(judged(|report| judge_well_known(&answer(200, &[], set), report)), Level::Ok);
        assert_eq!(judged(|report| judge_well_known(&answer(404, &[], ""), report)), Level::Warning);
    }

    #[test]
    fn headers_and_plain_404s() {
        let both = [("strict-transport-security", "max-age=1"), ("x-content-type-options", "nosniff")];
        let https = at("https://auth.example.com");
        assert_eq!(judged(|report| judge_headers(&https, &answer(200, &both, ""), report)), Level::Ok);
        assert_eq!(judged(|report| judge_headers(&https, &answer(200, &[], ""), report)), Level::Warning);
        for (status, body, level) in [(404, "", Level::Ok), (200, "<html>", Level::Warning), (500, "", Level::Warning)]
        {
            assert_eq!(judged(|report| judge_not_found(&answer(status, &[], body), report)), level, "{status}");
        }
        assert!(is_verdict(&answer(401, &[], "{}")) && !is_verdict(&answer(404, &[], "")));
        assert!(says_status(&answer(200, &[], "{\"status\":\"ready\"}")) && !says_status(&answer(404, &[], "")));
    }
}
