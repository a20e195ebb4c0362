//! Tables of users that other programs made, adopted: what their owners can do before and after, here and there.

use actix_web::http::Method;
use diesel::connection::SimpleConnection as _;
use integration_tests::{PASSWORD, TestApp, email};
use schema::adoption::{self, AdoptError, IdKind, Overrides, Plan, TableName};
use schema::test_support::TestDb;
use schema::{Backend, Db};
use serde_json::{Value, json};

use crate::support::*;

/// `correct-horse-1`, as three libraries hash it.
const BCRYPT: &str = "$2b$04$h3v2aT1c0Vbl1Bz5iJ4kJOm1Lk3w1rGQq6Xn0nQ8Jp2dWq6O8n2sS";

/// One kind of table, as SQLAlchemy, fastapi-users and hand-written code make them.
struct Kind {
    backend: Backend,
    ids: IdKind,
    ddl: &'static str,
    /// Inserts a user with this address and hash.
    insert: fn(&str, &str) -> String,
    password: &'static str,
    active: Option<&'static str>,
}

const KINDS: [Kind; 6] = [
    Kind {
        backend: Backend::Postgres,
        ids: IdKind::Uuid,
        ddl: "CREATE TABLE app_users (id uuid PRIMARY KEY, email varchar(320) NOT NULL UNIQUE, \
              hashed_password varchar(1024) NOT NULL, is_active boolean NOT NULL, is_superuser boolean NOT NULL, \
              is_verified boolean NOT NULL); \
              CREATE TABLE posts (id serial PRIMARY KEY, author uuid NOT NULL REFERENCES app_users (id) ON DELETE CASCADE)",
        insert: |email, hash| {
            let columns = "id, email, hashed_password, is_active, is_superuser, is_verified";
            format!(
                "INSERT INTO app_users ({columns}) VALUES (gen_random_uuid(), '{email}', '{hash}', true, false, false)"
            )
        },
        password: "hashed_password",
        active: Some("is_active"),
    },
    Kind {
        backend: Backend::Postgres,
        ids: IdKind::Number,
        ddl: "CREATE SCHEMA accounts_app; \
              CREATE TABLE accounts_app.\"User\" (id serial PRIMARY KEY, full_name text, email text NOT NULL, \
              password_hash text, created timestamp DEFAULT now(), software_background text); \
              CREATE TABLE posts (id serial PRIMARY KEY, author int NOT NULL REFERENCES accounts_app.\"User\" (id) ON DELETE CASCADE)",
        insert: |email, hash| {
            format!(
                "INSERT INTO accounts_app.\"User\" (email, password_hash, full_name) VALUES ('{email}', '{hash}', 'Ada L.')"
            )
        },
        password: "password_hash",
        active: None,
    },
    Kind {
        backend: Backend::Postgres,
        ids: IdKind::Text,
        ddl: "CREATE TABLE users (id text PRIMARY KEY, name text NOT NULL, email text NOT NULL UNIQUE, password text NOT NULL, \
              created_at timestamptz NOT NULL DEFAULT now()); \
              CREATE TABLE posts (id serial PRIMARY KEY, author text NOT NULL REFERENCES users (id) ON DELETE CASCADE)",
        insert: |email, hash| format!("INSERT INTO public.users VALUES ('id-of-{email}', 'Ada', '{email}', '{hash}')"),
        password: "password",
        active: None,
    },
    Kind {
        backend: Backend::Sqlite,
        ids: IdKind::UuidHex,
        ddl: "CREATE TABLE app_users (id CHAR(32) NOT NULL PRIMARY KEY, email VARCHAR(320) NOT NULL UNIQUE, \
              hashed_password VARCHAR(1024) NOT NULL, is_active BOOLEAN NOT NULL, is_superuser BOOLEAN NOT NULL, \
              is_verified BOOLEAN NOT NULL); \
              CREATE TABLE posts (id INTEGER PRIMARY KEY, author CHAR(32) NOT NULL REFERENCES app_users (id) ON DELETE CASCADE)",
        insert: |email, hash| {
            let columns = "id, email, hashed_password, is_active, is_superuser, is_verified";
            format!(
                "INSERT INTO app_users ({columns}) VALUES (lower(hex(randomblob(16))), '{email}', '{hash}', 1, 0, 0)"
            )
        },
        password: "hashed_password",
        active: Some("is_active"),
    },
    Kind {
        backend: Backend::Sqlite,
        ids: IdKind::Number,
        ddl: "CREATE TABLE \"User\" (id INTEGER NOT NULL PRIMARY KEY, full_name TEXT, email TEXT NOT NULL, \
              password_hash TEXT, created DATETIME DEFAULT CURRENT_TIMESTAMP, software_background TEXT); \
              CREATE TABLE posts (id INTEGER PRIMARY KEY, author INTEGER NOT NULL REFERENCES \"User\" (id) ON DELETE CASCADE)",
        insert: |email, hash| {
            format!("INSERT INTO \"User\" (email, password_hash, full_name) VALUES ('{email}', '{hash}', 'Ada L.')")
        },
        password: "password_hash",
        active: None,
    },
    Kind {
        backend: Backend::Sqlite,
        ids: IdKind::Text,
        ddl: "CREATE TABLE users (id text PRIMARY KEY, name text NOT NULL, email text NOT NULL UNIQUE, password text NOT NULL, \
              created_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP); \
              CREATE TABLE posts (id INTEGER PRIMARY KEY, author text NOT NULL REFERENCES users (id) ON DELETE CASCADE)",
        insert: |email, hash| {
            format!(
                "INSERT INTO main.users (id, name, email, password) VALUES ('id-of-{email}', 'Ada', '{email}', '{hash}')"
            )
        },
        password: "password",
        active: None,
    },
];

