//! `auth-sidecar adopt` as somebody runs it beside an application of their own.

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use schema::Backend;

use crate::command_line::{number, text};
use crate::service::{Start, empty_database};

const TABLE: &str = "CREATE TABLE app_users (id serial PRIMARY KEY, email text NOT NULL, password_hash text, is_active boolean); \
                     INSERT INTO app_users (email, is_active) VALUES ('Ada@Example.com', true), ('old@example.com', false)";

#[test]
fn a_table_is_planned_adopted_served_and_given_back() {
    let test = empty_database(Backend::Postgres);
    let mut theirs = PgConnection::establish(&test.url).unwrap();
    theirs.batch_execute(TABLE).unwrap();
    let start = Start::on(&test.url);
    let schemas = || number(&test.url, "SELECT count(*) AS n FROM pg_namespace WHERE nspname = 'auth_sidecar'");

    let plan = start.run(&["adopt"]);
    let said = text(&plan.stdout);
    assert_eq!(plan.status.code(), Some(0), "{plan:?}");
    for line in [
        "\"public\".\"app_users\", 2 rows, as users",
        "email (text) as email",
        "1 rows are not active",
        "CREATE VIEW auth_sidecar.users",
        "Nothing was changed",
    ] {
        assert!(said.contains(line), "{line:?} is not in\n{said}");
    }
    assert_eq!(schemas(), 0);
    // Nobody answered.
    let unanswered = start.run(&["adopt", "--apply"]);
    assert_eq!((unanswered.status.code(), schemas()), (Some(1), 0));

    let applied = start.run(&["adopt", "--table", "public.app_users", "--apply", "--yes"]);
    assert_eq!(applied.status.code(), Some(0), "{applied:?}");
    assert_eq!(schemas(), 1);
    let again = start.run(&["adopt", "--table", "public.app_users", "--apply", "--yes"]);
    assert!(again.status.code() == Some(0) && text(&again.stdout).contains("nothing to do"), "{again:?}");

    let service = start.ready();
    assert!(service.logs("adopted") && service.logs("app_users"), "{}", service.log());
    let mut bob = service.browser();
    bob.sign_up("bob");
    bob.assert_signed_in("bob");
    assert_eq!(number(&test.url, "SELECT id::bigint AS n FROM app_users WHERE email = 'bob@example.com'"), 3);
    service.stop();
    let made = start.run(&["users", "create", "--email", "eve@example.com"]);
    assert!(made.status.code() == Some(0) && text(&made.stdout).starts_with("4 "), "{made:?}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("users.csv");
    std::fs::write(&file, "email\nmallory@example.com\n").unwrap();
    let import = start.run(&["users", "import", file.to_str().unwrap()]);
    assert!(import.status.code() == Some(1) && text(&import.stderr).contains("adopted tables"), "{import:?}");

    let reverted = start.run(&["adopt", "--revert", "--yes"]);
    assert_eq!((reverted.status.code(), schemas()), (Some(0), 0), "{reverted:?}");
    assert_eq!(
        number(&test.url, "SELECT count(*) AS n FROM app_users WHERE password_hash LIKE '$2%'"),
        1,
        "bob's stays"
    );
    assert_eq!(start.run(&["adopt", "--revert", "--yes"]).status.code(), Some(1));
}

#[test]
fn problems_and_other_databases_are_refused_with_a_word() {
    let test = empty_database(Backend::Postgres);
    let start = Start::on(&test.url);
    let refused = |start: &Start, arguments: &[&str]| {
        let output = start.run(arguments);
        (output.status.code(), text(&output.stderr) + &text(&output.stdout))
    };
    let (code, said) = refused(&start, &["adopt"]);
    assert!(code == Some(1) && said.contains("--table"), "{said}");
    let mut theirs = PgConnection::establish(&test.url).unwrap();
    theirs.batch_execute(&TABLE.replace("old@example.com", "ADA@example.com")).unwrap();
    let (code, said) = refused(&start, &["adopt", "--apply", "--yes"]);
    assert!(code == Some(1) && said.contains("2 rows have the address ada@example.com"), "{said}");
    let own = empty_database(Backend::Sqlite);
    let start = Start::on(&own.url);
    assert_eq!(start.run(&["migrate"]).status.code(), Some(0));
    let (code, said) = refused(&start, &["adopt"]);
    assert!(code == Some(1) && said.contains("of this service itself"), "{said}");
    for arguments in [&["adopt", "--pause"][..], &["adopt", "--revert", "--yes"]] {
        let (code, said) = refused(&start, arguments);
        assert!(code == Some(1) && said.contains("nothing is adopted"), "{said}");
    }
}
