//! P14–P16: hashes that other programs stored, and hashes that are none.

use std::collections::BTreeSet;

use auth_sidecar::password::{HashPolicy, Scheme, SharedWith, Verdict, verify};
use integration_tests::{Reply, TestApp, email, on_both_databases};
use serde_json::json;

use super::support::{Log, PATIENCE, store_hash, stored_hash};

const HORSE: &str = "correct horse battery";
const DECOMPOSED: &str = "pa\u{308}sswo\u{308}rd";
const DIGITS_90: &str = "012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789";

/// passlib 1.7.4's `bcrypt` of [`DIGITS_90`]: it covers 72 of the 90 bytes.
const CUT: &str = "$2b$04$hL4rG3vcuI68HUFRAhrFGuuGnBCu.lUN9mK/sqtAKEb6GhiSU.hPK";

/// Who made it, the password, the hash, and whether a policy of bcrypt with cost 4 replaces it.
const IMPORTED: [(&str, &str, &str, bool); 15] = [
    ("passlib 1.7.4 bcrypt", HORSE, "$2b$04$FNYYpdlHG3cvcZhhPvXgoOLRaQNiPyJx1PgwMj.QXDOyphm17Kdb2", false),
    ("passlib 1.7.4 bcrypt", HORSE, "$2a$05$HD7arYwUDTB3ToG4GM/0veHKYSUq01iARnYD/RESzATATnw01bFvy", false),
    ("passlib 1.7.4 bcrypt", HORSE, "$2y$06$Un5y7qjzA/ClyPwWXNVrou8TPh8p3ZHGrFS68wN/G4jtC0Uq9pD8O", false),
    ("passlib 1.7.4 bcrypt", HORSE, "$2b$10$7JsL2Z5BF7Jwc/.GXL9cQunReUSP4V4iB93f7a/NnVQ0jxQnU225u", false),
    ("passlib 1.7.4 bcrypt", DECOMPOSED, "$2b$04$6rqRifE1HERi.5Pc5VYb7u3OMSnMzVSfVOjgFKC5P2xslVDH8..5y", true),
    (
        "passlib 1.7.4 bcrypt_sha256 v1",
        HORSE,
        "$bcrypt-sha256$2a,4$QGExl6aQ1iGtCgjsVYUdq.$vN.7bfg5t5PbN273MpXRoz5KKGJn.SW",
        true,
    ),
    (
        "passlib 1.7.4 bcrypt_sha256 v1",
        DIGITS_90,
        "$bcrypt-sha256$2b,4$c4puxlBYoOrRCzfRehX5xe$LmsNEjhlJjlJ65vItp.s9n0qryN4h4W",
        true,
    ),
    (
        "passlib 1.7.4 bcrypt_sha256",
        HORSE,
        "$bcrypt-sha256$v=2,t=2b,r=4$akeib9OXqtxvVS9XjyvOXe$Vc8DShmJ9.yJcg6x/BCGGiCovFTfQWq",
        false,
    ),
    (
        "passlib 1.7.4 bcrypt_sha256",
        DIGITS_90,
        "$bcrypt-sha256$v=2,t=2b,r=4$xRiOZCMdDDFRtSWVNx/BpO$KUe1gk/cSPbqRHnzdv0h11cVgnG1jUa",
        false,
    ),
    (
        "passlib 1.7.4 argon2",
        HORSE,
        "$argon2i$v=19$m=512,t=3,p=1$dm7NeU/JOcf4HyNkTKn1fg$NcRg0SOCO1VeXG9M4AD+U/utahajGX7DCXIOCoBP5RE",
        true,
    ),
    (
        "argon2-cffi 25.1.0",
        HORSE,
        "$argon2id$v=19$m=19456,t=2,p=1$DcsGRkCU5Tbqht5srhwsiQ$ohwd+/Y5sK54IcddkcEOSA7B5LbZCf5hudd/ZMETQy4",
        true,
    ),
    (
        "pwdlib 0.3.1 recommended",
        HORSE,
        "$argon2id$v=19$m=65536,t=3,p=4$/3Hc9KLPa/Bzg7iD+8eXcg$6/AkgePOgb7Mfw1nfiFYnoM8XGE/XeXyP1zpog32JIU",
        true,
    ),
    ("pwdlib 0.3.1 bcrypt", HORSE, "$2b$04$4cRT5xct0dixiBGCFMtBoOsF07TXni5pfWXE3zfHo4ZZybfDfsVM6", false),
    ("pwdlib 0.3.1 bcrypt", DECOMPOSED, "$2b$04$24NEEPk0CPTVSX2mLEFzZu1jIzEg2iab2iHYCk68UcBtxoqc76eeG", true),
    ("better-auth 1.7.25", HORSE, BETTER_AUTH, true),
];

