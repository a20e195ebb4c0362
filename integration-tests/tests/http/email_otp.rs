//! The plugin email-otp: sign-in, proof of an address, password reset and change of address by a
//! mailed code.

use actix_web::http::Method;
use futures_util::future::join_all;
use integration_tests::mail::{Mail, Mailbox};
use integration_tests::{Browser, PASSWORD, TestApp, on_both_databases};
use serde_json::{Value, json};

use crate::support::*;

const NEW: &str = "another-password-2";
const ADA: &str = "ada@example.com";

/// The service with the plugin and a mailbox.
async fn open(db: schema::test_support::TestDb, settings: &[(&str, &str)]) -> (TestApp, Mailbox) {
    let mailbox = Mailbox::open();
    let mail = ("AUTH_MAIL", mailbox.setting.as_str());
    let mut all = vec![("AUTH_PLUGINS", "email-otp"), mail, ("AUTH_MAIL_NOTICES", "false")];
    all.extend_from_slice(settings);
    (start(db, &all).await, mailbox)
}

fn success() -> (u16, String) {
    (200, r#"{"success":true}"#.to_owned())
}

fn invalid_otp() -> (u16, String) {
    refusal(400, "INVALID_OTP", "Invalid OTP")
}

fn too_many() -> (u16, String) {
    refusal(403, "TOO_MANY_ATTEMPTS", "Too many attempts")
}

fn user_not_found() -> (u16, String) {
    refusal(400, "USER_NOT_FOUND", "User not found")
}

async fn post(app: &TestApp, path: &str, body: Value) -> (u16, String) {
    answer(&app.browser().post(path, body).await)
}

/// Has a code mailed.
async fn ask(app: &TestApp, mailbox: &mut Mailbox, kind: &str, email: &str) -> Mail {
    let body = json!({ "email": email, "type": kind });
    assert_eq!(post(app, "/email-otp/send-verification-otp", body).await, success());
    mailbox.next().await
}

async fn code(app: &TestApp, mailbox: &mut Mailbox, kind: &str, email: &str) -> String {
    ask(app, mailbox, kind, email).await.text("otp").to_owned()
}

/// A code that is not this one.
fn wrong(otp: &str) -> &'static str {
    if otp == "000000" { "111111" } else { "000000" }
}

async fn sign_in(app: &TestApp, email: &str, otp: &str) -> (u16, String) {
    post(app, "/sign-in/email-otp", json!({ "email": email, "otp": otp })).await
}

async fn reset(app: &TestApp, email: &str, otp: &str) -> (u16, String) {
    post(app, "/email-otp/reset-password", json!({ "email": email, "otp": otp, "password": NEW })).await
}

async fn verify_email(app: &TestApp, email: &str, otp: &str) -> (u16, String) {
    post(app, "/email-otp/verify-email", json!({ "email": email, "otp": otp })).await
}

async fn check(app: &TestApp, kind: &str, email: &str, otp: &str) -> (u16, String) {
    let body = json!({ "email": email, "type": kind, "otp": otp });
    post(app, "/email-otp/check-verification-otp", body).await
}

fn proven_user(updated: &str) -> String {
    let user = user_json("ada").replace("\"emailVerified\":false", "\"emailVerified\":true");
    user.replace(&format!("\"updatedAt\":\"{START}\""), &format!("\"updatedAt\":\"{updated}\""))
}

