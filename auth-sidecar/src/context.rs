//! One request on its way through the service, and the answer as it grows.

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::http::header::{ACCESS_CONTROL_EXPOSE_HEADERS, HeaderName, HeaderValue};
use actix_web::web;
use serde_json::{Map, Value};

use crate::client_ip::client_ip;
use crate::cookies::{RequestCookies, ResponseCookies, SessionCookies};
use crate::error::{ApiError, codes};
use crate::fields::lookalikes;
use crate::origins::{self, OriginHeaders};
use crate::state::AppState;

/// What a handler gets: the request, checked up to the body, and the answer's cookies and headers.
pub struct Context {
    /// Configuration, database, clock, hashing threads.
    pub app: web::Data<AppState>,
    /// The request; its path, query and body are better taken from the members below.
    pub request: HttpRequest,
    /// The value of the route's `:parameter`, undecoded; empty when the route has none.
    pub parameter: String,
    /// The query; a repeated key is an array of strings.
    pub query: Map<String, Value>,
    /// The parsed body; `None` when the request has none.
    pub body: Option<Value>,
    /// The request's cookies.
    pub cookies: RequestCookies,
    /// The answer's `Set-Cookie` lines. They are sent with an error too.
    pub set_cookies: ResponseCookies,
    /// Further headers of the answer. They are sent with an error too.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Whose request it turned out to be; for the request log.
    pub user_id: Option<String>,
}

impl Context {
    /// A request header as text; `None` when absent. See [`header`].
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        header(&self.request, name)
    }

    /// Sets a header of the answer. See [`header_value`].
    pub fn set_header(&mut self, name: HeaderName, value: &str) {
        self.headers.retain(|(n, _)| n != name);
        self.headers.push((name, header_value(value)));
    }

    /// Lets a page on another origin read a header of the answer.
    pub fn expose_header(&mut self, name: HeaderName) {
        let exposed = self.headers.iter().find(|(n, _)| n == ACCESS_CONTROL_EXPOSE_HEADERS);
        let exposed = exposed.and_then(|(_, value)| value.to_str().ok());
        let exposed = exposed.map_or_else(|| name.to_string(), |before| format!("{before}, {name}"));
        self.set_header(ACCESS_CONTROL_EXPOSE_HEADERS, &exposed);
    }

    /// The client's address as the configured headers tell it.
    #[must_use]
    pub fn client_ip(&self) -> Option<String> {
        client_ip(&self.app.config.client_ip, |name| self.header(name))
    }

    /// Check B of the contract: the extra CSRF rules of the sign-in and sign-up forms.
    ///
    /// # Errors
    /// 403 when the request comes from a page that is not trusted.
    pub fn check_form_csrf(&self) -> Result<(), ApiError> {
        Ok(self.with_origin_headers(|headers| origins::check_form_csrf(&self.app.origins, headers))?)
    }

    /// Check A of the contract: a request with a cookie must come from a trusted origin.
    ///
    /// # Errors
    /// 403 when it does not.
    pub fn check_origin(&self) -> Result<(), ApiError> {
        Ok(self.with_origin_headers(|headers| origins::check_origin(&self.app.origins, headers, false))?)
    }

    /// Check D of the contract: the callback of a mailed link.
    ///
    /// # Errors
    /// 403 `INVALID_CALLBACK_URL` when it is not trusted.
    pub fn check_callback(&self, url: Option<&str>) -> Result<(), ApiError> {
        match url.filter(|url| !url.is_empty()) {
            Some(url) if !self.app.origins.trusts_callback(url) => {
                Err(ApiError::new(StatusCode::FORBIDDEN, &codes::INVALID_CALLBACK_URL))
            }
            _ => Ok(()),
        }
    }

    fn with_origin_headers<T>(&self, check: impl FnOnce(&OriginHeaders<'_>) -> T) -> T {
        let get = |name| self.header(name);
        let (origin, referer) = (get("origin"), get("referer"));
        let (site, mode, dest) = (get("sec-fetch-site"), get("sec-fetch-mode"), get("sec-fetch-dest"));
        let own_origin = self.app.own_origin(get("host").as_deref());
        check(&OriginHeaders {
            origin: origin.as_deref(),
            referer: referer.as_deref(),
            has_cookie: self.request.headers().contains_key("cookie"),
            sec_fetch_site: site.as_deref(),
            sec_fetch_mode: mode.as_deref(),
            sec_fetch_dest: dest.as_deref(),
            own_origin: &own_origin,
        })
    }

    /// In dev mode, names a member that looks like a declared field but is not one, in the log and in
    /// a header: the protocol drops unknown members silently.
    pub fn warn_of_lookalikes(&mut self, members: &Map<String, Value>) {
        if !self.app.config.dev {
            return;
        }
        let warnings: Vec<String> = lookalikes(&self.app.fields().user, members)
            .into_iter()
            .map(|(sent, field)| format!("unknown field {sent:?} was ignored; did you mean {:?}?", field.key))
            .collect();
        if !warnings.is_empty() {
            let text = warnings.join("; ");
            tracing::warn!("{text}");
            self.set_header(HeaderName::from_static("x-auth-sidecar-warning"), &text);
        }
    }

    /// The rules of the session cookies for this request, beside the answer's cookies.
    pub fn session_cookies(&mut self) -> (SessionCookies<'_>, &mut ResponseCookies) {
        (session_cookies(&self.app, &self.cookies), &mut self.set_cookies)
    }
}

