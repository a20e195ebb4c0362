//! The configurable rules of the personalization columns.

use schema::test_support::TestDb;
use schema::{
    Backend, ColumnRule, Db, DbError, FieldsError, MigrateError, User, UserChanges, migrations, on_both_databases,
    users,
};

use crate::support::{lines, number, user};

fn rule() -> ColumnRule {
    ColumnRule { column: "software_background", max_length: 20, values: None, allow_blank: false, list: false }
}

fn one_of(values: &[&str]) -> ColumnRule {
    ColumnRule { values: Some(values.iter().map(|&value| value.to_owned()).collect()), ..rule() }
}

async fn insert(db: &Db, id: &'static str, background: &str) -> Result<(), DbError> {
    let row = User { software_background: Some(background.to_owned()), ..user(id) };
    db.write(move |c| users::insert_user(c, &row)).await
}

async fn update(db: &Db, background: &str) -> Result<(), DbError> {
    let changes = UserChanges { software_background: Some(Some(background.to_owned())), ..UserChanges::default() };
    db.write(move |c| users::update_user(c, "ada", &changes)).await.map(|_| ())
}

fn assert_refused(result: Result<(), DbError>) {
    assert!(
        matches!(&result, Err(DbError::CheckViolation { constraint }) if constraint == "users_software_background_check"),
        "{result:?}"
    );
}

/// A number that changes with every change of the schema.
async fn schema_state(test: &TestDb) -> Vec<String> {
    let query = match test.backend {
        Backend::Postgres => {
            "SELECT oid::text AS value FROM pg_constraint WHERE conrelid = 'users'::regclass \
             UNION ALL SELECT indexrelid::text FROM pg_index WHERE indrelid = 'users'::regclass ORDER BY 1"
        }
        Backend::Sqlite => "SELECT CAST(schema_version AS TEXT) AS value FROM pragma_schema_version",
    };
    test.db.read(move |c| lines(c, query)).await.unwrap()
}

