//! Each constraint once: what the database itself refuses, and under which name.

use schema::test_support::TestDb;
use schema::{Db, DbError, User, accounts, on_both_databases, sessions, users};

use crate::support::{credential, insert_all, session, user};

async fn insert(db: &Db, user: User) -> Result<(), DbError> {
    db.write(move |c| users::insert_user(c, &user)).await
}

fn check_name(result: Result<(), DbError>) -> String {
    match result {
        Err(DbError::CheckViolation { constraint }) => constraint,
        other => panic!("no check violation: {other:?}"),
    }
}

on_both_databases! {
    async fn an_email_with_upper_case_is_refused(test: TestDb) {
        let row = User { email: "Ada@example.com".to_owned(), ..user("ada") };
        assert_eq!(check_name(insert(&test.db, row).await), "users_email_lowercase");
    }

    async fn an_email_in_lower_case_of_another_script_is_accepted(test: TestDb) {
        // Only ASCII is compared: the databases disagree on the rest.
        let row = User { email: "ÄΣß@example.com".to_owned(), ..user("ada") };
        insert(&test.db, row).await.unwrap();
    }

    async fn a_taken_email_is_a_unique_violation_on_users_email(test: TestDb) {
        insert(&test.db, user("ada")).await.unwrap();
        let error = insert(&test.db, User { id: "other".to_owned(), ..user("ada") }).await.unwrap_err();
        assert!(error.is_unique_on("users", "email"), "{error:?}");
        assert!(!error.is_unique_on("users", "id"));
        assert!(!format!("{error} {error:?}").contains("ada@example.com"));
    }

    async fn a_taken_id_is_a_unique_violation_on_users_id(test: TestDb) {
        insert(&test.db, user("ada")).await.unwrap();
        let row = User { email: "other@example.com".to_owned(), ..user("ada") };
        let error = insert(&test.db, row).await.unwrap_err();
        assert!(error.is_unique_on("users", "id"), "{error:?}");
    }

    async fn a_taken_token_is_a_unique_violation_on_sessions_token(test: TestDb) {
        test.db.write(|c| insert_all(c, "ada")).await.unwrap();
        let mut twin = session("twin", "ada", 60);
        twin.token = "token-ada".to_owned();
        let error = test.db.write(move |c| sessions::insert_session(c, &twin)).await.unwrap_err();
        assert!(error.is_unique_on("sessions", "token"), "{error:?}");
    }

    async fn one_provider_account_belongs_to_one_user(test: TestDb) {
        test.db.write(|c| { insert_all(c, "ada")?; insert_all(c, "bob") }).await.unwrap();
        let mut twin = credential("twin", "bob");
        twin.account_id = "ada".to_owned();
        let error = test.db.write(move |c| accounts::insert_account(c, &twin)).await.unwrap_err();
        assert!(
            matches!(&error, DbError::UniqueViolation { constraint } if constraint == "accounts_provider_id_account_id_key"),
            "{error:?}"
        );
    }

    async fn a_session_or_account_of_nobody_is_a_foreign_key_violation(test: TestDb) {
        let error = test.db.write(|c| sessions::insert_session(c, &session("s", "nobody", 60))).await.unwrap_err();
        assert!(matches!(error, DbError::ForeignKeyViolation), "{error:?}");
        let error = test.db.write(|c| accounts::insert_account(c, &credential("a", "nobody"))).await.unwrap_err();
        assert!(matches!(error, DbError::ForeignKeyViolation), "{error:?}");
    }

    async fn a_background_of_100000_characters_fits_and_one_more_does_not(test: TestDb) {
        let long = |characters| Some("ß".repeat(characters));
        insert(&test.db, User { software_background: long(100_000), ..user("ada") }).await.unwrap();
        let row = User { software_background: long(100_001), ..user("bob") };
        assert_eq!(check_name(insert(&test.db, row).await), "users_software_background_length");
        let row = User { hardware_background: long(100_001), ..user("bob") };
        assert_eq!(check_name(insert(&test.db, row).await), "users_hardware_background_length");
    }

    async fn a_nul_in_a_background_is_a_check_violation(test: TestDb) {
        let row = User { software_background: Some("a\0b".to_owned()), ..user("ada") };
        let name = check_name(insert(&test.db, row).await);
        assert!(["text_encoding", "users_software_background_length"].contains(&name.as_str()), "{name}");
    }

    async fn random_free_text_of_1000_wide_characters_is_stored(test: TestDb) {
        // Incompressible: 4000 bytes, more than a btree entry of PostgreSQL holds.
        let mut state = 1_u32;
        let text: String = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            char::from_u32(0x2_0000 + (state >> 17)).unwrap()
        })
        .take(1000)
        .collect();
        let row = User { hardware_background: Some(text.clone()), software_background: Some(text), ..user("ada") };
        insert(&test.db, row).await.unwrap();
    }
}
