//! The databases are what `schema.rs` says, and the hot queries use their indexes.

use std::sync::{Arc, Mutex};

use diesel::connection::{Connection, InstrumentationEvent};
use schema::test_support::TestDb;
use schema::{AnyConnection, Backend, accounts, on_both_databases, sessions, users};

use crate::support::{at, insert_all, lines, user};

/// `table.column type null` for every column that `schema.rs` declares, in its order.
fn declared() -> Vec<String> {
    let mut columns = Vec::new();
    let mut table = "";
    for line in include_str!("../../src/schema.rs").lines().map(str::trim) {
        if let Some(name) = line.strip_suffix(" (id) {") {
            table = name;
        } else if let Some((column, kind)) = line.trim_end_matches(',').split_once(" -> ")
            && line.ends_with(',')
        {
            let inner = kind.strip_prefix("Nullable<").and_then(|kind| kind.strip_suffix('>'));
            // Ours hold no NULL there, but adopted tables may.
            let ours_are_full =
                matches!((table, column), ("sessions", "ip_address" | "user_agent") | ("users", "banned"));
            let null = if inner.is_some() && !ours_are_full { "null" } else { "not null" };
            columns.push(format!("{table}.{column} {} {null}", inner.unwrap_or(kind)));
        }
    }
    // By table, each table's columns in their order.
    columns.sort_by_key(|column| column.split('.').next().map(str::to_owned));
    columns
}

on_both_databases! {
    async fn the_columns_are_those_of_schema_rs(test: TestDb) {
        let query = match test.backend {
            Backend::Postgres => {
                "SELECT table_name || '.' || column_name || ' ' || CASE data_type \
                   WHEN 'text' THEN 'Text' WHEN 'boolean' THEN 'Bool' WHEN 'integer' THEN 'Integer' \
                   WHEN 'timestamp with time zone' THEN 'Timestamp' ELSE data_type END \
                   || CASE is_nullable WHEN 'YES' THEN ' null' ELSE ' not null' END AS value \
                 FROM information_schema.columns WHERE table_schema = 'public' AND table_name NOT LIKE '\\_%' \
                 ORDER BY table_name, ordinal_position"
            }
            Backend::Sqlite => {
                "SELECT t.name || '.' || c.name || ' ' || CASE c.type WHEN 'TEXT' THEN 'Text' \
                   WHEN 'BOOLEAN' THEN 'Bool' WHEN 'INTEGER' THEN 'Integer' WHEN 'TIMESTAMP' THEN 'Timestamp' \
                   ELSE c.type END \
                   || CASE c.\"notnull\" WHEN 0 THEN ' null' ELSE ' not null' END AS value \
                 FROM sqlite_schema t, pragma_table_info(t.name) c \
                 WHERE t.type = 'table' AND t.name NOT LIKE '\\_%' ESCAPE '\\' ORDER BY t.name, c.cid"
            }
        };
        let actual = test.db.read(move |c| lines(c, query)).await.unwrap();
        assert!(actual.len() >= 32);
        assert_eq!(actual, declared());
    }

    async fn foreign_keys_and_indexes_are_the_same_on_both(test: TestDb) {
        let (foreign_keys, indexes) = match test.backend {
            Backend::Postgres => (
                "SELECT conrelid::regclass || ' ' || pg_get_constraintdef(oid) AS value \
                 FROM pg_constraint WHERE contype = 'f' ORDER BY 1",
                "SELECT indexrelid::regclass::text AS value FROM pg_index \
                 JOIN pg_class ON pg_class.oid = indrelid AND relnamespace = 'public'::regnamespace \
                 WHERE NOT indisunique ORDER BY indexrelid::regclass::text COLLATE \"C\"",
            ),
            Backend::Sqlite => (
                "SELECT t.name || ' FOREIGN KEY (' || f.\"from\" || ') REFERENCES ' || f.\"table\" || '(' \
                 || f.\"to\" || ') ON DELETE ' || f.on_delete AS value \
                 FROM sqlite_schema t, pragma_foreign_key_list(t.name) f ORDER BY 1",
                "SELECT name AS value FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL ORDER BY 1",
            ),
        };
        assert_eq!(test.db.read(move |c| lines(c, foreign_keys)).await.unwrap(), [
            "accounts FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE",
            "sessions FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE",
        ]);
        assert_eq!(test.db.read(move |c| lines(c, indexes)).await.unwrap(), [
            "accounts_user_id_idx",
            "mails_created_at_idx",
            "mails_state_next_attempt_at_idx",
            "sessions_expires_at_idx",
            "sessions_user_id_idx",
            "users_hardware_background_idx",
            "users_software_background_idx",
            "verifications_expires_at_idx",
            "verifications_identifier_idx",
        ]);
    }

    async fn the_queries_of_every_request_use_an_index(test: TestDb) {
        test.db.write(|c| insert_all(c, "ada")).await.unwrap();
        let find_session = test.db.read(|c| {
            plan_of(c, |c| sessions::find_session_with_user(c, "token-ada", at(0)).map(|_| ()))
        });
        let plan = find_session.await.unwrap();
        let index = match test.backend {
            Backend::Postgres => "sessions_token_key",
            Backend::Sqlite => "SEARCH sessions USING INDEX",
        };
        assert!(plan.contains(index) && !plan.to_lowercase().contains("scan users") , "{plan}");
        let find_user = test.db.read(|c| {
            plan_of(c, |c| accounts::find_user_with_credential(c, "ada@example.com").map(|_| ()))
        });
        let plan = find_user.await.unwrap();
        let index = match test.backend {
            Backend::Postgres => "users_email_key",
            Backend::Sqlite => "SEARCH users USING INDEX",
        };
        assert!(plan.contains(index), "{plan}");
    }

    async fn pages_of_users_and_of_sessions_are_read_along_an_index(test: TestDb) {
        test.db.write(|c| insert_all(c, "ada")).await.unwrap();
        let pages: [(Query, &str, &str); 3] = [
            (|c| users::list_users(c, "a", None, 10).map(|_| ()), "users_email_key", "SEARCH users USING INDEX"),
            (|c| accounts::list_whole_users(c, "a", 10).map(|_| ()), "users_pkey", "SEARCH users USING INDEX"),
            (
                |c| sessions::delete_next_sessions(c, "zzz", 10).map(|_| ()),
                "sessions_pkey",
                "SEARCH sessions USING COVERING INDEX",
            ),
        ];
        for (page, on_postgres, on_sqlite) in pages {
            let plan = test.db.read(move |c| plan_of(c, page)).await.unwrap();
            let index = match test.backend {
                Backend::Postgres => on_postgres,
                Backend::Sqlite => on_sqlite,
            };
            assert!(plan.contains(index) && !plan.contains("Sort") && !plan.contains("TEMP B-TREE"), "{plan}");
        }
    }
}

