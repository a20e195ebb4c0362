//! Housekeeping: what is over is removed in small batches, so that no table grows for ever and no
//! lock is held for long.

use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDateTime;
use schema::{AnyConnection, Db, DbError, jwks, sessions, verifications};

use crate::clock::plus_seconds;
use crate::config::Config;
use crate::state::AppState;

/// Rows removed in one transaction.
const BATCH: i64 = 500;

/// Removes what is over, again and again, until the process ends. Any number of replicas may do so.
pub async fn purge(app: Arc<AppState>) {
    let pause = Duration::from_secs(app.config.purge_interval);
    while !app.is_draining() {
        match purge_once(&app.db, &app.config, app.clock.now()).await {
            Ok(0) => {}
            Ok(removed) => tracing::info!(removed, "removed what was over"),
            // The next round finds it again.
            Err(error) => tracing::warn!(%error, "what is over could not be removed"),
        }
        tokio::time::sleep(pause).await;
    }
}

/// One round: sessions and verifications that ended before `now`, and signing keys past their grace; returns the
/// number of rows.
///
/// # Errors
/// When the database fails; what was removed before stays removed.
pub async fn purge_once(db: &Db, config: &Config, now: NaiveDateTime) -> Result<usize, DbError> {
    let sessions = in_batches(db, move |conn| sessions::purge_sessions(conn, now, BATCH)).await?;
    let verifications = in_batches(db, move |conn| verifications::purge_verifications(conn, now, BATCH)).await?;
    let keys = match &config.plugins.jwt {
        Some(settings) => {
            let before = plus_seconds(now, -settings.grace_period);
            in_batches(db, move |conn| jwks::purge_keys(conn, before, BATCH)).await?
        }
        None => 0,
    };
    Ok(sessions + verifications + keys)
}

async fn in_batches(
    db: &Db,
    batch: impl Fn(&mut AnyConnection) -> diesel::QueryResult<usize> + Copy + Send + 'static,
) -> Result<usize, DbError> {
    let mut total = 0;
    loop {
        let removed = db.write(move |conn| batch(conn)).await?;
        total += removed;
        if i64::try_from(removed).unwrap_or(i64::MAX) < BATCH {
            return Ok(total);
        }
    }
}
