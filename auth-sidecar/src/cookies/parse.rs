//! The request's `Cookie` header, read by upstream's two parsers.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

use percent_encoding::percent_decode_str;

use super::sign::{encode_uri_component, verify};
use crate::secrets::Secrets;

/// A value is never cut into more chunks; those with a higher number are not ours.
pub(super) const MAX_COOKIE_CHUNKS: usize = 100;

/// The cookies of one request. Lookups scan the header; a request makes only a handful of them.
///
/// There is no `Debug`: the values are credentials.
#[derive(Clone, Default)]
pub struct RequestCookies {
    header: String,
}

impl RequestCookies {
    /// Takes the raw values of all `Cookie` headers, in order. Bytes are read as Latin-1, as Node does, so nothing can fail;
    /// several headers (HTTP/2, RFC 9113 §8.2.3) count as one.
    pub fn new<'a>(headers: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut header = String::new();
        for (index, bytes) in headers.into_iter().enumerate() {
            if index > 0 {
                header.push_str("; ");
            }
            header.extend(bytes.iter().copied().map(char::from));
        }
        Self { header }
    }

    /// The decoded value of the first cookie of that name; `None` when absent or empty
    /// (upstream: `better-call/dist/context.mjs`, `getCookie`).
    pub fn get(&self, name: &str) -> Option<String> {
        let (_, value) = parse_cookies(&self.header).find(|(key, _)| *key == name)?;
        let value = try_decode(value);
        (!value.is_empty()).then(|| value.into_owned())
    }

    /// The payload of a signed cookie; `None` when absent or signed by none of `secrets`
    /// (upstream: `better-call/dist/context.mjs`, `getSignedCookie`). Upstream asks the current secret alone, which signs
    /// everybody out when it is rotated; here an older one still opens what it signed.
    pub fn signed(&self, name: &str, secrets: &Secrets) -> Option<String> {
        let value = self.get(name)?;
        secrets.all().find_map(|secret| verify(secret, &value)).map(str::to_owned)
    }

    /// The value of a cookie that may be cut into `<name>.0`, `<name>.1`, …; the uncut cookie comes first; `None` when there is
    /// neither (upstream: `cookies/session-store.mjs`, `getChunkedCookie`).
    pub fn chunked(&self, name: &str) -> Option<String> {
        if let Some(value) = self.get(name) {
            return Some(value);
        }
        let chunks: BTreeMap<usize, &str> = parse_strict_cookies(&self.header)
            .filter_map(|(key, value)| Some((chunk_index(name, key)?, value)))
            .collect();
        let value: String = chunks.into_values().map(try_decode).collect();
        (!value.is_empty()).then_some(value)
    }

    /// The names under which the request carries the cookie: itself and its chunks, each once, in order of appearance
    /// (upstream: `cookies/session-store.mjs`, `readExistingChunks`).
    pub fn chunk_names(&self, name: &str) -> Vec<String> {
        let mut seen = HashSet::new();
        parse_strict_cookies(&self.header)
            .map(|(key, _)| key)
            .filter(|key| *key == name || chunk_index(name, key).is_some())
            .filter(|key| seen.insert(*key))
            .map(str::to_owned)
            .collect()
    }

    /// Adds or replaces a cookie, for a credential that arrived by another way than the header. As upstream, this rewrites the whole
    /// header by the second parser; a name that is no token is ignored (upstream: `cookies/cookie-utils.mjs`, `setRequestCookie`).
    pub fn set(&mut self, name: &str, value: &str) {
        let mut cookies: Vec<(&str, Cow<'_, str>)> = Vec::new();
        let mut positions = HashMap::new();
        let added = is_cookie_name(name).then_some((name, Cow::Borrowed(value)));
        let present = parse_strict_cookies(&self.header).map(|(key, value)| (key, try_decode(value)));
        for (key, value) in present.chain(added) {
            let position = *positions.entry(key).or_insert(cookies.len());
            match cookies.get_mut(position) {
                Some(cookie) => cookie.1 = value,
                None => cookies.push((key, value)),
            }
        }
        let pairs: Vec<String> =
            cookies.iter().map(|(key, value)| format!("{key}={}", encode_uri_component(value))).collect();
        self.header = pairs.join("; ");
    }
}

/// Names and raw values in order; of duplicates the caller takes the **first** (upstream: `better-call/dist/cookies.mjs`,
/// `parseCookies`). Entries without `=` are skipped, a leading double quote is cut off together with the last character.
/// Values are still percent-encoded: see [`try_decode`].
pub fn parse_cookies(header: &str) -> impl Iterator<Item = (&str, &str)> {
    header.split(';').filter_map(|pair| pair.split_once('=')).map(|(key, value)| {
        let value = trim(value);
        (trim(key), value.strip_prefix('"').map_or(value, without_last_char))
    })
}

/// Names and raw values in order; of duplicates the caller takes the **last** (upstream: `cookies/cookie-utils.mjs`, `parseCookies`).
/// Entries whose name is no token (RFC 7230 §3.2.6), or whose value has characters other than RFC 6265's cookie octets, space and
/// comma, are dropped. Values are still percent-encoded: see [`try_decode`].
pub fn parse_strict_cookies(header: &str) -> impl Iterator<Item = (&str, &str)> {
    const BLANK: [char; 2] = [' ', '\t'];
    header
        .split(';')
        .filter_map(|pair| pair.split_once('='))
        .map(|(key, value)| {
            let value = value.trim_matches(BLANK);
            let unquoted = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
            (key.trim_matches(BLANK), unquoted.unwrap_or(value))
        })
        .filter(|(key, value)| is_cookie_name(key) && value.bytes().all(is_cookie_octet))
}

/// `decodeURIComponent`, or the text as it is where that would throw: a `%` without two hex digits, or bytes that are not UTF-8.
pub fn try_decode(text: &str) -> Cow<'_, str> {
    let malformed = text
        .split('%')
        .skip(1)
        .any(|rest| !matches!(rest.as_bytes(), [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit()));
    if malformed {
        return Cow::Borrowed(text);
    }
    percent_decode_str(text).decode_utf8().unwrap_or(Cow::Borrowed(text))
}

/// The number of a chunk name, in canonical decimal only (upstream: `cookies/session-store.mjs`, `parseCookieChunkIndex`).
/// Unlike upstream, which expires whatever a request brings, numbers that are never written are not chunks: an answer does not
/// grow with the request.
fn chunk_index(name: &str, key: &str) -> Option<usize> {
    let digits = key.strip_prefix(name)?.strip_prefix('.')?;
    let canonical = digits == "0" || (!digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit()));
    let index = digits.parse().ok()?;
    (canonical && index < MAX_COOKIE_CHUNKS).then_some(index)
}

/// JavaScript's `trim`, which knows U+FEFF as a blank and U+0085 not.
fn trim(text: &str) -> &str {
    text.trim_matches(|char: char| (char.is_whitespace() && char != '\u{85}') || char == '\u{feff}')
}

fn without_last_char(text: &str) -> &str {
    let mut chars = text.chars();
    chars.next_back();
    chars.as_str()
}

fn is_cookie_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

fn is_cookie_octet(byte: u8) -> bool {
    matches!(byte, 0x20..=0x7e) && !matches!(byte, b'"' | b';' | b'\\')
}