const BETTER_AUTH: &str = "00112233445566778899aabbccddeeff:267a33c2ae63f1c2d542f84d50b7d87c68900c8b9475f6a47ade71cf44b234822e0a34af1d226572b5caf52809319d4c486f3d209cc2fd022fb53bb4eaeb35b1";

/// Malformed, of unknown kinds, or so expensive that checking one would stop a thread for minutes to years.
const REFUSED: [&str; 32] = [
    "",
    " ",
    "x",
    ":",
    "a:",
    ":a",
    "zz:zz",
    "a:b:c",
    "::",
    "$",
    "$$",
    "$2b$",
    "$2b$10",
    "$2b$10$",
    "$2b$99$abcdefghijklmnopqrstuvqREtd3VJD2QVZbuFskFSLk6eRIrQoOS",
    "$2b$31$abcdefghijklmnopqrstuvqREtd3VJD2QVZbuFskFSLk6eRIrQoOS",
    "$2b$16$abcdefghijklmnopqrstuvqREtd3VJD2QVZbuFskFSLk6eRIrQoOS",
    "$2b$03$abcdefghijklmnopqrstuvqREtd3VJD2QVZbuFskFSLk6eRIrQoOS",
    "$2b$-1$abcdefghijklmnopqrstuvqREtd3VJD2QVZbuFskFSLk6eRIrQoOS",
    "$2b$04$äbcdefghijklmnopqrstuvqREtd3VJD2QVZbuFskFSLk6eRIrQoOS",
    "$2x$04$abcdefghijklmnopqrstuvqREtd3VJD2QVZbuFskFSLk6eRIrQoOS",
    "$bcrypt-sha256$v=2,t=2b,r=31$akeib9OXqtxvVS9XjyvOXe$Vc8DShmJ9.yJcg6x/BCGGiCovFTfQWq",
    "$bcrypt-sha256$v=3,t=2b,r=4$akeib9OXqtxvVS9XjyvOXe$Vc8DShmJ9.yJcg6x/BCGGiCovFTfQWq",
    "$argon2id$v=19$m=4194304,t=2,p=1$DcsGRkCU5Tbqht5srhwsiQ$ohwd+/Y5sK54IcddkcEOSA7B5LbZCf5hudd/ZMETQy4",
    "$argon2id$v=19$m=64,t=4294967295,p=1$DcsGRkCU5Tbqht5srhwsiQ$ohwd+/Y5sK54IcddkcEOSA7B5LbZCf5hudd/ZMETQy4",
    "$argon2id$v=19$m=200000,t=1,p=16777215$DcsGRkCU5Tbqht5srhwsiQ$ohwd+/Y5sK54IcddkcEOSA7B5LbZCf5hudd/ZMETQy4",
    "$argon2id$v=19$m=0,t=0,p=0$DcsGRkCU5Tbqht5srhwsiQ$ohwd+/Y5sK54IcddkcEOSA7B5LbZCf5hudd/ZMETQy4",
    "$argon2id$",
    "$argon2d$v=19$m=1024,p=1,t=3$KVGYHCXnmKE3vKnrA8ArHg$/W2UfZl88zD2jhlojsUESv6xuLpXR6aPaKieFLrT0V0",
    "$pbkdf2-sha256$29000$abc$def",
    "{SSHA}abcdef",
    "correct horse battery",
];

async fn sign_in(app: &TestApp, password: &str) -> Reply {
    app.browser().post("/sign-in/email", json!({ "email": email("ada"), "password": password })).await
}

