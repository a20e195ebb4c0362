//! `GET /list-accounts`, `POST /unlink-account`, and the social endpoints without a provider.

use integration_tests::{Browser, on_both_databases};
use serde_json::{Value, json};

use crate::support::*;

const LAST: (&str, &str) = ("FAILED_TO_UNLINK_LAST_ACCOUNT", "You can't unlink your last account");

async fn account_id(browser: &Browser) -> Value {
    browser.get("/list-accounts").await.json()[0]["id"].take()
}

/// 401 without a body, but with the type of one.
fn empty_unauthorized(reply: &integration_tests::Reply) {
    assert_eq!(answer(reply), (401, String::new()));
    assert_eq!(reply.header("content-type"), "application/json");
}

on_both_databases! {
    async fn list_accounts_shows_the_own_accounts_without_secrets(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        app.browser().sign_up("bob").await;
        let reply = ada.get("/list-accounts").await;
        assert_eq!(answer(&reply), (200, concat!(
            r#"[{"accountId":"<id>","providerId":"credential","userId":"<id>","createdAt":"2030-01-01T00:00:00.000Z","#,
            r#""updatedAt":"2030-01-01T00:00:00.000Z","id":"<id>","scopes":[]}]"#,
        ).to_owned()));
        let user = ada.user().await;
        assert_eq!((&reply.json()[0]["accountId"], &reply.json()[0]["userId"]), (&user["id"], &user["id"]));
        execute(&app, "UPDATE accounts SET scope = 'email,profile', access_token = 'secret'").await;
        let reply = ada.get("/list-accounts").await;
        assert_eq!(reply.json()[0]["scopes"], json!(["email", "profile"]));
        assert!(!reply.body.contains("secret"));
    }

    async fn a_password_change_moves_the_accounts_date(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        app.clock.advance(60);
        let body = json!({ "currentPassword": integration_tests::PASSWORD, "newPassword": "another-password" });
        ada.post("/change-password", body).await;
        let account = ada.get("/list-accounts").await.json()[0].take();
        assert_eq!((&account["createdAt"], &account["updatedAt"]), (&json!(START), &json!("2030-01-01T00:01:00.000Z")));
    }

    async fn the_last_account_cannot_be_unlinked(db: TestDb) {
        let (_app, ada) = with_ada(db, &[]).await;
        let last = refusal(400, LAST.0, LAST.1);
        for id in [account_id(&ada).await, json!("unknown")] {
            assert_eq!(answer(&ada.post("/unlink-account", json!({ "accountId": id })).await), last);
        }
    }

    async fn one_of_two_accounts_is_unlinked_by_its_row_id(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        execute(
            &app,
            "INSERT INTO accounts (id, account_id, provider_id, user_id, created_at, updated_at) \
            SELECT 'second', '42', 'github', user_id, created_at, updated_at FROM accounts",
        )
        .await;
        let missing = refusal(400, "ACCOUNT_NOT_FOUND", "Account not found");
        for id in ["unknown", "42", "github"] {
            assert_eq!(answer(&ada.post("/unlink-account", json!({ "accountId": id })).await), missing);
        }
        assert_eq!(answer(&ada.post("/unlink-account", json!({ "accountId": "second" })).await), status_true());
        assert_eq!(count(&app, "accounts WHERE provider_id = 'credential'").await, 1);
        assert_eq!(count(&app, "accounts").await, 1);
    }

    async fn somebody_elses_account_is_not_unlinked(db: TestDb) {
        let (app, ada) = with_ada(db, &[("AUTH_ACCOUNT_LINKING_ALLOW_UNLINKING_ALL", "true")]).await;
        let bob = app.browser();
        bob.sign_up("bob").await;
        let reply = ada.post("/unlink-account", json!({ "accountId": account_id(&bob).await })).await;
        assert_eq!(reply.outcome(), (400, "ACCOUNT_NOT_FOUND".to_owned()));
        assert_eq!(count(&app, "accounts").await, 2);
    }

    async fn unlinking_the_last_account_can_be_allowed(db: TestDb) {
        let (app, ada) = with_ada(db, &[("AUTH_ACCOUNT_LINKING_ALLOW_UNLINKING_ALL", "true")]).await;
        let reply = ada.post("/unlink-account", json!({ "accountId": account_id(&ada).await })).await;
        assert_eq!(answer(&reply), status_true());
        assert_eq!(count(&app, "accounts").await, 0);
    }

    async fn accounts_need_a_session(db: TestDb) {
        let app = start(db, &[]).await;
        let nobody = app.browser();
        assert_eq!(answer(&nobody.get("/list-accounts").await), unauthorized());
        assert_eq!(answer(&nobody.post("/unlink-account", json!({ "accountId": "x" })).await), unauthorized());
        let missing = "[body.accountId] Invalid input: expected string, received undefined";
        assert_eq!(answer(&nobody.post("/unlink-account", json!({})).await), invalid(missing));
    }

    async fn social_endpoints_know_no_provider(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        let unknown = refusal(404, "PROVIDER_NOT_FOUND", "Provider not found");
        assert_eq!(answer(&app.browser().post("/sign-in/social", json!({ "provider": "github" })).await), unknown);
        assert_eq!(
            answer(&app.browser().post("/sign-in/social", json!({})).await),
            invalid("[body.provider] Invalid input")
        );
        assert_eq!(answer(&app.browser().post("/link-social", json!({ "provider": "github" })).await), unauthorized());
        assert_eq!(answer(&ada.post("/link-social", json!({ "provider": "github" })).await), unknown);
        let elsewhere = json!({ "provider": "github", "callbackURL": "https://evil.example" });
        assert_eq!(ada.post("/sign-in/social", elsewhere).await.outcome(), (403, "INVALID_CALLBACK_URL".to_owned()));
    }

    async fn a_password_account_has_no_tokens_of_a_provider(db: TestDb) {
        let (app, ada) = with_ada(db, &[]).await;
        let id = account_id(&ada).await;
        for path in ["/get-access-token", "/refresh-token"] {
            empty_unauthorized(&app.browser().post(path, json!({ "accountId": "x" })).await);
            assert_eq!(answer(&ada.post(path, json!({})).await), invalid("[body] Invalid input"));
            let extra = json!({ "accountId": "x", "extra": 1 });
            assert_eq!(answer(&ada.post(path, extra).await), invalid(r#"[body] Unrecognized key: "extra""#));
            assert_eq!(
                ada.post(path, json!({ "accountId": "x" })).await.outcome(),
                (400, "ACCOUNT_NOT_FOUND".to_owned())
            );
            let unsupported = refusal(400, "PROVIDER_NOT_SUPPORTED", "Provider credential is not supported.");
            assert_eq!(answer(&ada.post(path, json!({ "accountId": id })).await), unsupported);
        }
        empty_unauthorized(&app.browser().get("/account-info?accountId=x").await);
        assert_eq!(answer(&ada.get("/account-info").await), invalid("[query] Invalid input"));
        assert_eq!(ada.get("/account-info?accountId=x").await.outcome(), (400, "ACCOUNT_NOT_FOUND".to_owned()));
        let unconfigured = "Account is not associated with a configured social provider.";
        let reply = ada.get(&format!("/account-info?accountId={}", id.as_str().unwrap())).await;
        assert_eq!(answer(&reply), refusal(400, "PROVIDER_NOT_CONFIGURED", unconfigured));
    }
}
