//! `auth-sidecar users import` and `export`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use schema::Backend;
use serde_json::{Value, json};

use crate::command_line::{number, text};
use crate::service::{Start, eventually};
use crate::users::{migrated, refused, said, show};

const HORSE: &str = "correct horse battery";

/// A hash of [`HORSE`] of every kind, by the name `users show` gives it.
const HASHES: [(&str, &str); 9] = [
    ("bcrypt", "$2b$04$FNYYpdlHG3cvcZhhPvXgoOLRaQNiPyJx1PgwMj.QXDOyphm17Kdb2"),
    ("bcrypt", "$2a$05$HD7arYwUDTB3ToG4GM/0veHKYSUq01iARnYD/RESzATATnw01bFvy"),
    ("bcrypt", "$2y$06$Un5y7qjzA/ClyPwWXNVrou8TPh8p3ZHGrFS68wN/G4jtC0Uq9pD8O"),
    ("bcrypt-sha256", "$bcrypt-sha256$2a,4$QGExl6aQ1iGtCgjsVYUdq.$vN.7bfg5t5PbN273MpXRoz5KKGJn.SW"),
    ("bcrypt-sha256", "$bcrypt-sha256$2b,5$Hy1rMKV.49nnxbdrDZPWCO$/XuQtMtttvbaQPq5oSoHxb50Y47tAR6"),
    ("bcrypt-sha256", "$bcrypt-sha256$v=2,t=2b,r=4$akeib9OXqtxvVS9XjyvOXe$Vc8DShmJ9.yJcg6x/BCGGiCovFTfQWq"),
    ("argon2", "$argon2id$v=19$m=1024,t=2,p=2$KGVsba1VinFuDSGEsBZibA$xO4LaA1rZ1IflE412LFL+tNbKbJmVQ4u7Nv5jJD78VI"),
    ("argon2", "$argon2i$v=19$m=512,t=3,p=1$dm7NeU/JOcf4HyNkTKn1fg$NcRg0SOCO1VeXG9M4AD+U/utahajGX7DCXIOCoBP5RE"),
    (
        "scrypt",
        "00112233445566778899aabbccddeeff:267a33c2ae63f1c2d542f84d50b7d87c68900c8b9475f6a47ade71cf44b234822e0a34af1d226572b5caf52809319d4c486f3d209cc2fd022fb53bb4eaeb35b1",
    ),
];

/// The last line of standard output without the seconds.
fn summary(output: &Output) -> String {
    let said = text(&output.stdout);
    said.lines().last().unwrap_or_default().rsplit_once(" in ").map(|(counts, _)| counts.to_owned()).unwrap_or(said)
}

/// Runs an import of this text.
fn import(start: &Start, file: &Path, content: impl AsRef<[u8]>, more: &[&str]) -> Output {
    fs::write(file, content).unwrap();
    start.run(&[&["users", "import", file.to_str().unwrap()], more].concat())
}

fn no_secret(output: &Output) {
    let all = text(&[&output.stdout[..], &output.stderr].concat());
    for part in ["$2b$", "$argon2", "$bcrypt", "00112233445566778899", "hunter"] {
        assert!(!all.contains(part), "{part} in {all}");
    }
}

