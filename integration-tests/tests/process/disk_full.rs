//! SQLite when files cannot grow any more: a limit on the process stands in for a full disk.

use std::process::Command;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use schema::Backend;
use serde_json::json;

use crate::command_line::{file_of, number};
use crate::service::{Service, Start, empty_database};

/// Sets how many bytes a file of the running program may have.
fn limit_files(service: &Service, bytes: &str) {
    let (pid, limit) = (service.pid().to_string(), format!("--fsize={bytes}:unlimited"));
    let status = Command::new("prlimit").args(["--pid", &pid, &limit]).status().expect("prlimit is part of util-linux");
    assert!(status.success());
}

#[test]
fn a_full_disk_fails_writes_alone_and_only_while_it_is_full() {
    let db = empty_database(Backend::Sqlite);
    // Else the signal that comes with the limit would end the program, as no full disk does.
    let start = Start::on(&db.url).after("trap '' XFSZ");
    let service = start.ready();
    let mut ada = service.browser();
    ada.sign_up("ada");
    // Somebody reads all the time: else SQLite would empty its log in between, and there were room again.
    let mut reader = SqliteConnection::establish(file_of(&db.url)).unwrap();
    reader.batch_execute("BEGIN; SELECT count(*) FROM users").unwrap();
    let size = std::fs::metadata(format!("{}-wal", file_of(&db.url))).unwrap().len();
    limit_files(&service, &(size + 40_000).to_string());

    let full = (0..200).find_map(|n| {
        let reply = ada.post("/api/auth/update-user", &json!({ "name": format!("{n}-{}", "x".repeat(2000)) }));
        (reply.status != 200).then_some(reply)
    });
    let full = full.expect("the limit was never reached");
    full.assert_unavailable(Duration::from_millis(3500));
    for _ in 0..5 {
        service
            .browser()
            .post("/api/auth/sign-up/email", &crate::http::sign_up_body("bob"))
            .assert_unavailable(Duration::from_secs(5));
        ada.sign_out().assert_unavailable(Duration::from_millis(3500));
        ada.assert_signed_in("ada");
        assert_eq!(service.readiness(), 200, "sessions can be read");
    }

    reader.batch_execute("ROLLBACK").unwrap();
    limit_files(&service, "unlimited");
    assert_eq!(ada.post("/api/auth/update-user", &json!({ "name": "Ada" })).status, 200);
    service.browser().sign_up("bob");
    service.stop();

    let integrity = "SELECT count(*) AS n FROM pragma_integrity_check WHERE integrity_check = 'ok'";
    assert_eq!(number(&db.url, integrity), 1);
    let service = start.ready();
    let mut ada = ada.at(service.port);
    assert_eq!(ada.get_session().json()["user"]["name"], "Ada");
    assert_eq!(service.browser().sign_in("bob").status, 200);
    // Not even an empty row of what failed: the two and nobody else.
    assert_eq!(number(&db.url, "SELECT count(*) AS n FROM users"), 2);
}