on_both_databases! {
    async fn a_code_signs_a_stranger_up_once(db: TestDb) {
        let (app, mut mailbox) = open(db, &[]).await;
        let mail = ask(&app, &mut mailbox, "sign-in", "Ada@example.com").await;
        let keys: Vec<&String> = mail.0.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["type", "to", "otp"]);
        assert_eq!((mail.text("type"), mail.text("to")), ("otp:sign-in", ADA));
        let otp = mail.text("otp");
        assert!(otp.len() == 6 && otp.chars().all(|c| c.is_ascii_digit()), "{otp}");
        assert_eq!(select(&app, "identifier FROM verifications").await, "sign-in-otp-ada@example.com");
        assert_eq!(select(&app, "value FROM verifications").await, format!("{otp}:0"));

        let ada = app.browser();
        let body = json!({
            "email": "ADA@example.com", "otp": otp, "name": "ada", "image": "i", "software_background": "c", "other": 1,
        });
        let reply = ada.post("/sign-in/email-otp", body).await;
        let user = proven_user(START)
            .replace("\"image\":null", "\"image\":\"i\"")
            .replace("\"software_background\":null", "\"software_background\":\"c\"");
        assert_eq!(answer(&reply), (200, format!(r#"{{"token":"<id>","user":{user}}}"#)));
        assert_eq!(cookies(&reply), [SIGNED_IN]);
        assert_eq!(ada.user().await["email"], ADA);
        assert_eq!(count(&app, "accounts").await, 0);
        assert_eq!(sign_in(&app, ADA, otp).await, invalid_otp());
        assert_eq!(count(&app, "verifications").await, 0);
    }

    async fn of_ten_right_codes_at_once_one_signs_in(db: TestDb) {
        let (app, mut mailbox) = open(db, &[]).await;
        let otp = code(&app, &mut mailbox, "sign-in", ADA).await;
        let mut answers = join_all((0..10).map(|_| sign_in(&app, ADA, &otp))).await;
        answers.sort();
        assert_eq!(answers[0].0, 200);
        assert_eq!(answers[1..], vec![invalid_otp(); 9]);
        assert_eq!((count(&app, "users").await, count(&app, "sessions").await), (1, 1));
    }

    async fn after_three_wrong_guesses_the_right_code_is_dead(db: TestDb) {
        let (app, mut mailbox) = open(db, &[]).await;
        let otp = code(&app, &mut mailbox, "sign-in", ADA).await;
        for _ in 0..3 {
            assert_eq!(sign_in(&app, ADA, wrong(&otp)).await, invalid_otp());
        }
        assert_eq!(select(&app, "value FROM verifications").await, format!("{otp}:3"));
        assert_eq!(sign_in(&app, ADA, &otp).await, too_many());
        assert_eq!(sign_in(&app, ADA, &otp).await, invalid_otp());
        assert_eq!(count(&app, "users").await, 0);
        let otp = code(&app, &mut mailbox, "sign-in", ADA).await;
        for _ in 0..2 {
            assert_eq!(sign_in(&app, ADA, wrong(&otp)).await, invalid_otp());
        }
        assert_eq!(sign_in(&app, ADA, &otp).await.0, 200);
    }

    async fn guesses_at_once_are_all_counted(db: TestDb) {
        let (app, mut mailbox) = open(db, &[]).await;
        let otp = code(&app, &mut mailbox, "sign-in", ADA).await;
        let mut answers = join_all((0..10).map(|_| sign_in(&app, ADA, wrong(&otp)))).await;
        answers.sort();
        // Three were compared, the fourth ended the code, the others found none.
        assert_eq!(answers[..9], vec![invalid_otp(); 9]);
        assert_eq!(answers[9], too_many());
        assert_eq!(sign_in(&app, ADA, &otp).await, invalid_otp());
    }

    async fn guesses_at_every_endpoint_count_alike(db: TestDb) {
        let (app, mut mailbox) = open(db, &[("AUTH_EMAIL_OTP_ALLOWED_ATTEMPTS", "2")]).await;
        app.browser().sign_up("ada").await;
        let otp = code(&app, &mut mailbox, "forget-password", ADA).await;
        assert_eq!(check(&app, "forget-password", ADA, wrong(&otp)).await, invalid_otp());
        assert_eq!(reset(&app, ADA, wrong(&otp)).await, invalid_otp());
        assert_eq!(reset(&app, ADA, &otp).await, too_many());
        assert!(signs_in(&app, PASSWORD).await);
    }

    async fn an_expired_code_is_named_once(db: TestDb) {
        let (app, mut mailbox) = open(db, &[]).await;
        let otp = code(&app, &mut mailbox, "sign-in", ADA).await;
        app.clock.advance(301);
        assert_eq!(sign_in(&app, ADA, &otp).await, refusal(400, "OTP_EXPIRED", "OTP expired"));
        assert_eq!(sign_in(&app, ADA, &otp).await, invalid_otp());
        let otp = code(&app, &mut mailbox, "sign-in", ADA).await;
        app.clock.advance(299);
        assert_eq!(sign_in(&app, ADA, &otp).await.0, 200);
    }

    async fn length_and_life_of_a_code_are_settings(db: TestDb) {
        let settings = [("AUTH_EMAIL_OTP_LENGTH", "8"), ("AUTH_EMAIL_OTP_EXPIRES_IN", "10m")];
        let (app, mut mailbox) = open(db, &settings).await;
        let otp = code(&app, &mut mailbox, "sign-in", ADA).await;
        assert_eq!(otp.len(), 8);
        app.clock.advance(599);
        assert_eq!(sign_in(&app, ADA, &otp).await.0, 200);
    }

    async fn truncated_and_odd_codes_are_refused(db: TestDb) {
        let (app, mut mailbox) = open(db, &[("AUTH_EMAIL_OTP_ALLOWED_ATTEMPTS", "10")]).await;
        let otp = code(&app, &mut mailbox, "sign-in", ADA).await;
        for bad in ["", &otp[..5], &format!("{otp}0"), &format!("{otp}:0"), &format!(" {otp}")] {
            assert_eq!(sign_in(&app, ADA, bad).await, invalid_otp(), "{bad:?}");
        }
        assert_eq!(sign_in(&app, ADA, &otp).await.0, 200);
    }

    async fn a_new_code_ends_the_one_before(db: TestDb) {
        let (app, mut mailbox) = open(db, &[]).await;
        let first = code(&app, &mut mailbox, "sign-in", ADA).await;
        let mut second = code(&app, &mut mailbox, "sign-in", ADA).await;
        while second == first {
            second = code(&app, &mut mailbox, "sign-in", ADA).await;
        }
        assert_eq!(count(&app, "verifications").await, 1);
        assert_eq!(sign_in(&app, ADA, &first).await, invalid_otp());
        assert_eq!(sign_in(&app, ADA, &second).await.0, 200);
    }

    async fn a_code_is_good_for_its_purpose_and_its_user_alone(db: TestDb) {
        let (app, mut mailbox) = open(db, &[]).await;
        app.browser().sign_up("ada").await;
        app.browser().sign_up("bob").await;
        let mut codes = Vec::new();
        for kind in ["sign-in", "email-verification", "forget-password"] {
            codes.push(code(&app, &mut mailbox, kind, ADA).await);
        }
        // Other purposes and other users have no such code at all: nothing is counted.
        for email in [ADA, "bob@example.com"] {
            for (i, otp) in codes.iter().enumerate() {
                if email != ADA || (i != 0 && *otp != codes[0]) {
                    assert_eq!(sign_in(&app, email, otp).await, invalid_otp());
                }
            }
            execute(&app, "UPDATE verifications SET value = substr(value, 1, 7) || '0'").await;
            for (i, otp) in codes.iter().enumerate() {
                if email != ADA || (i != 1 && *otp != codes[1]) {
                    assert_eq!(verify_email(&app, email, otp).await, invalid_otp());
                }
            }
            execute(&app, "UPDATE verifications SET value = substr(value, 1, 7) || '0'").await;
            for (i, otp) in codes.iter().enumerate() {
                if email != ADA || (i != 2 && *otp != codes[2]) {
                    assert_eq!(reset(&app, email, otp).await, invalid_otp());
                }
            }
            execute(&app, "UPDATE verifications SET value = substr(value, 1, 7) || '0'").await;
        }
        assert_eq!(count(&app, "users WHERE NOT email_verified").await, 2);
        assert_eq!(verify_email(&app, ADA, &codes[1]).await.0, 200);
        assert_eq!(reset(&app, ADA, &codes[2]).await, success());
        assert_eq!(sign_in(&app, ADA, &codes[0]).await.0, 200);
    }

    async fn the_first_proof_of_a_mailbox_ends_what_strangers_planted(db: TestDb) {
        let (app, mut mailbox) = open(db, &[]).await;
        let thief = app.browser();
        thief.sign_up("ada").await;
        let otp = code(&app, &mut mailbox, "sign-in", ADA).await;
        let reply = app.browser().post("/sign-in/email-otp", json!({ "email": ADA, "otp": otp, "name": "new" })).await;
        assert_eq!(answer(&reply), (200, format!(r#"{{"token":"<id>","user":{}}}"#, proven_user(START))));
        assert_eq!(thief.user().await, Value::Null);
        assert!(!signs_in(&app, PASSWORD).await);
        assert_eq!((count(&app, "accounts").await, count(&app, "sessions").await), (0, 1));
    }

    async fn a_sign_in_by_password_at_the_same_moment_leaves_no_session(db: TestDb) {
        let (app, mut mailbox) = open(db, &[]).await;
        app.browser().sign_up("ada").await;
        let otp = code(&app, &mut mailbox, "sign-in", ADA).await;
        let by_password = async || app.browser().sign_in("ada").await.status.as_u16();
        let thieves = join_all((0..5).map(|_| by_password()));
        let (thieves, owner) = futures_util::future::join(thieves, sign_in(&app, ADA, &otp)).await;
        assert!(thieves.iter().all(|status| [200, 401].contains(status)), "{thieves:?}");
        assert_eq!((owner.0, count(&app, "sessions").await, count(&app, "accounts").await), (200, 1, 0));
    }

    async fn a_user_with_a_proven_address_keeps_password_and_sessions(db: TestDb) {
        let (app, mut mailbox) = open(db, &[]).await;
        let ada = app.browser();
        ada.sign_up("ada").await;
        let otp = code(&app, &mut mailbox, "email-verification", ADA).await;
        assert_eq!(verify_email(&app, ADA, &otp).await.0, 200);
        let otp = code(&app, &mut mailbox, "sign-in", ADA).await;
        assert_eq!(sign_in(&app, ADA, &otp).await.0, 200);
        assert_eq!(ada.user().await["emailVerified"], true);
        assert!(signs_in(&app, PASSWORD).await);
    }

    async fn where_sign_up_is_off_strangers_get_no_code(db: TestDb) {
        let (app, mut mailbox) = open(db, &[("AUTH_EMAIL_OTP_DISABLE_SIGN_UP", "true")]).await;
        app.browser().sign_up("ada").await;
        let body = json!({ "email": "nobody@example.com", "type": "sign-in" });
        assert_eq!(post(&app, "/email-otp/send-verification-otp", body).await, success());
        let mail = ask(&app, &mut mailbox, "sign-in", ADA).await;
        assert_eq!(mail.text("to"), ADA);
        assert_eq!(count(&app, "verifications").await, 1);
        execute(&app, "DELETE FROM users").await;
        assert_eq!(sign_in(&app, ADA, mail.text("otp")).await, invalid_otp());
        assert_eq!((count(&app, "users").await, count(&app, "verifications").await), (0, 0));
    }

    async fn a_missing_field_is_named_once_the_code_is_spent(db: TestDb) {
        let field = [("AUTH_FIELD_PLAN_TYPE", "string"), ("AUTH_FIELD_PLAN_REQUIRED", "true")];
        let (app, mut mailbox) = open(db, &[&[("AUTH_USER_FIELDS", "plan")], &field[..]].concat()).await;
        let otp = code(&app, &mut mailbox, "sign-in", ADA).await;
        assert_eq!(sign_in(&app, ADA, wrong(&otp)).await, invalid_otp());
        assert_eq!(sign_in(&app, ADA, &otp).await, refusal(400, "MISSING_FIELD", "plan is required"));
        assert_eq!(sign_in(&app, ADA, &otp).await, invalid_otp());
        let otp = code(&app, &mut mailbox, "sign-in", ADA).await;
        let (status, body) = post(&app, "/sign-in/email-otp", json!({ "email": ADA, "otp": otp, "plan": "x" })).await;
        assert!(status == 200 && body.contains(r#""plan":"x""#), "{body}");
        // A known user needs none.
        let otp = code(&app, &mut mailbox, "sign-in", ADA).await;
        assert_eq!(sign_in(&app, ADA, &otp).await.0, 200);
    }

    async fn a_code_proves_an_address(db: TestDb) {
        let (app, mut mailbox) = open(db, &[("AUTH_SESSION_COOKIE_CACHE", "compact")]).await;
        let ada = app.browser();
        ada.sign_up("ada").await;
        let mail = ask(&app, &mut mailbox, "email-verification", ADA).await;
        assert_eq!((mail.text("type"), mail.text("to")), ("otp:email-verification", ADA));
        app.clock.advance(1);
        let body = json!({ "email": "ADA@example.com", "otp": mail.text("otp") });
        let reply = ada.post("/email-otp/verify-email", body).await;
        let user = proven_user("2030-01-01T00:00:01.000Z");
        assert_eq!(answer(&reply), (200, format!(r#"{{"status":true,"token":null,"user":{user}}}"#)));
        assert!(reply.set_cookies.iter().all(|line| line.starts_with("better-auth.session_data=")));
        assert_eq!(ada.user().await["emailVerified"], true);
        // Passwords and sessions stay, as with a mailed link.
        assert!(signs_in(&app, PASSWORD).await);
        assert_eq!(verify_email(&app, ADA, mail.text("otp")).await, invalid_otp());
    }

    async fn proving_an_address_signs_in_where_that_is_configured(db: TestDb) {
        let (app, mut mailbox) = open(db, &[("AUTH_EMAIL_VERIFICATION_AUTO_SIGN_IN", "true")]).await;
        app.browser().sign_up("ada").await;
        let otp = code(&app, &mut mailbox, "email-verification", ADA).await;
        let browser = app.browser();
        let reply = browser.post("/email-otp/verify-email", json!({ "email": ADA, "otp": otp })).await;
        assert_eq!(answer(&reply), (200, format!(r#"{{"status":true,"token":"<id>","user":{}}}"#, proven_user(START))));
        assert_eq!(cookies(&reply), [SIGNED_IN]);
        assert_eq!(browser.user().await["email"], ADA);
    }

    async fn of_ten_proofs_at_once_one_counts(db: TestDb) {
        let (app, mut mailbox) = open(db, &[]).await;
        app.browser().sign_up("ada").await;
        let otp = code(&app, &mut mailbox, "email-verification", ADA).await;
        let mut answers = join_all((0..10).map(|_| verify_email(&app, ADA, &otp))).await;
        answers.sort();
        assert_eq!(answers[0].0, 200);
        assert_eq!(answers[1..], vec![invalid_otp(); 9]);
    }

    async fn checking_a_code_leaves_it_good(db: TestDb) {
        let (app, mut mailbox) = open(db, &[]).await;
        app.browser().sign_up("ada").await;
        let otp = code(&app, &mut mailbox, "sign-in", ADA).await;
        for _ in 0..5 {
            assert_eq!(check(&app, "sign-in", ADA, &otp).await, success());
        }
        assert_eq!(check(&app, "email-verification", ADA, &otp).await, invalid_otp());
        assert_eq!(check(&app, "change-email", ADA, &otp).await, invalid_otp());
        assert_eq!(check(&app, "sign-in", "bob@example.com", &otp).await, invalid_otp());
        assert_eq!(sign_in(&app, ADA, &otp).await.0, 200);
        let otp = code(&app, &mut mailbox, "sign-in", "nobody@example.com").await;
        assert_eq!(check(&app, "sign-in", "nobody@example.com", &otp).await, user_not_found());
        for _ in 0..3 {
            assert_eq!(check(&app, "sign-in", "nobody@example.com", wrong(&otp)).await, invalid_otp());
        }
        assert_eq!(check(&app, "sign-in", "nobody@example.com", &otp).await, too_many());
    }

    async fn a_code_sets_a_new_password_and_proves_the_address(db: TestDb) {
        let (app, mut mailbox) = open(db, &[("AUTH_MAIL_NOTICES", "true")]).await;
        let ada = app.browser();
        ada.sign_up("ada").await;
        for path in ["/email-otp/request-password-reset", "/forget-password/email-otp"] {
            assert_eq!(post(&app, path, json!({ "email": "Ada@example.com" })).await, success());
            let mail = mailbox.next().await;
            assert_eq!((mail.text("type"), mail.text("to")), ("otp:forget-password", ADA));
            assert_eq!(reset(&app, ADA, mail.text("otp")).await, success());
            assert_eq!(mailbox.next().await.text("type"), "password-changed");
            assert_eq!(reset(&app, ADA, mail.text("otp")).await, invalid_otp());
        }
        assert!(!signs_in(&app, PASSWORD).await && signs_in(&app, NEW).await);
        assert_eq!(ada.user().await["emailVerified"], true);
    }

    async fn a_reset_ends_sessions_where_that_is_configured(db: TestDb) {
        let (app, mut mailbox) = open(db, &[("AUTH_EMAIL_PASSWORD_REVOKE_SESSIONS_ON_RESET", "true")]).await;
        let ada = app.browser();
        ada.sign_up("ada").await;
        let otp = code(&app, &mut mailbox, "forget-password", ADA).await;
        assert_eq!(reset(&app, ADA, wrong(&otp)).await, invalid_otp());
        assert_eq!(ada.user().await["name"], "ada");
        assert_eq!(reset(&app, ADA, &otp).await, success());
        assert_eq!(ada.user().await, Value::Null);
    }

    async fn of_ten_resets_at_once_one_counts(db: TestDb) {
        let (app, mut mailbox) = open(db, &[]).await;
        app.browser().sign_up("ada").await;
        execute(&app, "DELETE FROM accounts").await;
        let otp = code(&app, &mut mailbox, "forget-password", ADA).await;
        let mut answers = join_all((0..10).map(|_| reset(&app, ADA, &otp))).await;
        answers.sort();
        assert_eq!(answers[0], success());
        assert_eq!(answers[1..], vec![invalid_otp(); 9]);
        assert!(signs_in(&app, NEW).await);
    }

    async fn limits_of_a_password_are_checked_before_the_code(db: TestDb) {
        let (app, mut mailbox) = open(db, &[]).await;
        app.browser().sign_up("ada").await;
        let otp = code(&app, &mut mailbox, "forget-password", ADA).await;
        for (password, code) in [("1234567".to_owned(), "PASSWORD_TOO_SHORT"), ("a".repeat(129), "PASSWORD_TOO_LONG")] {
            let body = json!({ "email": ADA, "otp": wrong(&otp), "password": password });
            let reply = app.browser().post("/email-otp/reset-password", body).await;
            assert_eq!(reply.outcome(), (400, code.to_owned()));
        }
        assert_eq!(select(&app, "value FROM verifications").await, format!("{otp}:0"));
        execute(&app, "DELETE FROM users").await;
        assert_eq!(reset(&app, ADA, &otp).await, user_not_found());
    }

    async fn unknown_addresses_get_the_same_answer_and_no_code(db: TestDb) {
        let (app, mut mailbox) = open(db, &[]).await;
        app.browser().sign_up("ada").await;
        for kind in ["email-verification", "forget-password"] {
            let body = json!({ "email": "nobody@example.com", "type": kind });
            assert_eq!(post(&app, "/email-otp/send-verification-otp", body).await, success());
        }
        let body = json!({ "email": "nobody@example.com" });
        assert_eq!(post(&app, "/email-otp/request-password-reset", body).await, success());
        assert_eq!(ask(&app, &mut mailbox, "forget-password", ADA).await.text("to"), ADA);
        assert!(mailbox.is_empty());
        assert_eq!(count(&app, "verifications").await, 1);
    }

    async fn requests_are_refused_for_a_bad_body_or_an_untrusted_page(db: TestDb) {
        let (app, mailbox) = open(db, &[]).await;
        let undefined = |key: &str| format!("[body.{key}] Invalid input: expected string, received undefined");
        let names = r#""email-verification"|"sign-in"|"forget-password"|"change-email""#;
        let option = format!("[body.type] Invalid option: expected one of {names}");
        let all = |parts: &[String]| invalid(&parts.join("; "));
        let (email, otp) = (undefined("email"), undefined("otp"));
        for (path, expected) in [
            ("/email-otp/send-verification-otp", all(&[email.clone(), option.clone()])),
            ("/email-otp/check-verification-otp", all(&[email.clone(), option, otp.clone()])),
            ("/email-otp/verify-email", all(&[email.clone(), otp.clone()])),
            ("/sign-in/email-otp", all(&[email.clone(), otp.clone()])),
            ("/email-otp/request-password-reset", all(std::slice::from_ref(&email))),
            ("/forget-password/email-otp", all(std::slice::from_ref(&email))),
            ("/email-otp/reset-password", all(&[email, otp.clone(), undefined("password")])),
            ("/email-otp/request-email-change", all(&[undefined("newEmail")])),
            ("/email-otp/change-email", all(&[undefined("newEmail"), otp])),
        ] {
            assert_eq!(post(&app, path, json!({})).await, expected, "{path}");
            let no_object = "[body] Invalid input: expected object, received array";
            let record = match path {
                "/sign-in/email-otp" => "; [body] Invalid input: expected record, received array",
                _ => "",
            };
            assert_eq!(post(&app, path, json!([])).await, invalid(&format!("{no_object}{record}")), "{path}");
            // Whether the form of the address matters, and when, is upstream's.
            let kind = "change-email";
            let body = json!({ "email": "nope", "type": kind, "otp": "1", "password": "x", "newEmail": "nope" });
            let expected = match path {
                "/sign-in/email-otp" => invalid_otp(),
                "/email-otp/request-email-change" | "/email-otp/change-email" => unauthorized(),
                _ => refusal(400, "INVALID_EMAIL", "Invalid email"),
            };
            assert_eq!(post(&app, path, body).await, expected, "{path}");
        }
        let body = json!({ "email": ADA, "type": "change-email" });
        let no_such_type = (400, r#"{"message":"Invalid OTP type"}"#.to_owned());
        assert_eq!(post(&app, "/email-otp/send-verification-otp", body).await, no_such_type);
        let call = app.browser().request(Method::POST, "/email-otp/send-verification-otp");
        let call = call.header("origin", "https://evil.example").json(json!({ "email": ADA, "type": "sign-in" }));
        assert_eq!(call.send().await.outcome(), (403, "INVALID_ORIGIN".to_owned()));
        for path in ["/email-otp/get-verification-otp", "/email-otp/create-verification-otp"] {
            assert_eq!(post(&app, path, json!({ "email": ADA, "type": "sign-in" })).await, (404, String::new()));
        }
        assert!(mailbox.is_empty());
        assert_eq!(count(&app, "verifications").await, 0);
    }

    async fn sign_up_mails_a_code_where_that_is_configured(db: TestDb) {
        let settings = [
            ("AUTH_EMAIL_OTP_SEND_ON_SIGN_UP", "true"),
            ("AUTH_EMAIL_PASSWORD_REQUIRE_VERIFICATION", "true"),
            ("AUTH_EMAIL_VERIFICATION_SEND_ON_SIGN_UP", "false"),
        ];
        let (app, mut mailbox) = open(db, &settings).await;
        app.browser().sign_up("ada").await;
        let mail = mailbox.next().await;
        assert_eq!((mail.text("type"), mail.text("to")), ("otp:email-verification", ADA));
        assert!(!signs_in(&app, PASSWORD).await);
        assert_eq!(verify_email(&app, ADA, mail.text("otp")).await.0, 200);
        assert!(signs_in(&app, PASSWORD).await);
        // A taken address looks like a free one.
        app.browser().sign_up("ada").await;
        assert_eq!(mailbox.next().await.text("to"), ADA);
    }

    async fn codes_are_asked_for_three_times_a_minute(db: TestDb) {
        let (app, _mailbox) = open(db, &[("AUTH_RATE_LIMIT", "true")]).await;
        for path in ["/email-otp/verify-email", "/sign-in/email-otp", "/email-otp/change-email"] {
            let call = async || app.browser().post(path, json!({})).await;
            for _ in 0..3 {
                assert_eq!(call().await.status.as_u16(), 400);
            }
            let reply = call().await;
            assert_eq!((reply.status.as_u16(), reply.header("x-retry-after")), (429, "60"), "{path}");
        }
    }
}

const CHANGE: (&str, &str) = ("AUTH_EMAIL_OTP_CHANGE_EMAIL_ENABLED", "true");

async fn request_change(browser: &Browser, body: Value) -> (u16, String) {
    answer(&browser.post("/email-otp/request-email-change", body).await)
}

async fn change(browser: &Browser, new_email: &str, otp: &str) -> (u16, String) {
    answer(&browser.post("/email-otp/change-email", json!({ "newEmail": new_email, "otp": otp })).await)
}

fn message(text: &str) -> (u16, String) {
    (400, json!({ "message": text }).to_string())
}

on_both_databases! {
    async fn a_code_of_the_new_address_changes_it(db: TestDb) {
        let settings = [CHANGE, ("AUTH_SESSION_COOKIE_CACHE", "compact"), ("AUTH_MAIL_NOTICES", "true")];
        let (app, mut mailbox) = open(db, &settings).await;
        let ada = app.browser();
        ada.sign_up("ada").await;
        assert_eq!(request_change(&ada, json!({ "newEmail": "New@example.com" })).await, success());
        let mail = mailbox.next().await;
        assert_eq!(mail.text("to"), "new@example.com");
        let otp = mail.text("otp");
        assert_eq!(change(&ada, "new@example.com", wrong(otp)).await, invalid_otp());
        assert_eq!(change(&ada, "other@example.com", otp).await, invalid_otp());
        assert_eq!(change(&ada, "NEW@example.com", otp).await, success());
        assert_eq!(ada.user().await["email"], "new@example.com");
        assert_eq!(select(&app, "email FROM users WHERE email_verified").await, "new@example.com");
        let notice = mailbox.next().await;
        assert_eq!((notice.text("type"), notice.text("to")), ("email-changed", ADA));
        assert_eq!(change(&ada, "new@example.com", otp).await, message("Email is the same"));
    }

    async fn a_code_for_one_users_change_opens_nobody_elses(db: TestDb) {
        let (app, mut mailbox) = open(db, &[CHANGE]).await;
        let (ada, bob) = (app.browser(), app.browser());
        ada.sign_up("ada").await;
        bob.sign_up("bob").await;
        assert_eq!(request_change(&ada, json!({ "newEmail": "new@example.com" })).await, success());
        let otp = mailbox.next().await.text("otp").to_owned();
        assert_eq!(change(&bob, "new@example.com", &otp).await, invalid_otp());
        assert_eq!(change(&app.browser(), "new@example.com", &otp).await, unauthorized());
        assert_eq!(sign_in(&app, "new@example.com", &otp).await, invalid_otp());
        assert_eq!(change(&ada, "new@example.com", &otp).await, success());
    }

    async fn of_ten_changes_at_once_one_counts(db: TestDb) {
        let (app, mut mailbox) = open(db, &[CHANGE]).await;
        let ada = app.browser();
        ada.sign_up("ada").await;
        request_change(&ada, json!({ "newEmail": "new@example.com" })).await;
        let otp = mailbox.next().await.text("otp").to_owned();
        let answers = join_all((0..10).map(|_| {
            let (browser, otp) = (ada.copy(), otp.clone());
            async move { change(&browser, "new@example.com", &otp).await }
        }))
        .await;
        assert_eq!(answers.iter().filter(|answer| **answer == success()).count(), 1);
        assert!(answers.iter().all(|answer| [success(), invalid_otp(), message("Email is the same")].contains(answer)));
    }

    async fn a_taken_address_is_mailed_no_code_and_not_given_away(db: TestDb) {
        let (app, mut mailbox) = open(db, &[CHANGE]).await;
        let ada = app.browser();
        ada.sign_up("ada").await;
        app.browser().sign_up("bob").await;
        assert_eq!(request_change(&ada, json!({ "newEmail": "bob@example.com" })).await, success());
        assert_eq!(request_change(&ada, json!({ "newEmail": "new@example.com" })).await, success());
        let mail = mailbox.next().await;
        assert_eq!(mail.text("to"), "new@example.com");
        execute(&app, "UPDATE users SET email = 'new@example.com' WHERE name = 'bob'").await;
        assert_eq!(change(&ada, "new@example.com", mail.text("otp")).await, message("Email already in use"));
        assert_eq!(change(&ada, "new@example.com", mail.text("otp")).await, invalid_otp());
    }

    async fn the_old_address_has_to_prove_itself_where_that_is_configured(db: TestDb) {
        let settings = [CHANGE, ("AUTH_EMAIL_OTP_CHANGE_EMAIL_VERIFY_CURRENT_EMAIL", "true")];
        let (app, mut mailbox) = open(db, &settings).await;
        let ada = app.browser();
        ada.sign_up("ada").await;
        let needed = message("OTP is required to verify current email");
        assert_eq!(request_change(&ada, json!({ "newEmail": "new@example.com" })).await, needed);
        assert_eq!(request_change(&ada, json!({ "newEmail": "new@example.com", "otp": "1" })).await, invalid_otp());
        let otp = code(&app, &mut mailbox, "email-verification", ADA).await;
        let body = json!({ "newEmail": "new@example.com", "otp": otp });
        assert_eq!(request_change(&ada, body.clone()).await, success());
        assert_eq!(mailbox.next().await.text("to"), "new@example.com");
        assert_eq!(request_change(&ada, body).await, invalid_otp());
    }

    async fn a_change_is_refused_where_it_is_off_or_makes_no_sense(db: TestDb) {
        let (app, mailbox) = open(db, &[]).await;
        let ada = app.browser();
        ada.sign_up("ada").await;
        let off = message("Change email with OTP is disabled");
        assert_eq!(request_change(&ada, json!({ "newEmail": "nope" })).await, off);
        assert_eq!(change(&ada, "nope", "1").await, off);
        assert!(mailbox.is_empty());
    }

    async fn a_change_to_the_same_or_no_address_is_refused(db: TestDb) {
        let (app, _mailbox) = open(db, &[CHANGE]).await;
        let ada = app.browser();
        ada.sign_up("ada").await;
        let invalid_email = refusal(400, "INVALID_EMAIL", "Invalid email");
        assert_eq!(request_change(&ada, json!({ "newEmail": "nope" })).await, invalid_email);
        assert_eq!(change(&ada, "nope", "1").await, invalid_email);
        assert_eq!(request_change(&ada, json!({ "newEmail": "ADA@example.com" })).await, message("Email is the same"));
        assert_eq!(change(&ada, ADA, "1").await, message("Email is the same"));
    }
}
