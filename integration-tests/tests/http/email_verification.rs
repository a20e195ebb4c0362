//! `send-verification-email` and `verify-email`.

use actix_web::http::Method;
use integration_tests::mail::{Mail, Mailbox};
use integration_tests::{Browser, Reply, TestApp, on_both_databases};
use serde_json::json;

use crate::support::*;

const HOUR: i64 = 3_600;

/// Has a link mailed to ada, from her own browser.
async fn request(ada: &Browser, mailbox: &mut Mailbox, callback: &str) -> Mail {
    let body = json!({ "email": "ada@example.com", "callbackURL": callback });
    assert_eq!(answer(&ada.post("/send-verification-email", body).await), status_true());
    mailbox.next().await
}

async fn follow(app: &TestApp, mail: &Mail) -> Reply {
    app.browser().absolute(Method::GET, mail.path()).send().await
}

async fn verify(app: &TestApp, token: &str) -> Reply {
    app.browser().get(&format!("/verify-email?token={token}")).await
}

fn bad_token() -> (u16, String) {
    refusal(401, "INVALID_TOKEN", "Invalid token")
}

fn proven() -> (u16, String) {
    (200, r#"{"status":true,"user":null}"#.to_owned())
}

on_both_databases! {
    async fn a_mailed_link_proves_the_address(db: TestDb) {
        let (app, ada, mut mailbox) = with_mailbox(db, &[]).await;
        let mail = request(&ada, &mut mailbox, "/welcome").await;
        assert_eq!((mail.text("type"), mail.text("to")), ("verify-email", "ada@example.com"));
        assert_eq!(mail.path(), format!("/api/auth/verify-email?token={}&callbackURL=%2Fwelcome", mail.text("token")));
        assert_eq!(ada.user().await["emailVerified"], false);
        let reply = follow(&app, &mail).await;
        assert_eq!((reply.status.as_u16(), reply.header("location"), reply.set_cookies.len()), (302, "/welcome", 0));
        assert_eq!((reply.body.as_str(), reply.header("content-type")), ("", "application/json"));
        assert_eq!(ada.user().await["emailVerified"], true);
    }

    async fn without_a_callback_the_answer_is_json_and_a_link_may_be_followed_twice(db: TestDb) {
        let (app, ada, mut mailbox) = with_mailbox(db, &[]).await;
        let mail = request(&ada, &mut mailbox, "").await;
        assert!(mail.path().ends_with("&callbackURL=%2F"));
        for _ in 0..2 {
            let reply = verify(&app, mail.text("token")).await;
            assert_eq!((answer(&reply), reply.set_cookies.len()), (proven(), 0));
        }
        assert_eq!(ada.user().await["emailVerified"], true);
    }

    async fn the_token_is_upstreams_jwt(db: TestDb) {
        let (_app, ada, mut mailbox) = with_mailbox(db, &[]).await;
        let mail = request(&ada, &mut mailbox, "/").await;
        let parts: Vec<&str> = mail.text("token").split('.').collect();
        assert_eq!((parts.len(), parts[0]), (3, "eyJhbGciOiJIUzI1NiJ9"));
        // {"email":"ada@example.com","userId":"
        assert!(parts[1].starts_with("eyJlbWFpbCI6ImFkYUBleGFtcGxlLmNvbSIsInVzZXJJZCI6"));
    }

    async fn a_link_lives_an_hour(db: TestDb) {
        let (app, ada, mut mailbox) = with_mailbox(db, &[]).await;
        let mail = request(&ada, &mut mailbox, "/welcome").await;
        app.clock.advance(HOUR);
        assert_eq!(follow(&app, &mail).await.header("location"), "/welcome?error=TOKEN_EXPIRED");
        let reply = verify(&app, mail.text("token")).await;
        assert_eq!(answer(&reply), refusal(401, "TOKEN_EXPIRED", "Token expired"));
        assert_eq!(ada.user().await["emailVerified"], false);
    }

    async fn a_forged_token_proves_nothing(db: TestDb) {
        let (app, ada, mut mailbox) = with_mailbox(db, &[]).await;
        let token = request(&ada, &mut mailbox, "/").await.text("token").to_owned();
        let (body, _) = token.rsplit_once('.').unwrap();
        let unsigned = format!("eyJhbGciOiJub25lIn0.{}.", token.split('.').nth(1).unwrap());
        for token in [
            format!("{body}.{}", "A".repeat(43)),
            format!("{body}."),
            body.to_owned(),
            unsigned,
            String::new(),
            "x".to_owned(),
        ] {
            assert_eq!(answer(&verify(&app, &token).await), bad_token(), "{token}");
        }
        let reply = app.browser().get("/verify-email?token=x&callbackURL=/a%3Fb%3D1%23top").await;
        assert_eq!(reply.header("location"), "/a?b=1&error=INVALID_TOKEN#top");
        assert_eq!(ada.user().await["emailVerified"], false);
    }

    async fn the_link_of_a_user_who_is_gone_or_has_another_address_proves_nothing(db: TestDb) {
        let (app, ada, mut mailbox) = with_mailbox(db, &[]).await;
        let token = request(&ada, &mut mailbox, "/").await.text("token").to_owned();
        execute(&app, "UPDATE users SET email = 'new@example.com'").await;
        assert_eq!(answer(&verify(&app, &token).await), refusal(401, "USER_NOT_FOUND", "User not found"));
        let body = json!({ "name": "other", "email": "ada@example.com", "password": integration_tests::PASSWORD });
        app.browser().post("/sign-up/email", body).await;
        assert_eq!(answer(&verify(&app, &token).await), bad_token());
        assert_eq!(count(&app, "users WHERE email_verified").await, 0);
    }

    async fn a_link_to_an_untrusted_page_or_without_token_is_refused(db: TestDb) {
        let (app, ada, mut mailbox) = with_mailbox(db, &[]).await;
        let token = request(&ada, &mut mailbox, "/").await.text("token").to_owned();
        let untrusted = refusal(403, "INVALID_CALLBACK_URL", "Invalid callbackURL");
        for url in ["https://evil.example", "//evil.example", "/%5Cevil.example"] {
            let reply = app.browser().get(&format!("/verify-email?token={token}&callbackURL={url}")).await;
            assert_eq!(answer(&reply), untrusted, "{url}");
        }
        let reply = app.browser().get("/verify-email").await;
        assert_eq!(answer(&reply), invalid("[query.token] Invalid input: expected string, received undefined"));
        assert_eq!(ada.user().await["emailVerified"], false);
    }

    async fn a_signed_in_user_may_ask_for_the_own_unproven_address_alone(db: TestDb) {
        let (app, ada, mailbox) = with_mailbox(db, &[]).await;
        app.browser().sign_up("bob").await;
        let reply = ada.post("/send-verification-email", json!({ "email": "bob@example.com" })).await;
        assert_eq!(answer(&reply), refusal(400, "EMAIL_MISMATCH", "Email mismatch"));
        execute(&app, "UPDATE users SET email_verified = TRUE").await;
        let reply = ada.post("/send-verification-email", json!({ "email": "ada@example.com" })).await;
        assert_eq!(answer(&reply), refusal(400, "EMAIL_ALREADY_VERIFIED", "Email is already verified"));
        assert!(mailbox.is_empty());
    }

    async fn a_stranger_gets_one_answer_and_only_an_unproven_address_gets_mail(db: TestDb) {
        let (app, _ada, mut mailbox) = with_mailbox(db, &[]).await;
        app.browser().sign_up("bob").await;
        execute(&app, "UPDATE users SET email_verified = TRUE WHERE name = 'bob'").await;
        let (one, two, three) = (app.browser(), app.browser(), app.browser());
        let ask = async |browser: &Browser, email: &str| {
            answer(&browser.post("/send-verification-email", json!({ "email": email })).await)
        };
        let (nobody, proven, unproven) = futures_util::future::join3(
            ask(&one, "nobody@example.com"),
            ask(&two, "bob@example.com"),
            ask(&three, "ADA@example.com"),
        )
        .await;
        assert_eq!([nobody, proven, unproven], [status_true(), status_true(), status_true()]);
        assert_eq!(mailbox.next().await.text("to"), "ada@example.com");
        assert!(mailbox.is_empty());
    }

    async fn a_request_is_refused_for_a_bad_body_or_an_untrusted_page(db: TestDb) {
        let (_app, ada, mailbox) = with_mailbox(db, &[]).await;
        let post = async |body| answer(&ada.post("/send-verification-email", body).await);
        assert_eq!(post(json!({ "email": "nope" })).await, invalid("[body.email] Invalid email address"));
        let evil = json!({ "email": "ada@example.com", "callbackURL": "https://evil.example" });
        assert_eq!(post(evil).await, refusal(403, "INVALID_CALLBACK_URL", "Invalid callbackURL"));
        assert!(mailbox.is_empty());
    }

    async fn without_mail_nothing_is_sent(db: TestDb) {
        let (_app, ada) = with_ada(db, &[]).await;
        let reply = ada.post("/send-verification-email", json!({ "email": "ada@example.com" })).await;
        let off = refusal(400, "VERIFICATION_EMAIL_NOT_ENABLED", "Verification email isn't enabled");
        assert_eq!(answer(&reply), off);
    }
}