/// A table of users, and the tables of a Better Auth server.
const USERS: &str = "CREATE TABLE app_users (id {id} PRIMARY KEY, email varchar(320) NOT NULL, hashed_password text);";
const BETTER_AUTH: &str = "CREATE TABLE \"user\" (id {id} PRIMARY KEY, name text NOT NULL, email text NOT NULL UNIQUE, \
    \"emailVerified\" {bool} NOT NULL, image text, \"createdAt\" {time} NOT NULL, \"updatedAt\" {time} NOT NULL); \
    CREATE TABLE session (id {id} PRIMARY KEY, \"expiresAt\" {time} NOT NULL, token text NOT NULL UNIQUE, \"createdAt\" {time} \
    NOT NULL, \"updatedAt\" {time} NOT NULL, \"ipAddress\" text, \"userAgent\" text, \"userId\" {ref} NOT NULL REFERENCES \"user\"); \
    CREATE TABLE account (id {id} PRIMARY KEY, \"accountId\" text NOT NULL, \"providerId\" text NOT NULL, \
    \"userId\" {ref} NOT NULL REFERENCES \"user\", password text, \"createdAt\" {time} NOT NULL, \"updatedAt\" {time} NOT NULL); \
    CREATE TABLE verification (id {id} PRIMARY KEY, identifier text NOT NULL, value text NOT NULL, \"expiresAt\" {time} NOT NULL, \
    \"createdAt\" {time}, \"updatedAt\" {time});";

/// Another program's tables by the kind of their ids, adopted.
async fn adopted(backend: Backend, tables: &str, id: &str) -> TestDb {
    use diesel::connection::SimpleConnection;
    let mut test = TestDb::empty(backend).await;
    let (boolean, time) = match backend {
        Backend::Postgres => ("boolean", "timestamptz"),
        Backend::Sqlite => ("integer", "date"),
    };
    let refers = id.split(' ').next().unwrap();
    let tables = [("{id}", id), ("{ref}", refers), ("{bool}", boolean), ("{time}", time)]
        .iter()
        .fold(tables.to_owned(), |sql, (name, value)| sql.replace(name, value));
    test.db.read(move |c| c.batch_execute(&tables)).await.unwrap();
    let plan = schema::adoption::plan(&test.db, schema::adoption::Overrides::default()).await.unwrap();
    assert_eq!(plan.problems, Vec::<String>::new());
    schema::adoption::apply(&test.db, plan, &[]).await.unwrap();
    test.db = schema::Db::open(test.config()).unwrap();
    test
}

#[tokio::test]
async fn the_queries_of_every_request_use_an_index_on_adopted_tables() {
    for (backend, tables, id) in [
        (Backend::Postgres, USERS, "uuid"),
        (Backend::Postgres, USERS, "serial"),
        (Backend::Postgres, BETTER_AUTH, "text"),
        (Backend::Postgres, BETTER_AUTH, "uuid"),
        (Backend::Sqlite, USERS, "integer"),
        (Backend::Sqlite, BETTER_AUTH, "text NOT NULL"),
        (Backend::Sqlite, BETTER_AUTH, "integer"),
    ] {
        let test = adopted(backend, tables, id).await;
        let queries: [Query; 3] = [
            |c| sessions::find_session_with_user(c, "x", at(0)).map(|_| ()),
            |c| accounts::find_user_with_credential(c, "x").map(|_| ()),
            |c| users::find_user_by_id(c, "1").map(|_| ()),
        ];
        for query in queries {
            let plan = test.db.read(move |c| plan_of(c, query)).await.unwrap();
            // PostgreSQL may look a row up by an index in two ways.
            let by_index = match backend {
                Backend::Postgres => plan.matches("Index Scan").count() + plan.matches("Index Only Scan").count(),
                Backend::Sqlite => plan.matches("SEARCH").count(),
            };
            assert!(by_index > 0 && !plan.contains("Seq Scan") && !plan.contains("SCAN"), "{id} {tables}\n{plan}");
        }
    }
}

