//! What the tests of answers share.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::Deployment;
use super::client::Answer;

/// An answer with these headers.
pub fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap());
    }
    Answer { status, headers: map, body: body.to_owned(), between: (1_000_000_000_000, 1_000_000_000_100) }
}

/// The deployment at a URL.
pub fn at(url: &str) -> Deployment {
    Deployment::parse(url).unwrap()
}