/// The rules of the session cookies, bound to a request's cookies and to now.
#[must_use]
pub fn session_cookies<'a>(app: &'a AppState, cookies: &'a RequestCookies) -> SessionCookies<'a> {
    SessionCookies {
        settings: &app.config.cookies,
        cache: app.config.session.cookie_cache.as_ref(),
        secrets: &app.config.secrets,
        request: cookies,
        now_ms: app.clock.now_ms(),
        expires_in: app.config.session.expires_in,
    }
}

/// Headers of which Node keeps the first when they are repeated; all others are joined.
const SINGLE_HEADERS: [&str; 4] = ["authorization", "host", "referer", "user-agent"];

/// A request header as text, read as Latin-1 as Node reads it, so that odd bytes make a value that
/// matches nothing instead of an absent one. Repeated headers are joined with `, `, as the Fetch
/// standard joins them, but for a few of which the first counts.
#[must_use]
pub fn header(request: &HttpRequest, name: &str) -> Option<String> {
    let count = if SINGLE_HEADERS.contains(&name) { 1 } else { usize::MAX };
    let values: Vec<String> = request
        .headers()
        .get_all(name)
        .take(count)
        .map(|value| value.as_bytes().iter().copied().map(char::from).collect())
        .collect();
    (!values.is_empty()).then(|| values.join(", "))
}

/// `text` as a header's value: what is not printable ASCII is percent-encoded, which for an address
/// means the same.
#[must_use]
pub fn header_value(text: &str) -> HeaderValue {
    let encoded = percent_encoding::utf8_percent_encode(text, percent_encoding::CONTROLS).to_string();
    HeaderValue::from_str(&encoded).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn repeated_headers_are_joined() {
        let request = TestRequest::default()
            .append_header(("x-forwarded-for", "203.0.113.1"))
            .append_header(("x-forwarded-for", "203.0.113.2"))
            .to_http_request();
        assert_eq!(header(&request, "x-forwarded-for").as_deref(), Some("203.0.113.1, 203.0.113.2"));
        assert_eq!(header(&request, "origin"), None);
    }

    #[test]
    fn of_a_repeated_user_agent_the_first_counts() {
        let request = TestRequest::default()
            .append_header(("user-agent", "one"))
            .append_header(("user-agent", "two"))
            .to_http_request();
        assert_eq!(header(&request, "user-agent").as_deref(), Some("one"));
    }

    #[test]
    fn a_value_that_no_header_can_hold_is_percent_encoded() {
        assert_eq!(header_value("/\u{4e2d}?a=b c\r\nx: y"), "/%E4%B8%AD?a=b c%0D%0Ax: y");
    }

    #[test]
    fn a_header_of_odd_bytes_is_not_absent() {
        let value = HeaderValue::from_bytes(b"http://\xe9vil.example").unwrap();
        let request = TestRequest::default().append_header(("origin", value)).to_http_request();
        assert_eq!(header(&request, "origin").as_deref(), Some("http://\u{e9}vil.example"));
    }
}