/// The passwords of `vectors.tsv` by name.
fn named(name: &str) -> String {
    let digits = |n: usize| (0..n).map(|n| char::from(b'0' + u8::try_from(n % 10).unwrap())).collect::<String>();
    match name {
        "HORSE" => HORSE.to_owned(),
        "NFC" => DECOMPOSED.to_owned(),
        "NFKC" => "\u{fb01}sh & chips \u{2460}".to_owned(),
        "MULTI" => format!("{}xyz", "\u{e4}".repeat(35)),
        digits_name => digits(digits_name.strip_prefix('B').unwrap().parse().unwrap()),
    }
}

/// Another password than `password`, as `vectors.tsv` names it.
fn other(password: &str, name: &str) -> String {
    match name {
        "longer" => format!("{password}x"),
        "71" => password[..71].to_owned(),
        "72" => password[..72].to_owned(),
        "tail" => format!("{}another tail", &password[..72]),
        "nfc" => "p\u{e4}ssw\u{f6}rd".to_owned(),
        "nfkc" => "fish & chips 1".to_owned(),
        "xyw" => password.replace("xyz", "xyw"),
        _ => password.replace("xyz", "xww"),
    }
}

/// The rules of each maker hold: what opened a hash there opens it here, bcrypt's cut after 72 bytes included, and nothing
/// else does.
#[test]
fn p14_p15_p16_hashes_of_passlib_pwdlib_fastapi_users_and_npm_open_as_they_did_there() {
    let policy =
        HashPolicy { scheme: Scheme::Bcrypt, bcrypt_cost: 4, shared_with: SharedWith::Program, replaces: false };
    let right = |password: &str, hash: &str| verify(&policy, password, hash) != Verdict::Wrong;
    let mut makers = BTreeSet::new();
    for line in include_str!("vectors.tsv").lines().skip(1) {
        let [maker, name, hash, also, never] = line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        let password = named(name);
        assert!(right(&password, hash), "{maker}: {name}");
        assert!(!right(password.get(1..).unwrap_or(""), hash), "{maker}: {name} without its beginning");
        for name in also.split(' ').filter(|name| *name != "-") {
            assert!(right(&other(&password, name), hash), "{maker}: {password} {name}");
        }
        for name in never.split(' ').filter(|name| *name != "-") {
            assert!(!right(&other(&password, name), hash), "{maker}: {password} {name}");
        }
        makers.extend(["passlib", "pwdlib", "fastapi-users", "npm"].into_iter().find(|start| maker.starts_with(start)));
    }
    assert_eq!(makers.len(), 4);
}

