//! A running deployment, seen from outside. Requests carry no credentials and create nothing: the
//! only one that is no question is a sign-out without a session.

mod answers;
mod client;
mod cookies;
mod cors;
mod reach;
#[cfg(test)]
mod testing;

use url::Url;

use self::client::Client;
use super::report::Report;
use super::site::{host_of, is_this_machine};

/// The deployment that is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// Scheme, host and port.
    pub origin: String,
    /// Path of the endpoints, as the client takes it from this URL.
    pub base_path: String,
    /// The host.
    pub host: String,
    /// Whether it is reached without leaving the machine, and so perhaps not as browsers do.
    pub is_local: bool,
}

impl Deployment {
    /// Reads the argument of `--url` as `createAuthClient` reads `baseURL`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|_| "is no URL; it begins with https://".to_owned())?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err("is neither https nor http".to_owned());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("has a user name or password in it, and none is ever sent".to_owned());
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("has a ? or # in it".to_owned());
        }
        let origin = url.origin().ascii_serialization();
        let host = host_of(&origin).ok_or("has no host")?;
        let path = url.path().trim_end_matches('/');
        let base_path = if path.is_empty() { "/api/auth" } else { path };
        Ok(Self { is_local: is_this_machine(&host), base_path: base_path.to_owned(), origin, host })
    }

    /// The address of an endpoint.
    pub fn endpoint(&self, path: &str) -> String {
        format!("{}{}{path}", self.origin, self.base_path)
    }

    /// Whether it is asked by TLS.
    pub fn is_https(&self) -> bool {
        self.origin.starts_with("https://")
    }
}

/// The argument of `--origin`: an origin, or the address of a page.
///
/// # Errors
/// What is wrong with it.
pub fn parse_origin(text: &str) -> Result<String, String> {
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(url.origin().ascii_serialization()),
        _ => Err("is no origin of a page, as https://www.example.com".to_owned()),
    }
}

/// Asks the deployment, and judges what it answers.
pub async fn check(deployment: &Deployment, page: Option<&str>, report: &mut Report) {
    let client = match Client::new(deployment.is_local) {
        Ok(client) => client,
        Err(error) => {
            report.problem("reachable", error, "install certificate authorities: apt install ca-certificates");
            return;
        }
    };
    let is_there = reach::check(&client, deployment, report).await;
    if is_there || !deployment.is_https() {
        reach::check_tls(&client, deployment, report).await;
    }
    if !is_there {
        return;
    }
    cors::check(&client, deployment, page, report).await;
    cookies::check(&client, deployment, page, report).await;
    answers::check(&client, deployment, report).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_is_read_as_the_client_reads_it() {
        for (text, endpoint) in [
            ("https://auth.example.com", "https://auth.example.com/api/auth/ok"),
            ("https://auth.example.com/", "https://auth.example.com/api/auth/ok"),
            ("https://example.com/book/", "https://example.com/book/ok"),
            ("http://127.0.0.1:4000/api/auth", "http://127.0.0.1:4000/api/auth/ok"),
        ] {
            assert_eq!(Deployment::parse(text).unwrap().endpoint("/ok"), endpoint, "{text}");
        }
        for text in
            ["auth.example.com", "ftp://example.com", "https://u:hunter2@example.com", "https://example.com?x=1"]
        {
            let refused = Deployment::parse(text).unwrap_err();
            assert!(!refused.contains("hunter2"), "{refused}");
        }
        assert_eq!(parse_origin("https://user.github.io/repo/").as_deref(), Ok("https://user.github.io"));
        assert!(parse_origin("user.github.io").is_err());
    }
}
