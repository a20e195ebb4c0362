//! What more than one route does.

pub mod credentials;
pub mod email_tokens;
pub mod read_session;
mod require_session;
pub mod start_session;
mod throttle;
