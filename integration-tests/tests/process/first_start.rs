//! The program without any settings: dev mode.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::service::Start;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_first_start_makes_what_it_needs_for_its_owner_only_and_says_where() {
    let folder = tempfile::tempdir().unwrap();
    // With the most open mask, only what the program asks for counts.
    let service = Start::bare().in_folder(folder.path()).after("umask 0").ready();
    service.browser().sign_up("ada");

    let data = folder.path().join("data");
    assert_eq!(mode(&data), 0o700);
    let files: BTreeSet<_> = fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(files, ["auth.db", "auth.db-shm", "auth.db-wal", "secret"].map(Into::into).into());
    for file in &files {
        assert_eq!(mode(&data.join(file)), 0o600, "{file:?}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "something beside the data folder");

    let (log, port) = (service.log(), service.port);
    for line in [
        format!("auth-sidecar {} (dev mode)", env!("CARGO_PKG_VERSION")),
        format!("  listening   http://127.0.0.1:{port}"),
        format!("  Better Auth http://localhost:{port}/api/auth"),
        format!("  REST        http://localhost:{port}/auth/register, /login, /token, /me, /profile, /verify"),
        format!("  JWKS        http://localhost:{port}/api/auth/jwks"),
        "  database    SQLite, sqlite://./data/auth.db".to_owned(),
        format!("  trusts      http://localhost:{port}, http://localhost:*, http://127.0.0.1:*"),
        format!("  client      createAuthClient({{ baseURL: \"http://localhost:{port}\" }})"),
    ] {
        assert!(log.lines().any(|l| l == line), "{line:?} is not in\n{log}");
    }
    let secret = fs::read_to_string(data.join("secret")).unwrap();
    assert!(!log.contains(secret.trim()), "{log}");
}

#[test]
fn a_session_of_dev_mode_outlives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let start = Start::bare().in_folder(folder.path());
    let first = start.ready();
    let mut ada = first.browser();
    ada.sign_up("ada");
    let secret = fs::read(folder.path().join("data/secret")).unwrap();
    first.stop();

    let second = start.ready();
    ada.at(second.port).assert_signed_in("ada");
    assert_eq!(fs::read(folder.path().join("data/secret")).unwrap(), secret);
}

#[test]
fn a_session_of_dev_mode_does_not_hold_at_another_data_folder() {
    let folder = tempfile::tempdir().unwrap();
    let start = Start::bare().in_folder(folder.path());
    let first = start.ready();
    let mut ada = first.browser();
    ada.sign_up("ada");
    let other = start.clone().set("AUTH_DATA_DIR", folder.path().join("other").display()).ready();
    assert_eq!(ada.at(other.port).get_session().json(), serde_json::Value::Null);
    assert_eq!(mode(&folder.path().join("other")), 0o700);
}

#[test]
fn dev_mode_beside_a_given_database_keeps_only_its_secret_in_the_data_folder() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("mine.db").display());
    let service = Start::bare().in_folder(folder.path()).set("AUTH_DEV", "true").set("DATABASE_URL", url).ready();
    service.browser().sign_up("ada");
    let data: Vec<_> = fs::read_dir(folder.path().join("data")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(data, ["secret"]);
    assert_eq!(mode(&folder.path().join("mine.db")), 0o600);
}