/// The table of users, past the view of the same name.
fn table_of(plan: &Plan, backend: Backend) -> String {
    let table = plan.table("users").unwrap().table.sql();
    if backend == Backend::Sqlite { format!("main.{table}") } else { table }
}

async fn foreign(backend: Backend, sql: impl Into<String>) -> TestDb {
    let test = TestDb::empty(backend).await;
    let sql = sql.into();
    test.db.read(move |conn| conn.batch_execute(&sql)).await.unwrap();
    test
}

async fn planned(db: &Db) -> Plan {
    adoption::plan(db, Overrides::default()).await.unwrap()
}

/// Adopts, and connects anew as the next start of the service does.
async fn adopt(test: &mut TestDb) -> Plan {
    let plan = planned(&test.db).await;
    assert_eq!(plan.problems, Vec::<String>::new());
    adoption::apply(&test.db, plan.clone(), &[]).await.unwrap();
    test.db = Db::open(test.config()).unwrap();
    plan
}

async fn run(app: &TestApp, sql: String) {
    app.db.db.read(move |conn| conn.batch_execute(&sql)).await.unwrap();
}

/// A hash of [`PASSWORD`], made by the service itself.
async fn hash() -> String {
    let app = TestApp::builder().start(TestDb::new(Backend::Sqlite).await).await;
    app.state.hasher.hash(PASSWORD.to_owned()).await.unwrap()
}

