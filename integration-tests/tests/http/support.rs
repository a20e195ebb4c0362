//! What several test files share.

use actix_web::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use diesel::RunQueryDsl as _;
use diesel::sql_types::{BigInt, Text};
use hmac::{Hmac, KeyInit as _, Mac as _};
use integration_tests::mail::{Mail, Mailbox};
use integration_tests::{Browser, PASSWORD, Reply, TestApp, email};
use schema::DbError;
use schema::test_support::TestDb;
use serde_json::{Value, json};
use sha2::Sha256;

/// Seconds of a day.
pub const DAY: i64 = 86_400;
/// Where the clock of a test starts, as the wire writes it.
pub const START: &str = "2030-01-01T00:00:00.000Z";
/// The cookie of a sign-in, its value left out.
pub const SIGNED_IN: &str = "better-auth.session_token=<value>; Max-Age=604800; Path=/; HttpOnly; SameSite=Lax";
/// The cookie of a sign-in that the browser forgets when it is closed.
pub const SIGNED_IN_FOR_NOW: [&str; 2] = [
    "better-auth.session_token=<value>; Path=/; HttpOnly; SameSite=Lax",
    "better-auth.dont_remember=<value>; Path=/; HttpOnly; SameSite=Lax",
];
/// The cookies of a sign-out.
pub const SIGNED_OUT: [&str; 3] = [
    "better-auth.session_token=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax",
    "better-auth.session_data=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax",
    "better-auth.dont_remember=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax",
];
/// Nobody's token.
pub const UNKNOWN_TOKEN: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// `text` with every id and token (32 letters and digits) left out.
pub fn redact(text: &str) -> String {
    let (mut out, mut run) = (String::new(), String::new());
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            run.push(c);
            continue;
        }
        out.push_str(if run.len() == 32 { "<id>" } else { &run });
        run.clear();
        out.push(c);
    }
    out + if run.len() == 32 { "<id>" } else { &run }
}

/// The `Set-Cookie` lines with every value but the empty one left out.
pub fn cookies(reply: &Reply) -> Vec<String> {
    let redacted = |line: &String| {
        let (pair, attributes) = line.split_once("; ").unwrap();
        let (name, value) = pair.split_once('=').unwrap();
        if value.is_empty() { line.clone() } else { format!("{name}=<value>; {attributes}") }
    };
    reply.set_cookies.iter().map(redacted).collect()
}

/// Status and redacted body.
pub fn answer(reply: &Reply) -> (u16, String) {
    (reply.status.as_u16(), redact(&reply.body))
}

/// A refusal with a code, as [`answer`] shows it.
pub fn refusal(status: u16, code: &str, message: &str) -> (u16, String) {
    (status, json!({ "message": message, "code": code }).to_string())
}

/// A bad body or query.
pub fn invalid(message: &str) -> (u16, String) {
    refusal(400, "VALIDATION_ERROR", message)
}

/// No session.
pub fn unauthorized() -> (u16, String) {
    refusal(401, "UNAUTHORIZED", "Unauthorized")
}

