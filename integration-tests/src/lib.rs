//! The service in a test: the real `app::configure` over a database of the test's own, a clock that
//! stands still, and a browser with a cookie jar.
//!
//! ```ignore
//! on_both_databases! {
//!     async fn sign_up_signs_in(db: TestDb) {
//!         let app = TestApp::builder().start(db).await;
//!         let ada = app.browser();
//!         ada.sign_up("ada").await;
//!         assert_eq!(ada.get("/get-session").await.json()["user"]["name"], "ada");
//!     }
//! }
//! ```

pub mod mail;
pub mod smtp;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use actix_http::Request;
use actix_web::body::{BoxBody, MessageBody as _};
use actix_web::dev::{Service, ServiceResponse};
use actix_web::http::{Method, StatusCode};
use actix_web::test::{self, TestRequest};
use actix_web::{App, Error, web};
use auth_sidecar::app::configure;
use auth_sidecar::clock::Clock;
use auth_sidecar::config::{Config, ThisMachine};
use auth_sidecar::mail::Worker;
use auth_sidecar::state::AppState;
use schema::test_support::TestDb;
use serde_json::{Value, json};

/// The public address of the service under test.
pub const BASE_URL: &str = "http://localhost:4000";
/// A page the service trusts; browsers send it as `Origin`.
pub const APP_ORIGIN: &str = "https://app.example.com";
/// The key of cookies.
pub const SECRET: &str = "integration-test-secret-0123456789-abcdef";
/// The password of every user that [`Browser::sign_up`] makes.
pub const PASSWORD: &str = "correct-horse-1";
/// Where the clock starts: 2030-01-01T00:00:00Z, in milliseconds.
pub const START_MS: i64 = 1_893_456_000_000;

/// Longer than anything in a test takes on a busy machine.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

