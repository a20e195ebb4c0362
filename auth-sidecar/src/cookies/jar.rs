//! The `Set-Cookie` lines of one response.

use super::attributes::{CookieSettings, serialize};
use super::sign::{encode_uri_component, sign};
use crate::secrets::Secret;

/// An ordered list of `Set-Cookie` lines. There is no `Debug`: the values are credentials.
#[derive(Clone, Default)]
pub struct ResponseCookies {
    lines: Vec<String>,
}

impl ResponseCookies {
    /// Appends a cookie; `value` is percent-encoded here, `max_age` is in seconds (upstream: `better-call/dist/context.mjs`,
    /// `setCookie`). An earlier line of the same name stays.
    pub fn set(&mut self, name: &str, value: &str, max_age: Option<i64>, settings: &CookieSettings) {
        self.append(serialize(name, &encode_uri_component(value), max_age, settings));
    }

    /// Appends a signed cookie; `max_age` is in seconds (upstream: `better-call/dist/context.mjs`, `setSignedCookie`).
    pub fn set_signed(
        &mut self,
        name: &str,
        payload: &str,
        secret: &Secret,
        max_age: Option<i64>,
        settings: &CookieSettings,
    ) {
        self.set(name, &sign(secret, payload), max_age, settings);
    }

    /// Makes the browser forget a cookie. Earlier lines of that name, and of its chunks, are removed first: a valid value that is
    /// taken back within the same request must not reach the wire (upstream: `cookies/index.mjs`, `expireCookie` and
    /// `removeSetCookieEntries`).
    pub fn expire(&mut self, name: &str, settings: &CookieSettings) {
        self.lines.retain(|line| !line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['=', '.'])));
        self.set(name, "", Some(0), settings);
    }

    /// Appends a finished line.
    pub fn append(&mut self, line: String) {
        self.lines.push(line);
    }

    /// Leaves the last line only.
    // upstream: better-call's `createInternalContext` copies a middleware's headers with `set`, so that of several cookies
    // set by a middleware only the last survives.
    pub fn keep_last(&mut self) {
        let last = self.lines.pop();
        self.lines.clear();
        self.lines.extend(last);
    }

    /// Appends all lines of another response part.
    pub fn extend(&mut self, other: Self) {
        self.lines.extend(other.lines);
    }

    /// The lines so far, in order.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// The lines, in order.
    pub fn into_lines(self) -> Vec<String> {
        self.lines
    }
}