#[actix_web::test]
async fn users_of_each_kind_sign_in_as_before_and_their_program_goes_on() {
    let hash = hash().await;
    for kind in &KINDS {
        let sql = format!("{}; {}", kind.ddl, (kind.insert)("Ada@Example.com", &hash));
        let mut test = foreign(kind.backend, sql).await;
        let plan = adopt(&mut test).await;
        assert_eq!(plan.table("users").unwrap().ids, kind.ids);
        let table = table_of(&plan, kind.backend);
        let id_text = "CAST(id AS TEXT)";
        let app = TestApp::builder().set("AUTH_USER_DELETE_USER_ENABLED", true).start(test).await;

        // Who was there signs in with the old password, in any case of the address.
        let ada = app.browser();
        assert_eq!(ada.sign_in("ada").await.status.as_u16(), 200, "{table}");
        let user = ada.user().await;
        assert_eq!(user["email"], "ada@example.com");
        assert_eq!(user["id"], select(&app, &format!("{id_text} FROM {table}")).await);
        // The spelling in the table stays; new fields are its columns.
        let update = json!({ "software_background": "C", "hardware_background": "FPGA", "name": "Ada Lovelace" });
        assert_eq!(ada.post("/update-user", update).await.status.as_u16(), 200);
        assert_eq!(ada.user().await["software_background"], "C");
        assert_eq!(
            select(&app, &format!("email || ' ' || software_background FROM {table}")).await,
            "Ada@Example.com C"
        );

        // A password changed on either side holds on both.
        let change = json!({ "currentPassword": PASSWORD, "newPassword": "another-horse-1" });
        assert_eq!(ada.post("/change-password", change).await.status.as_u16(), 200);
        let theirs = select(&app, &format!("{} FROM {table}", kind.password)).await;
        assert_eq!(theirs, select(&app, "password FROM accounts").await);
        run(&app, format!("UPDATE {table} SET {} = '{hash}'", kind.password)).await;
        assert!(signs_in(&app, PASSWORD).await && !signs_in(&app, "another-horse-1").await, "{table}");

        // New users are rows of their table, and their rows can refer to them.
        let bob = app.browser();
        bob.sign_up("bob").await;
        let id = bob.user().await["id"].as_str().unwrap().to_owned();
        run(&app, format!("INSERT INTO posts (author) VALUES ('{id}')")).await;
        assert_ne!(select(&app, &format!("{} FROM {table} WHERE {id_text} = '{id}'", kind.password)).await, "!");
        assert_eq!(
            app.browser()
                .post("/sign-up/email", json!({ "name": "x", "email": email("ADA"), "password": PASSWORD }))
                .await
                .outcome(),
            (422, "USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL".to_owned())
        );
        // Those their program makes sign in at once.
        run(&app, (kind.insert)("eve@example.com", &hash)).await;
        assert_eq!(app.browser().sign_in("eve").await.status.as_u16(), 200, "{table}");

        if let Some(active) = kind.active {
            run(&app, format!("UPDATE {table} SET {active} = false WHERE email = 'Ada@Example.com'")).await;
            assert_eq!(ada.get("/get-session").await.body, "null");
            assert_eq!(app.browser().sign_in("ada").await.outcome(), (403, "BANNED_USER".to_owned()));
            assert_eq!(count(&app, "sessions WHERE user_id IN (SELECT id FROM users WHERE banned)").await, 0);
        }
        let delete = bob.post("/delete-user", json!({ "password": PASSWORD })).await;
        assert_eq!(delete.status.as_u16(), 200, "{}", delete.body);
        assert_eq!(count(&app, &format!("{table} WHERE {id_text} = '{id}'")).await + count(&app, "posts").await, 0);
        run(&app, format!("DELETE FROM {table} WHERE email = 'eve@example.com'")).await;
        let left = if kind.active.is_some() { 0 } else { 2 };
        assert_eq!(count(&app, "sessions").await, left, "{table}: those of ada, unless they ended");
        let token = app.browser().absolute(Method::POST, "/auth/login");
        let token = token.json(json!({ "email": email("eve"), "password": PASSWORD })).send().await;
        assert_eq!(token.status.as_u16(), 401);
    }
}