/// 200 `{"status":true}`.
pub fn status_true() -> (u16, String) {
    (200, r#"{"status":true}"#.to_owned())
}

/// The user object of somebody who just signed up as `name`.
pub fn user_json(name: &str) -> String {
    format!(
        r#"{{"name":"{name}","email":"{name}@example.com","emailVerified":false,"image":null,"createdAt":"{START}","updatedAt":"{START}","software_background":null,"hardware_background":null,"id":"<id>"}}"#
    )
}

/// The session object of a session begun at the start of the test and extended at `updated`.
pub fn session_json(updated: &str, expires: &str) -> String {
    format!(
        r#"{{"expiresAt":"{expires}","token":"<id>","createdAt":"{START}","updatedAt":"{updated}","ipAddress":"","userAgent":"","userId":"<id>","id":"<id>"}}"#
    )
}

/// The service with these settings, and `ada` signed up in a browser.
pub async fn with_ada(db: TestDb, settings: &[(&str, &str)]) -> (TestApp, Browser) {
    let app = start(db, settings).await;
    let ada = app.browser();
    ada.sign_up("ada").await;
    (app, ada)
}

/// The service with these settings and a mailbox, and `ada` signed up in a browser.
pub async fn with_mailbox(db: TestDb, settings: &[(&str, &str)]) -> (TestApp, Browser, Mailbox) {
    let mailbox = Mailbox::open();
    let mut all = vec![("AUTH_MAIL", mailbox.setting.as_str())];
    all.extend_from_slice(settings);
    let (app, ada) = with_ada(db, &all).await;
    (app, ada, mailbox)
}

/// The service with these settings.
pub async fn start(db: TestDb, settings: &[(&str, &str)]) -> TestApp {
    settings.iter().fold(TestApp::builder(), |builder, (name, value)| builder.set(name, value)).start(db).await
}

/// A second browser in which `name` signed in.
pub async fn second_device(app: &TestApp, name: &str) -> Browser {
    let browser = app.browser();
    assert_eq!(browser.sign_in(name).await.status.as_u16(), 200);
    browser
}

/// A browser in which ada signed in without being remembered.
pub async fn sign_in_for_now(app: &TestApp) -> Browser {
    let browser = app.browser();
    let body = json!({ "email": "ada@example.com", "password": PASSWORD, "rememberMe": false });
    assert_eq!(browser.post("/sign-in/email", body).await.status.as_u16(), 200);
    browser
}

/// Whether ada can sign in with this password.
pub async fn signs_in(app: &TestApp, password: &str) -> bool {
    let body = json!({ "email": "ada@example.com", "password": password });
    app.browser().post("/sign-in/email", body).await.status.is_success()
}

/// The session token of a browser's cookie.
pub fn token(browser: &Browser) -> String {
    browser.cookie("session_token").unwrap().split('.').next().unwrap().to_owned()
}

/// The `expiresAt` of the browser's session, asked for without extending it.
pub async fn expires_at(browser: &Browser) -> Value {
    browser.get("/get-session?disableRefresh=1").await.json()["session"]["expiresAt"].take()
}

#[derive(diesel::QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

#[derive(diesel::QueryableByName)]
struct Words {
    #[diesel(sql_type = Text)]
    text: String,
}

/// How many rows there are: `users`, or `sessions WHERE …`.
pub async fn count(app: &TestApp, rows: &str) -> i64 {
    let sql = format!("SELECT count(*) AS n FROM {rows}");
    app.db.db.read(move |conn| diesel::sql_query(sql).get_result::<Number>(conn)).await.unwrap().n
}

/// One text: `column FROM table …`.
pub async fn select(app: &TestApp, what: &str) -> String {
    let sql = format!("SELECT {}", what.replacen(" FROM", " AS text FROM", 1));
    app.db.db.read(move |conn| diesel::sql_query(sql).get_result::<Words>(conn)).await.unwrap().text
}

/// Changes rows behind the service's back.
pub async fn try_execute(app: &TestApp, sql: &str) -> Result<usize, DbError> {
    let sql = sql.to_owned();
    app.db.db.write(move |conn| diesel::sql_query(sql).execute(conn)).await
}

/// Changes rows behind the service's back, at least one.
pub async fn execute(app: &TestApp, sql: &str) {
    assert!(try_execute(app, sql).await.unwrap() > 0, "{sql}");
}

/// A compact JWS of these claims by HMAC-SHA256, whatever `header` says; without signature when
/// `secret` is empty.
pub fn jws(header: &Value, claims: &Value, secret: &str) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(header), part(claims));
    if secret.is_empty() {
        return signed + ".";
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

/// The claims of a JWS, unverified.
pub fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

/// Follows a mailed link in a browser.
pub async fn follow(browser: &Browser, mail: &Mail) -> Reply {
    browser.absolute(Method::GET, mail.path()).send().await
}

/// Has a link to set a new password mailed; the token in it.
pub async fn reset_token(app: &TestApp, mailbox: &mut Mailbox, name: &str) -> String {
    let body = json!({ "email": email(name), "redirectTo": "/new-password" });
    assert_eq!(app.browser().post("/request-password-reset", body).await.status.as_u16(), 200);
    let mail = mailbox.of("reset-password").await;
    assert_eq!(mail.text("to"), email(name));
    mail.text("token").to_owned()
}

/// Sets a password with a mailed token.
pub async fn reset(app: &TestApp, token: &str, new_password: &str) -> (u16, String) {
    answer(&app.browser().post("/reset-password", json!({ "newPassword": new_password, "token": token })).await)
}

/// The answer to a link or token that is not (or no longer) good, with this status.
pub fn bad_token(status: u16) -> (u16, String) {
    refusal(status, "INVALID_TOKEN", "Invalid token")
}
