//! A small blocking HTTP/1.1 client, which shows what a library would hide: when a connection
//! ends, and what was on it.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// The page that the services under test trust.
pub const APP_ORIGIN: &str = "https://app.example.com";
/// A page that dev mode trusts.
pub const DEV_ORIGIN: &str = "http://localhost:3000";
/// The password of every user.
pub const PASSWORD: &str = "correct-horse-1";
/// How long a client waits for an answer: longer than any promise of the service.
const PATIENCE: Duration = Duration::from_secs(30);

/// An answer.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    /// In lower case, in order.
    pub headers: Vec<(String, String)>,
    pub body: String,
    /// From the first byte sent to the last one read.
    pub took: Duration,
}

impl Reply {
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    pub fn set_cookies(&self) -> Vec<&str> {
        self.headers.iter().filter(|(key, _)| key == "set-cookie").map(|(_, value)| value.as_str()).collect()
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// The answer of a service whose database is away: never a sign of "signed out".
    #[track_caller]
    pub fn assert_unavailable(&self, within: Duration) {
        assert_eq!(self.status, 503, "{self:?}");
        assert!(self.header("retry-after").parse::<u32>().is_ok_and(|seconds| seconds > 0), "{self:?}");
        assert_eq!(self.set_cookies(), [""; 0], "{self:?}");
        assert_eq!(self.json()["code"], "SERVICE_UNAVAILABLE", "{self:?}");
        assert!(self.took <= within, "took {:?}: {self:?}", self.took);
    }
}

/// One connection, kept open until it is dropped or the service closes it.
pub struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    pub fn open(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    pub fn write(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes.as_ref())
    }

    /// A request that leaves the connection open.
    pub fn get(&mut self, path: &str) -> io::Result<Reply> {
        self.write(head("GET", path, &[]) + "\r\n")?;
        self.read_reply()
    }

    /// The next answer; an error of the kind `UnexpectedEof` when the connection ended before its
    /// first byte, of the kind `InvalidData` when it ended amid an answer.
    pub fn read_reply(&mut self) -> io::Result<Reply> {
        let began = Instant::now();
        let broken = |_| io::Error::new(io::ErrorKind::InvalidData, "the answer is cut off");
        let status_line = self.line()?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let status = status_line.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status: u16 = status.ok_or_else(|| io::Error::other(format!("no status line: {status_line:?}")))?;
        let mut headers = Vec::new();
        loop {
            let line = self.line().and_then(|line| line.ok_or(io::ErrorKind::UnexpectedEof.into())).map_err(broken)?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let length = length.map_or(0, |(_, value)| value.parse().expect("a length"));
        assert!(!headers.iter().any(|(name, _)| name == "transfer-encoding"), "answers have a length: {headers:?}");
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).map_err(broken)?;
        let body = String::from_utf8(body).expect("text");
        Ok(Reply { status, headers, body, took: began.elapsed() })
    }

    /// Reads what comes until the service ends the connection, and says whether it did.
    pub fn is_ended_within(&mut self, limit: Duration) -> bool {
        let by = Instant::now() + limit;
        let mut scrap = [0; 4096];
        loop {
            let left = by.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            self.stream.get_ref().set_read_timeout(Some(left)).unwrap();
            match self.stream.read(&mut scrap) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    return false;
                }
                Err(_) => return true,
            }
            if Instant::now() >= by {
                return false;
            }
        }
    }

    /// A line without its end; `None` at the end of the connection.
    fn line(&mut self) -> io::Result<Option<String>> {
        let mut line = String::new();
        let read = self.stream.read_line(&mut line)?;
        Ok((read > 0).then(|| line.trim_end().to_owned()))
    }
}

/// The lines of a request up to its headers' end, which the caller adds.
pub fn head(method: &str, path: &str, headers: &[(&str, &str)]) -> String {
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: localhost:4000\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text
}

/// A browser: it keeps cookies, and opens a connection per request.
#[derive(Clone, Debug)]
pub struct Browser {
    pub port: u16,
    origin: &'static str,
    jar: BTreeMap<String, String>,
}

impl Browser {
    /// Without cookies, on the app's page.
    pub fn new(port: u16) -> Self {
        Self { port, origin: APP_ORIGIN, jar: BTreeMap::new() }
    }

    /// The same on another page.
    pub fn on_page(self, origin: &'static str) -> Self {
        Self { origin, ..self }
    }

    /// The same cookies at another process.
    pub fn at(&self, port: u16) -> Self {
        Self { port, ..self.clone() }
    }

    pub fn cookie_header(&self) -> String {
        self.jar.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    /// Sends a request; the path is the whole one.
    pub fn send(&mut self, method: &str, path: &str, body: Option<&Value>) -> io::Result<Reply> {
        let began = Instant::now();
        let text = body.map(Value::to_string).unwrap_or_default();
        let (cookies, length) = (self.cookie_header(), text.len().to_string());
        let mut headers = vec![("Connection", "close"), ("Origin", self.origin)];
        if !cookies.is_empty() {
            headers.push(("Cookie", &cookies));
        }
        if body.is_some() {
            headers.extend([("Content-Type", "application/json"), ("Content-Length", &length)]);
        }
        let mut connection = Connection::open(self.port)?;
        connection.write(head(method, path, &headers) + "\r\n" + &text)?;
        let reply = connection.read_reply()?;
        let reply = Reply { took: began.elapsed(), ..reply };
        for line in reply.set_cookies() {
            let (name, rest) = line.split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            if line.contains("Max-Age=0") {
                self.jar.remove(name);
            } else {
                self.jar.insert(name.to_owned(), value.to_owned());
            }
        }
        Ok(reply)
    }

    #[track_caller]
    pub fn get(&mut self, path: &str) -> Reply {
        self.send("GET", path, None).unwrap_or_else(|error| panic!("GET {path}: {error}"))
    }

    #[track_caller]
    pub fn post(&mut self, path: &str, body: &Value) -> Reply {
        self.send("POST", path, Some(body)).unwrap_or_else(|error| panic!("POST {path}: {error}"))
    }

    pub fn get_session(&mut self) -> Reply {
        self.get("/api/auth/get-session")
    }

    pub fn sign_out(&mut self) -> Reply {
        self.post("/api/auth/sign-out", &json!({}))
    }

    pub fn sign_in(&mut self, name: &str) -> Reply {
        self.post("/api/auth/sign-in/email", &json!({ "email": email(name), "password": PASSWORD }))
    }

    /// Signs up `<name>@example.com`; must succeed.
    #[track_caller]
    pub fn sign_up(&mut self, name: &str) {
        let reply = self.post("/api/auth/sign-up/email", &sign_up_body(name));
        assert_eq!(reply.status, 200, "{reply:?}");
    }

    /// The session is there and it is that of `name`.
    #[track_caller]
    pub fn assert_signed_in(&mut self, name: &str) {
        let reply = self.get_session();
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!(reply.json()["user"]["email"], email(name), "{reply:?}");
    }
}

pub fn email(name: &str) -> String {
    format!("{name}@example.com")
}

pub fn sign_up_body(name: &str) -> Value {
    json!({ "name": name, "email": email(name), "password": PASSWORD })
}