#[actix_web::test]
async fn a_mailed_link_makes_a_user_without_a_password() {
    for kind in &KINDS {
        let mut test = foreign(kind.backend, kind.ddl).await;
        let table = table_of(&adopt(&mut test).await, kind.backend);
        let (app, _ada, mut mailbox) = with_mailbox(test, &[("AUTH_PLUGINS", "magic-link")]).await;
        let cleo = app.browser();
        cleo.post("/sign-in/magic-link", json!({ "email": email("cleo") })).await;
        let mail = mailbox.of("magic-link").await;
        follow(&cleo, &mail).await;
        assert_eq!(cleo.user().await["emailVerified"], true, "{table}");
        assert_eq!(count(&app, "accounts").await, 1, "ada's");
        assert_eq!(count(&app, &format!("{table} WHERE email = 'cleo@example.com'")).await, 1);
    }
}

#[actix_web::test]
async fn an_adoption_is_undone_without_a_trace() {
    for kind in KINDS.iter().filter(|kind| kind.backend == Backend::Postgres) {
        let columns = "SELECT string_agg(attrelid::regclass || '.' || attname || ' ' || atttypid::regtype, ',' ORDER BY attrelid, attnum) \
                       AS text FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid \
                       JOIN pg_namespace n ON n.oid = relnamespace \
                       WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema' AND attnum > 0 AND NOT attisdropped";
        let sql = format!("{}; {}", kind.ddl, (kind.insert)("Ada@Example.com", BCRYPT));
        let mut test = foreign(kind.backend, sql).await;
        let shape = async |db: &Db| {
            let query = columns.to_owned();
            db.read(move |conn| diesel::RunQueryDsl::get_result::<Shape>(diesel::sql_query(query), conn))
                .await
                .unwrap()
                .text
        };
        let before = shape(&test.db).await;
        adopt(&mut test).await;
        assert_ne!(shape(&test.db).await, before);
        let current = adoption::current(&test.db).await.unwrap().unwrap();
        assert_eq!(current.ids("users"), kind.ids);
        let again = adoption::plan(&test.db, Overrides::default()).await;
        assert!(matches!(again, Err(AdoptError::State(_))), "{again:?}");
        assert_eq!(adoption::revert(&test.db).await.unwrap(), current);
        assert_eq!(shape(&test.db).await, before);
        assert!(matches!(adoption::revert(&test.db).await, Err(AdoptError::State(_))));
        adopt(&mut test).await;
    }
}

#[derive(diesel::QueryableByName)]
struct Shape {
    #[diesel(sql_type = diesel::sql_types::Text)]
    text: String,
}

#[actix_web::test]
async fn what_does_not_fit_is_named_and_nothing_is_changed() {
    for (ddl, problem) in [
        (
            "CREATE TABLE u (id uuid PRIMARY KEY, email text NOT NULL, password text); \
             INSERT INTO u VALUES (gen_random_uuid(), 'a@b.co'), (gen_random_uuid(), 'A@B.co')",
            "2 rows have the address a@b.co",
        ),
        ("CREATE TABLE u (id uuid, email text NOT NULL, password text)", "neither the primary key nor unique"),
        ("CREATE TABLE u (id int PRIMARY KEY, email text NOT NULL, password text)", "not counted by a sequence"),
        ("CREATE TABLE u (id date PRIMARY KEY, email text NOT NULL, password text)", "the type date cannot be adopted"),
        (
            "CREATE TABLE u (id text PRIMARY KEY, email text, password bytea)",
            "is of the type bytea; password needs text",
        ),
        (
            "CREATE TABLE u (id text PRIMARY KEY, email text, password text, tenant int NOT NULL)",
            "nobody could sign up: tenant of \"public\".\"u\" is NOT NULL without a default",
        ),
    ] {
        let test = foreign(Backend::Postgres, ddl).await;
        let plan = planned(&test.db).await;
        assert!(plan.problems.len() == 1 && plan.problems[0].contains(problem), "{:?}", plan.problems);
        assert!(matches!(adoption::apply(&test.db, plan, &[]).await, Err(AdoptError::Problems)));
        assert_eq!(adoption::current(&test.db).await.unwrap(), None);
    }
    let several = foreign(
        Backend::Postgres,
        "CREATE TABLE a (id text, email text, password text); CREATE TABLE b (id text, email text, password text)",
    )
    .await;
    let error = adoption::plan(&several.db, Overrides::default()).await.unwrap_err();
    assert!(error.to_string().contains("public.a, public.b"), "{error}");
    let none = foreign(Backend::Postgres, "CREATE TABLE a (id text, mail text)").await;
    assert!(matches!(adoption::plan(&none.db, Overrides::default()).await, Err(AdoptError::NoTable(_))));
    let missing = Overrides { table: Some(TableName::parse(Backend::Postgres, "nowhere")), ..Overrides::default() };
    assert!(matches!(adoption::plan(&none.db, missing).await, Err(AdoptError::NoTable(_))));
}

