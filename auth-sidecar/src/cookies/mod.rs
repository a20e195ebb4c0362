//! Cookies as Better Auth writes and reads them (upstream: `better-auth/dist/cookies`, `better-call/dist/cookies.mjs`).
//!
//! ```text
//! parse            request header -> RequestCookies        attributes       names and the Set-Cookie text
//! sign             "<payload>.<HMAC>"                      jar              ResponseCookies, the Set-Cookie lines
//! cache            session_data in its three strategies    session_cookies  what a route does with all of them
//! jwt, jwe         the tokens two strategies consist of    js_json          JSON.stringify, dates as JavaScript revives them
//! ```

pub mod attributes;
pub mod cache;
pub mod jar;
mod js_json;
pub mod jwe;
pub mod jwt;
pub mod parse;
pub mod session_cookies;
pub mod sign;

#[cfg(test)]
mod tests;

pub use attributes::{CookieSettings, SameSite};
pub use cache::{CacheSettings, CachedSession, Strategy};
pub use jar::ResponseCookies;
pub use parse::RequestCookies;
pub use session_cookies::SessionCookies;

/// A JSON object with its keys in order, as a session or a user goes to the client.
pub type JsonObject = serde_json::Map<String, serde_json::Value>;

/// A token that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// The JWT could not be signed.
    #[error("signing a JWT failed")]
    Jwt(#[from] jsonwebtoken::errors::Error),
    /// The system gave no random bytes.
    #[error("the system's random source failed")]
    Random(#[from] getrandom::Error),
}
