//! The service put together: health checks, CORS and the pipeline. The program and the tests both
//! start from here.

use actix_cors::Cors;
use actix_web::http::Method;
use actix_web::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use actix_web::middleware::Condition;
use actix_web::{HttpResponse, web};
use serde_json::json;

use crate::origins::TrustedOrigins;
use crate::pipeline;
use crate::state::AppState;

/// Headers of answers that a page on another origin may read.
const EXPOSED_HEADERS: [&str; 5] =
    ["set-auth-token", "set-auth-jwt", "set-ott", "x-retry-after", "x-auth-sidecar-warning"];

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
    if !app.is_database_ready() {
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
