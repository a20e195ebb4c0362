//! A look that changes nothing, and what the server says of itself.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use schema::inspect::server_facts;
use schema::test_support::TestDb;
use schema::{Backend, Db, DbConfig, DbError, migrations, on_both_databases, users};

use crate::support::user;

on_both_databases! {
    async fn a_look_reads_but_cannot_write(test: TestDb) {
        test.db.write(|c| users::insert_user(c, &user("ada"))).await.unwrap();
        let looking = Db::open_to_look(DbConfig::new(test.url.clone())).unwrap();
        assert_eq!(looking.backend(), test.backend);
        let ada = looking.read(|c| users::find_user_by_email(c, "ada@example.com")).await.unwrap();
        assert!(ada.is_some());
        assert_eq!(migrations::pending(&looking).await.unwrap(), [""; 0]);
        let refused = looking.write(|c| users::insert_user(c, &user("bob"))).await;
        assert!(matches!(refused, Err(DbError::Unavailable(_))), "{refused:?}");
    }
}

on_both_databases! {
    async fn the_server_tells_version_and_time(test: TestDb) {
        let facts = test.db.read(server_facts).await.unwrap();
        #[expect(clippy::disallowed_methods, reason = "the server's clock is that of this machine")]
        let now = chrono::Utc::now().timestamp_millis();
        assert!((facts.now_ms - now).abs() < 60_000, "{facts:?} at {now}");
        assert_eq!(facts.version_number >= 130_000, test.backend == Backend::Postgres, "{facts:?}");
        assert!(facts.version.starts_with(|c: char| c.is_ascii_digit()), "{facts:?}");
    }
}

#[tokio::test]
async fn a_look_neither_makes_a_file_nor_changes_its_mode() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("my#auth?.db");
    let looking = || Db::open_to_look(DbConfig::new(format!("sqlite://{}", path.display())));
    assert!(looking().is_err(), "what looks like options is refused");
    let path = folder.path().join("my 100% auth.db");
    let url = format!("sqlite://{}", path.display());
    let looking = || Db::open_to_look(DbConfig::new(url.clone())).unwrap();
    assert!(looking().ping().await.is_err());
    assert!(!path.exists());
    Db::open(DbConfig::new(url.clone())).unwrap().ping().await.unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    looking().read(server_facts).await.unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
}