on_both_databases! {
    async fn too_long_and_blank_text_is_refused_on_insert_and_update(test: TestDb) {
        migrations::up(&test.db, &[rule()]).await.unwrap();
        insert(&test.db, "ada", &"😀".repeat(20)).await.unwrap();
        for bad in ["😀".repeat(21).as_str(), "", " ", "\t\n\r\u{b}\u{c} "] {
            assert_refused(insert(&test.db, "bob", bad).await);
            assert_refused(update(&test.db, bad).await);
        }
        // NULL is always allowed, and so is a change of other columns.
        let nothing = UserChanges { software_background: Some(None), ..UserChanges::default() };
        test.db.write(move |c| users::update_user(c, "ada", &nothing)).await.unwrap();
    }

    async fn only_the_listed_values_are_accepted(test: TestDb) {
        migrations::up(&test.db, &[one_of(&["it's", "b\\", "beginner"])]).await.unwrap();
        insert(&test.db, "ada", "it's").await.unwrap();
        update(&test.db, "b\\").await.unwrap();
        for bad in ["Beginner", "beginner ", "its"] {
            assert_refused(update(&test.db, bad).await);
        }
    }

    async fn blank_text_is_accepted_where_it_is_allowed(test: TestDb) {
        migrations::up(&test.db, &[ColumnRule { allow_blank: true, ..one_of(&["a"]) }]).await.unwrap();
        insert(&test.db, "ada", "").await.unwrap();
        update(&test.db, " ").await.unwrap();
        update(&test.db, "a").await.unwrap();
        assert_refused(update(&test.db, "b").await);
    }

    async fn of_a_list_only_the_length_is_checked(test: TestDb) {
        migrations::up(&test.db, &[ColumnRule { list: true, ..one_of(&["a"]) }]).await.unwrap();
        insert(&test.db, "ada", "[\"x\",\"y\"]").await.unwrap();
        update(&test.db, "").await.unwrap();
        assert_refused(update(&test.db, &"x".repeat(21)).await);
    }

    async fn the_columns_have_rules_of_their_own(test: TestDb) {
        let hardware = ColumnRule { column: "hardware_background", max_length: 3, ..rule() };
        migrations::up(&test.db, &[rule(), hardware]).await.unwrap();
        let row = User { hardware_background: Some("FPGA".to_owned()), ..user("ada") };
        let error = test.db.write(move |c| users::insert_user(c, &row)).await.unwrap_err();
        assert!(
            matches!(&error, DbError::CheckViolation { constraint } if constraint == "users_hardware_background_check"),
            "{error:?}"
        );
        insert(&test.db, "ada", "more than three").await.unwrap();
    }

    async fn a_changed_rule_replaces_the_old_one(test: TestDb) {
        migrations::up(&test.db, &[one_of(&["a"])]).await.unwrap();
        insert(&test.db, "ada", "a").await.unwrap();
        migrations::up(&test.db, &[one_of(&["a", "b"])]).await.unwrap();
        update(&test.db, "b").await.unwrap();
        assert_refused(update(&test.db, "c").await);
    }

    async fn an_unchanged_rule_changes_nothing(test: TestDb) {
        let rules = [one_of(&["it's", "b\\"])];
        migrations::up(&test.db, &rules).await.unwrap();
        let before = schema_state(&test).await;
        migrations::up(&test.db, &rules).await.unwrap();
        assert_eq!(schema_state(&test).await, before);
        migrations::up(&test.db, &[one_of(&["it's"])]).await.unwrap();
        assert_ne!(schema_state(&test).await, before);
    }

    async fn a_rule_that_rows_break_changes_nothing_and_counts_them(test: TestDb) {
        migrations::up(&test.db, &[rule()]).await.unwrap();
        insert(&test.db, "ada", "old").await.unwrap();
        insert(&test.db, "bob", "old").await.unwrap();
        insert(&test.db, "eve", "new").await.unwrap();
        let before = schema_state(&test).await;
        let hardware = ColumnRule { column: "hardware_background", ..rule() };
        let error = migrations::up(&test.db, &[hardware, one_of(&["new"])]).await.unwrap_err();
        assert!(
            matches!(
                error,
                MigrateError::Fields(FieldsError::RowsViolate { column: "software_background", rows: 2 })
            ),
            "{error:?}"
        );
        assert_eq!(schema_state(&test).await, before);
        update(&test.db, "anything").await.unwrap();
    }

    async fn the_printed_sql_has_the_same_effect(test: TestDb) {
        use diesel::connection::SimpleConnection;
        let rules = [one_of(&["it's"])];
        let sql = schema::fields::sql(test.backend, &rules).unwrap();
        test.db.write(move |c| c.batch_execute(&sql)).await.unwrap();
        assert_refused(insert(&test.db, "ada", "x").await);
        let before = schema_state(&test).await;
        migrations::up(&test.db, &rules).await.unwrap();
        assert_eq!(schema_state(&test).await, before);
    }
}

#[tokio::test]
async fn postgres_indexes_short_text_by_btree_and_free_text_by_hash() {
    let test = TestDb::new(Backend::Postgres).await;
    let method = |method: &str| {
        format!(
            "SELECT count(*) AS value FROM pg_indexes \
             WHERE indexname = 'users_software_background_idx' AND indexdef LIKE '% USING {method} %'"
        )
    };
    for (rule, expected) in [
        (rule(), "btree"),
        (ColumnRule { max_length: 1000, ..rule() }, "hash"),
        (ColumnRule { max_length: 1000, ..one_of(&["a"]) }, "btree"),
    ] {
        migrations::up(&test.db, &[rule]).await.unwrap();
        let query = method(expected);
        assert_eq!(test.db.read(move |c| number(c, &query)).await.unwrap(), 1, "{expected}");
    }
}
