//! The service as a whole: what every request shares, and how it is put together. The program and
//! the tests both start from here.

use std::sync::atomic::{AtomicBool, Ordering};

use actix_cors::Cors;
use actix_web::http::Method;
use actix_web::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use actix_web::middleware::Condition;
use actix_web::{HttpResponse, web};
use schema::Db;
use serde_json::{Value, json};

use crate::clock::Clock;
use crate::config::Config;
use crate::fields::{Action, parse_input};
use crate::mail::Mailer;
use crate::origins::TrustedOrigins;
use crate::password::Hasher;
use crate::pipeline;
use crate::rate_limit::RateLimiter;
use crate::wire::declared::json_part;

/// Headers of answers that a page on another origin may read.
const EXPOSED_HEADERS: [&str; 4] = ["set-auth-token", "set-auth-jwt", "x-retry-after", "x-auth-sidecar-warning"];

/// What every request shares.
pub struct AppState {
    /// The settings.
    pub config: Config,
    /// The database's two doors.
    pub db: Db,
    /// The time.
    pub clock: Clock,
    /// The hashing threads.
    pub hasher: Hasher,
    /// The rate limiter.
    pub limiter: RateLimiter,
    /// The way mail goes.
    pub mailer: Mailer,
    /// Whom we trust.
    pub origins: TrustedOrigins,
    /// The JSON column of a new session: the defaults of its declared fields.
    pub session_defaults: String,
    draining: AtomicBool,
    database_ready: AtomicBool,
}

impl AppState {
    /// Puts the service together; nothing is connected yet.
    ///
    /// # Errors
    /// When the hashing threads or the HTTP client cannot be started.
    pub fn new(config: Config, db: Db, clock: Clock) -> std::io::Result<Self> {
        let hasher = Hasher::new(config.password.policy, config.password.threads, config.password.queue)?;
        let defaults = parse_input(&config.fields.session, &serde_json::Map::new(), Action::Create);
        let defaults = json_part(&config.fields.session, &defaults.unwrap_or_default());
        Ok(Self {
            hasher,
            limiter: RateLimiter::new(config.rate_limit.clone()),
            origins: TrustedOrigins::new(config.trusted_origins.clone()),
            session_defaults: Value::Object(defaults).to_string(),
            mailer: Mailer::new(config.mail.clone()).map_err(std::io::Error::other)?,
            config,
            db,
            clock,
            draining: AtomicBool::new(false),
            database_ready: AtomicBool::new(false),
        })
    }

    /// The origin a request was sent to, by its `Host`: only compared, never emitted.
    #[must_use]
    pub fn own_origin(&self, host: Option<&str>) -> String {
        let base = &self.config.base_url;
        match (base.split_once("://"), host) {
            (Some((_, own)), Some(host)) if own != host => format!("http://{host}"),
            _ => base.clone(),
        }
    }

    /// From now on every answer asks its client to leave the connection.
    pub fn start_draining(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// The tables are there.
    pub fn set_database_ready(&self) {
        self.database_ready.store(true, Ordering::Relaxed);
    }

    /// Whether the service is on its way out.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}

/// Registers health checks, CORS and the pipeline.
pub fn configure(app: web::Data<AppState>) -> impl FnOnce(&mut web::ServiceConfig) {
    move |service| {
        let cors = Condition::new(app.config.http.cors, cors(app.origins.clone()));
        service
            .app_data(app)
            .route("/health/live", web::get().to(live))
            .route("/health/ready", web::get().to(ready))
            .service(web::scope("").wrap(cors).default_service(web::to(pipeline::handle)));
    }
}

/// Exact trusted origins, with credentials; never `*`.
fn cors(origins: TrustedOrigins) -> Cors {
    Cors::default()
        .allowed_origin_fn(move |origin, _| origin.to_str().is_ok_and(|origin| origins.trusts_origin(origin)))
        .allowed_methods([Method::GET, Method::POST, Method::PUT])
        .allowed_headers([ACCEPT, AUTHORIZATION, CONTENT_TYPE])
        .expose_headers(EXPOSED_HEADERS)
        .supports_credentials()
        .block_on_origin_mismatch(false)
        .max_age(600)
}

/// The process answers.
async fn live() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "live" }))
}

/// The service can do its work: the database answers, and it is not about to stop.
async fn ready(app: web::Data<AppState>) -> HttpResponse {
    if app.is_draining() {
        return HttpResponse::ServiceUnavailable().json(json!({ "status": "stopping" }));
    }
    if !app.database_ready.load(Ordering::Relaxed) {
        return HttpResponse::ServiceUnavailable().json(json!({ "status": "waiting for the database" }));
    }
    match app.db.ping().await {
        Ok(()) => HttpResponse::Ok().json(json!({ "status": "ready" })),
        Err(error) => {
            tracing::warn!(%error, "the database does not answer");
            HttpResponse::ServiceUnavailable().json(json!({ "status": "database unavailable" }))
        }
    }
}
