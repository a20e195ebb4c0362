//! The way of a request, in the order that decides which error wins
//! (contract: request pipeline; upstream `api/index` `router` and better-call `createRouter`).

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{self, Poll};
use std::time::Instant;

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, RETRY_AFTER, SET_COOKIE,
};
use actix_web::http::{ConnectionType, Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use futures_util::FutureExt as _;
use serde_json::{Map, Value};
use url::Url;

use crate::client_ip::client_ip;
use crate::context::{Context, header, header_value};
use crate::cookies::{RequestCookies, ResponseCookies};
use crate::error::{ApiError, ErrorBody, codes};
use crate::extract::body::read_body;
use crate::extract::check::has_nul;
use crate::ids::random_string;
use crate::origins::{OriginRefusal, UrlLabel, UrlRefusal, check_urls};
use crate::plugins::{self, bearer, jwt, one_time_token};
use crate::rate_limit::{RetryAfter, normalize_pathname};
use crate::routes::{self, Answer, AnswerBody, Route, profile_api};
use crate::state::AppState;

const X_RETRY_AFTER: HeaderName = HeaderName::from_static("x-retry-after");

/// After how many seconds a caller may try again when the database or the hashing threads could
/// not serve it.
const RETRY_AFTER_SECONDS: &str = "2";

/// Answers any request. A panic on the way becomes a 500; the process, the pool and its locks live on.
pub async fn handle(request: HttpRequest, mut payload: web::Payload, app: web::Data<AppState>) -> HttpResponse {
    let started = Instant::now();
    let mut log = LogLine { route: "-", profile_face: false, user_id: None, failure: None };
    let walk = AssertUnwindSafe(walk(&request, &mut payload, &app, &mut log)).catch_unwind().await;
    let mut response = walk.unwrap_or_else(|_| {
        log.failure = Some("panic".to_owned());
        internal(&mut HttpResponse::InternalServerError(), log.profile_face)
    });
    if app.is_draining() {
        response.head_mut().set_connection_type(ConnectionType::Close);
    }
    log.write(&request, response.status(), started);
    response.map_body(|_, body| WithRest { body, _rest: payload }.boxed())
}

/// A response that holds on to what is left of the request's body. Once nobody holds it, the HTTP
/// library reads the rest of a chunked body without any limit of time; while it is held, the
/// connection is closed after the response instead.
struct WithRest {
    body: BoxBody,
    _rest: web::Payload,
}

impl MessageBody for WithRest {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Option<Result<web::Bytes, Self::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_next(cx)
    }
}

/// The one line a request leaves in the log: never an address, a cookie, a token or a body.
struct LogLine {
    route: &'static str,
    profile_face: bool,
    user_id: Option<String>,
    failure: Option<String>,
}