#[actix_web::test]
async fn other_names_of_columns_can_be_told() {
    let mut test = foreign(
        Backend::Postgres,
        "CREATE TABLE people (id text PRIMARY KEY, contact text NOT NULL, pwd text, nick text)",
    )
    .await;
    let columns = [("email", "contact"), ("password", "pwd"), ("name", "nick")];
    let columns = columns.map(|(ours, theirs)| (ours.to_owned(), theirs.to_owned())).to_vec();
    let table = Some(TableName::parse(Backend::Postgres, "public.people"));
    let overrides = Overrides { table, columns, ..Overrides::default() };
    let plan = adoption::plan(&test.db, overrides).await.unwrap();
    assert_eq!(plan.problems, Vec::<String>::new());
    adoption::apply(&test.db, plan, &[]).await.unwrap();
    test.db = Db::open(test.config()).unwrap();
    let (app, ada) = with_ada(test, &[]).await;
    assert_eq!(select(&app, "contact || ' ' || nick FROM people").await, "ada@example.com ada");
    assert_eq!(ada.user().await["name"], "ada");
}

#[actix_web::test]
async fn the_rules_of_the_fields_hold_for_their_program_too() {
    for kind in KINDS.iter().filter(|kind| kind.ddl.contains("app_users")) {
        let mut test = foreign(kind.backend, kind.ddl).await;
        adopt(&mut test).await;
        let (app, ada) = with_ada(test, &[("AUTH_FIELD_SOFTWARE_BACKGROUND_VALUES", "beginner,advanced")]).await;
        assert_eq!(
            ada.post("/update-user", json!({ "software_background": "no such" })).await.outcome(),
            (400, "VALIDATION_ERROR".to_owned())
        );
        assert!(try_execute(&app, "UPDATE app_users SET software_background = 'no such'").await.is_err());
        execute(&app, "UPDATE app_users SET software_background = 'advanced'").await;
        assert_eq!(ada.user().await["software_background"], "advanced");
        assert_eq!(ada.get("/get-session").await.json()["user"]["hardware_background"], Value::Null);
    }
}

#[actix_web::test]
async fn a_sqlite_file_is_given_back_as_it_was() {
    let shape = async |db: &Db| {
        let query =
            "SELECT group_concat(sql, '; ') AS text FROM (SELECT sql FROM main.sqlite_schema ORDER BY type, name)";
        db.read(move |conn| diesel::RunQueryDsl::get_result::<Shape>(diesel::sql_query(query), conn))
            .await
            .unwrap()
            .text
    };
    for kind in KINDS.iter().filter(|kind| kind.backend == Backend::Sqlite) {
        let sql = format!("{}; {}", kind.ddl, (kind.insert)("Ada@Example.com", BCRYPT));
        let mut test = foreign(kind.backend, sql).await;
        let before = shape(&test.db).await;
        adopt(&mut test).await;
        let current = adoption::current(&test.db).await.unwrap().unwrap();
        assert_eq!(current.ids("users"), kind.ids);
        assert_eq!(adoption::revert(&test.db).await.unwrap(), current);
        assert_eq!(shape(&test.db).await, before);
        adopt(&mut test).await;
    }
}

