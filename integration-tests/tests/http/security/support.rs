//! What the attacks have in common.

use std::future::poll_fn;
use std::io::{Read as _, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::Poll;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpResponse, HttpServer, rt, web};
use auth_sidecar::app::configure;
use auth_sidecar::password::HasherError;
use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use integration_tests::{Browser, Reply, TestApp};
use schema::tables::{accounts, sessions, users, verifications};
use schema::{Account, Session, User};
use tokio::sync::Notify;

/// Longer than anything here takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How many rows the tables have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rows {
    pub users: i64,
    pub accounts: i64,
    pub sessions: i64,
    pub verifications: i64,
}

pub async fn rows(app: &TestApp) -> Rows {
    let count = app.db.db.read(|conn| {
        Ok(Rows {
            users: users::table.count().get_result(conn)?,
            accounts: accounts::table.count().get_result(conn)?,
            sessions: sessions::table.count().get_result(conn)?,
            verifications: verifications::table.count().get_result(conn)?,
        })
    });
    count.await.unwrap()
}

/// The user with this address and the account with the password.
pub async fn credential(app: &TestApp, email: &str) -> (User, Account) {
    let email = email.to_owned();
    let found = app.db.db.read(move |conn| schema::accounts::find_user_with_credential(conn, &email)).await.unwrap();
    let (user, account) = found.expect("the user exists");
    (user, account.expect("the user has a password"))
}

pub async fn stored_hash(app: &TestApp, email: &str) -> String {
    credential(app, email).await.1.password.unwrap_or_default()
}

pub async fn store_hash(app: &TestApp, email: &str, hash: Option<&str>) {
    let id = credential(app, email).await.1.id;
    let hash = hash.map(str::to_owned);
    let update = app
        .db
        .db
        .write(move |conn| diesel::update(accounts::table.find(id)).set(accounts::password.eq(hash)).execute(conn));
    assert_eq!(update.await.unwrap(), 1);
}

pub async fn session(app: &TestApp, token: &str) -> Option<Session> {
    let (token, now) = (token.to_owned(), app.state.clock.now());
    let found = app.db.db.read(move |conn| schema::sessions::find_session_with_user(conn, &token, now)).await.unwrap();
    found.map(|(session, _)| session)
}

/// The token of the browser's session, as sign-up and sign-in answer it.
pub fn token(browser: &Browser) -> String {
    let cookie = browser.cookie("session_token").expect("the browser has a session");
    cookie.split_once('.').expect("the cookie is signed").0.to_owned()
}

pub async fn sql(app: &TestApp, text: impl Into<String>) {
    let text = text.into();
    app.db.db.read(move |conn| conn.batch_execute(&text)).await.unwrap();
}

/// Everything an observer sees of an answer.
pub fn seen(reply: &Reply) -> String {
    format!("{reply:?}")
}

/// Percent-encodes every byte.
pub fn encode(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Some four seconds of one hashing thread: bcrypt of cost 15, for both spellings of the password.
const SLOW_HASH: &str = "$2b$15$abcdefghijklmnopqrstuvqREtd3VJD2QVZbuFskFSLk6eRIrQoOS";
const TWO_SPELLINGS: &str = "\u{fb01}";

/// `AUTH_HASH_QUEUE` for [`keep_hashing_busy`], beside `AUTH_HASH_THREADS=1`.
pub const HASH_QUEUE: usize = 4;

/// Keeps the one hashing thread at work and its queue full while the guard lives. Whatever needs a
/// hash is answered with 503 then: this counts work, where a clock would only estimate it.
pub async fn keep_hashing_busy(app: &TestApp) -> impl Sized + use<> {
    let mut jobs = Vec::new();
    while jobs.len() <= HASH_QUEUE {
        let hasher = app.state.hasher.clone();
        let mut job = Box::pin(async move { hasher.verify(TWO_SPELLINGS.into(), Some(SLOW_HASH.into())).await });
        match poll_fn(|cx| Poll::Ready(job.as_mut().poll(cx))).await {
            Poll::Pending => jobs.push(job),
            // The thread has not taken the first job yet.
            Poll::Ready(Err(HasherError::Busy)) => tokio::task::yield_now().await,
            Poll::Ready(other) => panic!("a slow job was over at once: {other:?}"),
        }
    }
    jobs
}

/// A server on a free port of loopback, until it is dropped.
pub struct Listening {
    pub address: SocketAddr,
    handle: ServerHandle,
}

impl Drop for Listening {
    fn drop(&mut self) {
        rt::spawn(self.handle.stop(false));
    }
}

macro_rules! listening {
    ($server:expr) => {{
        let server = $server.workers(1).disable_signals().bind(("127.0.0.1", 0)).unwrap();
        let address = server.addrs()[0];
        let server = server.run();
        let handle = server.handle();
        rt::spawn(server);
        Listening { address, handle }
    }};
}

/// The service on a socket, for what a request object cannot carry.
pub fn listen(app: &TestApp) -> Listening {
    let state = app.state.clone();
    listening!(HttpServer::new(move || App::new().configure(configure(state.clone()))))
}

/// An answer as it came over the socket.
#[derive(Debug)]
pub struct RawReply {
    pub status: u16,
    pub text: String,
}

impl Listening {
    /// Sends these bytes and reads until the server closes; ask it to with `Connection: close`.
    pub async fn exchange(&self, request: impl Into<Vec<u8>>) -> RawReply {
        let (address, request) = (self.address, request.into());
        web::block(move || exchange(address, &request)).await.unwrap()
    }
}

fn exchange(address: SocketAddr, request: &[u8]) -> RawReply {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut writer = stream.try_clone().unwrap();
    let mut bytes = Vec::new();
    std::thread::scope(|scope| {
        // The server may answer and close before it has everything: then writing fails, and shall.
        scope.spawn(move || writer.write_all(request));
        let mut buffer = [0; 4096];
        loop {
            match stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => bytes.extend_from_slice(&buffer[..n]),
                Err(error) => {
                    let timed_out =
                        matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut);
                    assert!(!timed_out, "the server leaves the connection open");
                    break;
                }
            }
        }
        let _ = stream.shutdown(Shutdown::Both);
    });
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    RawReply { status, text }
}

/// A webhook that takes a mail and never answers.
pub fn listen_in_silence() -> Listening {
    let never = Arc::new(Notify::new());
    let hang = move || {
        let never = never.clone();
        async move {
            never.notified().await;
            HttpResponse::Ok().finish()
        }
    };
    listening!(HttpServer::new(move || App::new().default_service(web::to(hang.clone()))))
}

/// The log of this process, down to the finest level of our own crates.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Of the whole process, as hashing and queries have threads of their own: other tests may write
    /// to it too, so look for texts that are this test's alone.
    pub fn capture() -> &'static Self {
        static LOG: OnceLock<Log> = OnceLock::new();
        LOG.get_or_init(|| {
            let log = Self::default();
            let writer = log.clone();
            tracing_subscriber::fmt()
                .with_env_filter("info,auth_sidecar=trace,schema=trace")
                .with_ansi(false)
                .with_writer(move || writer.clone())
                .init();
            log
        })
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
