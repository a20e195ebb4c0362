//! Why the program does not start: the code says whose turn it is, and one message says all.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::time::Duration;

use schema::Backend;

use crate::command_line::text;
use crate::service::{SECRET, Start, empty_database, free_port};

fn assert_untouched(folder: &Path) {
    let made: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(made.is_empty(), "a refused start made {made:?}");
}

/// What `serve` says when it refuses these settings, which must leave the folder empty.
#[track_caller]
fn refused(start: Start) -> String {
    let folder = tempfile::tempdir().unwrap();
    let output = start.in_folder(folder.path()).run(&["serve"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(78), "{output:?}");
    assert_eq!(text(&output.stdout), "", "a refused start prints nothing else");
    assert_untouched(folder.path());
    said
}

#[test]
fn all_wrong_settings_are_told_at_once() {
    let start = Start::on("mysql://auth:hunter2@db/auth")
        .set("BETTER_AUTH_SECRET", "hunter3-short")
        .set("BETTER_AUTH_TRUSTED_ORIGINS", "https://app.example.com,*")
        .set("AUTH_SESSION_EXPIERS_IN", "7d")
        .set("AUTH_SESSION_UPDATE_AGE", "-1")
        .set("AUTH_SESSION_FRESH_AGE", "99999999999")
        .set("PORT", "70000");
    let said = refused(start);
    assert!(said.starts_with("7 settings are wrong:\n"), "{said}");
    for part in [
        "DATABASE_URL: the value has an unknown scheme",
        "BETTER_AUTH_SECRET: the secret has 13 characters; at least 32",
        "BETTER_AUTH_TRUSTED_ORIGINS: \"*\" would trust every site",
        "AUTH_SESSION_EXPIERS_IN: is no setting; did you mean AUTH_SESSION_EXPIRES_IN?",
        "AUTH_SESSION_UPDATE_AGE: \"-1\" ",
        "AUTH_SESSION_FRESH_AGE: \"99999999999\" ",
        "PORT: \"70000\" ",
    ] {
        assert_eq!(said.lines().filter(|line| line.contains(part)).count(), 1, "{part:?} in\n{said}");
    }
    assert!(!said.contains("hunter"), "{said}");
}

#[test]
fn each_wrong_setting_stops_the_start_by_itself() {
    let good = || Start::on("sqlite://auth.db");
    for (start, part) in [
        (good().set("DATABASE_URL", "auth.db"), "DATABASE_URL: the value has no scheme"),
        (good().set("DATABASE_URL", "mysql://db/auth"), "DATABASE_URL: the value has an unknown scheme"),
        (
            good().set("DATABASE_URL", "postgresql+asyncpg://db/auth"),
            "DATABASE_URL: the value has the driver of a Python",
        ),
        (good().set("DATABASE_URL", "sqlite://:memory:"), "DATABASE_URL: the value names no file"),
        (good().without("DATABASE_URL"), "DATABASE_URL: is not set"),
        (good().without("BETTER_AUTH_SECRET"), "BETTER_AUTH_SECRET: is not set"),
        (good().set("BETTER_AUTH_SECRET", ""), "BETTER_AUTH_SECRET: is blank"),
        (good().set("BETTER_AUTH_SECRET", &SECRET[..31]), "at least 32 are needed"),
        (good().set("BETTER_AUTH_SECRET", "better-auth-secret-12345678901234567890"), "is a known default"),
        (good().set("BETTER_AUTH_SECRET_FILE", "/nowhere/secret").without("BETTER_AUTH_SECRET"), "cannot be read"),
        (good().without("BETTER_AUTH_URL"), "BETTER_AUTH_URL: is not set"),
        (good().set("BETTER_AUTH_TRUSTED_ORIGINS", "https://*"), "would trust every site"),
        (good().set("BETTER_AUTH_TRUSTED_ORIGINS", "https://www.example.com/"), "write https://www.example.com"),
        (good().set("AUTH_SESSION_EXPIRES_IN", "401d"), "AUTH_SESSION_EXPIRES_IN: \"401d\""),
        (good().set("AUTH_TRUSTED_ORIGINS", "https://www.example.com"), "use BETTER_AUTH_TRUSTED_ORIGINS"),
        (good().set("AUTH_COOKIE_MODE", "none"), "AUTH_COOKIE_MODE: \"none\""),
        // http, whose cookies no other site gets.
        (good().set("AUTH_COOKIE_MODE", "cross-site"), "AUTH_COOKIE_MODE: "),
    ] {
        let said = refused(start);
        assert!(said.starts_with("1 setting is wrong:\n") && said.contains(part), "{part:?} in\n{said}");
    }
}

#[test]
fn dev_mode_keeps_no_secret_for_settings_that_are_wrong() {
    let said = refused(Start::bare().set("AUTH_SESION_EXPIRES_IN", "7d"));
    assert!(said.contains("did you mean AUTH_SESSION_EXPIRES_IN?"), "{said}");
}

#[test]
fn every_command_that_reads_settings_refuses_wrong_ones() {
    let start = Start::on("sqlite://auth.db").set("AUTH_NONSENSE", "1");
    for arguments in [&["config"][..], &["migrate"], &["migrate", "status"], &["migrate", "print"], &[]] {
        let folder = tempfile::tempdir().unwrap();
        let output = start.clone().in_folder(folder.path()).run(arguments);
        assert_eq!(output.status.code(), Some(78), "{arguments:?}: {output:?}");
        assert!(text(&output.stderr).contains("AUTH_NONSENSE: is no setting"), "{output:?}");
        assert_untouched(folder.path());
    }
}

#[test]
fn http_in_production_is_warned_of_loudly() {
    let service = Start::on("sqlite://auth.db")
        .set("BETTER_AUTH_URL", "http://auth.example.com")
        .in_folder(tempfile::tempdir().unwrap().path())
        .run(&["config"]);
    let said = text(&service.stderr);
    assert!(said.starts_with("warning: BETTER_AUTH_URL is http://auth.example.com: without https"), "{said}");
}

#[test]
fn a_wrong_command_line_is_code_2() {
    for arguments in
        [&["frobnicate"][..], &["--port", "1"], &["migrate", "sideways"], &["healthcheck", "--url"], &["serve", "x"]]
    {
        let folder = tempfile::tempdir().unwrap();
        let output = Start::bare().in_folder(folder.path()).run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
        assert!(text(&output.stderr).contains("try '--help'"), "{output:?}");
        assert_untouched(folder.path());
    }
}

#[test]
fn a_database_that_cannot_be_reached_by_migrate_is_code_75() {
    let start = Start::on(&format!("postgres://auth:hunter2@127.0.0.1:{}/auth", free_port()));
    for arguments in [&["migrate"][..], &["migrate", "status"], &["migrate", "print"]] {
        let output = start.run(arguments);
        assert_eq!(output.status.code(), Some(75), "{arguments:?}: {output:?}");
        let said = text(&output.stderr);
        assert!(said.contains("the database is unavailable: ") && !said.contains("hunter2"), "{said}");
    }
}

fn tables_that_are_behind_are_code_75_when_serve_may_not_migrate(backend: Backend) {
    let db = empty_database(backend);
    let start = Start::on(&db.url).set("AUTH_MIGRATE_ON_START", "false");
    // Several times: the server ends and the reason arrives at the same moment.
    for round in 1..=8 {
        // It may end before it was seen to listen.
        let (status, log) = match start.try_serve() {
            Ok(mut service) => (service.end_within(Duration::from_secs(10)), service.whole_log()),
            Err(ended) => ended,
        };
        assert_eq!(status.code(), Some(75), "round {round}: {log}");
        assert!(log.contains("run `auth-sidecar migrate` first"), "{log}");
    }
}

#[test]
fn tables_that_are_behind_are_code_75_when_serve_may_not_migrate_sqlite() {
    tables_that_are_behind_are_code_75_when_serve_may_not_migrate(Backend::Sqlite);
}

#[test]
fn tables_that_are_behind_are_code_75_when_serve_may_not_migrate_postgres() {
    tables_that_are_behind_are_code_75_when_serve_may_not_migrate(Backend::Postgres);
}

#[test]
fn a_port_that_is_taken_is_code_1() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let folder = tempfile::tempdir().unwrap();
    let output = Start::on("sqlite://auth.db").set("PORT", port).in_folder(folder.path()).run(&["serve"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(text(&output.stderr).contains(&format!("cannot listen on 127.0.0.1:{port}")), "{output:?}");
}
