//! Asks by HTTP: bounded, without cookies, following no redirect.

use std::error::Error as _;
use std::time::Duration;

use reqwest::Method;
use reqwest::header::HeaderMap;
use reqwest::redirect::Policy;

use crate::clock::Clock;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(10);
/// Most of a body that is looked at, in bytes.
const BODY_LIMIT: usize = 64 * 1024;

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    /// Its beginning.
    pub body: String,
    /// When it was asked and answered, in milliseconds since the Unix epoch.
    pub between: (i64, i64),
}

impl Answer {
    /// The first value of a header; empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Every value of a header.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect()
    }

    /// Whether a comma list in a header has the item.
    pub fn lists(&self, name: &str, item: &str) -> bool {
        let items = self.all(name);
        items.iter().flat_map(|list| list.split(',')).any(|given| given.trim().eq_ignore_ascii_case(item))
    }

    /// Whether it is a page.
    pub fn is_html(&self) -> bool {
        let start = self.body.trim_start().get(..1).unwrap_or_default();
        self.header("content-type").starts_with("text/html") || start == "<"
    }

    /// Its body as JSON.
    pub fn json(&self) -> Option<serde_json::Value> {
        serde_json::from_str(&self.body).ok()
    }
}

/// The way to ask.
pub struct Client(reqwest::Client);

impl Client {
    /// For a service on this machine no proxy of the environment is asked.
    pub fn new(is_local: bool) -> Result<Self, String> {
        let builder = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .redirect(Policy::none())
            .user_agent(concat!("auth-sidecar-doctor/", env!("CARGO_PKG_VERSION")));
        let builder = if is_local { builder.no_proxy() } else { builder };
        builder.build().map(Self).map_err(|error| cause(&error))
    }

    /// GET.
    pub async fn get(&self, url: &str, headers: &[(&str, &str)]) -> Result<Answer, String> {
        self.ask(Method::GET, url, headers, None).await
    }

    /// OPTIONS.
    pub async fn options(&self, url: &str, headers: &[(&str, &str)]) -> Result<Answer, String> {
        self.ask(Method::OPTIONS, url, headers, None).await
    }

    /// POST of an empty JSON object.
    pub async fn post(&self, url: &str, headers: &[(&str, &str)]) -> Result<Answer, String> {
        self.ask(Method::POST, url, headers, Some("{}")).await
    }

    async fn ask(
        &self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        body: Option<&'static str>,
    ) -> Result<Answer, String> {
        let mut request = self.0.request(method, url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        let asked = Clock::System.now_ms();
        let mut response = request.send().await.map_err(|error| cause(&error))?;
        let between = (asked, Clock::System.now_ms());
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let mut bytes = Vec::new();
        while bytes.len() < BODY_LIMIT {
            match response.chunk().await {
                Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(error) => return Err(cause(&error)),
            }
        }
        bytes.truncate(BODY_LIMIT);
        Ok(Answer { status, headers, body: String::from_utf8_lossy(&bytes).into_owned(), between })
    }
}

/// The last reason of an error says most.
fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no answer within {} s", TIMEOUT.as_secs());
    }
    let mut source = error.source();
    let mut text = None;
    while let Some(error) = source {
        text = Some(error.to_string());
        source = error.source();
    }
    text.unwrap_or_else(|| "the request failed".to_owned())
}
