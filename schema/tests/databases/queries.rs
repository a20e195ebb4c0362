//! Each query once, with its refusal.

use schema::test_support::TestDb;
use schema::{SessionChanges, UserChanges, Verification, accounts, on_both_databases, sessions, users, verifications};

use crate::support::{at, credential, insert_all, session, user};

on_both_databases! {
    async fn a_user_is_found_by_email_and_id_as_inserted(test: TestDb) {
        let mut ada = user("ada");
        ada.image = Some("https://example.com/a.png".to_owned());
        ada.name = "Ada Ω 😀".to_owned();
        let row = ada.clone();
        test.db.write(move |c| users::insert_user(c, &row)).await.unwrap();
        let found = test.db.read(|c| users::find_user_by_email(c, "ada@example.com")).await.unwrap();
        assert_eq!(found, Some(ada.clone()));
        assert_eq!(test.db.read(|c| users::find_user_by_id(c, "ada")).await.unwrap(), Some(ada));
        assert_eq!(test.db.read(|c| users::find_user_by_email(c, "bob@example.com")).await.unwrap(), None);
        assert_eq!(test.db.read(|c| users::find_user_by_id(c, "bob")).await.unwrap(), None);
    }

    async fn update_user_changes_what_is_named_and_returns_the_row(test: TestDb) {
        test.db.write(|c| users::insert_user(c, &user("ada"))).await.unwrap();
        let changes = UserChanges {
            name: Some("Ada L.".to_owned()),
            email: Some("new@example.com".to_owned()),
            email_verified: Some(true),
            software_background: Some(None),
            hardware_background: Some(Some("FPGAs".to_owned())),
            additional_fields: Some("{\"a\":1}".to_owned()),
            updated_at: Some(at(5)),
            ..UserChanges::default()
        };
        let updated = test.db.write(move |c| users::update_user(c, "ada", &changes)).await.unwrap().unwrap();
        let mut expected = user("ada");
        expected.name = "Ada L.".to_owned();
        expected.email = "new@example.com".to_owned();
        expected.email_verified = true;
        expected.software_background = None;
        expected.hardware_background = Some("FPGAs".to_owned());
        expected.additional_fields = "{\"a\":1}".to_owned();
        expected.updated_at = at(5);
        assert_eq!(updated, expected);
        assert_eq!(test.db.read(|c| users::find_user_by_id(c, "ada")).await.unwrap(), Some(expected));
    }

    async fn update_user_without_changes_returns_the_row_and_none_when_it_is_gone(test: TestDb) {
        test.db.write(|c| users::insert_user(c, &user("ada"))).await.unwrap();
        let none = UserChanges::default;
        let same = test.db.write(move |c| users::update_user(c, "ada", &none())).await.unwrap();
        assert_eq!(same, Some(user("ada")));
        let changes = UserChanges { name: Some("x".to_owned()), ..UserChanges::default() };
        assert_eq!(test.db.write(move |c| users::update_user(c, "bob", &changes)).await.unwrap(), None);
    }

    async fn delete_user_takes_sessions_and_accounts_along(test: TestDb) {
        test.db.write(|c| { insert_all(c, "ada")?; insert_all(c, "bob") }).await.unwrap();
        assert_eq!(test.db.write(|c| users::delete_user(c, "ada")).await.unwrap(), 1);
        assert_eq!(test.db.write(|c| users::delete_user(c, "ada")).await.unwrap(), 0);
        assert_eq!(test.db.read(|c| sessions::find_session_with_user(c, "token-ada", at(0))).await.unwrap(), None);
        assert_eq!(test.db.read(|c| accounts::list_accounts(c, "ada")).await.unwrap(), []);
        assert!(test.db.read(|c| sessions::find_session_with_user(c, "token-bob", at(0))).await.unwrap().is_some());
    }

    async fn a_session_is_found_with_its_user_by_token_alone(test: TestDb) {
        test.db.write(|c| { insert_all(c, "ada")?; insert_all(c, "bob") }).await.unwrap();
        let found = test.db.read(|c| sessions::find_session_with_user(c, "token-ada", at(0))).await.unwrap();
        assert_eq!(found, Some((session("ada", "ada", 3600), user("ada"))));
        assert_eq!(test.db.read(|c| sessions::find_session_with_user(c, "ada", at(0))).await.unwrap(), None);
    }

    async fn update_session_extends_and_tells_when_the_session_is_gone(test: TestDb) {
        test.db.write(|c| insert_all(c, "ada")).await.unwrap();
        let changes = SessionChanges {
            expires_at: Some(at(7200)),
            updated_at: Some(at(1)),
            ..SessionChanges::default()
        };
        let again = changes.clone();
        let updated = test.db.write(move |c| sessions::update_session(c, "token-ada", &changes)).await.unwrap().unwrap();
        assert_eq!((updated.expires_at, updated.updated_at), (at(7200), at(1)));
        assert_eq!(updated.ip_address.as_deref(), Some("192.0.2.1"));
        assert_eq!(test.db.write(move |c| sessions::update_session(c, "gone", &again)).await.unwrap(), None);
        let none = SessionChanges::default();
        let same = test.db.write(move |c| sessions::update_session(c, "token-ada", &none)).await.unwrap();
        assert_eq!(same, Some(updated));
    }

    async fn delete_session_takes_only_the_one_with_the_token(test: TestDb) {
        test.db.write(|c| { insert_all(c, "ada")?; insert_all(c, "bob") }).await.unwrap();
        assert_eq!(test.db.write(|c| sessions::delete_session(c, "token-ada")).await.unwrap(), 1);
        assert_eq!(test.db.write(|c| sessions::delete_session(c, "token-ada")).await.unwrap(), 0);
        assert!(test.db.read(|c| sessions::find_session_with_user(c, "token-bob", at(0))).await.unwrap().is_some());
    }

    async fn delete_session_of_user_refuses_another_users_session(test: TestDb) {
        test.db.write(|c| { insert_all(c, "ada")?; insert_all(c, "bob") }).await.unwrap();
        let delete = |user: &'static str| test.db.write(move |c| sessions::delete_session_of_user(c, "token-ada", user));
        assert_eq!(delete("bob").await.unwrap(), 0);
        assert_eq!(delete("ada").await.unwrap(), 1);
    }

    async fn sessions_of_a_user_are_deleted_all_or_all_but_one(test: TestDb) {
        test.db.write(|c| {
            insert_all(c, "ada")?;
            insert_all(c, "bob")?;
            sessions::insert_session(c, &session("ada2", "ada", 3600))?;
            sessions::insert_session(c, &session("ada3", "ada", 3600))
        }).await.unwrap();
        assert_eq!(test.db.write(|c| sessions::delete_other_sessions(c, "ada", "token-ada2")).await.unwrap(), 2);
        let left = test.db.read(|c| sessions::list_sessions(c, "ada", at(0))).await.unwrap();
        assert_eq!(left, [session("ada2", "ada", 3600)]);
        assert_eq!(test.db.write(|c| sessions::delete_user_sessions(c, "ada")).await.unwrap(), 1);
        assert!(test.db.read(|c| sessions::find_session_with_user(c, "token-bob", at(0))).await.unwrap().is_some());
    }

    async fn list_sessions_gives_the_unexpired_oldest_first(test: TestDb) {
        test.db.write(|c| {
            insert_all(c, "ada")?;
            insert_all(c, "bob")?;
            sessions::insert_session(c, &session("z", "ada", 60))?;
            sessions::insert_session(c, &session("a", "ada", 60))?;
            let mut older = session("older", "ada", 60);
            older.created_at = at(-10);
            sessions::insert_session(c, &older)
        }).await.unwrap();
        let list = test.db.read(|c| sessions::list_sessions(c, "ada", at(0))).await.unwrap();
        let ids: Vec<_> = list.iter().map(|session| session.id.as_str()).collect();
        assert_eq!(ids, ["older", "a", "ada", "z"]);
        // At its last instant a session is no longer listed.
        let later = test.db.read(|c| sessions::list_sessions(c, "ada", at(60))).await.unwrap();
        assert_eq!(later, [session("ada", "ada", 3600)]);
    }

    async fn an_expired_session_is_deleted_only_once_it_is_over(test: TestDb) {
        test.db.write(|c| insert_all(c, "ada")).await.unwrap();
        let delete = |now| test.db.write(move |c| sessions::delete_expired_session(c, "token-ada", at(now)));
        assert_eq!(delete(3600).await.unwrap(), 0);
        assert_eq!(delete(3601).await.unwrap(), 1);
    }

    async fn expired_sessions_of_all_users_are_purged(test: TestDb) {
        test.db.write(|c| {
            insert_all(c, "ada")?;
            sessions::insert_session(c, &session("old", "ada", -1))?;
            sessions::insert_session(c, &session("older", "ada", -100))
        }).await.unwrap();
        assert_eq!(test.db.write(|c| sessions::purge_sessions(c, at(0), 1)).await.unwrap(), 1);
        assert_eq!(test.db.write(|c| sessions::purge_sessions(c, at(0), 10)).await.unwrap(), 1);
        assert!(test.db.read(|c| sessions::find_session_with_user(c, "token-ada", at(0))).await.unwrap().is_some());
    }

    async fn the_credential_account_is_neither_another_providers_nor_another_users(test: TestDb) {
        test.db.write(|c| {
            users::insert_user(c, &user("ada"))?;
            users::insert_user(c, &user("bob"))?;
            let mut google = credential("google", "ada");
            google.provider_id = "google".to_owned();
            accounts::insert_account(c, &google)?;
            // An account id that is not the user's own.
            let mut stray = credential("stray", "bob");
            stray.account_id = "ada".to_owned();
            accounts::insert_account(c, &stray)
        }).await.unwrap();
        assert_eq!(test.db.read(|c| accounts::find_credential_account(c, "ada")).await.unwrap(), None);
        assert_eq!(test.db.read(|c| accounts::find_credential_account(c, "bob")).await.unwrap(), None);
        let both = test.db.read(|c| accounts::find_user_with_credential(c, "ada@example.com")).await.unwrap();
        assert_eq!(both, Some((user("ada"), None)));
    }

    async fn a_user_is_found_with_the_password_account_in_one_query(test: TestDb) {
        test.db.write(|c| {
            insert_all(c, "ada")?;
            insert_all(c, "bob")?;
            let mut google = credential("google", "ada");
            google.provider_id = "google".to_owned();
            accounts::insert_account(c, &google)
        }).await.unwrap();
        let found = test.db.read(|c| accounts::find_user_with_credential(c, "ada@example.com")).await.unwrap();
        assert_eq!(found, Some((user("ada"), Some(credential("ada", "ada")))));
        assert_eq!(test.db.read(|c| accounts::find_user_with_credential(c, "x@example.com")).await.unwrap(), None);
        let alone = test.db.read(|c| accounts::find_credential_account(c, "ada")).await.unwrap();
        assert_eq!(alone, Some(credential("ada", "ada")));
    }

    async fn accounts_are_listed_oldest_first_and_deleted_only_by_their_user(test: TestDb) {
        test.db.write(|c| {
            insert_all(c, "ada")?;
            insert_all(c, "bob")?;
            let mut older = credential("older", "ada");
            older.provider_id = "github".to_owned();
            older.created_at = at(-1);
            accounts::insert_account(c, &older)
        }).await.unwrap();
        let list = test.db.read(|c| accounts::list_accounts(c, "ada")).await.unwrap();
        assert_eq!(list.iter().map(|account| account.id.as_str()).collect::<Vec<_>>(), ["older", "ada"]);
        assert_eq!(test.db.write(|c| accounts::delete_account(c, "ada", "bob")).await.unwrap(), 0);
        assert_eq!(test.db.write(|c| accounts::delete_account(c, "ada", "ada")).await.unwrap(), 1);
    }

    async fn a_verification_is_found_newest_first_and_consumed_by_exactly_one(test: TestDb) {
        let row = |id: &str, created: i64| Verification {
            id: id.to_owned(),
            identifier: "reset-password:x".to_owned(),
            value: "ada".to_owned(),
            expires_at: at(60),
            created_at: at(created),
            updated_at: at(created),
        };
        let other = Verification { identifier: "reset-password:y".to_owned(), ..row("other", 0) };
        let rows = [row("new", 1), row("old", 0), other.clone()];
        test.db.write(move |c| rows.iter().try_for_each(|row| verifications::insert_verification(c, row))).await.unwrap();
        let find = |identifier: &'static str| test.db.read(move |c| verifications::find_verification(c, identifier));
        let newest = find("reset-password:x").await.unwrap().unwrap();
        assert_eq!(newest, row("new", 1));
        assert_eq!(find("x").await.unwrap(), None);
        let consume = |row: Verification| test.db.write(move |c| verifications::consume_verification(c, &row));
        let (one, two) = tokio::join!(consume(newest.clone()), consume(newest));
        assert_eq!(u8::from(one.unwrap()) + u8::from(two.unwrap()), 1);
        assert_eq!(find("reset-password:x").await.unwrap(), None);
        assert_eq!(find("reset-password:y").await.unwrap(), Some(other));
    }

    async fn a_password_that_was_changed_is_not_locked(test: TestDb) {
        test.db.write(|c| insert_all(c, "ada")).await.unwrap();
        assert_eq!(test.db.write(|c| accounts::update_password(c, "ada", "changed", at(1))).await.unwrap(), 1);
        assert_eq!(test.db.write(|c| accounts::update_password(c, "gone", "changed", at(1))).await.unwrap(), 0);
        let lock = |hash: &'static str| test.db.write(move |c| accounts::lock_password(c, "ada", hash));
        assert!(!lock("hash").await.unwrap());
        assert!(lock("changed").await.unwrap());
        let account = test.db.read(|c| accounts::find_credential_account(c, "ada")).await.unwrap().unwrap();
        assert_eq!((account.password.as_deref(), account.updated_at), (Some("changed"), at(1)));
    }

    async fn of_two_who_decide_on_a_locked_user_the_second_sees_what_the_first_did(test: TestDb) {
        test.db.write(|c| insert_all(c, "ada")).await.unwrap();
        let verify_once = || {
            test.db.write(|c| {
                let user = users::lock_user(c, "ada")?.unwrap();
                if user.email_verified {
                    return Ok(false);
                }
                std::thread::sleep(std::time::Duration::from_millis(100));
                let changes = UserChanges { email_verified: Some(true), ..UserChanges::default() };
                users::update_user(c, "ada", &changes).map(|_| true)
            })
        };
        let (one, two) = tokio::join!(verify_once(), verify_once());
        assert_eq!(u8::from(one.unwrap()) + u8::from(two.unwrap()), 1);
        assert!(test.db.write(|c| users::lock_user(c, "gone")).await.unwrap().is_none());
    }

    async fn a_verification_is_replaced_locked_and_changed_by_whoever_saw_it(test: TestDb) {
        let row = |id: &str, value: &str, ms: i64| Verification {
            id: id.to_owned(),
            identifier: "sign-in-otp-ada".to_owned(),
            value: value.to_owned(),
            expires_at: at(100),
            created_at: at(ms),
            updated_at: at(ms),
        };
        let (old, new) = (row("a", "1:0", 1), row("b", "2:0", 2));
        let rows = [old.clone(), new.clone()];
        test.db
            .write(move |c| rows.iter().try_for_each(|row| verifications::replace_verification(c, row)))
            .await
            .unwrap();
        let find = || test.db.write(|c| verifications::lock_verification(c, "sign-in-otp-ada"));
        assert_eq!(find().await.unwrap(), Some(new.clone()));
        let update = |row: Verification| test.db.write(move |c| verifications::update_value(c, &row, "2:1", at(3)));
        assert!(!update(old).await.unwrap());
        assert!(update(new.clone()).await.unwrap());
        assert!(!update(new.clone()).await.unwrap(), "it was seen with another value");
        assert_eq!(find().await.unwrap(), Some(Verification { value: "2:1".to_owned(), updated_at: at(3), ..new }));
        let delete = |name: &'static str| test.db.write(move |c| verifications::delete_verifications(c, name));
        assert_eq!((delete("sign-in-otp").await.unwrap(), delete("sign-in-otp-ada").await.unwrap()), (0, 1));
        assert_eq!(find().await.unwrap(), None);
    }

    async fn an_address_is_proven_once_and_only_while_it_is_the_users(test: TestDb) {
        test.db
            .write(|c| {
                insert_all(c, "ada")?;
                insert_all(c, "bob")
            })
            .await
            .unwrap();
        let clear = UserChanges { email_verified: Some(false), ..UserChanges::default() };
        test.db.write(move |c| users::update_user(c, "ada", &clear)).await.unwrap();
        let prove = |email: &'static str| test.db.write(move |c| users::prove_email(c, "ada", email, at(7)));
        assert!(!prove("bob@example.com").await.unwrap());
        assert!(prove("ada@example.com").await.unwrap());
        assert!(!prove("ada@example.com").await.unwrap());
        let ada = test.db.read(|c| users::find_user_by_id(c, "ada")).await.unwrap().unwrap();
        assert_eq!((ada.email_verified, ada.updated_at), (true, at(7)));
        let delete = || test.db.write(|c| accounts::delete_user_accounts(c, "ada"));
        assert_eq!((delete().await.unwrap(), delete().await.unwrap()), (1, 0));
        assert_eq!(test.db.read(|c| accounts::list_accounts(c, "bob")).await.unwrap().len(), 1);
    }
}

#[test]
fn debug_output_hides_secrets() {
    let mut account = credential("a", "a");
    account.access_token = Some("s3cret".to_owned());
    account.password = Some("s3cret".to_owned());
    assert!(!format!("{account:?}").contains("s3cret"));
    assert!(!format!("{:?}", session("s", "a", 1)).contains("token-s"));
    assert!(!format!("{:?}", schema::DbConfig::new("postgres://u:s3cret@h/d")).contains("s3cret"));
}
