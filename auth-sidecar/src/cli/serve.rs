//! `auth-sidecar serve`.

use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpServer, web};
use schema::migrations::{self, MigrateError};
use schema::{Backend, Db, DbError, adoption};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinError;

use super::{CliError, block_on};
use crate::app;
use crate::clock::Clock;
use crate::config::Config;
use crate::fields::column_rules;
use crate::jobs;
use crate::mail::Worker;
use crate::plugins::jwt;
use crate::state::AppState;
use crate::telemetry;

/// A request's head must arrive within this time.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// An idle connection is closed after this time: longer than the 60 seconds common proxies keep theirs.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// How long the start waits for the database before it listens.
const DATABASE_HEAD_START: Duration = Duration::from_secs(1);
/// What mail under way gets to finish, also when the requests used up the time to stop.
const LEAST_MAIL_DRAIN: Duration = Duration::from_secs(1);
/// Waits between attempts to reach the database at the start, in milliseconds; the last one repeats.
const BACKOFF_MS: [u64; 5] = [100, 250, 500, 1000, 2000];

/// Runs the service until a signal ends it.
pub fn serve(config: Config) -> Result<(), CliError> {
    telemetry::init(config.http.log_format, &config.http.log_filter);
    let db = Db::open(config.database.clone()).map_err(|error| CliError::Config(error.to_string()))?;
    let app = AppState::new(config, db, Clock::System).map_err(|error| CliError::Failed(error.to_string()))?;
    block_on(run(web::Data::new(app)))
}

async fn run(app: web::Data<AppState>) -> Result<(), CliError> {
    let config = &app.config;
    let mut database = actix_web::rt::spawn(prepare_database(app.clone()));
    // With a database that answers, the first request already finds its tables.
    if let Ok(outcome) = tokio::time::timeout(DATABASE_HEAD_START, &mut database).await {
        prepared(outcome)?;
    }

    let (host, port) = (config.listen.host.clone(), config.listen.port);
    let factory = app.clone();
    let mut server = HttpServer::new(move || App::new().configure(app::configure(factory.clone())))
        .workers(config.http.workers)
        .client_request_timeout(HEAD_TIMEOUT)
        .keep_alive(KEEP_ALIVE)
        .shutdown_timeout(config.http.shutdown_timeout)
        .disable_signals()
        .bind((host.as_str(), port))
        .map_err(|error| CliError::Failed(format!("cannot listen on {host}:{port}: {error}")))?
        .run();
    println!("{}", welcome(config, app.db.backend()));
    let signals = stop_on_signals(server.handle(), app.clone())
        .map_err(|error| CliError::Failed(format!("cannot listen for signals: {error}")))?;
    actix_web::rt::spawn(signals);

    if !app.is_database_ready() {
        tokio::select! {
            outcome = database => {
                if let Err(error) = prepared(outcome) {
                    server.handle().stop(false).await;
                    return Err(error);
                }
            }
            served = &mut server => return served.map_err(|error| CliError::Failed(error.to_string())),
        }
    }
    let served = server.await;
    let limit = Duration::from_secs(config.http.shutdown_timeout).saturating_sub(app.draining_for());
    app.mailer.drain(limit.max(LEAST_MAIL_DRAIN)).await;
    served.map_err(|error| CliError::Failed(error.to_string()))
}

fn prepared(outcome: Result<Result<(), MigrateError>, JoinError>) -> Result<(), CliError> {
    match outcome {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(CliError::Database(format!("the database cannot be used: {error}"))),
        Err(error) => Err(CliError::Failed(error.to_string())),
    }
}

/// Migrates as soon as the database answers; until then the service is live but not ready. Fails
/// only when waiting would not help.
async fn prepare_database(app: web::Data<AppState>) -> Result<(), MigrateError> {
    let rules = column_rules(app.fields());
    let mut waits = BACKOFF_MS.iter().copied();
    let mut wait = 0;
    loop {
        let outcome = if app.config.migrate_on_start {
            migrations::up(&app.db, &rules).await
        } else {
            match migrations::pending(&app.db).await {
                Ok(pending) if pending.is_empty() => adoption::bring_back(&app.db).await.map_err(MigrateError::from),
                Ok(pending) => Err(MigrateError::Behind(pending.join(", "))),
                Err(error) => Err(error),
            }
        };
        match outcome {
            Ok(()) => {
                app.find_adoption().await?;
                app.set_database_ready();
                Worker::new(app.mailer.clone(), app.db.clone(), app.clock.clone()).start().await;
                actix_web::rt::spawn(jobs::purge(app.clone().into_inner()));
                actix_web::rt::spawn(jwt::look_after_keys(app.clone()));
                tracing::info!("ready");
                return Ok(());
            }
            Err(error @ MigrateError::Database(DbError::Unavailable(_))) => {
                wait = waits.next().unwrap_or(wait);
                tracing::warn!(%error, "waiting for the database");
                tokio::time::sleep(Duration::from_millis(wait)).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// The first signal drains, the second ends the process at once.
fn stop_on_signals(
    server: ServerHandle,
    app: web::Data<AppState>,
) -> std::io::Result<impl Future<Output = ()> + 'static> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        any(&mut terminate, &mut interrupt).await;
        tracing::info!("stopping: no new connections, requests under way are finished");
        app.start_draining();
        let stop = actix_web::rt::spawn(async move { server.stop(true).await });
        any(&mut terminate, &mut interrupt).await;
        stop.abort();
        tracing::warn!("second signal: stopping at once");
        std::process::exit(1);
    })
}

async fn any(a: &mut Signal, b: &mut Signal) {
    tokio::select! { _ = a.recv() => {} , _ = b.recv() => {} }
}

/// What somebody who has just started the program wants to know.
fn welcome(config: &Config, backend: Backend) -> String {
    let mode = if config.dev { "dev mode" } else { "production" };
    let database = match backend {
        Backend::Sqlite => format!("SQLite, {}", config.database_shown()),
        Backend::Postgres => format!("PostgreSQL, {}", config.database_shown()),
    };
    let base = config.auth_url();
    let client = if config.base_path == "/api/auth" { config.base_url.clone() } else { base.clone() };
    let mut lines = vec![
        format!("auth-sidecar {} ({mode})", env!("CARGO_PKG_VERSION")),
        format!("  listening   {}", config.listen),
        format!("  Better Auth {base}"),
    ];
    if let Some(prefix) = &config.http.api_prefix {
        lines.push(format!(
            "  REST        {}{prefix}/register, /login, /token, /me, /profile, /verify",
            config.base_url
        ));
    }
    if config.plugins.jwt.is_some() {
        lines.push(format!("  JWKS        {base}/jwks"));
    }
    lines.push(format!("  database    {database}"));
    lines.push(format!("  trusts      {}", config.trusted_origins.join(", ")));
    lines.push(format!("  client      createAuthClient({{ baseURL: \"{client}\" }})"));
    lines.join("\n")
}
