//! `auth-sidecar doctor`: sound settings pass, each classic mistake is named with the line that
//! ends it, and deployments are judged from outside without credentials.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use schema::Backend;
use serde_json::Value;

use crate::command_line::{file_of, number, text};
use crate::fake_server::{Answer, Asked, FakeServer};
use crate::http::APP_ORIGIN;
use crate::service::{SECRET, Start, empty_database, eventually, free_port};

/// Exit code, and what it says in all.
fn examined(start: &Start, arguments: &[&str]) -> (Option<i32>, String) {
    let output = start.run(&[&["doctor"], arguments].concat());
    (output.status.code(), text(&output.stdout) + &text(&output.stderr))
}

/// The lines of a check, each with its level in front.
fn lines<'a>(report: &'a str, check: &str) -> Vec<&'a str> {
    report.lines().filter(|line| line.split_whitespace().nth(1) == Some(check)).collect()
}

#[track_caller]
fn assert_says(report: &str, level: &str, check: &str, part: &str) {
    let found = lines(report, check).iter().any(|line| line.starts_with(level) && line.contains(part));
    assert!(found, "{level} {check} {part:?} in\n{report}");
}

/// A line of its own: what is to be set.
#[track_caller]
fn assert_fix(report: &str, fix: &str) {
    assert!(report.lines().any(|line| line.trim() == fix), "{fix:?} in\n{report}");
}

/// As in production, with nothing to complain of.
fn sound(url: &str) -> Start {
    Start::on(url)
        .set("BETTER_AUTH_URL", "https://auth.example.com")
        .set("BETTER_AUTH_TRUSTED_ORIGINS", "https://www.example.com")
        .set("AUTH_MAIL", "smtp://ada:pass-hunter2@mail.example.com:587")
        .set("AUTH_MAIL_FROM", "no-reply@example.com")
        .set("AUTH_BEARER_REQUIRE_SIGNATURE", "true")
        .without("AUTH_RATE_LIMIT")
}

fn sound_settings_pass(backend: Backend) {
    let test = empty_database(backend);
    let start = sound(&test.url);
    // Before the first start nothing is there, and nothing is made.
    let (code, report) = examined(&start, &[]);
    assert_eq!(code, Some(0), "{report}");
    if backend == Backend::Sqlite {
        assert!(!std::path::Path::new(file_of(&test.url)).exists(), "a look made the file");
        assert_says(&report, "ok", "sqlite-file", "the first start makes it");
    } else {
        assert_says(&report, "warning", "migrations", "create_users");
        assert_fix(&report, "auth-sidecar migrate");
        let never = start.clone().set("AUTH_MIGRATE_ON_START", "false");
        let (code, report) = examined(&never, &[]);
        assert_eq!(code, Some(1), "{report}");
        assert_says(&report, "problem", "migrations", "AUTH_MIGRATE_ON_START is false");
    }

    let service = start.clone().set("BETTER_AUTH_URL", "http://localhost:4000").ready();
    assert_eq!(service.browser().get("/api/auth/jwks").status, 200);
    service.stop();
    let (code, report) = examined(&start, &[]);
    assert_eq!(code, Some(0), "{report}");
    assert!(!report.contains("\nproblem") && report.contains("no problem, 0 warnings"), "{report}");
    for (check, part) in [
        ("public-url", "createAuthClient({ baseURL: \"https://auth.example.com\" })"),
        ("trusted-origins", "https://www.example.com"),
        ("cookies", "example.com"),
        ("migrations", "up to date"),
        ("signing-key", "opens with the secret"),
        ("jwt", "issuer https://auth.example.com"),
    ] {
        assert_says(&report, "ok", check, part);
    }
    assert!(!report.contains("hunter") && !report.contains(SECRET), "{report}");

    // With another secret the key in the database is lost.
    let (code, report) = examined(&start.set("BETTER_AUTH_SECRET", "q0Zr8Yf1Kx9cJm2TnVb7WdLpEs4HgUaR"), &[]);
    assert_eq!(code, Some(1), "{report}");
    assert_says(&report, "problem", "signing-key", "made under another BETTER_AUTH_SECRET");
    assert!(number(&test.url, "SELECT count(*) AS n FROM jwks") == 1 && !report.contains("q0Zr8Y"), "{report}");
}