/// Makes a test per database out of each `async fn name(db: TestDb) { … }`: `name::sqlite` and
/// `name::postgres`.
#[macro_export]
macro_rules! on_both_databases {
    ($($(#[$meta:meta])* async fn $name:ident($db:ident: TestDb) $body:block)+) => {
        $(mod $name {
            #[allow(unused_imports)]
            use super::*;

            $(#[$meta])*
            async fn body($db: schema::test_support::TestDb) $body

            #[actix_web::test]
            async fn sqlite() {
                body(schema::test_support::TestDb::new(schema::Backend::Sqlite).await).await;
            }

            #[actix_web::test]
            async fn postgres() {
                body(schema::test_support::TestDb::new(schema::Backend::Postgres).await).await;
            }
        })+
    };
}

trait Dispatch {
    fn call(&self, request: Request) -> std::pin::Pin<Box<dyn Future<Output = Reply> + '_>>;
}

impl<S> Dispatch for S
where
    S: Service<Request, Response = ServiceResponse<BoxBody>, Error = Error>,
{
    fn call(&self, request: Request) -> std::pin::Pin<Box<dyn Future<Output = Reply> + '_>> {
        Box::pin(async move { Reply::read(test::call_service(self, request).await).await })
    }
}

/// Settings of a service to be started.
#[derive(Default)]
pub struct Builder {
    vars: BTreeMap<String, String>,
}

impl Builder {
    /// Sets an environment variable.
    #[must_use]
    pub fn set(mut self, name: &str, value: impl ToString) -> Self {
        self.vars.insert(name.to_owned(), value.to_string());
        self
    }

    /// Starts the service on `db`.
    ///
    /// # Panics
    /// When the settings are wrong.
    pub async fn start(self, db: TestDb) -> TestApp {
        self.launch(Rc::new(db), Clock::fixed(START_MS)).await
    }

    async fn launch(self, db: Rc<TestDb>, clock: Clock) -> TestApp {
        let defaults = [
            ("AUTH_DEV", "false"),
            // A test that counts mails asks for notices itself.
            ("AUTH_MAIL_NOTICES", "false"),
            ("AUTH_RATE_LIMIT", "false"),
            ("BETTER_AUTH_URL", BASE_URL),
            ("BETTER_AUTH_SECRET", SECRET),
            ("BETTER_AUTH_TRUSTED_ORIGINS", "https://app.example.com,https://*.preview.example.com"),
            ("DATABASE_URL", db.url.as_str()),
        ];
        let mut vars: BTreeMap<String, String> =
            defaults.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        vars.extend(self.vars.clone());
        let mut config = Config::from_env(vars, &ThisMachine).unwrap_or_else(|errors| panic!("{errors}"));
        // The one place where a cost below 10 is allowed: a test makes hundreds of hashes.
        config.password.policy.bcrypt_cost = 4;
        let rules = auth_sidecar::fields::column_rules(&config.fields);
        schema::migrations::up(&db.db, &rules).await.unwrap();
        let state = web::Data::new(AppState::new(config, db.db.clone(), clock.clone()).unwrap());
        state.find_adoption().await.unwrap();
        state.set_database_ready();
        Worker::new(state.mailer.clone(), db.db.clone(), clock.clone()).start().await;
        let service = test::init_service(App::new().configure(configure(state.clone()))).await;
        TestApp { service: Rc::new(service), state, clock, db, vars: self.vars }
    }
}

/// A running service.
pub struct TestApp {
    service: Rc<dyn Dispatch>,
    /// What every request shares.
    pub state: web::Data<AppState>,
    /// The service's clock; move it with `advance`.
    pub clock: Clock,
    /// The service's database, for looking at rows.
    pub db: Rc<TestDb>,
    vars: BTreeMap<String, String>,
}

impl TestApp {
    /// Settings to start from.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Another process of the service on the same database and by the same clock, with these settings besides.
    pub async fn restart(&self, settings: &[(&str, &str)]) -> Self {
        let builder = Builder { vars: self.vars.clone() };
        let builder = settings.iter().fold(builder, |builder, (name, value)| builder.set(name, value));
        builder.launch(Rc::clone(&self.db), self.clock.clone()).await
    }

    /// A browser here, with the cookies of one elsewhere.
    #[must_use]
    pub fn carry(&self, browser: &Browser) -> Browser {
        Browser { jar: Rc::new(RefCell::new(browser.jar.borrow().clone())), ..self.browser() }
    }

    /// A browser on the app's page, without cookies.
    #[must_use]
    pub fn browser(&self) -> Browser {
        Browser { service: self.service.clone(), jar: Rc::default(), base: self.state.config.base_path.clone() }
    }

    /// Every mail there was a reason for, sent or not: `<kind> <recipient>`, sorted. Waits for what
    /// the service does after its answers; nothing is sent any more afterwards.
    ///
    /// # Panics
    /// When the database fails.
    pub async fn mails(&self) -> Vec<String> {
        self.state.mailer.drain(PATIENCE).await;
        let rows = self.db.db.read(|conn| schema::mails::list_mails(conn, None, 1000)).await.unwrap();
        let mut mails: Vec<String> = rows.into_iter().map(|row| format!("{} {}", row.kind, row.recipient)).collect();
        mails.sort();
        mails
    }
}

/// A browser: it keeps cookies and sends [`APP_ORIGIN`].
#[derive(Clone)]
pub struct Browser {
    service: Rc<dyn Dispatch>,
    jar: Rc<RefCell<BTreeMap<String, String>>>,
    base: String,
}

impl Browser {
    /// GET below the base path.
    pub async fn get(&self, path: &str) -> Reply {
        self.request(Method::GET, path).send().await
    }

    /// POST of JSON below the base path.
    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.request(Method::POST, path).json(body).send().await
    }

    /// A request below the base path, to be completed.
    #[must_use]
    pub fn request(&self, method: Method, path: &str) -> Call {
        self.absolute(method, &format!("{}{path}", self.base))
    }

    /// A request to a whole path, to be completed.
    #[must_use]
    pub fn absolute(&self, method: Method, path: &str) -> Call {
        let headers = BTreeMap::from([("origin".to_owned(), APP_ORIGIN.to_owned())]);
        Call { browser: self.clone(), method, path: path.to_owned(), headers, body: Vec::new() }
    }

    /// Signs up `<name>@example.com` with [`PASSWORD`].
    ///
    /// # Panics
    /// When it does not succeed.
    pub async fn sign_up(&self, name: &str) -> Reply {
        let body = json!({ "name": name, "email": email(name), "password": PASSWORD });
        let reply = self.post("/sign-up/email", body).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.body);
        reply
    }

    /// Signs in `<name>@example.com` with [`PASSWORD`]; may fail.
    pub async fn sign_in(&self, name: &str) -> Reply {
        self.post("/sign-in/email", json!({ "email": email(name), "password": PASSWORD })).await
    }

    /// The `user` of the session, or null.
    pub async fn user(&self) -> Value {
        self.get("/get-session").await.json()["user"].take()
    }

    /// The raw value of a cookie in the jar, by the end of its name.
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<String> {
        self.jar.borrow().iter().find(|(key, _)| key.ends_with(name)).map(|(_, value)| value.clone())
    }

    /// Puts a raw cookie into the jar.
    pub fn set_cookie(&self, name: &str, value: &str) {
        self.jar.borrow_mut().insert(name.to_owned(), value.to_owned());
    }

    /// Another browser with the same cookies.
    #[must_use]
    pub fn copy(&self) -> Self {
        Self { jar: Rc::new(RefCell::new(self.jar.borrow().clone())), ..self.clone() }
    }
}