#[actix_web::test]
async fn their_migration_may_make_a_sqlite_table_anew_while_we_pause() {
    let hash = hash().await;
    let kind = KINDS.iter().find(|kind| kind.backend == Backend::Sqlite && kind.ids == IdKind::Text).unwrap();
    let sql = format!("{}; {}", kind.ddl, (kind.insert)("Ada@Example.com", &hash));
    let mut test = foreign(kind.backend, sql).await;
    adopt(&mut test).await;
    // As Alembic's batch mode and Prisma do it.
    let anew = "PRAGMA foreign_keys = OFF; BEGIN; CREATE TABLE _new (id text PRIMARY KEY, name text NOT NULL, email text NOT NULL \
                UNIQUE, password text NOT NULL, created_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP, email_verified boolean \
                NOT NULL DEFAULT false, image text, updated_at timestamp, software_background text, hardware_background text, \
                additional_fields text NOT NULL DEFAULT '{}', banned boolean NOT NULL DEFAULT false, ban_reason text, \
                ban_expires timestamp, theirs text); \
                INSERT INTO _new SELECT *, 'x' FROM main.users; DROP TABLE main.users; ALTER TABLE _new RENAME TO users; COMMIT";
    let path = test.url.strip_prefix("sqlite://").unwrap().to_owned();
    let migrate = || {
        let mut theirs = <diesel::SqliteConnection as diesel::Connection>::establish(&path).unwrap();
        diesel::connection::SimpleConnection::batch_execute(&mut theirs, anew)
    };
    assert!(migrate().is_err());
    adoption::pause(&test.db).await.unwrap();
    migrate().unwrap();
    schema::migrations::up(&test.db, &[]).await.unwrap();
    let app = TestApp::builder().start(test).await;
    let ada = app.browser();
    assert_eq!(ada.sign_in("ada").await.status.as_u16(), 200);
    let change = json!({ "currentPassword": PASSWORD, "newPassword": "another-horse-1" });
    assert_eq!(ada.post("/change-password", change).await.status.as_u16(), 200);
    assert_eq!(select(&app, "password FROM main.users").await, select(&app, "password FROM accounts").await);
}

/// Tables of a Better Auth server on SQLite with counted ids, whose references do not cascade.
const COUNTED: &str = "CREATE TABLE user (id integer PRIMARY KEY, name text NOT NULL, email text NOT NULL UNIQUE, \
    emailVerified integer NOT NULL, image text, createdAt integer NOT NULL, updatedAt integer NOT NULL, favoriteColor text, \
    pro boolean); \
    CREATE TABLE session (id integer PRIMARY KEY, expiresAt integer NOT NULL, token text NOT NULL UNIQUE, createdAt integer \
    NOT NULL, updatedAt integer NOT NULL, ipAddress text, userAgent text, userId integer NOT NULL); \
    CREATE TABLE account (id integer PRIMARY KEY, accountId text NOT NULL, providerId text NOT NULL, userId integer NOT NULL, \
    password text, createdAt integer NOT NULL, updatedAt integer NOT NULL); \
    CREATE TABLE verification (id integer PRIMARY KEY, identifier text NOT NULL, value text NOT NULL, expiresAt integer NOT NULL, \
    createdAt integer, updatedAt integer); \
    INSERT INTO user VALUES (1, 'Old', 'old@example.com', 1, NULL, 1795744675, 1795744675, 'blue', 1)";

