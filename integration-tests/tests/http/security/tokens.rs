//! P47–P51: what was mailed, in the wrong hands, too late, twice or for another purpose.
//! Links and codes that sign in: `magic_link.rs`, `email_otp.rs`.

use actix_web::http::Method;
use futures_util::future::join_all;
use integration_tests::mail::Mailbox;
use integration_tests::{Browser, PASSWORD, SECRET, START_MS, TestApp, email, on_both_databases};
use schema::test_support::TestDb;
use serde_json::{Value, json};

use super::support::{Rows, credential, rows, sql};
use crate::support::{answer, bad_token, claims, jws, reset, reset_token, second_device, status_true};

const NEW: &str = "another-password-2";

async fn open(db: TestDb, settings: &[(&str, &str)]) -> (TestApp, Browser, Mailbox) {
    let all = [
        ("AUTH_USER_DELETE_USER_ENABLED", "true"),
        ("AUTH_USER_DELETE_USER_VERIFICATION", "true"),
        ("AUTH_USER_CHANGE_EMAIL_ENABLED", "true"),
        ("AUTH_SIGN_IN_ATTEMPTS", "0"),
    ];
    let all: Vec<_> = all.into_iter().chain(settings.iter().copied()).collect();
    crate::support::with_mailbox(db, &all).await
}

async fn sign_in(app: &TestApp, name: &str, password: &str) -> u16 {
    app.browser().post("/sign-in/email", json!({ "email": email(name), "password": password })).await.status.as_u16()
}

async fn verify(app: &TestApp, token: &str) -> (u16, String) {
    answer(&app.browser().get(&format!("/verify-email?token={token}")).await)
}

async fn proof(ada: &Browser, mailbox: &mut Mailbox) -> String {
    ada.post("/send-verification-email", json!({ "email": email("ada") })).await;
    mailbox.of("verify-email").await.text("token").to_owned()
}

/// Tokens nobody was mailed, made of one that was.
fn variants(token: &str) -> Vec<String> {
    let half = token.len() / 2;
    vec![
        String::new(),
        token[..token.len() - 1].to_owned(),
        token[1..].to_owned(),
        token[..half].to_owned(),
        format!("{token}{token}"),
        format!("{token}x"),
        format!(" {token}"),
        format!("{token}%"),
        "%".to_owned(),
        "_".repeat(token.len()),
        "A".repeat(token.len()),
        token.chars().rev().collect(),
        token.chars().map(|c| if c.is_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() }).collect(),
        format!("reset-password:{token}"),
        format!("' OR identifier LIKE 'reset-password:%' --{token}"),
    ]
}

