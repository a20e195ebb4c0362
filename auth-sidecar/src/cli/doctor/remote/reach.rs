//! Whether the service is there, and what stands in its place if it is not.

use url::Url;

use super::Deployment;
use super::client::{Answer, Client};
use crate::cli::doctor::public_url::client_options;
use crate::cli::doctor::report::Report;

const CHECK: &str = "reachable";
const TLS: &str = "tls";

/// Judges the scheme, and what plain http does.
pub async fn check_tls(client: &Client, deployment: &Deployment, report: &mut Report) {
    if !deployment.is_https() {
        if deployment.is_local {
            report.ok(TLS, "plain http, but on this machine");
        } else {
            report.problem(
                TLS,
                format!("{} is plain http: passwords and cookies can be read on the way", deployment.origin),
                format!("BETTER_AUTH_URL=https://{}", deployment.host),
            );
        }
        return;
    }
    let plain = deployment.endpoint("/ok").replacen("https://", "http://", 1);
    // Only the default port has a plain twin.
    if Url::parse(&plain).is_ok_and(|url| url.port().is_some()) {
        return;
    }
    match client.get(&plain, &[]).await {
        Err(_) => report.ok(TLS, "https, and nothing answers plain http"),
        Ok(answer) => judge_plain(deployment, &answer, report),
    }
}

fn judge_plain(deployment: &Deployment, answer: &Answer, report: &mut Report) {
    let to_https = answer.header("location").starts_with("https://");
    if (300..400).contains(&answer.status) && to_https {
        report.ok(TLS, "https, and plain http leads there");
    } else if answer.status < 300 {
        report.problem(
            TLS,
            format!(
                "http://{} answers without TLS, too: a page or client with the wrong scheme is not told",
                deployment.host
            ),
            "return 308 https://$host$request_uri;",
        );
    } else {
        report.ok(TLS, format!("https; plain http answers {} and serves nothing", answer.status));
    }
}

/// Whether `…/ok` answers as Better Auth does; without that there is nothing more to ask.
pub async fn check(client: &Client, deployment: &Deployment, report: &mut Report) -> bool {
    let url = deployment.endpoint("/ok");
    let answer = match client.get(&url, &[]).await {
        Ok(answer) => answer,
        Err(error) => {
            report.problem(CHECK, format!("{url}: {error}"), fix_for(&error, deployment));
            return false;
        }
    };
    if is_ok(&answer) {
        let options = client_options(&deployment.origin, &deployment.base_path);
        report.ok(CHECK, format!("{url} speaks Better Auth's protocol; the client: {options}"));
        return true;
    }
    for base_path in ["/api/auth", ""] {
        let other = Deployment { base_path: base_path.to_owned(), ..deployment.clone() };
        if *deployment != other && client.get(&other.endpoint("/ok"), &[]).await.is_ok_and(|answer| is_ok(&answer)) {
            report.problem(
                CHECK,
                format!("nothing at {url}, but {} answers: the endpoints are there", other.endpoint("/ok")),
                client_options(&other.origin, base_path),
            );
            return false;
        }
    }
    judge(deployment, &answer, report);
    false
}

fn is_ok(answer: &Answer) -> bool {
    answer.status == 200 && answer.json().is_some_and(|body| body.get("ok") == Some(&serde_json::Value::Bool(true)))
}

fn fix_for(error: &str, deployment: &Deployment) -> String {
    let text = error.to_lowercase();
    if text.contains("corrupt message") {
        // What answers there knows no TLS.
        format!("auth-sidecar doctor --url {}", deployment.origin.replacen("https://", "http://", 1))
    } else if text.contains("certificate") && deployment.is_local {
        "SSL_CERT_FILE=FILE with the authority of the certificate".to_owned()
    } else if text.contains("certificate") || text.contains("tls") || text.contains("handshake") {
        format!("certbot certonly -d {}", deployment.host)
    } else if text.contains("dns") || text.contains("lookup") || text.contains("resolve") {
        format!("a DNS record for {}", deployment.host)
    } else if deployment.is_local {
        "auth-sidecar serve".to_owned()
    } else {
        "HOST=0.0.0.0".to_owned()
    }
}