#[test]
fn sound_settings_pass_sqlite() {
    sound_settings_pass(Backend::Sqlite);
}

#[test]
fn sound_settings_pass_postgres() {
    sound_settings_pass(Backend::Postgres);
    let test = empty_database(Backend::Postgres);
    let (_, report) = examined(&sound(&test.url), &[]);
    assert_says(&report, "ok", "database", "PostgreSQL 1");
    assert_says(&report, "ok", "database-clock", "time zones do not matter");
}

#[test]
fn each_classic_mistake_is_named_with_the_line_that_ends_it() {
    let good = || sound("sqlite:///nowhere/auth.db");
    let origins = "BETTER_AUTH_TRUSTED_ORIGINS";
    let right = "BETTER_AUTH_TRUSTED_ORIGINS=https://user.github.io";
    for (start, level, check, fix) in [
        (
            good().set("BETTER_AUTH_URL", "http://auth.example.com"),
            "problem",
            "public-url",
            "BETTER_AUTH_URL=https://auth.example.com",
        ),
        (
            good().set("BETTER_AUTH_URL", "https://user.github.io/repo"),
            "problem",
            "public-url",
            "BETTER_AUTH_URL=https://auth.example.com",
        ),
        (good().without(origins), "warning", "trusted-origins", "BETTER_AUTH_TRUSTED_ORIGINS=https://www.example.com"),
        (good().set(origins, "https://user.github.io/repo"), "problem", "trusted-origins", right),
        (good().set(origins, "https://user.github.io/"), "problem", "trusted-origins", right),
        (good().set(origins, "\"https://user.github.io\""), "problem", "trusted-origins", right),
        (good().set(origins, "[\"https://user.github.io\"]"), "problem", "trusted-origins", right),
        (good().set(origins, "http://user.github.io"), "warning", "trusted-origins", right),
        (good().set(origins, "https://user.github.io,http://localhost:3000"), "warning", "trusted-origins", right),
        (good().set(origins, "https://user.github.io"), "warning", "cookies", "AUTH_COOKIE_MODE=cross-site"),
        (
            good().set("FRONTEND_URL", "https://user.github.io/repo"),
            "warning",
            "other-names",
            "BETTER_AUTH_TRUSTED_ORIGINS=https://www.example.com,https://user.github.io",
        ),
        (
            good().without("DATABASE_URL").set("NEON_DATABASE_URL", "postgres://u:hunter3@h/d"),
            "warning",
            "other-names",
            "DATABASE_URL=$NEON_DATABASE_URL",
        ),
        (good().set("JWT_SECRET", "hunter4"), "warning", "other-names", "unset JWT_SECRET"),
        (
            good().without("BETTER_AUTH_URL").set("AUTH_URL", "https://auth.example.com"),
            "problem",
            "settings",
            "BETTER_AUTH_URL=https://auth.example.com",
        ),
        (
            good().set("BETTER_AUTH_URL", "http://auth.example.com").set("AUTH_COOKIE_MODE", "cross-site"),
            "problem",
            "cookies",
            "BETTER_AUTH_URL=https://auth.example.com",
        ),
        (good().set("AUTH_COOKIE_DOMAIN", "other.com"), "problem", "cookie-domain", "AUTH_COOKIE_DOMAIN=example.com"),
        (
            good().set("BETTER_AUTH_URL", "https://me.deno.dev").set("AUTH_COOKIE_DOMAIN", "deno.dev"),
            "problem",
            "cookie-domain",
            "AUTH_COOKIE_DOMAIN=",
        ),
        (good().without("AUTH_BEARER_REQUIRE_SIGNATURE"), "warning", "bearer", "AUTH_BEARER_REQUIRE_SIGNATURE=true"),
        (good().set("AUTH_JWT_EXPIRES_IN", "7d"), "warning", "settings", "AUTH_JWT_EXPIRES_IN=15m"),
        (good().set("BETTER_AUTH_SECRET", "hunter5"), "problem", "secret", "BETTER_AUTH_SECRET=$(auth-sidecar secret)"),
        (
            good().without("AUTH_MAIL").set("AUTH_EMAIL_PASSWORD_REQUIRE_VERIFICATION", "true"),
            "problem",
            "settings",
            "AUTH_MAIL=smtp://user:password@mail.example.com:587",
        ),
        (good().set("AUTH_RATE_LIMIT", "false"), "warning", "rate-limit", "AUTH_RATE_LIMIT=true"),
        (good().set("AUTH_DEV", "true"), "problem", "dev-mode", "AUTH_DEV=false"),
        (
            good().set("DATABASE_URL", "postgresql+asyncpg://u:hunter6@h/d"),
            "problem",
            "database",
            "DATABASE_URL=postgres://auth:password@db.example.com/auth",
        ),
    ] {
        let (code, report) = examined(&start, &[]);
        assert_says(&report, level, check, "");
        assert_fix(&report, fix);
        assert_eq!(code, Some(i32::from(report.lines().any(|line| line.starts_with("problem ")))), "{report}");
        assert!(level == "warning" || code == Some(1), "{report}");
        assert!(!report.contains("hunter"), "{report}");
    }
}