impl LogLine {
    fn write(self, request: &HttpRequest, status: StatusCode, started: Instant) {
        let id = header(request, "x-request-id")
            .filter(|id| id.len() <= 64 && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'))
            .unwrap_or_else(|| random_string(12));
        let (method, status) = (request.method().as_str(), status.as_u16());
        let ms = started.elapsed().as_millis();
        let (route, user_id) = (self.route, self.user_id.as_deref().unwrap_or("-"));
        if status >= 500 {
            let cause = self.failure.as_deref().unwrap_or("-");
            tracing::error!(id, method, route, status, user_id, ms, cause, "request");
        } else {
            tracing::info!(id, method, route, status, user_id, ms, "request");
        }
    }
}

/// A request's place in the route tables.
struct Place {
    /// The path below its prefix, as the rate limiter and the disabled paths know it: several paths of one purpose may
    /// share a name here.
    normalized: String,
    /// The path below its prefix.
    own: String,
    /// The route, with the value of its parameter.
    route: Option<(&'static Route, String)>,
    /// Whether it belongs to the plain REST face.
    profile_face: bool,
}

async fn walk(
    request: &HttpRequest,
    payload: &mut web::Payload,
    app: &web::Data<AppState>,
    log: &mut LogLine,
) -> HttpResponse {
    let Some((path, query)) = parse_target(request) else { return not_found() };
    let place = find_place(app, request.method(), &path);
    let config = &app.config;

    if config.http.disabled_paths.iter().any(|path| *path == place.normalized || *path == place.own) {
        return if place.profile_face {
            profile_api::not_found()
        } else {
            HttpResponse::NotFound().content_type("text/plain;charset=UTF-8").body("Not Found")
        };
    }
    // Without addresses everybody would share one bucket: upstream does not limit then.
    if !config.client_ip.disabled {
        let ip = client_ip(&config.client_ip, |name| header(request, name));
        if let Err(after) = app.limiter.check(ip.as_deref(), &place.normalized, app.clock.now_ms()) {
            return too_many_requests(&mut HttpResponse::TooManyRequests(), after, place.profile_face);
        }
    }
    let Some((route, parameter)) = place.route.clone() else {
        return if place.profile_face { profile_api::not_found() } else { not_found() };
    };
    log.route = route.path;
    log.profile_face = place.profile_face;

    let mut cx = Context {
        app: app.clone(),
        request: request.clone(),
        parameter,
        query,
        body: None,
        cookies: RequestCookies::new(request.headers().get_all("cookie").map(|value| value.as_bytes())),
        set_cookies: ResponseCookies::default(),
        headers: Vec::new(),
        user_id: None,
    };
    let plugin = &config.plugins.bearer;
    if place.profile_face || plugin.enabled {
        bearer::accept_bearer(&mut cx, plugin.require_signature);
    }
    let result = run(&mut cx, route, payload).await;
    if plugin.enabled {
        bearer::set_auth_token(&mut cx);
    }
    one_time_token::set_ott(&mut cx).await;
    log.user_id = cx.user_id.take();
    let result = if place.profile_face { result.map_err(profile_api::coded) } else { result };
    log.failure = result.as_ref().err().and_then(ApiError::cause).map(ToString::to_string);
    respond(&cx, &place, route, result)
}

/// Body, origin, addresses, then the handler, which checks its schema first and then its session.
async fn run(cx: &mut Context, route: &Route, payload: &mut web::Payload) -> Result<Answer, ApiError> {
    let method = cx.request.method().clone();
    let limit = cx.app.config.http.body_limit;
    cx.body = read_body(&method, cx.request.headers(), payload, route.media, limit).await?;
    if method != Method::GET {
        cx.check_origin()?;
        check_urls(&cx.app.origins, cx.body.as_ref(), cx.query.get("callbackURL"))?;
    }
    let in_query = cx.query.iter().any(|(key, value)| key.contains('\0') || has_nul(value));
    if in_query || cx.body.as_ref().is_some_and(has_nul) {
        let place = if in_query { "query" } else { "body" };
        return Err(ApiError::validation(format!("[{place}] Invalid input: NUL characters are not allowed")));
    }
    (route.run)(cx).await
}

/// Path and query as the WHATWG URL parser sees them: dot segments resolved, percent-encoding kept.
fn parse_target(request: &HttpRequest) -> Option<(String, Map<String, Value>)> {
    let target = request.uri().path_and_query()?.as_str();
    let url = Url::parse(&format!("http://host.invalid{target}")).ok()?;
    let mut query = Map::new();
    for (key, value) in url.query_pairs() {
        let value = Value::String(value.into_owned());
        match query.get_mut(key.as_ref()) {
            None => {
                query.insert(key.into_owned(), value);
            }
            Some(Value::Array(values)) => values.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
        }
    }
    Some((url.path().to_owned(), query))
}

fn find_place(app: &AppState, method: &Method, path: &str) -> Place {
    let plugins = &app.config.plugins;
    if path == jwt::WELL_KNOWN {
        let route = plugins::find(plugins, method, path);
        return Place { normalized: jwt::JWKS.to_owned(), own: path.to_owned(), route, profile_face: false };
    }
    if let Some(prefix) = &app.config.http.api_prefix
        && let Some(below) = path.strip_prefix(prefix.as_str())
        && (below.is_empty() || below.starts_with('/'))
    {
        return Place {
            normalized: profile_api::limited_as(method, below).to_owned(),
            own: below.trim_end_matches('/').to_owned(),
            route: routes::find(routes::PROFILE_ROUTES, method, below),
            profile_face: true,
        };
    }
    let base_path = app.config.base_path.as_str();
    let own = normalize_pathname(path, base_path);
    let below = path.strip_prefix(base_path).filter(|below| below.starts_with('/'));
    Place {
        normalized: if own == jwt::WELL_KNOWN { jwt::JWKS } else { own }.to_owned(),
        own: own.to_owned(),
        route: below.and_then(|below| {
            routes::find(routes::ROUTES, method, below).or_else(|| plugins::find(plugins, method, below))
        }),
        profile_face: false,
    }
}

fn respond(cx: &Context, place: &Place, route: &Route, result: Result<Answer, ApiError>) -> HttpResponse {
    let status = result.as_ref().map_or_else(ApiError::status, |answer| answer.status);
    let mut response = HttpResponseBuilder::new(status);
    for (name, value) in &cx.headers {
        response.insert_header((name.clone(), value.clone()));
    }
    for line in cx.set_cookies.lines() {
        if let Ok(value) = HeaderValue::from_str(line) {
            response.append_header((SET_COOKIE, value));
        }
    }
    // Everything but the plain facts may carry a session or a token.
    let may_be_secret = !matches!(route.path, "/ok" | "/error");
    if cx.app.config.http.no_store && may_be_secret && !cx.headers.iter().any(|(name, _)| name == CACHE_CONTROL) {
        response.insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")));
    }
    match result {
        Ok(Answer { body: AnswerBody::Json(body), .. }) => json(&mut response, body.to_string()),
        Ok(Answer { body: AnswerBody::Empty, .. }) => response.finish(),
        Ok(Answer { body: AnswerBody::Html(page), .. }) => {
            response.insert_header((CONTENT_TYPE, HeaderValue::from_static("text/html")));
            response.body(page)
        }
        Ok(Answer { body: AnswerBody::Redirect { to, json_type }, .. }) => {
            if json_type {
                response.insert_header((CONTENT_TYPE, HeaderValue::from_static("application/json")));
            }
            response.insert_header((LOCATION, header_value(&to)));
            response.finish()
        }
        Err(error) => respond_error(&mut response, &error, place.profile_face),
    }
}

fn respond_error(response: &mut HttpResponseBuilder, error: &ApiError, profile_face: bool) -> HttpResponse {
    match error {
        ApiError::Refused { body, .. } => json(response, body.to_json().unwrap_or_default()),
        ApiError::TooManyRequests(after) => too_many_requests(response, *after, profile_face),
        ApiError::Unavailable(_) => {
            response.insert_header((RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECONDS)));
            json(response, coded(&codes::SERVICE_UNAVAILABLE))
        }
        ApiError::Internal(_) => internal(response, profile_face),
    }
}

/// upstream answers an unexpected exception without a body; the REST face always has one.
fn internal(response: &mut HttpResponseBuilder, profile_face: bool) -> HttpResponse {
    if profile_face { json(response, coded(&codes::INTERNAL_SERVER_ERROR)) } else { response.finish() }
}

fn json(response: &mut HttpResponseBuilder, body: String) -> HttpResponse {
    response.insert_header((CONTENT_TYPE, HeaderValue::from_static("application/json")));
    response.body(body)
}

fn coded(code: &'static codes::ErrorCode) -> String {
    ErrorBody::Coded { code: code.code, message: code.message.into() }.to_json().unwrap_or_default()
}

fn not_found() -> HttpResponse {
    HttpResponse::NotFound().finish()
}

/// upstream `rate-limiter` `rateLimitResponse`: no code, and `X-Retry-After` for `Retry-After`.
fn too_many_requests(response: &mut HttpResponseBuilder, after: RetryAfter, profile_face: bool) -> HttpResponse {
    let body = if profile_face {
        coded(&codes::TOO_MANY_REQUESTS)
    } else {
        ErrorBody::Message(codes::TOO_MANY_REQUESTS.message.into()).to_json().unwrap_or_default()
    };
    response.insert_header((X_RETRY_AFTER, after.0.to_string()));
    json(response, body)
}

impl From<OriginRefusal> for ApiError {
    fn from(refusal: OriginRefusal) -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            match refusal {
                OriginRefusal::MissingOrNull => &codes::MISSING_OR_NULL_ORIGIN,
                OriginRefusal::Invalid => &codes::INVALID_ORIGIN,
                OriginRefusal::CrossSiteNavigation => &codes::CROSS_SITE_NAVIGATION_LOGIN_BLOCKED,
            },
        )
    }
}

impl From<UrlRefusal> for ApiError {
    fn from(refusal: UrlRefusal) -> Self {
        match refusal {
            UrlRefusal::NotAString { label } => {
                Self::message_only(StatusCode::BAD_REQUEST, format!("Invalid {}: expected a string", label.as_str()))
            }
            UrlRefusal::Untrusted { label } => Self::new(
                StatusCode::FORBIDDEN,
                match label {
                    UrlLabel::Callback => &codes::INVALID_CALLBACK_URL,
                    UrlLabel::Redirect => &codes::INVALID_REDIRECT_URL,
                    UrlLabel::ErrorCallback => &codes::INVALID_ERROR_CALLBACK_URL,
                    UrlLabel::NewUserCallback => &codes::INVALID_NEW_USER_CALLBACK_URL,
                },
            ),
        }
    }
}
