//! The server: where it listens, what it answers, its log.

use std::net::IpAddr;

use url::Url;

use super::env::Reader;
use super::public_url::{self, PublicUrl, parse_path};

/// Where the service listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// Address or host name.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

/// As an address of a browser.
impl std::fmt::Display for Listen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.host.parse::<std::net::Ipv6Addr>() {
            Ok(host) => write!(f, "http://[{host}]:{}", self.port),
            Err(_) => write!(f, "http://{}:{}", self.host, self.port),
        }
    }
}

/// Form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// JSON objects for programs.
    Json,
}

/// Settings of the server.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// Answer CORS for trusted origins.
    pub cors: bool,
    /// `Cache-Control: no-store` on every answer with a session or token.
    pub no_store: bool,
    /// Largest request body, in bytes.
    pub body_limit: usize,
    /// Endpoints, without the base path, that answer 404.
    pub disabled_paths: Vec<String>,
    /// Path of the plain REST endpoints; absent if they are off.
    pub api_prefix: Option<String>,
    /// Page that shows errors of redirects; absent for the built-in one.
    pub error_url: Option<String>,
    /// Threads that answer requests.
    pub workers: usize,
    /// How long requests may go on after SIGTERM, in seconds.
    pub shutdown_timeout: u64,
    /// Form of the log.
    pub log_format: LogFormat,
    /// Directives of `tracing-subscriber`: which log lines appear.
    pub log_filter: String,
}

pub(super) fn read_listen(r: &mut Reader<'_>, dev: bool, port: u32) -> Listen {
    let given = r.get("HOST", parse_host);
    if dev && given.as_deref().is_some_and(|host| host.parse::<IpAddr>().is_ok_and(|ip| !ip.is_loopback())) {
        r.warn("dev mode listens beyond this machine (HOST); fine in a container, not on a public address");
    }
    let host = given.unwrap_or_else(|| {
        let host = if dev { "127.0.0.1" } else { "0.0.0.0" };
        r.told("HOST", host);
        host.to_owned()
    });
    Listen { host, port: u16::try_from(port).unwrap_or_default() }
}

pub(super) fn read(r: &mut Reader<'_>, public: Option<&PublicUrl>) -> HttpSettings {
    let base_path = public.map(|public| public.base_path.as_str());
    let inside = base_path.filter(|path| !path.is_empty()).map(|path| format!("{path}/"));
    HttpSettings {
        cors: r.flag("AUTH_CORS"),
        no_store: r.flag("AUTH_NO_STORE"),
        body_limit: r.size("AUTH_BODY_LIMIT"),
        disabled_paths: r.list("AUTH_DISABLED_PATHS", |item| match &inside {
            Some(inside) if item.starts_with(inside) => Err("has the base path in it; leave that out".to_owned()),
            _ => parse_path(item).and_then(|path| match path.as_str() {
                "" => Err("names no endpoint".to_owned()),
                _ => Ok(path),
            }),
        }),
        api_prefix: public_url::read_api_prefix(r, base_path),
        error_url: r.get("AUTH_ERROR_URL", parse_error_url),
        workers: r.cores("AUTH_WORKERS"),
        shutdown_timeout: r.number("AUTH_SHUTDOWN_TIMEOUT").into(),
        log_format: if r.choice("AUTH_LOG_FORMAT") == "json" { LogFormat::Json } else { LogFormat::Text },
        log_filter: r.text("RUST_LOG").unwrap_or_default(),
    }
}

fn parse_host(text: &str) -> Result<String, String> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let name = |c: char| c.is_ascii_alphanumeric() || "-.".contains(c);
    if bare.parse::<IpAddr>().is_ok() || bare.chars().all(name) {
        Ok(bare.to_owned())
    } else {
        Err("is no address or host name; the port is the setting PORT".to_owned())
    }
}

/// An address of a web page, or a path on our own origin.
fn parse_error_url(text: &str) -> Result<String, String> {
    let own_path = text.starts_with('/') && !text.starts_with("//") && !text.contains('\\');
    let page = Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    if own_path || page { Ok(text.to_owned()) } else { Err("is no http URL or path".to_owned()) }
}