on_both_databases! {
    async fn p14_a_hash_of_a_cut_password_is_replaced_by_one_of_the_whole(db: TestDb) {
        let app = TestApp::builder().start(db).await;
        app.browser().sign_up("ada").await;
        store_hash(&app, &email("ada"), Some(CUT)).await;
        let other_tail = format!("{}xxxxxxxxxxxxxxxxxx", &DIGITS_90[..72]);
        // What the other program accepted is accepted once, or nobody with such a hash could sign in.
        assert_eq!(sign_in(&app, &DIGITS_90[..71]).await.status, 401);
        assert_eq!(stored_hash(&app, &email("ada")).await, CUT);
        assert_eq!(sign_in(&app, DIGITS_90).await.status, 200);
        let renewed = stored_hash(&app, &email("ada")).await;
        assert!(renewed.starts_with("$bcrypt-sha256$v=2,t=2b,r=4$"), "{renewed}");
        assert_eq!(sign_in(&app, &other_tail).await.status, 401);
        assert_eq!(sign_in(&app, &DIGITS_90[..72]).await.status, 401);
        assert_eq!(sign_in(&app, DIGITS_90).await.status, 200);
        assert_eq!(stored_hash(&app, &email("ada")).await, renewed);
    }

    async fn p15_the_right_password_opens_every_imported_hash_and_a_wrong_one_none(db: TestDb) {
        let app = TestApp::builder().set("AUTH_SIGN_IN_ATTEMPTS", 0).start(db).await;
        app.browser().sign_up("ada").await;
        for (made_by, password, stored, rehash) in IMPORTED {
            store_hash(&app, &email("ada"), Some(stored)).await;
            let stolen = &stored[..stored.len().min(128)];
            for wrong in [&password[1..], &format!("{password}x"), stolen, ""] {
                assert_eq!(sign_in(&app, wrong).await.status, 401, "{made_by} {stored}: {wrong}");
            }
            assert_eq!(stored_hash(&app, &email("ada")).await, stored, "{made_by}");
            assert_eq!(sign_in(&app, password).await.status, 200, "{made_by} {stored}");
            let after = stored_hash(&app, &email("ada")).await;
            assert_eq!(after != stored, rehash, "{made_by} {stored}");
            if rehash {
                let own = if password.len() < 72 { "$2b$04$" } else { "$bcrypt-sha256$v=2,t=2b,r=4$" };
                assert!(after.starts_with(own), "{made_by}: {after}");
                assert_eq!(sign_in(&app, password).await.status, 200, "{made_by}, renewed");
                assert_eq!(sign_in(&app, "wrong-horse-1").await.status, 401, "{made_by}, renewed");
            }
        }
    }

    async fn p15_a_right_password_is_moved_to_the_configured_scheme(db: TestDb) {
        // One row for both schemes: the first app's is what the second one finds.
        let app = TestApp::builder().set("AUTH_PASSWORD_HASH", "argon2id").start(db).await;
        app.browser().sign_up("ada").await;
        for (made_by, password, stored, _) in IMPORTED {
            store_hash(&app, &email("ada"), Some(stored)).await;
            assert_eq!(sign_in(&app, password).await.status, 200, "{made_by} {stored}");
            let after = stored_hash(&app, &email("ada")).await;
            assert!(after.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{made_by}: {after}");
        }
    }

    async fn p15_better_auths_own_scheme_can_be_kept(db: TestDb) {
        let app = TestApp::builder().set("AUTH_PASSWORD_HASH", "scrypt").start(db).await;
        app.browser().sign_up("ada").await;
        store_hash(&app, &email("ada"), Some(BETTER_AUTH)).await;
        assert_eq!(sign_in(&app, HORSE).await.status, 200);
        assert_eq!(stored_hash(&app, &email("ada")).await, BETTER_AUTH);
        let (_, _, bcrypt, _) = IMPORTED[0];
        store_hash(&app, &email("ada"), Some(bcrypt)).await;
        assert_eq!(sign_in(&app, HORSE).await.status, 200);
        let after = stored_hash(&app, &email("ada")).await;
        let (salt, key) = after.split_once(':').unwrap();
        assert_eq!((salt.len(), key.len()), (32, 128), "{after}");
    }

    async fn p16_a_hash_that_is_none_or_too_expensive_is_a_wrong_password(db: TestDb) {
        let log = Log::capture();
        let app = TestApp::builder().set("AUTH_SIGN_IN_ATTEMPTS", 0).start(db).await;
        app.browser().sign_up("ada").await;
        for stored in REFUSED {
            store_hash(&app, &email("ada"), Some(stored)).await;
            let alarms = log.text().matches("a stored password hash is refused").count();
            for password in [HORSE, stored, "", "wrong-horse-1"] {
                // The dearest of them would take years.
                let reply = tokio::time::timeout(PATIENCE, sign_in(&app, password)).await.expect("no work is done");
                assert!(reply.status == 401 || reply.code() == "PASSWORD_TOO_LONG", "{stored:?}: {}", reply.status);
            }
            assert_eq!(stored_hash(&app, &email("ada")).await, stored);
            let text = log.text();
            assert!(text.matches("a stored password hash is refused").count() > alarms, "no alarm for {stored:?}");
            assert!(stored.len() < 20 || !text.contains(stored), "the log shows {stored}");
        }
        // A user like that is not lost: a reset gives a hash that works.
        store_hash(&app, &email("ada"), Some(IMPORTED[0].2)).await;
        assert_eq!(sign_in(&app, HORSE).await.status, 200);
    }

    async fn p16_a_very_long_stored_hash_is_a_wrong_password(db: TestDb) {
        let app = TestApp::builder().start(db).await;
        app.browser().sign_up("ada").await;
        for unit in ["a", "$", ":", "$2b$", "ab:", "$argon2id$"] {
            store_hash(&app, &email("ada"), Some(&unit.repeat(200_000))).await;
            let reply = tokio::time::timeout(PATIENCE, sign_in(&app, HORSE)).await.expect("no work is done");
            assert_eq!(reply.outcome(), (401, "INVALID_EMAIL_OR_PASSWORD".to_owned()), "{unit}");
        }
    }
}
