//! The subcommands that do something and end.

use std::process::Output;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use schema::Backend;

use crate::service::{Start, empty_database, free_port, program};

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Standard output of a run that must succeed.
#[track_caller]
fn printed(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    text(&output.stdout)
}

#[derive(QueryableByName)]
pub struct Number {
    #[diesel(sql_type = BigInt)]
    pub n: i64,
}

/// The database file of a `sqlite://` URL.
pub fn file_of(url: &str) -> &str {
    url.strip_prefix("sqlite://").unwrap()
}

/// The number a query gives as `n`, asked beside the program.
pub fn number(url: &str, query: &str) -> i64 {
    let query = diesel::sql_query(query);
    let answer: Number = if url.starts_with("sqlite") {
        query.get_result(&mut SqliteConnection::establish(file_of(url)).unwrap()).unwrap()
    } else {
        query.get_result(&mut PgConnection::establish(url).unwrap()).unwrap()
    };
    answer.n
}

fn execute(url: &str, sql: &str) {
    if url.starts_with("sqlite") {
        SqliteConnection::establish(file_of(url)).unwrap().batch_execute(sql).unwrap();
    } else {
        PgConnection::establish(url).unwrap().batch_execute(sql).unwrap();
    }
}

fn tables(url: &str) -> i64 {
    number(
        url,
        if url.starts_with("sqlite") {
            "SELECT count(*) AS n FROM sqlite_schema WHERE type = 'table'"
        } else {
            "SELECT count(*) AS n FROM pg_tables WHERE schemaname = 'public'"
        },
    )
}

