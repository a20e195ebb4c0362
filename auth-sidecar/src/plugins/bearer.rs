//! Sessions in the `Authorization` header (upstream `plugins/bearer`).

use actix_web::http::header::HeaderName;

use crate::context::Context;
use crate::cookies::parse::try_decode;
use crate::cookies::{ResponseCookies, sign};

const SET_AUTH_TOKEN: HeaderName = HeaderName::from_static("set-auth-token");

/// What follows `Authorization: Bearer`, whatever the letter case; `None` when there is nothing.
#[must_use]
pub fn credentials(cx: &Context) -> Option<String> {
    let authorization = cx.header("authorization")?;
    let (scheme, token) = authorization.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then(|| token.to_owned())
}

/// Takes a session token from the `Authorization` header as the session cookie, which it beats:
/// signed (`<token>.<signature>`, percent-encoded or not) or, unless `require_signature`, plain.
/// Anything else is left alone.
pub fn accept_bearer(cx: &mut Context, require_signature: bool) {
    let Some(token) = credentials(cx) else { return };
    let secrets = &cx.app.config.secrets;
    let value = match token.contains('.') {
        true => try_decode(&token).into_owned(),
        false if require_signature => return,
        false => sign::sign(secrets.current(), &token),
    };
    // upstream: this check forgives another base64 and what follows a second dot; the session's own does not, and then
    // nobody is signed in, whatever the cookie says.
    if secrets.all().any(|secret| sign::verify_loosely(secret, &value)) {
        let name = cx.app.config.cookies.name("session_token");
        cx.cookies.set(&name, &value);
    }
}

/// Repeats a session cookie that the answer sets in the header `set-auth-token`, for pages that
/// cannot have the cookie.
pub fn set_auth_token(cx: &mut Context) {
    if let Some(value) = new_session(cx) {
        cx.set_header(SET_AUTH_TOKEN, &value);
        cx.expose_header(SET_AUTH_TOKEN);
    }
}

/// `<token>.<signature>` of the session that the answer signs in to; `None` when it sets no session cookie.
#[must_use]
pub fn new_session(cx: &Context) -> Option<String> {
    newest_value(&cx.set_cookies, &cx.app.config.cookies.name("session_token"))
}

/// The decoded value of the last cookie of this name that is not on its way out.
fn newest_value(cookies: &ResponseCookies, name: &str) -> Option<String> {
    let line = cookies.lines().iter().rev().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
    let (value, attributes) = line.split_once(';').unwrap_or((line, ""));
    let expires = attributes.split(';').any(|attribute| attribute.trim() == "Max-Age=0");
    (!value.is_empty() && !expires).then(|| try_decode(value).into_owned())
}