/// What answers instead.
fn judge(deployment: &Deployment, answer: &Answer, report: &mut Report) {
    let (url, path) = (deployment.endpoint("/ok"), deployment.base_path.as_str());
    let pass_on = format!("location {path}/ {{ proxy_pass http://auth-sidecar:4000; }}");
    match answer.status {
        300..=399 => {
            let location = answer.header("location");
            let target = Url::parse(&url).ok().and_then(|url| url.join(location).ok());
            let base = target.as_ref().and_then(|target| target.as_str().strip_suffix("/ok").map(str::to_owned));
            let fix = match base {
                Some(base) if base.ends_with("/api/auth") => {
                    client_options(base.trim_end_matches("/api/auth"), "/api/auth")
                }
                Some(base) => format!("createAuthClient({{ baseURL: \"{base}\" }})"),
                None => pass_on,
            };
            report.problem(
                CHECK,
                format!("{url} is redirected to {location}, and browsers follow no redirect of a CORS preflight"),
                fix,
            );
        }
        401 | 403 => report.problem(
            CHECK,
            format!("{url} is {}: something in front asks for a login of its own", answer.status),
            format!("let {path}/ through without it (a private Space, a preview that is protected, basic auth)"),
        ),
        502..=504 => report.problem(
            CHECK,
            format!("{url} is {}: the proxy is there, the service behind it is not", answer.status),
            "auth-sidecar healthcheck",
        ),
        _ if answer.is_html() => report.problem(
            CHECK,
            format!("{url} is a page ({}): the site answers where the service should", answer.status),
            pass_on,
        ),
        404 if answer.body.contains("\"detail\"") => report.problem(
            CHECK,
            format!("{url} is 404 in the words of FastAPI: the backend answers where the service should"),
            pass_on,
        ),
        404 => report.problem(
            CHECK,
            format!("{url} is 404: a proxy changes the path on the way, or the service has another base path"),
            format!("AUTH_BASE_PATH={path}, and a proxy that keeps the path: proxy_pass http://auth-sidecar:4000;"),
        ),
        status => report.problem(CHECK, format!("{url} is {status} and no answer of Better Auth"), pass_on),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{answer, at};
    use super::*;
    use crate::cli::doctor::report::Level;
    use crate::cli::doctor::testing::{fixes, worst};

    #[test]
    fn whatever_stands_in_the_way_is_named() {
        let html = &[("content-type", "text/html; charset=utf-8")][..];
        let pass_on = "location /api/auth/ { proxy_pass http://auth-sidecar:4000; }";
        for (status, headers, body, said, fix) in [
            (200, html, "<!doctype html>", "the site answers", pass_on),
            (404, html, "<!doctype html>", "the site answers", pass_on),
            (404, &[][..], "{\"detail\":\"Not Found\"}", "FastAPI", pass_on),
            (404, &[], "", "another base path", "AUTH_BASE_PATH=/api/auth, and"),
            (502, html, "<html>", "the proxy is there", "auth-sidecar healthcheck"),
            (401, &[], "", "a login of its own", "let /api/auth/ through"),
            (
                301,
                &[("location", "https://www.example.com/api/auth/ok")],
                "",
                "no redirect of a CORS preflight",
                "createAuthClient({ baseURL: \"https://www.example.com\" })",
            ),
            (308, &[("location", "/api/auth/ok/")], "", "redirected to /api/auth/ok/", pass_on),
            (200, &[], "{\"ok\":false}", "no answer of Better Auth", pass_on),
        ] {
            let mut report = Report::default();
            judge(&at("https://example.com"), &answer(status, headers, body), &mut report);
            assert_eq!(worst(&report), Level::Problem);
            assert!(report.text().contains(said), "{}", report.text());
            assert!(fixes(&report)[0].starts_with(fix), "{}", report.text());
        }
    }

    #[test]
    fn a_failed_connection_is_told_with_what_to_try() {
        for (url, error, fix) in [
            ("https://example.com", "invalid peer certificate: Expired", "certbot certonly -d example.com"),
            ("https://localhost", "invalid peer certificate: UnknownIssuer", "SSL_CERT_FILE=FILE with"),
            (
                "https://example.com:4000",
                "received corrupt message of type InvalidContentType",
                "auth-sidecar doctor --url http://example.com:4000",
            ),
            ("https://example.com", "failed to lookup address information", "a DNS record for example.com"),
            ("https://example.com", "Connection refused", "HOST=0.0.0.0"),
            ("http://127.0.0.1:4000", "Connection refused", "auth-sidecar serve"),
        ] {
            assert!(fix_for(error, &at(url)).starts_with(fix), "{url} {error}: {}", fix_for(error, &at(url)));
        }
    }

    #[test]
    fn plain_http_has_to_lead_to_https() {
        for (status, location, level) in [
            (301, "https://example.com/api/auth/ok", Level::Ok),
            (301, "http://example.com/login", Level::Ok),
            (200, "", Level::Problem),
            (404, "", Level::Ok),
        ] {
            let mut report = Report::default();
            judge_plain(&at("https://example.com"), &answer(status, &[("location", location)], ""), &mut report);
            assert_eq!(worst(&report), level, "{status} {location}");
        }
    }
}