on_both_databases! {
    async fn p47_of_ten_resets_with_one_token_one_works_and_sets_its_password(db: TestDb) {
        let (app, _ada, mut mailbox) = open(db, &[("AUTH_MAIL_NOTICES", "true")]).await;
        let token = reset_token(&app, &mut mailbox, "ada").await;
        let passwords: Vec<String> = (0..10).map(|n| format!("new-password-{n}")).collect();
        let answers = join_all(passwords.iter().map(|password| reset(&app, &token, password))).await;
        let won: Vec<usize> = (0..10).filter(|n| answers[*n] == status_true()).collect();
        assert_eq!(won.len(), 1, "{answers:?}");
        assert!(answers.iter().filter(|answer| **answer != status_true()).all(|answer| *answer == bad_token(400)));
        for (n, password) in passwords.iter().enumerate() {
            assert_eq!(sign_in(&app, "ada", password).await, if won == [n] { 200 } else { 401 }, "{password}");
        }
        assert_eq!(sign_in(&app, "ada", PASSWORD).await, 401);
        assert_eq!(rows(&app).await.verifications, 0);
        assert_eq!(app.mails().await, ["password-changed ada@example.com", "reset-password ada@example.com"]);
    }

    async fn p47_of_resets_with_ten_tokens_of_one_user_at_once_one_works(db: TestDb) {
        let (app, _ada, mut mailbox) = open(db, &[]).await;
        let mut tokens = Vec::new();
        for _ in 0..10 {
            tokens.push(reset_token(&app, &mut mailbox, "ada").await);
        }
        let passwords: Vec<String> = (0..10).map(|n| format!("new-password-{n}")).collect();
        let attempts = tokens.iter().zip(&passwords).map(|(token, password)| reset(&app, token, password));
        let answers = join_all(attempts).await;
        let won: Vec<usize> = (0..10).filter(|n| answers[*n] == status_true()).collect();
        assert_eq!(won.len(), 1, "{answers:?}");
        assert_eq!(sign_in(&app, "ada", &passwords[won[0]]).await, 200);
        assert_eq!(rows(&app).await.verifications, 0);
    }

    async fn p48_a_token_that_nobody_was_mailed_opens_nothing_and_burns_nothing(db: TestDb) {
        let (app, _ada, mut mailbox) = open(db, &[]).await;
        let token = reset_token(&app, &mut mailbox, "ada").await;
        for wrong in variants(&token) {
            assert_eq!(reset(&app, &wrong, NEW).await, bad_token(400), "{wrong:?}");
        }
        for body in [json!({ "newPassword": NEW }), json!({ "newPassword": NEW, "token": null })] {
            assert_eq!(app.browser().post("/reset-password", body).await.status, 400);
        }
        assert_eq!(sign_in(&app, "ada", PASSWORD).await, 200);
        assert_eq!(reset(&app, &token, NEW).await, status_true());
    }

    async fn p48_an_expired_token_opens_nothing(db: TestDb) {
        let (app, _ada, mut mailbox) = open(db, &[]).await;
        let token = reset_token(&app, &mut mailbox, "ada").await;
        app.clock.advance(3_601);
        assert_eq!(reset(&app, &token, NEW).await, bad_token(400));
        app.clock.advance(-1);
        assert_eq!(reset(&app, &token, NEW).await, status_true());
    }

    async fn p48_a_password_out_of_limits_does_not_burn_the_token(db: TestDb) {
        let (app, _ada, mut mailbox) = open(db, &[]).await;
        let token = reset_token(&app, &mut mailbox, "ada").await;
        for password in ["", "short", &"x".repeat(129)] {
            let (status, body) = reset(&app, &token, password).await;
            assert!(status == 400 && body.contains("PASSWORD_TOO_"), "{body}");
        }
        assert_eq!(reset(&app, &token, NEW).await, status_true());
    }

    async fn p49_a_reset_ends_every_session_when_that_is_on(db: TestDb) {
        let (app, ada, mut mailbox) = open(db, &[("AUTH_EMAIL_PASSWORD_REVOKE_SESSIONS_ON_RESET", "true")]).await;
        let phone = second_device(&app, "ada").await;
        let bob = app.browser();
        bob.sign_up("bob").await;
        let token = reset_token(&app, &mut mailbox, "ada").await;
        assert_eq!(reset(&app, &token[1..], NEW).await, bad_token(400));
        assert_eq!(ada.user().await["name"], "ada");
        assert_eq!(reset(&app, &token, NEW).await, status_true());
        for browser in [&ada, &phone] {
            assert_eq!(browser.get("/get-session").await.body, "null");
        }
        assert_eq!((&bob.user().await["name"], rows(&app).await.sessions), (&json!("bob"), 1));
    }

    async fn p49_a_reset_leaves_sessions_alone_by_default(db: TestDb) {
        let (app, ada, mut mailbox) = open(db, &[]).await;
        let token = reset_token(&app, &mut mailbox, "ada").await;
        assert_eq!(reset(&app, &token, NEW).await, status_true());
        assert_eq!((&ada.user().await["name"], rows(&app).await.sessions), (&json!("ada"), 1));
    }

    async fn p49_a_reset_that_fails_half_way_does_nothing(db: TestDb) {
        let (app, ada, mut mailbox) = open(db, &[("AUTH_EMAIL_PASSWORD_REVOKE_SESSIONS_ON_RESET", "true")]).await;
        let token = reset_token(&app, &mut mailbox, "ada").await;
        sql(&app, "ALTER TABLE sessions RENAME TO gone").await;
        assert_eq!(reset(&app, &token, NEW).await.0, 503);
        sql(&app, "ALTER TABLE gone RENAME TO sessions").await;
        assert_eq!((sign_in(&app, "ada", PASSWORD).await, sign_in(&app, "ada", NEW).await), (200, 401));
        assert_eq!(ada.user().await["name"], "ada");
        assert_eq!(reset(&app, &token, NEW).await, status_true());
    }

    async fn p50_a_mailed_token_is_good_for_its_own_purpose_alone(db: TestDb) {
        let (app, ada, mut mailbox) = open(db, &[("AUTH_SESSION_COOKIE_CACHE", "jwt")]).await;
        let to_reset = reset_token(&app, &mut mailbox, "ada").await;
        ada.post("/delete-user", json!({})).await;
        let to_delete = mailbox.of("delete-account").await.text("token").to_owned();
        let to_prove = proof(&ada, &mut mailbox).await;
        ada.post("/change-email", json!({ "newEmail": "new@example.com" })).await;
        let to_change = mailbox.of("verify-email").await.text("token").to_owned();
        let session = crate::support::token(&ada);
        // Signed with the same secret, in the same form as a proof.
        let cache = ada.cookie("session_data").unwrap();
        let before = (rows(&app).await, credential(&app, &email("ada")).await);
        assert_eq!(before.0, Rows { users: 1, accounts: 1, sessions: 1, verifications: 2 });

        for wrong in [&to_delete, &to_prove, &to_change, &session, &cache] {
            assert_eq!(reset(&app, wrong, NEW).await, bad_token(400), "{wrong}");
            let reply = app.browser().get(&format!("/reset-password/{wrong}?callbackURL=/new")).await;
            assert_eq!(reply.header("location"), "http://localhost:4000/new?error=INVALID_TOKEN");
        }
        for wrong in [&to_reset, &to_prove, &to_change, &session, &cache] {
            assert_eq!(answer(&ada.get(&format!("/delete-user/callback?token={wrong}")).await), bad_token(404));
            assert_eq!(answer(&ada.post("/delete-user", json!({ "token": wrong })).await), bad_token(404));
        }
        for wrong in [&to_reset, &to_delete, &session] {
            assert_eq!(verify(&app, wrong).await, bad_token(401), "{wrong}");
        }
        // upstream: a fault, as it is signed and no proof.
        assert_eq!(verify(&app, &cache).await, (500, String::new()));
        for prefix in ["reset-password:", "delete-account-"] {
            for token in [&to_reset, &to_delete] {
                let named = format!("{prefix}{token}");
                assert_eq!(reset(&app, &named, NEW).await, bad_token(400), "{named}");
                assert_eq!(answer(&ada.post("/delete-user", json!({ "token": named })).await), bad_token(404));
            }
        }
        for wrong in [&to_reset, &to_delete, &to_prove, &to_change] {
            let call = app.browser().request(Method::GET, "/get-session");
            let reply = call.header("cookie", &format!("better-auth.session_token={wrong}; better-auth.session_data={wrong}")).send();
            assert_eq!(reply.await.body, "null", "{wrong}");
            let reply = ada.copy().request(Method::GET, "/get-session").header("cookie", &format!(
                "better-auth.session_token={}; better-auth.session_data={wrong}", ada.cookie("session_token").unwrap(),
            ));
            assert_eq!(reply.send().await.json()["user"]["email"], email("ada"), "{wrong}");
        }
        assert_eq!((rows(&app).await, credential(&app, &email("ada")).await), before);
        assert_eq!(reset(&app, &to_reset, NEW).await, status_true());
        assert_eq!(ada.get(&format!("/delete-user/callback?token={to_delete}")).await.status, 200);
    }

    async fn p51_only_a_token_this_service_signed_proves_an_address(db: TestDb) {
        let (app, ada, mut mailbox) = open(db, &[]).await;
        let token = proof(&ada, &mut mailbox).await;
        let good = claims(&token);
        let hs256 = json!({ "alg": "HS256" });
        assert_eq!(token, jws(&hs256, &good, SECRET), "the forger of this test knows the form");
        let with = |key: &str, value: Value| {
            let mut claims = good.clone();
            claims[key] = value;
            claims
        };
        let without = |key: &str| {
            let mut claims = good.clone();
            claims.as_object_mut().unwrap().remove(key);
            claims
        };
        let now = START_MS / 1_000;
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let forged = [
            ("no signature", jws(&json!({ "alg": "none" }), &good, "")),
            ("none in another case", jws(&json!({ "alg": "NonE" }), &good, "")),
            ("none, but signed", jws(&json!({ "alg": "none" }), &good, SECRET)),
            ("no algorithm", jws(&json!({}), &good, SECRET)),
            ("another secret", jws(&hs256, &good, "another-secret-0123456789-abcdefgh")),
            ("the empty secret", jws(&hs256, &good, "\0")),
            ("RS256, signed by HMAC", jws(&json!({ "alg": "RS256" }), &good, SECRET)),
            ("ES256, signed by HMAC", jws(&json!({ "alg": "ES256" }), &good, SECRET)),
            ("HS384 with the signature of HS256", jws(&json!({ "alg": "HS384" }), &good, SECRET)),
            ("a key of its own", jws(&json!({ "alg": "HS256", "jwk": { "kty": "oct", "k": "AAAA" } }), &good, "\0\0\0")),
            ("no end", jws(&hs256, &without("exp"), SECRET)),
            ("a text as its end", jws(&hs256, &with("exp", json!((now + 3_600).to_string())), SECRET)),
            ("no number as its end", jws(&hs256, &with("exp", Value::Null), SECRET)),
            ("not yet good", jws(&hs256, &with("nbf", json!(now + 60)), SECRET)),
            ("another user's id", jws(&hs256, &with("userId", json!("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")), SECRET)),
            ("a number as user", jws(&hs256, &with("userId", json!(1)), SECRET)),
            ("another signature", format!("{signed}.{}", "A".repeat(signature.len()))),
            ("a cut signature", token[..token.len() - 1].to_owned()),
            ("another payload", format!("{}.{signature}", jws(&hs256, &with("iat", json!(0)), "").trim_end_matches('.'))),
            ("no payload", format!("{}..{signature}", signed.split('.').next().unwrap())),
            ("four parts", format!("{token}.{signature}")),
            ("no form", "x.y.z".to_owned()),
        ];
        for (what, forged) in forged {
            assert_eq!(verify(&app, &forged).await, bad_token(401), "{what}");
            let reply = app.browser().get(&format!("/verify-email?token={forged}&callbackURL=/a%23b")).await;
            assert_eq!(reply.header("location"), "/a?error=INVALID_TOKEN#b", "{what}");
        }
        for end in [now, now - 1, 0, -1] {
            let (status, body) = verify(&app, &jws(&hs256, &with("exp", json!(end)), SECRET)).await;
            assert!(status == 401 && body.contains("TOKEN_EXPIRED"), "{end}: {body}");
        }
        assert_eq!(ada.user().await["emailVerified"], false);
        assert_eq!(verify(&app, &token).await.0, 200);
        assert_eq!(ada.user().await["emailVerified"], true);
    }

    async fn p51_a_proof_of_an_address_that_was_changed_proves_nothing(db: TestDb) {
        let (app, ada, mut mailbox) = open(db, &[("AUTH_USER_CHANGE_EMAIL_UPDATE_WITHOUT_VERIFICATION", "true")]).await;
        let old = proof(&ada, &mut mailbox).await;
        assert_eq!(ada.post("/change-email", json!({ "newEmail": "new@example.com" })).await.status, 200);
        assert_eq!(ada.user().await["email"], "new@example.com");
        assert_eq!(app.browser().get(&format!("/verify-email?token={old}")).await.outcome(), (401, "USER_NOT_FOUND".into()));
        // Nor does it prove anything for whoever has the address now.
        app.browser().sign_up("ada").await;
        assert_eq!(verify(&app, &old).await, bad_token(401));
        assert_eq!(crate::support::count(&app, "users WHERE email_verified").await, 0);
    }

    async fn p51_a_proof_and_a_change_of_the_address_at_once_prove_no_other_one(db: TestDb) {
        let backend = db.backend;
        for _ in 0..5 {
            let settings = [("AUTH_USER_CHANGE_EMAIL_UPDATE_WITHOUT_VERIFICATION", "true")];
            let (app, ada, mut mailbox) = open(TestDb::new(backend).await, &settings).await;
            let old = proof(&ada, &mut mailbox).await;
            let change = ada.post("/change-email", json!({ "newEmail": "new@example.com" }));
            futures_util::future::join(change, verify(&app, &old)).await;
            let new_and_proven = "users WHERE email_verified AND email = 'new@example.com'";
            assert_eq!(crate::support::count(&app, new_and_proven).await, 0);
        }
    }
}
