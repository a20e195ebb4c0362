//! `auth-sidecar keys` and `types` beside running services, and R18: what two of them agree on.

use std::fs;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use schema::Backend;
use serde_json::Value;

use crate::command_line::{number, text};
use crate::http::Browser;
use crate::service::{Service, Start, empty_database, eventually};

/// Longer than a running service keeps a key without another look.
const TAKEN_UP: Duration = Duration::from_secs(15);

/// The id of the key that signs the browser's tokens.
fn signing(browser: &mut Browser) -> String {
    let reply = browser.get("/api/auth/token").json();
    let header = reply["token"].as_str().unwrap().split('.').next().unwrap().to_owned();
    let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

fn published(service: &Service) -> Vec<String> {
    let keys = service.browser().get("/api/auth/jwks").json();
    keys["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

/// State by id, as `keys list` prints them.
fn listed(start: &Start) -> Vec<(String, String)> {
    let output = start.run(&["keys", "list"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let word = |line: &str, place: fn(Vec<&str>) -> Option<&str>| {
        place(line.split_whitespace().collect()).unwrap_or_default().to_owned()
    };
    let lines = text(&output.stdout);
    lines.lines().skip(1).map(|line| (word(line, |w| w.first().copied()), word(line, |w| w.last().copied()))).collect()
}

/// The first word of what a run prints.
fn first_word(start: &Start, arguments: &[&str]) -> String {
    let output = start.run(arguments);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    text(&output.stdout).split_whitespace().next().unwrap().to_owned()
}

fn r18_replicas_agree(backend: Backend) {
    let test = empty_database(backend);
    let start = Start::on(&test.url).set("AUTH_JWT_ALG", "RS256");
    // Making an RSA key takes long enough for all to find none: they start on an empty database.
    let replicas: Vec<Service> = (0..3).map(|_| start.launch()).collect();
    for replica in &replicas {
        let ready = || replica.browser().send("GET", "/health/ready", None).is_ok_and(|reply| reply.status == 200);
        assert!(eventually(Duration::from_secs(60), ready), "{}", replica.log());
    }
    let mut ada = replicas[0].browser();
    ada.sign_up("ada");
    let kids: Vec<String> = replicas.iter().map(|replica| signing(&mut ada.at(replica.port))).collect();
    assert!(kids.iter().all(|kid| *kid == kids[0]), "{kids:?}");
    assert_eq!(number(&test.url, "SELECT count(*) AS n FROM jwks"), 1);
    for replica in &replicas {
        assert_eq!(published(replica), [kids[0].clone()]);
    }
}

#[test]
fn r18_replicas_that_start_at_once_sign_with_one_key_sqlite() {
    r18_replicas_agree(Backend::Sqlite);
}

#[test]
fn r18_replicas_that_start_at_once_sign_with_one_key_postgres() {
    r18_replicas_agree(Backend::Postgres);
}

fn r18_rotation(backend: Backend) {
    let test = empty_database(backend);
    let start = Start::on(&test.url);
    let (one, two) = (start.ready(), start.ready());
    let mut ada = one.browser();
    ada.sign_up("ada");
    let old = signing(&mut ada);

    // The new key is known to every backend before it signs anything.
    let next = first_word(&start, &["keys", "rotate"]);
    for replica in [&one, &two] {
        assert_eq!(published(replica), [old.clone(), next.clone()]);
        assert_eq!(signing(&mut ada.at(replica.port)), old);
    }
    assert_eq!(listed(&start), [(next.clone(), "next".to_owned()), (old.clone(), "signing".to_owned())]);

    // In a hurry it signs at once, and what the old one signed stays good.
    let new = first_word(&start, &["keys", "rotate", "--now"]);
    for replica in [&one, &two] {
        assert!(eventually(TAKEN_UP, || signing(&mut ada.at(replica.port)) == new), "{}", replica.log());
        assert!(published(replica).contains(&old));
    }

    // A key that leaked is gone at once, and the set is never empty.
    let instead = start.run(&["keys", "revoke", &new]);
    assert_eq!(instead.status.code(), Some(0), "{instead:?}");
    for replica in [&one, &two] {
        assert!(!published(replica).contains(&new));
        assert!(eventually(TAKEN_UP, || signing(&mut ada.at(replica.port)) != new), "{}", replica.log());
        assert!(published(replica).contains(&signing(&mut ada.at(replica.port))));
    }
    for kid in published(&one) {
        assert_eq!(start.run(&["keys", "revoke", &kid]).status.code(), Some(0));
        assert!(!published(&one).is_empty());
    }
}

#[test]
fn r18_a_key_is_published_before_it_signs_and_revoked_at_once_sqlite() {
    r18_rotation(Backend::Sqlite);
}

#[test]
fn r18_a_key_is_published_before_it_signs_and_revoked_at_once_postgres() {
    r18_rotation(Backend::Postgres);
}

#[test]
fn keys_are_looked_after_only_where_there_are_any() {
    let test = empty_database(Backend::Sqlite);
    let start = Start::on(&test.url);
    let empty = start.run(&["keys", "list"]);
    assert!(empty.status.code() == Some(75) && text(&empty.stderr).contains("auth-sidecar migrate"), "{empty:?}");
    start.ready().stop();
    assert_eq!(start.run(&["keys", "revoke", "nobody"]).status.code(), Some(1));
    let refused = |start: Start, arguments: &[&str]| {
        let output = start.run(arguments);
        (output.status.code(), text(&output.stderr))
    };
    let (code, said) = refused(start.clone().set("AUTH_PLUGINS", "none"), &["keys", "list"]);
    assert!(code == Some(78) && said.contains("AUTH_PLUGINS"), "{said}");
    let shared = start.set("AUTH_JWT_ALG", "HS256").set("AUTH_JWT_SECRET", "q0Zr8Yf1Kx9cJm2TnVb7WdLpEs4HgUaR");
    let (code, said) = refused(shared, &["keys", "rotate"]);
    assert!(code == Some(78) && said.contains("HS256"), "{said}");
}

#[test]
fn p61_a_wrong_secret_is_said_at_the_start_with_the_way_out() {
    let test = empty_database(Backend::Sqlite);
    let service = Start::on(&test.url).ready();
    assert_eq!(published(&service).len(), 1);
    service.stop();
    let wrong = Start::on(&test.url).set("BETTER_AUTH_SECRET", "q0Zr8Yf1Kx9cJm2TnVb7WdLpEs4HgUaR");
    let service = wrong.ready();
    assert!(service.logs("cannot be decrypted") && service.logs("keys rotate"), "{}", service.log());
    let mut ada = service.browser();
    ada.sign_up("ada");
    assert_eq!(ada.get("/api/auth/token").status, 500);
    // From a shell with other secrets than the service has nothing is changed by mistake.
    let refused = wrong.run(&["keys", "rotate"]);
    assert!(refused.status.code() == Some(1) && text(&refused.stderr).contains("nothing was changed"), "{refused:?}");
    assert_eq!(listed(&wrong).len(), 1);
    // The way out it names is one.
    let new = first_word(&wrong, &["keys", "rotate", "--now", "--force"]);
    assert!(eventually(TAKEN_UP, || ada.get("/api/auth/token").status == 200));
    assert_eq!(signing(&mut ada), new);
}

#[test]
fn the_examples_import_what_types_prints() {
    let start = Start::bare().set("AUTH_FIELD_SOFTWARE_BACKGROUND_VALUES", "beginner,intermediate,advanced");
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    for (language, file) in
        [("--ts", "docusaurus-site/src/auth/fields.ts"), ("--pydantic", "fastapi-backend/app/claims.py")]
    {
        let output = start.run(&["types", language]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert_eq!(text(&output.stdout), fs::read_to_string(examples.join(file)).unwrap(), "{file} is out of date");
    }
    assert_eq!(start.run(&["types"]).status.code(), Some(2), "a language has to be named");
}
