//! The queries of the operator's commands.

use schema::accounts::WholeUser;
use schema::test_support::TestDb;
use schema::users::Ban;
use schema::{DbError, accounts, on_both_databases, sessions, users};

use crate::support::{credential, insert_all, session, user};

fn whole(id: &str, hash: Option<&str>) -> WholeUser {
    WholeUser { user: user(id), hash: hash.map(str::to_owned), banned: Some(false), ban: Ban::default() }
}

on_both_databases! {
    async fn many_users_are_inserted_together_or_not_at_all(test: TestDb) {
        let rows: Vec<_> = (0..500).map(|n| user(&format!("u{n}"))).collect();
        let own: Vec<_> = (0..500).map(|n| credential(&format!("a{n}"), &format!("u{n}"))).collect();
        let written = test.db.write(move |c| Ok((users::insert_users(c, &rows)?, accounts::insert_accounts(c, &own)?)));
        assert_eq!(written.await.unwrap(), (500, 500));
        assert_eq!(test.db.write(|c| users::insert_users(c, &[])).await.unwrap(), 0);
        assert_eq!(test.db.write(|c| accounts::insert_accounts(c, &[])).await.unwrap(), 0);
        let refused = test.db.write(|c| users::insert_users(c, &[user("new"), user("u7")])).await;
        assert!(matches!(refused, Err(DbError::UniqueViolation { .. })), "{refused:?}");
        assert_eq!(test.db.read(|c| users::find_user_by_id(c, "new")).await.unwrap(), None);
    }

    async fn owners_are_found_by_address_and_by_id(test: TestDb) {
        test.db.write(|c| users::insert_users(c, &[user("ada"), user("bob"), user("eve")])).await.unwrap();
        let found = test.db.read(|c| {
            let mut owners = users::find_owners(c, &["ada@example.com".to_owned()], &["bob".to_owned(), "x".to_owned()])?;
            owners.sort();
            Ok(owners)
        });
        let owner = |id: &str| (id.to_owned(), format!("{id}@example.com"));
        assert_eq!(found.await.unwrap(), [owner("ada"), owner("bob")]);
        assert_eq!(test.db.read(|c| users::find_owners(c, &[], &[])).await.unwrap(), []);
    }

    async fn users_are_listed_by_address_and_searched_as_written(test: TestDb) {
        test.db.write(|c| {
            for (id, name) in [("a_da", "Ada"), ("bob", "100% Bob"), ("eve", "Eve\\Zoë")] {
                users::insert_user(c, &schema::User { name: name.to_owned(), ..user(id) })?;
            }
            Ok(())
        }).await.unwrap();
        let page = |after: &'static str, search: Option<&'static str>, limit| {
            let db = test.db.clone();
            async move {
                let rows = db.read(move |c| users::list_users(c, after, search, limit)).await.unwrap();
                rows.into_iter().map(|user| user.id).collect::<Vec<_>>()
            }
        };
        assert_eq!(page("", None, 2).await, ["a_da", "bob"]);
        assert_eq!(page("bob@example.com", None, 2).await, ["eve"]);
        assert_eq!(page("eve@example.com", None, 2).await, [""; 0]);
        for (search, found) in [("EXAMPLE", 3), ("a_d", 1), ("b_b", 0), ("%", 1), ("e\\z", 1), ("Zoë", 1), ("ADA", 1), ("x y", 0)] {
            assert_eq!(page("", Some(search), 9).await.len(), found, "{search}");
        }
    }

    async fn users_come_with_the_hash_of_their_password_alone(test: TestDb) {
        test.db.write(|c| {
            users::insert_users(c, &[user("ada"), user("bob"), user("eve")])?;
            accounts::insert_account(c, &credential("a", "ada"))?;
            let other = credential("b", "bob");
            accounts::insert_account(c, &schema::Account { provider_id: "google".to_owned(), ..other })
        }).await.unwrap();
        let rows = test.db.read(|c| accounts::list_whole_users(c, "", 2)).await.unwrap();
        assert_eq!(rows, [whole("ada", Some("hash")), whole("bob", None)]);
        let rest = test.db.read(|c| accounts::list_whole_users(c, "bob", 2)).await.unwrap();
        assert_eq!(rest, [whole("eve", None)]);
    }

    async fn sessions_end_by_id_or_step_by_step(test: TestDb) {
        test.db.write(|c| {
            insert_all(c, "ada")?;
            ["s1", "s2", "s3"].iter().try_for_each(|id| sessions::insert_session(c, &session(id, "ada", 3600)))
        }).await.unwrap();
        assert_eq!(test.db.write(|c| sessions::delete_session_by_id(c, "s2")).await.unwrap(), 1);
        assert_eq!(test.db.write(|c| sessions::delete_session_by_id(c, "s2")).await.unwrap(), 0);
        let next = |after: &'static str| test.db.write(move |c| sessions::delete_next_sessions(c, after, 2));
        assert_eq!(next("").await.unwrap(), Some((2, "s1".to_owned())));
        assert_eq!(next("s1").await.unwrap(), Some((1, "s3".to_owned())));
        assert_eq!(next("s3").await.unwrap(), None);
    }
}