type Query = fn(&mut AnyConnection) -> diesel::QueryResult<()>;

/// What the database plans for the one query that `run` makes.
fn plan_of(
    conn: &mut AnyConnection,
    run: impl FnOnce(&mut AnyConnection) -> diesel::QueryResult<()>,
) -> diesel::QueryResult<String> {
    use diesel::connection::SimpleConnection;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    conn.set_instrumentation(move |event: InstrumentationEvent<'_>| {
        if let InstrumentationEvent::StartQuery { query, .. } = event {
            log.lock().unwrap().push(query.to_string());
        }
    });
    run(conn)?;
    let queries = std::mem::take(&mut *seen.lock().unwrap());
    assert_eq!(queries.len(), 1, "{queries:?}");
    let sql = queries[0].split(" -- binds").next().unwrap();
    match conn {
        AnyConnection::Postgres(_) => {
            conn.batch_execute("SET enable_seqscan = off")?;
            let ban = if sql.contains("\"banned\" =") {
                [("$2", "false"), ("$3", "now()")]
            } else {
                [("$2", "'x'"), ("$3", "1")]
            };
            let sql = ban.iter().fold(sql.to_owned(), |sql, (bind, value)| sql.replace(bind, value));
            let sql = sql.replace("$1", "'x'").replace("$2", "'x'").replace("LIMIT 'x'", "LIMIT 1").replace("$3", "1");
            // EXPLAIN gives a column named QUERY PLAN, so it is read through a function.
            conn.batch_execute(
                "CREATE OR REPLACE FUNCTION pg_temp.plan(q text) RETURNS SETOF text LANGUAGE plpgsql AS \
                 $$ BEGIN RETURN QUERY EXECUTE 'EXPLAIN ' || q; END $$",
            )?;
            Ok(lines(conn, &format!("SELECT plan AS value FROM pg_temp.plan($q${sql}$q$) AS plan"))?.join("\n"))
        }
        AnyConnection::Sqlite(_) => {
            #[derive(diesel::QueryableByName)]
            struct Step {
                #[diesel(sql_type = diesel::sql_types::Text)]
                detail: String,
            }
            use diesel::RunQueryDsl;
            let sql = sql.replace('?', "'x'").replace("LIMIT 'x'", "LIMIT 1");
            let steps: Vec<Step> = diesel::sql_query(format!("EXPLAIN QUERY PLAN {sql}")).load(conn)?;
            Ok(steps.into_iter().map(|step| step.detail).collect::<Vec<_>>().join("\n"))
        }
    }
}

#[tokio::test]
async fn times_are_utc_to_the_millisecond_whatever_the_servers_time_zone() {
    use diesel::connection::SimpleConnection;
    let test = TestDb::new(Backend::Postgres).await;
    let set =
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET timezone = ''Asia/Kolkata''', current_database()); END $$";
    test.db.read(move |c| c.batch_execute(set)).await.unwrap();
    // Connections made from now on start in that zone.
    let db = schema::Db::open(test.config()).unwrap();
    db.write(|c| users::insert_user(c, &user("ada"))).await.unwrap();
    let found = db.read(|c| users::find_user_by_id(c, "ada")).await.unwrap().unwrap();
    assert_eq!(found.created_at, at(0));
    let query = "SELECT to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') AS value FROM users";
    assert_eq!(db.read(move |c| lines(c, query)).await.unwrap(), ["2026-01-31 12:00:00.123000"]);
}

#[tokio::test]
async fn times_on_sqlite_are_text_in_utc() {
    let test = TestDb::new(Backend::Sqlite).await;
    test.db.write(|c| users::insert_user(c, &user("ada"))).await.unwrap();
    let query = "SELECT typeof(created_at) || ' ' || created_at AS value FROM users";
    let texts = test.db.read(move |c| lines(c, query)).await.unwrap();
    assert_eq!(texts, ["text 2026-01-31 12:00:00.123"]);
}

#[tokio::test]
async fn the_query_of_every_request_is_a_cached_prepared_statement() {
    let test = TestDb::new(Backend::Postgres).await;
    let count = test.db.read(|c| {
        sessions::find_session_with_user(c, "a", at(0))?;
        sessions::find_session_with_user(c, "b", at(0))?;
        let query = "SELECT statement AS value FROM pg_prepared_statements WHERE statement LIKE '%\"sessions\".\"token\" = $1%'";
        Ok(lines(c, query)?.len())
    });
    assert_eq!(count.await.unwrap(), 1);
}
