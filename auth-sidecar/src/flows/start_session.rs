//! The row of a new session (upstream `db/internal-adapter`, `createSession`).

use schema::Session;

use crate::clock::plus_seconds;
use crate::context::Context;
use crate::ids::generate_id;

/// A session that is not to be remembered ends after a day: 86 400 seconds.
const DONT_REMEMBER_SECONDS: i64 = 86_400;

/// A new session of `user_id`, begun now by this request; the caller inserts it.
#[must_use]
pub fn new_session(cx: &Context, user_id: &str, remember: bool) -> Session {
    let now = cx.app.clock.now();
    let lifetime = if remember { cx.app.config.session.expires_in } else { DONT_REMEMBER_SECONDS };
    Session {
        id: generate_id(),
        expires_at: plus_seconds(now, lifetime),
        token: generate_id(),
        created_at: now,
        updated_at: now,
        ip_address: cx.client_ip().unwrap_or_default(),
        user_agent: cx.header("user-agent").unwrap_or_default(),
        user_id: user_id.to_owned(),
        additional_fields: cx.app.session_defaults.clone(),
    }
}