/// The address of a test user.
#[must_use]
pub fn email(name: &str) -> String {
    format!("{name}@example.com")
}

/// A request being put together.
pub struct Call {
    browser: Browser,
    method: Method,
    path: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Call {
    /// Sets a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Leaves out a header that the browser would send.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.headers.remove(name);
        self
    }

    /// A JSON body.
    #[must_use]
    pub fn json(self, body: Value) -> Self {
        self.header("content-type", "application/json").body(body.to_string())
    }

    /// A body as it is; set `content-type` yourself.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sends it; the jar gives and takes cookies, unless a `cookie` header was set.
    pub async fn send(self) -> Reply {
        let mut request = TestRequest::with_uri(&self.path).method(self.method);
        let jar = self.browser.jar.clone();
        if !self.headers.contains_key("cookie") && !jar.borrow().is_empty() {
            let pairs: Vec<String> = jar.borrow().iter().map(|(k, v)| format!("{k}={v}")).collect();
            request = request.insert_header(("cookie", pairs.join("; ")));
        }
        for (name, value) in &self.headers {
            request = request.insert_header((name.as_str(), value.as_str()));
        }
        if !self.body.is_empty() {
            request = request.insert_header(("content-length", self.body.len())).set_payload(self.body);
        }
        let reply = self.browser.service.call(request.to_request()).await;
        for line in &reply.set_cookies {
            let (name, rest) = line.split_once('=').unwrap_or((line, ""));
            let value = rest.split(';').next().unwrap_or_default();
            if line.contains("Max-Age=0") {
                jar.borrow_mut().remove(name);
            } else {
                jar.borrow_mut().insert(name.to_owned(), value.to_owned());
            }
        }
        reply
    }
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The headers but `Set-Cookie`, in lower case.
    pub headers: BTreeMap<String, String>,
    /// The `Set-Cookie` lines, in order.
    pub set_cookies: Vec<String>,
    /// The body.
    pub body: String,
}

impl Reply {
    async fn read(response: ServiceResponse<BoxBody>) -> Self {
        let status = response.status();
        let text =
            |value: &actix_web::http::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let set_cookies = response.headers().get_all("set-cookie").map(text).collect();
        let headers = response
            .headers()
            .iter()
            .filter(|(name, _)| *name != "set-cookie")
            .map(|(name, value)| (name.to_string(), text(value)))
            .collect();
        let bytes = actix_web::body::to_bytes(response.into_body().boxed()).await.unwrap_or_default();
        Self { status, headers, set_cookies, body: String::from_utf8_lossy(&bytes).into_owned() }
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {} {:?}", self.status, self.body))
    }

    /// The `code` of an error body; empty when there is none.
    #[must_use]
    pub fn code(&self) -> String {
        serde_json::from_str::<Value>(&self.body)
            .ok()
            .and_then(|body| body["code"].as_str().map(str::to_owned))
            .unwrap_or_default()
    }

    /// A header's value; empty when absent.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// Status and code at once, for assertions.
    #[must_use]
    pub fn outcome(&self) -> (u16, String) {
        (self.status.as_u16(), self.code())
    }
}