#[test]
fn config_shows_every_setting_and_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let secret_file = folder.path().join("secret-file");
    let old = "old-K4mQz81LxVbT92nWyRc07JpDsHgUfEaX";
    let new = "new-A7tYq53NcZkM10vBxEr48LwGjPdSoHiU";
    std::fs::write(&secret_file, old).unwrap();
    let output = Start::on("postgres://auth:pass-hunter2@127.0.0.1:1/auth?sslpassword=pass-hunter3")
        .without("BETTER_AUTH_SECRET")
        .set("BETTER_AUTH_SECRET_FILE", secret_file.display())
        .set("BETTER_AUTH_SECRETS", format!("2:{new}"))
        .set("AUTH_MAIL", "webhook+https://user:pass-hunter4@mail.example.com/key-hunter5?token=key-hunter6")
        .set("AUTH_SESSION_EXPIRES_IN", "2w")
        .in_folder(folder.path())
        .run(&["config"]);
    let shown = printed(&output);
    for setting in ["BETTER_AUTH_SECRET", "BETTER_AUTH_SECRETS", "DATABASE_URL", "AUTH_MAIL", "PORT", "AUTH_DEV"] {
        assert!(shown.lines().any(|line| line.split(' ').next() == Some(setting)), "{setting}:\n{shown}");
    }
    let expiry = shown.lines().find(|line| line.starts_with("AUTH_SESSION_EXPIRES_IN ")).unwrap();
    assert!(expiry.contains("2w") && expiry.ends_with("[environment]"), "{expiry}");
    let secret = shown.lines().find(|line| line.starts_with("BETTER_AUTH_SECRET ")).unwrap();
    assert!(secret.ends_with(&format!("[file {}]", secret_file.display())), "{secret}");

    let all = shown + &text(&output.stderr);
    for hidden in ["hunter", "K4mQz", "A7tYq", "user:"] {
        assert!(!all.contains(hidden), "{hidden} in\n{all}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "config made a file");
}

#[test]
fn secret_prints_43_characters_that_differ_each_time() {
    let secret = || {
        let text = printed(&Start::bare().run(&["secret"]));
        text.strip_suffix('\n').unwrap().to_owned()
    };
    let (one, two) = (secret(), secret());
    assert_eq!(one.len(), 43);
    assert!(one.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'), "{one}");
    assert_ne!(one, two);
    // The program itself must take what it prints, and say nothing about it.
    let output = Start::on("sqlite:///nowhere/auth.db").set("BETTER_AUTH_SECRET", one).run(&["config"]);
    printed(&output);
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn version_is_that_of_the_package() {
    let version = format!("auth-sidecar {}\n", env!("CARGO_PKG_VERSION"));
    // Whatever the environment says.
    let start = Start::bare().set("AUTH_NONSENSE", "1");
    assert_eq!(printed(&start.run(&["version"])), version);
    assert_eq!(printed(&start.run(&["--version"])), version);
}

#[test]
fn healthcheck_tells_a_ready_service_from_one_that_is_not() {
    let db = empty_database(Backend::Sqlite);
    let ready = Start::on(&db.url).ready();
    let check = |port: u16| Start::bare().set("PORT", port).run(&["healthcheck"]);
    let output = check(ready.port);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let url = format!("http://127.0.0.1:{}/api/auth/ok", ready.port);
    assert_eq!(Start::bare().run(&["healthcheck", "--url", &url]).status.code(), Some(0));

    let closed = format!("postgres://auth@127.0.0.1:{}/auth", free_port());
    let waiting = Start::on(&closed).serve();
    let output = check(waiting.port);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(text(&output.stderr).contains("503"), "{output:?}");

    let port = ready.port;
    ready.stop();
    let output = check(port);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(text(&output.stderr).contains("does not answer"), "{output:?}");
}

#[test]
fn healthcheck_gives_a_silent_service_up_within_3_seconds() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let began = std::time::Instant::now();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    assert_eq!(Start::bare().run(&["healthcheck", "--url", &url]).status.code(), Some(1));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

fn migrate_shows_applies_and_repeats(backend: Backend) {
    let db = empty_database(backend);
    let start = Start::on(&db.url);
    let run = |arguments: &[&str]| printed(&start.run(arguments));
    let names: Vec<String> = run(&["migrate", "status"]).lines().map(|l| l.replace("missing ", "")).collect();
    assert!(names.len() >= 2 && names.iter().all(|name| name.starts_with("20")), "{names:?}");

    let sql = run(&["migrate", "print"]);
    assert!(names.iter().all(|name| sql.contains(name.as_str())), "{sql}");
    assert_eq!(tables(&db.url), 0, "a look made tables");

    let applied: Vec<String> = names.iter().map(|name| format!("applied {name}")).collect();
    assert_eq!(
        run(&["migrate", "up"]).lines().collect::<Vec<_>>(),
        [&applied[..], &["the database is up to date".to_owned()]].concat()
    );
    assert_eq!(run(&["migrate", "status"]).lines().collect::<Vec<_>>(), applied);
    assert_eq!(run(&["migrate", "print"]), "");
    // Without a word it is `up`, and a second time it does nothing.
    assert_eq!(run(&["migrate"]), "the database is up to date\n");
    assert_eq!(
        number(&db.url, "SELECT count(*) AS n FROM __diesel_schema_migrations"),
        i64::try_from(names.len()).unwrap()
    );
    // What `up` made is what `serve` wants.
    start.set("AUTH_MIGRATE_ON_START", "false").ready().browser().sign_up("ada");
}

#[test]
fn migrate_shows_applies_and_repeats_sqlite() {
    migrate_shows_applies_and_repeats(Backend::Sqlite);
}

#[test]
fn migrate_shows_applies_and_repeats_postgres() {
    migrate_shows_applies_and_repeats(Backend::Postgres);
}

fn printed_sql_run_by_hand_is_as_good_as_migrate(backend: Backend) {
    let db = empty_database(backend);
    let start = Start::on(&db.url);
    execute(&db.url, &printed(&start.run(&["migrate", "print"])));
    let status = printed(&start.run(&["migrate", "status"]));
    assert!(status.lines().all(|line| line.starts_with("applied ")), "{status}");
    start.set("AUTH_MIGRATE_ON_START", "false").ready().browser().sign_up("ada");
}

#[test]
fn printed_sql_run_by_hand_is_as_good_as_migrate_sqlite() {
    printed_sql_run_by_hand_is_as_good_as_migrate(Backend::Sqlite);
}

#[test]
fn printed_sql_run_by_hand_is_as_good_as_migrate_postgres() {
    printed_sql_run_by_hand_is_as_good_as_migrate(Backend::Postgres);
}

#[test]
fn the_program_needs_no_library_but_the_system_s() {
    let output = std::process::Command::new("ldd").arg(program()).output();
    let Ok(output) = output else { panic!("ldd is part of glibc") };
    let libraries = text(&output.stdout);
    for library in ["libpq", "libssl", "libcrypto", "libsqlite"] {
        assert!(!libraries.contains(library), "{libraries}");
    }
}