#[test]
fn all_mistakes_are_told_in_one_go_also_as_json() {
    let start = sound("sqlite:///nowhere/auth.db")
        .set("BETTER_AUTH_SECRET", "hunter3")
        .set("BETTER_AUTH_TRUSTED_ORIGINS", "https://user.github.io/repo/")
        .set("AUTH_NONSENSE", "hunter4");
    let output = start.run(&["doctor", "--json"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let findings: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let told = |check: &str, level: &str| {
        findings.iter().find(|finding| finding["check"] == check && finding["level"] == level).cloned()
    };
    assert_eq!(told("settings", "problem").unwrap()["fix"], "unset AUTH_NONSENSE");
    assert!(told("secret", "problem").is_some() && told("cookies", "warning").is_some(), "{findings:?}");
    let origins = told("trusted-origins", "problem").unwrap();
    assert_eq!(origins["fix"], "BETTER_AUTH_TRUSTED_ORIGINS=https://user.github.io");
    for finding in &findings {
        let keys: Vec<&String> = finding.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["check", "level", "message", "fix"]);
    }
    assert!(!text(&output.stdout).contains("hunter") && !text(&output.stderr).contains("hunter"), "{output:?}");
}

#[test]
fn a_database_away_or_open_to_others_is_a_problem() {
    let closed = format!("postgres://auth:hunter3@127.0.0.1:{}/auth", free_port());
    let (code, report) = examined(&sound(&closed), &[]);
    assert_eq!(code, Some(1), "{report}");
    assert_says(&report, "problem", "database", "does not answer");
    assert!(!report.contains("hunter"), "{report}");

    let test = empty_database(Backend::Sqlite);
    let start = sound(&test.url);
    assert_eq!(start.run(&["migrate"]).status.code(), Some(0));
    let file = file_of(&test.url);
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let (code, report) = examined(&start, &[]);
    assert_eq!(code, Some(1), "{report}");
    assert_fix(&report, &format!("chmod 600 {file}"));
    assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o644, "a look changes nothing");
}

#[test]
fn a_command_line_of_no_use_is_code_78() {
    for arguments in [
        &["--url", "auth.example.com"][..],
        &["--url", "https://u:hunter3@auth.example.com"],
        &["--url", "https://auth.example.com", "--origin", "user.github.io"],
        &["--origin", "https://user.github.io"],
    ] {
        let (code, said) = examined(&Start::bare(), arguments);
        assert_eq!(code, Some(78), "{arguments:?}: {said}");
        assert!(said.starts_with("--") && !said.contains("hunter"), "{said}");
    }
}

