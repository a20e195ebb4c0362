use super::*;

fn parse(url: &str) -> Result<Target, DbUrlError> {
    Target::parse(url, Duration::from_secs(5))
}

fn postgres_url(url: &str) -> String {
    match parse(url) {
        Ok(Target::Postgres { url }) => url,
        _ => panic!("not a PostgreSQL URL"),
    }
}

fn sqlite_path(url: &str) -> PathBuf {
    match parse(url) {
        Ok(Target::Sqlite { path, .. }) => path,
        _ => panic!("not a SQLite URL"),
    }
}

const ADDED: &str = "application_name=auth-sidecar&connect_timeout=2&keepalives=1&keepalives_idle=5\
                     &keepalives_interval=2&keepalives_count=3&tcp_user_timeout=10000";

#[test]
fn two_slashes_are_a_relative_and_three_an_absolute_path() {
    assert_eq!(sqlite_path("sqlite://data/auth.db"), Path::new("./data/auth.db"));
    assert_eq!(sqlite_path("sqlite:///var/lib/auth.db"), Path::new("/var/lib/auth.db"));
    // Never read by SQLite as a URI of its own.
    assert_eq!(sqlite_path("sqlite://file:x"), Path::new("./file:x"));
}

#[test]
fn urls_of_no_known_form_are_refused_without_showing_them() {
    for (url, expected) in [
        ("data/auth.db", DbUrlError::NoScheme),
        ("sqlite:data/auth.db", DbUrlError::NoScheme),
        ("", DbUrlError::NoScheme),
        ("user:hunter2@host://x", DbUrlError::NoScheme),
        ("mysql://u:hunter2@host/db", DbUrlError::UnknownScheme("mysql".to_owned())),
        ("postgresql+asyncpg://u:hunter2@h/db", DbUrlError::UnknownScheme("postgresql+asyncpg".to_owned())),
        ("sqlite://", DbUrlError::NoFile),
        ("sqlite://:memory:", DbUrlError::NoFile),
        ("sqlite:///var/lib/", DbUrlError::NoFile),
        ("sqlite://data/auth.db?mode=ro", DbUrlError::SqliteOptions),
    ] {
        let error = parse(url).err();
        assert_eq!(error.as_ref(), Some(&expected), "{url}");
        assert!(!format!("{error:?} {expected}").contains("hunter2"));
    }
}

#[test]
fn limits_are_added_to_a_postgres_url() {
    assert_eq!(postgres_url("postgres://u:p@h/db"), format!("postgres://u:p@h/db?{ADDED}"));
    assert_eq!(postgres_url("postgresql://u:p@h1:1,h2:2/db?"), format!("postgresql://u:p@h1:1,h2:2/db?{ADDED}"));
    assert_eq!(
        postgres_url("postgres:///db?host=/run/postgresql"),
        format!("postgres:///db?host=/run/postgresql&{ADDED}")
    );
}

#[test]
fn a_question_mark_in_the_password_is_no_query() {
    assert_eq!(postgres_url("postgres://u:p?w@h/db"), format!("postgres://u:p?w@h/db?{ADDED}"));
}

#[test]
fn limits_given_by_the_user_stay() {
    let url = postgres_url("postgres://h/db?connect_timeout=9&keepalives=0");
    assert!(url.starts_with("postgres://h/db?connect_timeout=9&keepalives=0&"), "{url}");
    assert!(!url.contains("connect_timeout=2") && !url.contains("keepalives=1"), "{url}");
}

#[test]
fn a_verifying_connection_is_told_where_the_certificates_are() {
    let Some(file) = openssl_probe::probe().cert_file else { return };
    let named = format!("sslrootcert={}", file.display());
    for mode in ["verify-ca", "verify-full"] {
        assert!(postgres_url(&format!("postgres://h/db?sslmode={mode}")).contains(&named));
    }
    let system = postgres_url("postgres://h/db?sslrootcert=system");
    assert!(system.contains(&named) && system.contains("sslmode=verify-full"), "{system}");
    let own = postgres_url("postgres://h/db?sslmode=verify-full&sslrootcert=/my/ca.pem");
    assert!(own.contains("sslrootcert=/my/ca.pem") && !own.contains(&named), "{own}");
    assert!(!postgres_url("postgres://h/db?sslmode=require").contains("sslrootcert"));
}

#[test]
fn a_url_libpq_cannot_read_is_not_repeated() {
    let error = ConnectionError::BadConnection("invalid percent-encoded token: \"hunter%2\"".to_owned());
    assert!(!ConnectError::from(error).to_string().contains("hunter"));
    let target = parse("postgres://u:hunter%ZZ@localhost/db").unwrap();
    let error = target.connect(None).err().unwrap();
    assert_eq!(error.to_string(), "the database URL cannot be read");
}