#[actix_web::test]
async fn who_gets_the_number_of_a_deleted_user_gets_nothing_else() {
    for (ddl, users, insert) in [
        (
            COUNTED,
            "main.user",
            "INSERT INTO main.user (id, name, email, emailVerified, createdAt, updatedAt) VALUES (2, 'Eve', 'eve@example.com', 1, 1, 1)",
        ),
        (
            "CREATE TABLE app_users (id INTEGER PRIMARY KEY, email TEXT NOT NULL, password_hash TEXT); \
             INSERT INTO app_users (email) VALUES ('old@example.com')",
            "main.app_users",
            "INSERT INTO main.app_users (id, email) VALUES (2, 'eve@example.com')",
        ),
    ] {
        let mut test = foreign(Backend::Sqlite, ddl).await;
        adopt(&mut test).await;
        let (app, ada) = with_ada(test, &[]).await;
        assert_eq!(ada.user().await["id"], "2");
        let link = "INSERT INTO verifications (id, identifier, value, expires_at, created_at, updated_at) VALUES \
                    ('9', 'reset-password:token', '2', '2130-01-01 00:00:00', '2026-01-01 00:00:00', '2026-01-01 00:00:00')";
        try_execute(&app, link).await.unwrap();
        // Some programs write every column.
        run(&app, format!("UPDATE {users} SET id = id, email = email")).await;
        assert_eq!(ada.user().await["id"], "2");
        // Their program, which leaves foreign keys off.
        run(&app, format!("PRAGMA foreign_keys = OFF; DELETE FROM {users} WHERE id = 2; {insert}")).await;
        assert_eq!(ada.get("/get-session").await.body, "null", "{users}");
        assert_eq!(app.browser().sign_in("eve").await.status.as_u16(), 401, "{users}");
        for table in ["sessions", "accounts", "verifications"] {
            assert_eq!(count(&app, table).await, 0, "{users} {table}");
        }
    }
}

#[actix_web::test]
async fn times_have_the_form_of_the_other_columns_and_fields_their_own() {
    let mut test = foreign(Backend::Sqlite, COUNTED).await;
    let field = |name: &str| adoption::DeclaredField { table: "users", name: name.to_owned(), key: name.to_owned() };
    let overrides = Overrides { fields: vec![field("favorite_color"), field("pro")], ..Overrides::default() };
    let plan = adoption::plan(&test.db, overrides).await.unwrap();
    assert_eq!(plan.problems, Vec::<String>::new());
    adoption::apply(&test.db, plan, &[]).await.unwrap();
    test.db = Db::open(test.config()).unwrap();
    let fields = [("AUTH_USER_FIELDS", "favorite_color,pro"), ("AUTH_FIELD_PRO_TYPE", "boolean")];
    let (app, ada) = with_ada(test, &fields).await;
    // The tables were empty: seconds, as the users have them.
    assert_eq!(count(&app, "main.session WHERE expiresAt BETWEEN 1700000000 AND 9000000000").await, 1);
    assert_eq!(ada.user().await["favorite_color"], Value::Null);
    let update = json!({ "favorite_color": "red", "pro": true });
    assert_eq!(ada.post("/update-user", update).await.status.as_u16(), 200);
    assert_eq!(select(&app, "favoriteColor || pro FROM main.user WHERE id = 2").await, "red1");
    run(&app, "UPDATE main.user SET favoriteColor = 'green', pro = 0 WHERE id = 2".to_owned()).await;
    let user = ada.user().await;
    assert_eq!((&user["favorite_color"], &user["pro"]), (&json!("green"), &json!(false)));
    assert_eq!(select(&app, "favoriteColor || pro FROM main.user WHERE id = 1").await, "blue1");
}

#[actix_web::test]
async fn a_password_that_they_remove_opens_nothing() {
    let hash = hash().await;
    for kind in KINDS.iter().filter(|kind| kind.ids == IdKind::Number) {
        let mut test =
            foreign(kind.backend, format!("{}; {}", kind.ddl, (kind.insert)("Ada@Example.com", &hash))).await;
        let table = table_of(&adopt(&mut test).await, kind.backend);
        let app = TestApp::builder().start(test).await;
        assert!(signs_in(&app, PASSWORD).await);
        run(&app, format!("UPDATE {table} SET {} = NULL", kind.password)).await;
        assert!(!signs_in(&app, PASSWORD).await, "{table}");
        run(&app, format!("UPDATE {table} SET {} = '{hash}'", kind.password)).await;
        assert!(signs_in(&app, PASSWORD).await, "{table}");
    }
}