fn a_running_service_is_sound(backend: Backend) {
    let test = empty_database(backend);
    let port = free_port();
    let origin = format!("http://localhost:{port}");
    let service = Start::on(&test.url).set("BETTER_AUTH_URL", &origin);
    // The public address has to be known before the port is.
    let service = service.launch_on(port);
    let ready = || service.browser().send("GET", "/health/ready", None).is_ok_and(|reply| reply.status == 200);
    assert!(eventually(Duration::from_secs(30), ready), "{}", service.log());
    let counted = || {
        ["users", "sessions", "verifications", "mails"]
            .map(|table| number(&test.url, &format!("SELECT count(*) AS n FROM {table}")))
    };
    let before = counted();
    let (code, report) = examined(&Start::bare(), &["--url", &origin, "--origin", APP_ORIGIN]);
    assert_eq!(code, Some(0), "{report}");
    for (check, part) in [
        ("reachable", "speaks Better Auth's protocol"),
        ("cors", "may call, with cookies, Authorization and Content-Type"),
        ("cors-strangers", "may read nothing"),
        ("issuer", &origin),
        ("get-session", "null"),
        ("cache-control", "no-store"),
        ("clock", "as this machine's"),
        ("jwks", "1 (EdDSA), may be kept for 60 s"),
        ("jwks-well-known", "is there"),
        ("not-found", "404"),
        ("x-forwarded-for", "not tested"),
    ] {
        assert_says(&report, "ok", check, part);
    }
    assert_says(&report, "warning", "set-cookie", "is another site than localhost");
    assert_eq!(counted(), before, "something was created");

    // A page that is not trusted is told with the line that trusts it.
    let (code, report) = examined(&Start::bare(), &["--url", &origin, "--origin", "https://user.github.io/repo"]);
    assert_eq!(code, Some(1), "{report}");
    assert_fix(&report, "BETTER_AUTH_TRUSTED_ORIGINS=https://user.github.io");

    // A wrong base path, and another address than the public one.
    let (code, report) = examined(&Start::bare(), &["--url", &format!("{origin}/repo")]);
    assert_eq!(code, Some(1), "{report}");
    assert_fix(&report, &format!("createAuthClient({{ baseURL: \"{origin}\" }})"));
    let numbered = format!("http://127.0.0.1:{port}");
    let (code, report) = examined(&Start::bare(), &["--url", &numbered]);
    assert_eq!(code, Some(0), "{report}");
    assert_fix(&report, &format!("BETTER_AUTH_URL={numbered}"));
}

#[test]
fn a_running_service_is_sound_sqlite() {
    a_running_service_is_sound(Backend::Sqlite);
}

#[test]
fn a_running_service_is_sound_postgres() {
    a_running_service_is_sound(Backend::Postgres);
}

/// Answers as the service does where it matters here, with these headers besides.
fn like_the_service(asked: &Asked, headers: &[&str]) -> Answer {
    let headers: Vec<String> = headers.iter().map(|&line| line.to_owned()).collect();
    let body = match asked.path.as_str() {
        "/api/auth/ok" => "{\"ok\":true}",
        "/api/auth/get-session" => "null",
        "/api/auth/sign-out" => "{\"success\":true}",
        "/api/auth/jwks" => "{\"keys\":[{\"alg\":\"EdDSA\",\"kid\":\"a\"}]}",
        _ if asked.method == "OPTIONS" => "",
        _ => return (404, headers, String::new()),
    };
    (200, headers, body.to_owned())
}

#[test]
fn no_request_carries_credentials_or_creates_anything() {
    let server = FakeServer::start(|asked| like_the_service(asked, &[]));
    let start = Start::on("sqlite:///nowhere/auth.db");
    examined(&start, &["--url", &server.origin(), "--origin", APP_ORIGIN]);
    let asked = server.asked();
    assert!(asked.len() > 6, "{asked:?}");
    for request in asked {
        assert!(!request.head.contains("\nauthorization:") && !request.head.contains("cookie:"), "{request:?}");
        match request.method.as_str() {
            "GET" | "OPTIONS" => assert_eq!(request.body, "", "{request:?}"),
            "POST" => assert_eq!((request.path.as_str(), request.body.as_str()), ("/api/auth/sign-out", "{}")),
            method => panic!("{method}"),
        }
    }
}