fn every_kind_of_hash_signs_in(backend: Backend) {
    let (_db, start) = migrated(backend);
    let folder = tempfile::tempdir().unwrap();
    let mut csv = String::from("id,email,password_hash,email_verified\n");
    let mut lines = String::new();
    for (n, (_, hash)) in HASHES.iter().enumerate() {
        // The kinds with commas have to be quoted.
        writeln!(csv, "{n},csv{n}@x.co,\"{hash}\",t").unwrap();
        writeln!(lines, "{}", json!({ "email": format!("json{n}@x.co"), "passwordHash": hash })).unwrap();
    }
    for (file, content) in [("users.csv", csv), ("users.jsonl", lines)] {
        let output = import(&start, &folder.path().join(file), content, &[]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert_eq!(summary(&output), "read 9, imported 9, already there 0, rejected 0");
        no_secret(&output);
    }
    let service = start.ready();
    for (n, (kind, _)) in HASHES.iter().enumerate() {
        for address in [format!("csv{n}@x.co"), format!("json{n}@x.co")] {
            assert_eq!(show(&start, &address)["password"], *kind, "{address}");
            let sign_in = |password: &str| {
                let body = json!({ "email": address, "password": password });
                service.browser().post("/api/auth/sign-in/email", &body)
            };
            assert_eq!(sign_in("correct horse").status, 401, "{address}");
            let reply = sign_in(HORSE);
            assert_eq!(reply.status, 200, "{address}: {reply:?}");
        }
        assert_eq!(show(&start, &format!("csv{n}@x.co"))["id"], n.to_string());
    }
}

#[test]
fn every_kind_of_hash_signs_in_sqlite() {
    every_kind_of_hash_signs_in(Backend::Sqlite);
}

#[test]
fn every_kind_of_hash_signs_in_postgres() {
    every_kind_of_hash_signs_in(Backend::Postgres);
}

fn bad_rows_are_kept_with_their_reason_and_the_others_imported(backend: Backend) {
    let (db, start) = migrated(backend);
    let start = start.set("AUTH_FIELD_HARDWARE_BACKGROUND_VALUES", "none,FPGA");
    said(&start, &["migrate"]);
    said(&start, &["users", "create", "--email", "old@x.co"]);
    let folder = tempfile::tempdir().unwrap();
    let (file, rejects) = (folder.path().join("users.csv"), folder.path().join("rejects.csv"));
    let csv = format!(
        "id,email,name,password_hash,hardware_background\n\
         1,a@x.co,\"Ada, \"\"the\nfirst\"\"\",,fpga\n\
         2,A@x.co,,,\n\
         1,b@x.co,,,\n\
         3,old@x.co,,,\n\
         4,nobody,,,\n\
         5,c@x.co,,$1$hunter2,\n\
         6,d@x.co,,{},\n\
         7,e@x.co,,,CPU\n\
         8,f@x.co\n\
         9,g@x.co,Zoë,{},\n",
        HASHES[0].1.replace("$04$", "$31$"),
        HASHES[0].1,
    );
    let reject = rejects.to_str().unwrap();
    let output = import(&start, &file, csv, &["--reject", reject]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(summary(&output), "read 10, imported 2, already there 0, rejected 8");
    assert!(text(&output.stderr).contains(&format!("rejected rows: 8, in {reject}")), "{output:?}");
    no_secret(&output);
    assert_eq!(fs::metadata(&rejects).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(show(&start, "a@x.co")["name"], "Ada, \"the\nfirst\"");
    assert_eq!(show(&start, "a@x.co")["hardware_background"], "FPGA");
    assert_eq!(show(&start, "g@x.co")["name"], "Zoë");

    let kept = fs::read_to_string(&rejects).unwrap();
    assert!(kept.starts_with("reject_line,reject_reason,id,email,name,password_hash,hardware_background\n"), "{kept}");
    let reasons: BTreeMap<&str, &str> = kept
        .lines()
        .skip(1)
        .map(|line| line.split_once(',').unwrap())
        .map(|(line, rest)| {
            (line, rest.strip_prefix('"').map_or_else(|| rest.split(',').next(), |q| q.split('"').next()).unwrap())
        })
        .collect();
    let expected = [
        ("10", "hardware_background must be one of: none, FPGA"),
        ("11", "the row has 2 values, the header 5"),
        ("4", "the address is that of an earlier row"),
        ("5", "the id is that of an earlier row"),
        ("6", "the address belongs to a user with another id"),
        ("7", "email is not an address"),
        ("8", "password_hash: it is malformed or of an unknown kind"),
        ("9", "password_hash: its cost is above the cap"),
    ];
    assert_eq!(reasons.into_iter().collect::<Vec<_>>(), expected);

    // A second run finds the same, and the corrected rows are imported from the file itself.
    let again = start.run(&["users", "import", file.to_str().unwrap(), "--reject", reject]);
    assert_eq!(summary(&again), "read 10, imported 0, already there 2, rejected 8");
    let corrected: Vec<&str> = kept.lines().filter(|line| line.starts_with('r') || line.starts_with("10,")).collect();
    let corrected = corrected.join("\n").replace(",CPU", ",none");
    let output = import(&start, &folder.path().join("again.csv"), corrected, &[]);
    assert_eq!(summary(&output), "read 1, imported 1, already there 0, rejected 0", "{output:?}");
    assert_eq!(number(&db.url, "SELECT count(*) AS n FROM users"), 4);
}

#[test]
fn bad_rows_are_kept_with_their_reason_and_the_others_imported_sqlite() {
    bad_rows_are_kept_with_their_reason_and_the_others_imported(Backend::Sqlite);
}

#[test]
fn bad_rows_are_kept_with_their_reason_and_the_others_imported_postgres() {
    bad_rows_are_kept_with_their_reason_and_the_others_imported(Backend::Postgres);
}

#[test]
fn files_that_cannot_be_read_as_users_change_nothing() {
    let (db, start) = migrated(Backend::Sqlite);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("users.csv");
    let path = file.to_str().unwrap();
    let refuse = |content: &str, more: &[&str]| {
        let output = import(&start, &file, content, more);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        no_secret(&output);
        text(&output.stderr)
    };
    assert!(refused(&start, &["users", "import", "/nowhere/users.csv"]).contains("/nowhere/users.csv: No such file"));
    assert!(refused(&start, &["users", "import", "-"]).contains("--format"));
    assert!(refuse("", &[]).contains("is empty"));
    assert!(
        refuse("email,hashed_password,is_superuser\n", &[]).contains("unknown columns: hashed_password, is_superuser")
    );
    assert!(refuse("email\na@x.co\n", &["--reject", path]).contains("a file of their own"));
    let other = folder.path().join("other.csv");
    fs::write(&other, "precious\n").unwrap();
    assert!(refuse("email\na@x.co\n", &["--reject", other.to_str().unwrap()]).contains("not made by an import"));
    assert_eq!(fs::read_to_string(&other).unwrap(), "precious\n");
    // Without a file the reasons are told.
    assert!(refuse("email,password_hash\nb@x.co,hunter2\n", &[]).contains("line 2: password_hash: it is malformed"));
    assert_eq!(number(&db.url, "SELECT count(*) AS n FROM users"), 0);
    // A dry run as well.
    let output = import(&start, &file, "email,wage\na@x.co,1\na@x.co,1\n", &["--dry-run", "--ignore-unknown"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(summary(&output), "nothing written: read 2, to import 1, already there 0, rejected 1");
    assert_eq!(number(&db.url, "SELECT count(*) AS n FROM users"), 0);
}

fn what_the_database_refuses_is_rejected_alone(backend: Backend) {
    let (_db, start) = migrated(backend);
    // A rule that the importing program does not know of.
    said(&start.clone().set("AUTH_FIELD_HARDWARE_BACKGROUND_VALUES", "none,FPGA"), &["migrate"]);
    let folder = tempfile::tempdir().unwrap();
    let csv = "email,hardware_background\na@x.co,none\nb@x.co,CPU\nc@x.co,FPGA\n";
    let output = import(&start, &folder.path().join("users.csv"), csv, &[]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(summary(&output), "read 3, imported 2, already there 0, rejected 1");
    let reason = "line 3: a value is not allowed (users_hardware_background_check)";
    assert!(text(&output.stderr).contains(reason), "{output:?}");
}

#[test]
fn what_the_database_refuses_is_rejected_alone_sqlite() {
    what_the_database_refuses_is_rejected_alone(Backend::Sqlite);
}

#[test]
fn what_the_database_refuses_is_rejected_alone_postgres() {
    what_the_database_refuses_is_rejected_alone(Backend::Postgres);
}

fn update_changes_who_is_there(backend: Backend) {
    let (_db, start) = migrated(backend);
    let start = start.set("AUTH_USER_FIELDS", "plan,team");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("users.jsonl");
    let first = json!({ "id": "1", "email": "a@x.co", "name": "Ada", "software_background": "C", "plan": "free", "team": "red" });
    assert!(import(&start, &file, first.to_string(), &[]).status.success());
    let before = show(&start, "1");
    let second =
        json!({ "email": "A@X.co", "plan": "gold", "software_background": null, "password_hash": HASHES[0].1 });
    let third = json!({ "id": "2", "email": "b@x.co" });
    let content = format!("{second}\n{third}\n");
    let output = import(&start, &file, &content, &[]);
    assert_eq!(summary(&output), "read 2, imported 1, already there 1, rejected 0");
    assert_eq!(show(&start, "1"), before);
    let output = import(&start, &file, &content, &["--update"]);
    assert_eq!(summary(&output), "read 2, imported 0, updated 2, rejected 0", "{output:?}");
    let after = show(&start, "1");
    assert_eq!(
        (&after["name"], &after["created_at"], &after["team"]),
        (&json!("Ada"), &before["created_at"], &json!("red"))
    );
    assert_eq!(
        (&after["plan"], &after["software_background"], &after["password"]),
        (&json!("gold"), &Value::Null, &json!("bcrypt"))
    );
}

#[test]
fn update_changes_who_is_there_sqlite() {
    update_changes_who_is_there(Backend::Sqlite);
}

#[test]
fn update_changes_who_is_there_postgres() {
    update_changes_who_is_there(Backend::Postgres);
}

fn a_killed_import_is_finished_by_the_same_command(backend: Backend) {
    const ROWS: i64 = 30_000;
    let (db, start) = migrated(backend);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("users.csv");
    let mut csv = String::from("email,name,password_hash\n");
    for n in 0..ROWS {
        writeln!(csv, "user{n}@x.co,User {n},{}", HASHES[0].1).unwrap();
    }
    fs::write(&file, csv).unwrap();
    let arguments = ["users", "import", file.to_str().unwrap()];
    let users = || number(&db.url, "SELECT count(*) AS n FROM users");
    let mut child = start.begin(&arguments, Stdio::null());
    let some = eventually(Duration::from_secs(60), || users() >= 1000);
    child.kill().unwrap();
    child.wait().unwrap();
    let there = users();
    assert!(some && there < ROWS, "{there}");
    let halves = "SELECT count(*) AS n FROM users WHERE NOT EXISTS (SELECT 1 FROM accounts WHERE user_id = users.id)";
    assert_eq!(number(&db.url, halves), 0);

    let output = start.run(&arguments);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    // The last batch may have been written after the count.
    let numbers: Vec<i64> =
        summary(&output).split(", ").map(|part| part.rsplit(' ').next().unwrap().parse().unwrap()).collect();
    let [read, imported, found, rejected] = numbers[..] else { panic!("{output:?}") };
    assert!(read == ROWS && imported > 0 && found >= there && imported + found == ROWS && rejected == 0, "{output:?}");
    assert_eq!(users(), ROWS);
    assert_eq!(number(&db.url, "SELECT count(*) AS n FROM accounts"), ROWS);
    assert_eq!(number(&db.url, halves), 0);
    assert!(text(&output.stderr).contains("10000 rows read, 0 rejected\n"), "{output:?}");
}

#[test]
fn a_killed_import_is_finished_by_the_same_command_sqlite() {
    a_killed_import_is_finished_by_the_same_command(Backend::Sqlite);
}

#[test]
fn a_killed_import_is_finished_by_the_same_command_postgres() {
    a_killed_import_is_finished_by_the_same_command(Backend::Postgres);
}

fn an_export_is_imported_as_it_was(backend: Backend) {
    let settings = |start: Start| {
        start
            .set("AUTH_USER_FIELDS", "age,pro,tags")
            .set("AUTH_FIELD_AGE_TYPE", "number")
            .set("AUTH_FIELD_PRO_TYPE", "boolean")
            .set("AUTH_FIELD_TAGS_TYPE", "string[]")
            .set("AUTH_FIELD_SOFTWARE_BACKGROUND_KEY", "softwareBackground")
    };
    let (_db, start) = migrated(backend);
    let start = settings(start);
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let mut lines = String::new();
    for n in 0..1203 {
        let name = ["Ada, \"A\"", "Zoë\r\nÜ 🦀", "", " x "][n % 4];
        let user = json!({
            "id": format!("id{n}"), "email": format!("user{n}@x.co"), "name": name, "email_verified": n % 2 == 0,
            "image": (n % 3 == 0).then_some("https://x.co/a.png"),
            "created_at": format!("2024-02-03T04:05:{:02}.{:03}Z", n % 60, n % 1000), "updated_at": "2025-01-01 00:00:00+01",
            "password_hash": (n % 5 != 0).then_some(HASHES[n % HASHES.len()].1),
            "softwareBackground": (n % 2 == 0).then_some("C, \"C++\"\nRust"),
            "age": (n % 7 != 0).then_some(n), "pro": n % 2 == 1, "tags": ["a,b", "\"c\"", "ü"],
        });
        writeln!(lines, "{user}").unwrap();
    }
    let output = start.run_with(&["users", "import", "-", "--format", "jsonl"], lines.as_bytes());
    assert_eq!(output.status.code(), Some(0), "{output:?}");

    said(&start, &["users", "ban", "user7@x.co", "--reason", "spam", "--until", "2130-01-01T00:00:00Z"]);
    let whole = said(&start, &["users", "export", "--format", "jsonl", "--hashes"]);
    assert!(whole.contains(r#""banned":true,"ban_reason":"spam","ban_expires":"2130-01-01T00:00:00.000Z""#), "{whole}");
    assert_eq!(whole.lines().count(), 1203);
    for format in ["csv", "jsonl"] {
        let file = path(&format!("users.{format}"));
        said(&start, &["users", "export", "--hashes", &file]);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!Path::new(&format!("{file}.partial")).exists());
        assert!(refused(&start, &["users", "export", &file]).contains("exists already"));
        let (_other_db, other) = migrated(backend);
        let other = settings(other);
        let output = other.run(&["users", "import", &file]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert_eq!(said(&other, &["users", "export", "--format", "jsonl", "--hashes"]), whole, "{format}");

        // Without the flag no hash leaves.
        let plain = said(&start, &["users", "export", "--format", format, "-"]);
        assert!(plain.contains("user7@x.co") && !plain.contains("password"), "{format}");
        for (_, hash) in HASHES {
            assert!(!plain.contains(hash));
        }
    }
}

#[test]
fn an_export_is_imported_as_it_was_sqlite() {
    an_export_is_imported_as_it_was(Backend::Sqlite);
}

#[test]
fn an_export_is_imported_as_it_was_postgres() {
    an_export_is_imported_as_it_was(Backend::Postgres);
}
