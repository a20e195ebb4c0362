//! The row of a new session (upstream `db/internal-adapter`, `createSession`).

use schema::Session;

use crate::clock::plus_seconds;
use crate::context::Context;
use crate::error::ApiError;
use crate::ids::generate_id;

/// A session that is not to be remembered ends after a day: 86 400 seconds.
const DONT_REMEMBER_SECONDS: i64 = 86_400;

/// A new session of `user_id`, begun now by this request; the caller inserts it.
///
/// # Errors
/// 503 when the database, which counts the ids of some adopted tables, fails.
pub async fn new_session(cx: &Context, user_id: &str, remember: bool) -> Result<Session, ApiError> {
    let now = cx.app.clock.now();
    let lifetime = if remember { cx.app.config.session.expires_in } else { DONT_REMEMBER_SECONDS };
    Ok(Session {
        id: cx.app.new_id("sessions").await?,
        expires_at: plus_seconds(now, lifetime),
        token: generate_id(),
        created_at: now,
        updated_at: now,
        ip_address: Some(cx.client_ip().unwrap_or_default()),
        user_agent: Some(cx.header("user-agent").unwrap_or_default()),
        user_id: user_id.to_owned(),
        additional_fields: cx.app.session_defaults.clone(),
    })
}