#[test]
fn what_stands_in_place_of_the_service_is_named() {
    let pass_on = "location /api/auth/ { proxy_pass http://auth-sidecar:4000; }";
    let html = || (200, vec!["Content-Type: text/html".to_owned()], "<!doctype html>".to_owned());
    type Fake = Box<dyn Fn(&Asked) -> Answer + Send>;
    let cases: Vec<(Fake, &str, &str)> = vec![
        (Box::new(move |_| html()), "the site answers where the service should", pass_on),
        (
            Box::new(|_| (301, vec!["Location: https://www.example.com/api/auth/ok".to_owned()], String::new())),
            "browsers follow no redirect of a CORS preflight",
            "createAuthClient({ baseURL: \"https://www.example.com\" })",
        ),
        (
            Box::new(|_| (404, vec![], "{\"detail\":\"Not Found\"}".to_owned())),
            "the backend answers where the service should",
            pass_on,
        ),
        (
            Box::new(|asked| match asked.path.as_str() {
                "/ok" => (200, vec![], "{\"ok\":true}".to_owned()),
                _ => (404, vec![], String::new()),
            }),
            "the endpoints are there",
            "",
        ),
        (
            Box::new(|_| (502, vec![], "Bad Gateway".to_owned())),
            "the service behind it is not",
            "auth-sidecar healthcheck",
        ),
    ];
    for (answer, said, fix) in cases {
        let server = FakeServer::start(answer);
        let (code, report) = examined(&Start::bare(), &["--url", &server.origin()]);
        assert_eq!(code, Some(1), "{report}");
        assert_says(&report, "problem", "reachable", said);
        let own = format!("createAuthClient({{ baseURL: \"{}\", basePath: \"/\" }})", server.origin());
        assert_fix(&report, if fix.is_empty() { &own } else { fix });
    }
}

#[test]
fn proxies_that_meddle_with_cors_cookies_and_caches_are_caught() {
    let any = "Access-Control-Allow-Origin: *";
    let own = "Access-Control-Allow-Origin: https://app.example.com";
    let credentials = "Access-Control-Allow-Credentials: true";
    for (headers, check, said) in [
        (&[any][..], "cors", "is *: browsers refuse it together with cookies"),
        (&[own, own, credentials], "cors", "comes twice"),
        (&[own], "cors", "Access-Control-Allow-Credentials is missing"),
        (&[own, credentials], "cors", "the request header authorization is not allowed"),
        (&["Age: 7", "Cache-Control: public"], "cache-control", "comes from a cache"),
        (&["Set-Cookie: better-auth.session_token=; Path=/api; SameSite=Lax"], "set-cookie", "is not HttpOnly"),
    ] {
        let headers: Vec<&'static str> = headers.to_vec();
        let server = FakeServer::start(move |asked| like_the_service(asked, &headers));
        let (code, report) = examined(&Start::bare(), &["--url", &server.origin(), "--origin", APP_ORIGIN]);
        assert_eq!(code, Some(1), "{report}");
        assert_says(&report, "problem", check, said);
    }
    // Whoever asks is allowed: the answer repeats any origin.
    let server = FakeServer::start(|asked| {
        let origin = asked.head.lines().find_map(|line| line.strip_prefix("origin: ")).unwrap_or("none").to_owned();
        let (status, mut headers, body) = like_the_service(asked, &["Access-Control-Allow-Credentials: true"]);
        headers.push(format!("Access-Control-Allow-Origin: {origin}"));
        (status, headers, body)
    });
    let (code, report) = examined(&Start::bare(), &["--url", &server.origin()]);
    assert_eq!(code, Some(1), "{report}");
    assert_says(&report, "problem", "cors-strangers", "every origin is allowed");
}

#[test]
fn a_server_that_is_silent_or_away_is_given_up() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let began = Instant::now();
    let (code, report) = examined(&Start::bare(), &["--url", &format!("http://{}", silent.local_addr().unwrap())]);
    assert_eq!(code, Some(1), "{report}");
    assert_says(&report, "problem", "reachable", "no answer within 10 s");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    let (code, report) = examined(&Start::bare(), &["--url", &format!("http://127.0.0.1:{}", free_port())]);
    assert_eq!(code, Some(1), "{report}");
    assert_fix(&report, "auth-sidecar serve");
}
