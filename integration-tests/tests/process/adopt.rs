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

fn tools_read_what_is_named_as_upstream_names_it(backend: Backend) {
    let test = empty_database(backend);
    let start = Start::on(&test.url);
    let failed = start.run(&["adopt", "--compat-views"]);
    // A look makes no file.
    assert_ne!(failed.status.code(), Some(0), "{failed:?}");
    assert!(backend == Backend::Sqlite || text(&failed.stderr).contains("auth-sidecar migrate"), "{failed:?}");
    assert_eq!(start.run(&["migrate"]).status.code(), Some(0));
    let service = start.ready();
    service.browser().sign_up("ada");
    let shown = text(&start.run(&["adopt", "--compat-views"]).stdout);
    assert!(shown.contains("AS \"emailVerified\"") && shown.contains("Nothing was changed"), "{shown}");
    for _ in 0..2 {
        let made = start.run(&["adopt", "--compat-views", "--apply"]);
        assert_eq!(made.status.code(), Some(0), "{made:?}");
    }
    let joined = "SELECT count(*) AS n FROM \"user\" u JOIN \"session\" s ON s.\"userId\" = u.id \
                  JOIN \"account\" a ON a.\"userId\" = u.id WHERE NOT u.\"emailVerified\" AND s.token <> '' \
                  AND s.\"expiresAt\" > u.\"createdAt\" AND a.\"providerId\" = 'credential'";
    assert_eq!(number(&test.url, joined), 1);
    let write = "UPDATE \"user\" SET name = 'Mallory'";
    let refused = match backend {
        Backend::Postgres => PgConnection::establish(&test.url).unwrap().batch_execute(write),
        Backend::Sqlite => {
            let path = test.url.strip_prefix("sqlite://").unwrap();
            SqliteConnection::establish(path).unwrap().batch_execute(write)
        }
    };
    assert!(refused.is_err());
    let removed = start.run(&["adopt", "--compat-views", "--revert"]);
    assert_eq!(removed.status.code(), Some(0), "{removed:?}");
    assert_eq!(start.run(&["adopt", "--compat-views", "--revert"]).status.code(), Some(0));
}

#[test]
fn tools_read_what_is_named_as_upstream_names_it_sqlite() {
    tools_read_what_is_named_as_upstream_names_it(Backend::Sqlite);
}

#[test]
fn tools_read_what_is_named_as_upstream_names_it_postgres() {
    tools_read_what_is_named_as_upstream_names_it(Backend::Postgres);
}

#[test]
fn tables_of_a_better_auth_server_are_not_built_beside() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let test = empty_database(backend);
        let theirs = "CREATE TABLE \"user\" (id text PRIMARY KEY, name text NOT NULL, email text NOT NULL UNIQUE, \
                      \"emailVerified\" boolean NOT NULL, image text, \"createdAt\" timestamp NOT NULL, \"updatedAt\" timestamp NOT NULL); \
                      CREATE TABLE session (id text PRIMARY KEY, \"expiresAt\" timestamp NOT NULL, token text NOT NULL UNIQUE, \
                      \"createdAt\" timestamp NOT NULL, \"updatedAt\" timestamp NOT NULL, \"userId\" text NOT NULL); \
                      CREATE TABLE account (id text PRIMARY KEY, \"accountId\" text NOT NULL, \"providerId\" text NOT NULL, \
                      \"userId\" text NOT NULL, password text, \"createdAt\" timestamp NOT NULL, \"updatedAt\" timestamp NOT NULL); \
                      CREATE TABLE verification (id text PRIMARY KEY, identifier text NOT NULL, value text NOT NULL, \
                      \"expiresAt\" timestamp NOT NULL, \"createdAt\" timestamp, \"updatedAt\" timestamp)";
        match backend {
            Backend::Postgres => PgConnection::establish(&test.url).unwrap().batch_execute(theirs).unwrap(),
            Backend::Sqlite => {
                let path = test.url.strip_prefix("sqlite://").unwrap();
                SqliteConnection::establish(path).unwrap().batch_execute(theirs).unwrap();
            }
        }
        let start = Start::on(&test.url);
        let served = start.run(&["serve"]);
        assert!(served.status.code() != Some(0), "{served:?}");
        let said = text(&served.stderr) + &text(&served.stdout);
        assert!(said.contains("auth-sidecar adopt") && said.contains("user"), "{said}");
        let plan = text(&start.run(&["adopt"]).stdout);
        assert!(plan.contains("A Better Auth database") && plan.contains("makes its own"), "{plan}");
        assert_eq!(start.run(&["adopt", "--apply", "--yes"]).status.code(), Some(0));
        let views = start.run(&["adopt", "--compat-views"]);
        assert!(text(&views.stderr).contains("as it is"), "{views:?}");
        let service = start.ready();
        let mut bob = service.browser();
        bob.sign_up("bob");
        bob.assert_signed_in("bob");
    }
}
