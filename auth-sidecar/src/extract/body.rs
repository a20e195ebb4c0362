//! Reading the body of a request (upstream better-call `getBody` behind its Node adapter).

use std::time::Duration;

use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use actix_web::http::{Method, StatusCode};
use actix_web::web;
use futures_util::StreamExt as _;
use serde_json::{Map, Value};

use crate::error::{ApiError, ErrorCode, codes};

/// How long a body may take to arrive before the connection is cut: 15 seconds.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(15);

const UNSUPPORTED_MEDIA_TYPE: ErrorCode = ErrorCode { code: "UNSUPPORTED_MEDIA_TYPE", message: "" };
const BAD_REQUEST: ErrorCode = ErrorCode { code: "BAD_REQUEST", message: "Invalid JSON in request body" };

/// The media types an endpoint takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaTypes {
    /// The body is never read, whatever it is.
    Ignored,
    /// `application/json` alone.
    Json,
    /// `application/x-www-form-urlencoded` or `application/json`.
    FormOrJson,
}

impl MediaTypes {
    fn allowed(self) -> &'static [&'static str] {
        match self {
            Self::Ignored => &[],
            Self::Json => &["application/json"],
            Self::FormOrJson => &["application/x-www-form-urlencoded", "application/json"],
        }
    }
}

/// Reads and parses the body; `None` where upstream sees no body at all: a GET or HEAD request, no
/// content type, or a content length of 0.
///
/// # Errors
/// 415 for a media type the endpoint does not take, 413 past `limit` bytes, 408 when the body does
/// not arrive in [`BODY_TIMEOUT`], 400 for malformed JSON.
pub async fn read_body(
    method: &Method,
    headers: &HeaderMap,
    payload: &mut web::Payload,
    types: MediaTypes,
    limit: usize,
) -> Result<Option<Value>, ApiError> {
    if types == MediaTypes::Ignored || method == Method::GET || method == Method::HEAD {
        return Ok(None);
    }
    let content_type = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let length = headers.get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()).and_then(|v| v.parse::<usize>().ok());
    let chunked = headers.contains_key("transfer-encoding");
    if content_type.is_empty() || length == Some(0) || (length.is_none() && !chunked) {
        return Ok(None);
    }
    let lower = content_type.to_ascii_lowercase();
    let media_type = lower.split(';').next().unwrap_or_default().trim();
    let allowed = types.allowed();
    if !allowed.contains(&media_type) {
        return Err(ApiError::with_message(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            &UNSUPPORTED_MEDIA_TYPE,
            format!("Content-Type \"{content_type}\" is not allowed. Allowed types: {}", allowed.join(", ")),
        ));
    }
    if length.is_some_and(|n| n > limit) {
        return Err(too_large());
    }
    let bytes = tokio::time::timeout(BODY_TIMEOUT, collect(payload, limit))
        .await
        .map_err(|_| ApiError::new(StatusCode::REQUEST_TIMEOUT, &codes::REQUEST_TIMEOUT))??;
    if media_type == "application/json" { parse_json(&bytes).map(Some) } else { Ok(Some(parse_form(&bytes))) }
}

async fn collect(payload: &mut web::Payload, limit: usize) -> Result<Vec<u8>, ApiError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| ApiError::new(StatusCode::BAD_REQUEST, &BAD_REQUEST))?;
        if bytes.len().saturating_add(chunk.len()) > limit {
            return Err(too_large());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn too_large() -> ApiError {
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, &codes::PAYLOAD_TOO_LARGE)
}

/// JSON as `Response.json()` reads it: a byte order mark is dropped, bytes that are no UTF-8 become
/// U+FFFD, the last of duplicate keys wins. Nesting is limited to 128 levels.
fn parse_json(bytes: &[u8]) -> Result<Value, ApiError> {
    let text = String::from_utf8_lossy(bytes);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    serde_json::from_str(text).map_err(|_| ApiError::new(StatusCode::BAD_REQUEST, &BAD_REQUEST))
}

/// A form: all values are strings, the last of duplicate keys wins.
fn parse_form(bytes: &[u8]) -> Value {
    let members: Map<String, Value> =
        form_urlencoded::parse(bytes).map(|(k, v)| (k.into_owned(), Value::String(v.into_owned()))).collect();
    Value::Object(members)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_order_mark_and_duplicate_keys_are_read_as_javascript_does() {
        let value = parse_json("\u{feff}{\"a\":1,\"b\":2,\"a\":3}".as_bytes()).unwrap();
        assert_eq!(value.to_string(), r#"{"a":3,"b":2}"#);
    }

    #[test]
    fn malformed_and_hostile_json_is_refused() {
        let deep = "[".repeat(100_000);
        for text in ["", "{", "nope", "{\"a\":}", "[1,2", "{\"a\":1}x", "\0", "1e400", deep.as_str()] {
            assert!(parse_json(text.as_bytes()).is_err(), "{:.20}", text);
        }
    }

    #[test]
    fn the_last_of_duplicate_form_keys_wins() {
        assert_eq!(parse_form(b"a=1&b=x+y%21&a=2").to_string(), r#"{"a":"2","b":"x y!"}"#);
    }
}
