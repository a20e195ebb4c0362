//! `auth-sidecar healthcheck`.

use std::time::Duration;

use reqwest::redirect::Policy;

use super::{CliError, block_on};

/// Succeeds when the readiness endpoint answers 2xx within 3 seconds.
pub fn healthcheck(url: Option<String>) -> Result<(), CliError> {
    let url = url.unwrap_or_else(|| {
        let port = std::env::var("PORT").unwrap_or_else(|_| "4000".to_owned());
        let host = std::env::var("HOST").unwrap_or_default();
        let host = match host.trim_matches(['[', ']']) {
            "" | "0.0.0.0" => "127.0.0.1".to_owned(),
            "::" => "[::1]".to_owned(),
            v6 if v6.contains(':') => format!("[{v6}]"),
            other => other.to_owned(),
        };
        format!("http://{host}:{port}/health/ready")
    });
    block_on(async {
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(3))
            .redirect(Policy::none())
            .no_proxy()
            .build()
            .map_err(|error| CliError::Failed(error.to_string()))?;
        let response = client.get(&url).send().await;
        match response {
            Ok(response) if response.status().is_success() => Ok(()),
            Ok(response) => Err(CliError::Failed(format!("{url} answered {}", response.status()))),
            Err(error) => Err(CliError::Failed(format!("{url} does not answer: {error}"))),
        }
    })
}
