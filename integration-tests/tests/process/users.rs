//! `auth-sidecar users` and `sessions`: what an operator does to one user.

use std::fs;
use std::time::Duration;

use auth_sidecar::clock::Clock;
use schema::Backend;
use schema::test_support::TestDb;
use serde_json::{Value, json};

use crate::command_line::{number, text};
use crate::http::{PASSWORD, email};
use crate::service::{Start, empty_database, eventually, free_port};

/// Another password.
const NEW: &str = "staple-battery-2";
/// passlib's hash of `correct horse battery`.
const HASH: &str = "$2b$04$FNYYpdlHG3cvcZhhPvXgoOLRaQNiPyJx1PgwMj.QXDOyphm17Kdb2";

/// A migrated database and the program on it.
pub fn migrated(backend: Backend) -> (TestDb, Start) {
    let db = empty_database(backend);
    let start = Start::on(&db.url);
    said(&start, &["migrate"]);
    (db, start)
}

/// Standard output of a run that must succeed.
#[track_caller]
pub fn said(start: &Start, arguments: &[&str]) -> String {
    let output = start.run(arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {output:?}");
    text(&output.stdout)
}

/// Standard error of a run that must fail with code 1.
#[track_caller]
pub fn refused(start: &Start, arguments: &[&str]) -> String {
    let output = start.run(arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
    assert_eq!(text(&output.stdout), "", "{arguments:?}");
    text(&output.stderr)
}

/// The user as `users show --json` prints them.
#[track_caller]
pub fn show(start: &Start, who: &str) -> Value {
    serde_json::from_str(&said(start, &["users", "show", who, "--json"])).unwrap()
}

fn sign_in(browser: &mut crate::http::Browser, name: &str, password: &str) -> u16 {
    browser.post("/api/auth/sign-in/email", &json!({ "email": email(name), "password": password })).status
}

fn users_are_made_shown_changed_and_deleted(backend: Backend) {
    let (db, start) = migrated(backend);
    let start = start
        .set("AUTH_USER_FIELDS", "plan,tags")
        .set("AUTH_FIELD_PLAN_INPUT", "false")
        .set("AUTH_FIELD_PLAN_DEFAULT", "free")
        .set("AUTH_FIELD_TAGS_TYPE", "string[]");
    let create = ["users", "create", "--email", "Ada@Example.com", "--name", "Ada", "--password-stdin"];
    let made = start.run_with(&[&create[..], &["--field", "software_background=C"]].concat(), PASSWORD.as_bytes());
    assert_eq!(made.status.code(), Some(0), "{made:?}");
    let line = text(&made.stdout);
    let (id, address) = line.trim_end().split_once(' ').unwrap();
    assert_eq!((id.len(), address), (32, "ada@example.com"));
    let ada = show(&start, id);
    let expected = json!({
        "id": id, "email": "ada@example.com", "name": "Ada", "email_verified": false, "image": null,
        "created_at": ada["created_at"], "updated_at": ada["updated_at"],
        "software_background": "C", "hardware_background": null, "plan": "free", "tags": null,
        "password": "bcrypt", "accounts": ["credential"], "sessions": 0, "banned": false,
    });
    assert_eq!(ada, expected);

    let service = start.ready();
    let mut browser = service.browser();
    assert_eq!(sign_in(&mut browser, "ada", PASSWORD), 200);
    assert_eq!(show(&start, "ADA@example.com")["sessions"], 1);

    // Fields that clients may not set are the operator's; a second one does not undo the first.
    said(&start, &["users", "set-field", "ada@example.com", "plan=gold", "hardware_background=FPGA"]);
    said(&start, &["users", "set-field", id, "tags=[\"a\",\"b\"]", "software_background="]);
    let user = browser.get_session().json()["user"].clone();
    assert_eq!(user["plan"], "gold");
    assert_eq!(user["tags"], json!(["a", "b"]));
    assert_eq!((&user["software_background"], &user["hardware_background"]), (&Value::Null, &json!("FPGA")));

    assert!(said(&start, &["users", "verify", id]).contains("counts as proven"));
    assert!(said(&start, &["users", "verify", id]).contains("was proven already"));
    assert_eq!(browser.get_session().json()["user"]["emailVerified"], true);

    assert!(refused(&start, &["users", "delete", id]).contains("add --yes"));
    assert_eq!(browser.get_session().json()["user"]["id"], id);
    said(&start, &["users", "delete", "ada@example.com", "--yes"]);
    assert_eq!(browser.get_session().json(), Value::Null);
    for table in ["users", "accounts", "sessions"] {
        assert_eq!(number(&db.url, &format!("SELECT count(*) AS n FROM {table}")), 0, "{table}");
    }
}

#[test]
fn users_are_made_shown_changed_and_deleted_sqlite() {
    users_are_made_shown_changed_and_deleted(Backend::Sqlite);
}

#[test]
fn users_are_made_shown_changed_and_deleted_postgres() {
    users_are_made_shown_changed_and_deleted(Backend::Postgres);
}

fn a_set_password_ends_sessions_and_mailed_links(backend: Backend) {
    let (db, start) = migrated(backend);
    // Nobody listens there.
    let server = format!("smtp://127.0.0.1:{}", free_port());
    let start = start.set("AUTH_MAIL", server).set("AUTH_MAIL_FROM", "a@b.co").set("AUTH_MAIL_NOTICES", "false");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    fs::write(&file, format!("{NEW}\n")).unwrap();
    let file = file.to_str().unwrap();
    let service = start.ready();
    let mut browser = service.browser();
    browser.sign_up("ada");
    browser.sign_up("bob");
    let mut ada = service.browser();
    assert_eq!(ada.sign_in("ada").status, 200);
    let body = json!({ "email": email("ada"), "redirectTo": "/new" });
    assert_eq!(ada.post("/api/auth/request-password-reset", &body).status, 200);
    let links = || number(&db.url, "SELECT count(*) AS n FROM verifications");
    assert!(eventually(Duration::from_secs(10), || links() == 1));

    let kept = said(&start, &["users", "set-password", "ada@example.com", "--password-file", file, "--keep-sessions"]);
    assert!(kept.contains("sessions ended: 0"), "{kept}");
    assert_eq!(links(), 0);
    ada.assert_signed_in("ada");
    let output = start.run_with(&["users", "set-password", "ada@example.com", "--password-stdin"], NEW.as_bytes());
    assert!(output.status.success() && text(&output.stdout).contains("sessions ended: 2"), "{output:?}");
    assert_eq!(ada.get_session().json(), Value::Null);
    browser.assert_signed_in("bob");
    assert_eq!(ada.sign_in("ada").status, 401);
    assert_eq!(sign_in(&mut ada, "ada", NEW), 200);
}

#[test]
fn a_set_password_ends_sessions_and_mailed_links_sqlite() {
    a_set_password_ends_sessions_and_mailed_links(Backend::Sqlite);
}

#[test]
fn a_set_password_ends_sessions_and_mailed_links_postgres() {
    a_set_password_ends_sessions_and_mailed_links(Backend::Postgres);
}

#[test]
fn a_user_without_password_gets_one_from_the_operator_or_by_mail() {
    let (_db, start) = migrated(Backend::Sqlite);
    // Which writes mail to the log.
    let start = start.set("AUTH_DEV", "true");
    said(&start, &["users", "create", "--email", "ada@example.com", "--verified"]);
    said(&start, &["users", "create", "--email", "bob@example.com", "--hash", HASH]);
    let ada = show(&start, "ada@example.com");
    assert_eq!((&ada["password"], &ada["email_verified"]), (&json!("none"), &json!(true)));
    let service = start.ready();
    let mut browser = service.browser();
    assert_eq!(sign_in(&mut browser, "ada", PASSWORD), 401);
    assert_eq!(sign_in(&mut browser, "bob", "correct horse battery"), 200);
    let body = json!({ "email": email("ada"), "redirectTo": "/new" });
    assert_eq!(browser.post("/api/auth/request-password-reset", &body).status, 200);
    assert!(service.logs("/reset-password/"), "{}", service.log());
    let log = service.log();
    let token: String = log.split_once("/reset-password/").unwrap().1.chars().take(24).collect();
    let body = json!({ "token": token, "newPassword": NEW });
    assert_eq!(browser.post("/api/auth/reset-password", &body).status, 200);
    assert_eq!(sign_in(&mut browser, "ada", NEW), 200);
}

#[test]
fn what_makes_no_user_is_refused_with_the_reason() {
    let (db, start) = migrated(Backend::Sqlite);
    let start = start.set("AUTH_FIELD_SOFTWARE_BACKGROUND_VALUES", "beginner,expert");
    said(&start, &["migrate"]);
    said(&start, &["users", "create", "--email", "ada@example.com", "--field", "software_background=Expert"]);
    assert_eq!(show(&start, "ada@example.com")["software_background"], "expert");
    let create = |more: &[&str]| refused(&start, &[&["users", "create", "--email", "bob@example.com"], more].concat());
    assert!(refused(&start, &["users", "create", "--email", "ADA@example.com"]).contains("ada@example.com already"));
    assert!(refused(&start, &["users", "create", "--email", "bob"]).contains("bob is not an address"));
    assert!(create(&["--field", "software_background=guru"]).contains("must be one of: beginner, expert"));
    assert!(create(&["--field", "wage=1"]).contains("there is no field wage; declared are software_background"));
    let said = create(&["--hash", "pbkdf2_sha256$hunter2"]);
    assert!(said.contains("unknown kind") && !said.contains("hunter2"), "{said}");
    assert!(create(&["--hash", &HASH.replace("$04$", "$31$")]).contains("above the cap"));
    assert!(create(&["--password-file", "/nowhere/password"]).contains("/nowhere/password"));

    let typed = |password: &str| {
        let output =
            start.run_with(&["users", "create", "--email", "bob@example.com", "--password-stdin"], password.as_bytes());
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        text(&output.stderr)
    };
    assert!(typed("short").contains("8 to 128 characters"));
    assert!(typed(&"x".repeat(129)).contains("8 to 128 characters"));
    assert!(typed("hunter22\nhunter23").contains("more than one line"));
    assert!(typed("hunter22\0x").contains("NUL"));

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    fs::write(&file, NEW).unwrap();
    for who in ["nobody@example.com", "nobody"] {
        for arguments in [
            &["users", "show", who][..],
            &["users", "list", "--after", "nobody"],
            &["users", "set-password", who, "--password-file", file.to_str().unwrap()],
            &["users", "set-field", who, "hardware_background=x"],
            &["users", "verify", who],
            &["users", "delete", who, "--yes"],
            &["sessions", "list", who],
            &["sessions", "revoke", "--user", who],
        ] {
            let said = refused(&start, arguments);
            assert!(said.contains("there is no user nobody"), "{arguments:?}: {said}");
        }
    }
    assert!(
        refused(&start, &["users", "set-field", "ada@example.com", "software_background=x"]).contains("must be one")
    );
    assert!(refused(&start, &["sessions", "revoke", "nothing"]).contains("there is no session nothing"));
    // Command lines that say too little or too much.
    for arguments in [
        &["users", "set-password", "ada@example.com"][..],
        &["users", "set-password", "ada@example.com", "--password-stdin", "--password-file", "x"],
        &["users", "create"],
        &["users", "create", "--email", "x@y.co", "--hash", HASH, "--password-stdin"],
        &["users", "create", "--email", "x@y.co", "--password", "hunter22"],
        &["users", "set-field", "ada@example.com"],
        &["sessions", "revoke"],
        &["sessions", "revoke", "x", "--all"],
    ] {
        assert_eq!(start.run(arguments).status.code(), Some(2), "{arguments:?}");
    }
    assert_eq!(number(&db.url, "SELECT count(*) AS n FROM users"), 1);
}

#[test]
fn tables_that_are_not_there_yet_are_said_so() {
    let db = empty_database(Backend::Sqlite);
    for arguments in [&["users", "list"][..], &["sessions", "list", "ada"], &["users", "export"]] {
        let output = Start::on(&db.url).run(arguments);
        assert_eq!(output.status.code(), Some(75), "{output:?}");
        assert!(text(&output.stderr).contains("auth-sidecar migrate"), "{output:?}");
    }
}

fn who_is_banned_is_out_until_the_ban_ends(backend: Backend) {
    let (_db, start) = migrated(backend);
    let service = start.ready();
    let mut ada = service.browser();
    ada.sign_up("ada");
    let (in_a_second, in_a_year) = (chrono::TimeDelta::seconds(2), chrono::TimeDelta::days(365));
    let at = |delay: chrono::TimeDelta| {
        (Clock::System.now() + delay).and_utc().to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
    };
    assert!(refused(&start, &["users", "ban", "nobody@example.com"]).contains("no user"));

    let ban = said(&start, &["users", "ban", &email("ada"), "--reason", "spam", "--until", &at(in_a_year)]);
    assert!(ban.contains("is banned until") && ban.contains("sessions ended: 1"), "{ban}");
    assert_eq!(ada.get_session().body, "null");
    assert_eq!(sign_in(&mut ada, "ada", PASSWORD), 403);
    assert_eq!(sign_in(&mut ada, "ada", NEW), 401, "only the right password learns of it");
    let shown = show(&start, &email("ada"));
    assert_eq!((&shown["banned"], &shown["ban_reason"]), (&json!(true), &json!("spam")));

    assert!(said(&start, &["users", "unban", &email("ada")]).contains("not banned any more"));
    assert!(said(&start, &["users", "unban", &email("ada")]).contains("was not banned"));
    assert_eq!(sign_in(&mut ada, "ada", PASSWORD), 200);

    said(&start, &["users", "ban", &email("ada"), "--until", &at(in_a_second)]);
    assert_eq!(sign_in(&mut ada, "ada", PASSWORD), 403);
    assert!(eventually(Duration::from_secs(10), || sign_in(&mut ada, "ada", PASSWORD) == 200));
    let past = start.run(&["users", "ban", &email("ada"), "--until", "2020-01-01T00:00:00Z"]);
    assert_eq!(past.status.code(), Some(2), "{past:?}");
}

#[test]
fn who_is_banned_is_out_until_the_ban_ends_sqlite() {
    who_is_banned_is_out_until_the_ban_ends(Backend::Sqlite);
}

#[test]
fn who_is_banned_is_out_until_the_ban_ends_postgres() {
    who_is_banned_is_out_until_the_ban_ends(Backend::Postgres);
}

fn users_are_listed_page_by_page(backend: Backend) {
    let (_db, start) = migrated(backend);
    let lines: String =
        (0..7).map(|n| format!("{{\"id\":\"id{n}\",\"email\":\"user{n}@x.co\",\"name\":\"N{n}\"}}\n")).collect();
    let odd = "{\"id\":\"odd\",\"email\":\"zoe_1@x.co\",\"name\":\"\\u001b[31mZoë 100%\"}\n";
    let output = start.run_with(&["users", "import", "-", "--format", "jsonl"], (lines + odd).as_bytes());
    assert!(output.status.success(), "{output:?}");
    let ids = |arguments: &[&str]| -> Vec<String> {
        let shown = said(&start, &[&["users", "list", "--json"], arguments].concat());
        let id = |line: &str| serde_json::from_str::<Value>(line).unwrap()["id"].as_str().unwrap().to_owned();
        shown.lines().map(id).collect()
    };
    assert_eq!(ids(&[]), ["id0", "id1", "id2", "id3", "id4", "id5", "id6", "odd"]);
    assert_eq!(ids(&["--limit", "2"]), ["id0", "id1"]);
    assert_eq!(ids(&["--limit", "2", "--after", "id1"]), ["id2", "id3"]);
    assert_eq!(ids(&["--limit", "2", "--after", "USER3@x.co"]), ["id4", "id5"]);
    assert_eq!(ids(&["--after", "zoe_1@x.co"]), [""; 0]);
    assert_eq!(ids(&["--search", "USER"]).len(), 7);
    assert_eq!(ids(&["--search", "n3"]), ["id3"]);
    assert_eq!(ids(&["--search", "Zoë"]), ["odd"]);
    // What LIKE would read as its own is looked for as it is.
    assert_eq!(ids(&["--search", "100%"]), ["odd"]);
    assert_eq!(ids(&["--search", "e_1"]), ["odd"]);
    assert_eq!(ids(&["--search", "r_"]), [""; 0]);
    assert_eq!(ids(&["--search", "\\"]), [""; 0]);

    let table = start.run(&["users", "list", "--limit", "8"]);
    assert!(text(&table.stderr).contains("--after zoe_1@x.co"), "{table:?}");
    let table = text(&table.stdout);
    assert!(table.lines().count() == 9 && table.contains("\u{fffd}[31mZoë") && !table.contains('\u{1b}'), "{table}");
}

#[test]
fn users_are_listed_page_by_page_sqlite() {
    users_are_listed_page_by_page(Backend::Sqlite);
}

#[test]
fn users_are_listed_page_by_page_postgres() {
    users_are_listed_page_by_page(Backend::Postgres);
}

fn sessions_are_listed_and_ended(backend: Backend) {
    let (db, start) = migrated(backend);
    let service = start.ready();
    let (mut ada, mut laptop, mut bob) = (service.browser(), service.browser(), service.browser());
    ada.sign_up("ada");
    assert_eq!(laptop.sign_in("ada").status, 200);
    bob.sign_up("bob");
    let listed = || -> Vec<Value> {
        let shown = said(&start, &["sessions", "list", "ada@example.com", "--json"]);
        shown.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let sessions = listed();
    assert_eq!(sessions.len(), 2);
    let token = ada.get_session().json()["session"]["token"].as_str().unwrap().to_owned();
    let own = ada.get_session().json()["session"]["id"].clone();
    let plain = said(&start, &["sessions", "list", "ada@example.com"]);
    assert!(plain.contains(own.as_str().unwrap()) && plain.lines().count() == 3, "{plain}");
    assert!(!plain.contains(&token) && sessions.iter().all(|session| session.get("token").is_none()), "{plain}");

    assert!(said(&start, &["sessions", "revoke", own.as_str().unwrap()]).contains("ended: 1"));
    assert_eq!(ada.get_session().json(), Value::Null);
    laptop.assert_signed_in("ada");
    assert!(said(&start, &["sessions", "revoke", "--user", "ada@example.com"]).contains("ended: 1"));
    assert_eq!(laptop.get_session().json(), Value::Null);
    bob.assert_signed_in("bob");
    assert!(refused(&start, &["sessions", "revoke", "--all"]).contains("add --yes"));
    bob.assert_signed_in("bob");
    assert!(said(&start, &["sessions", "revoke", "--all", "--yes"]).contains("ended: 1"));
    assert_eq!(bob.get_session().json(), Value::Null);
    assert_eq!(number(&db.url, "SELECT count(*) AS n FROM users"), 2);
}

#[test]
fn sessions_are_listed_and_ended_sqlite() {
    sessions_are_listed_and_ended(Backend::Sqlite);
}

#[test]
fn sessions_are_listed_and_ended_postgres() {
    sessions_are_listed_and_ended(Backend::Postgres);
}