#[actix_web::test]
async fn a_schema_that_somebody_else_placed_is_not_ours() {
    let test = TestDb::new(Backend::Postgres).await;
    let placed = "CREATE SCHEMA auth_sidecar; CREATE TABLE auth_sidecar.users (id text)";
    test.db.read(move |conn| conn.batch_execute(placed)).await.unwrap();
    let db = Db::open(test.config()).unwrap();
    assert_eq!(adoption::current(&db).await.unwrap(), None);
    schema::migrations::up(&db, &[]).await.unwrap();
    let users = db.read(|conn| schema::users::find_user_by_email(conn, "ada@example.com")).await;
    assert_eq!(users.unwrap(), None, "of our own table");

    // Where there are no tables of ours, none are made beside those that somebody else adopted.
    let mut test = foreign(Backend::Postgres, KINDS[0].ddl).await;
    adopt(&mut test).await;
    let roles = ["stranger", "service"].map(|role| format!("{role}_{}", std::process::id()));
    let [stranger, service] = &roles;
    let given = format!(
        "CREATE ROLE {stranger}; CREATE ROLE {service}; ALTER SCHEMA auth_sidecar OWNER TO {stranger}; \
         ALTER TABLE auth_sidecar._adoption OWNER TO {stranger}; GRANT ALL ON SCHEMA public TO {service}"
    );
    test.db.read(move |conn| conn.batch_execute(&given)).await.unwrap();
    let mut config = test.config();
    let separator = if config.url.contains('?') { '&' } else { '?' };
    config.url.push_str(&format!("{separator}options=-c%20role%3D{service}"));
    let as_service = Db::open(config).unwrap();
    assert_eq!(adoption::current(&as_service).await.unwrap(), None);
    let refused = schema::migrations::up(&as_service, &[]).await.unwrap_err().to_string();
    assert!(refused.contains(stranger), "{refused}");
    drop(as_service);
    let back = format!("DROP OWNED BY {stranger}, {service} CASCADE; DROP ROLE {stranger}, {service}");
    test.db.read(move |conn| conn.batch_execute(&back)).await.unwrap();
}

#[actix_web::test]
async fn what_keeps_people_out_elsewhere_is_named() {
    let ddl = "CREATE TABLE u (id text PRIMARY KEY, email text NOT NULL, password text, deleted_at timestamp, full_name text \
               GENERATED ALWAYS AS (email) STORED); INSERT INTO u (id, email, deleted_at) VALUES ('a', 'a@b.co', '2026-01-01')";
    for backend in [Backend::Postgres, Backend::Sqlite] {
        let test = foreign(backend, ddl).await;
        let plan = planned(&test.db).await;
        assert!(plan.problems.len() == 1 && plan.problems[0].contains("--ignore deleted_at"), "{:?}", plan.problems);
        let overrides = Overrides { ignored: vec!["deleted_at".to_owned()], ..Overrides::default() };
        let plan = adoption::plan(&test.db, overrides).await.unwrap();
        assert_eq!(plan.problems, Vec::<String>::new());
        assert!(
            plan.tables[0].added.iter().any(|(ours, _)| *ours == "name"),
            "one that is generated cannot be written"
        );
    }
    let short =
        foreign(Backend::Postgres, "CREATE TABLE u (id varchar(26) PRIMARY KEY, email text NOT NULL, password text)");
    let problems = planned(&short.await.db).await.problems;
    assert!(problems.len() == 1 && problems[0].contains("holds 26 characters"), "{problems:?}");
}
