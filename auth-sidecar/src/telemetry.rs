//! The log.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use crate::config::LogFormat;

/// Sends the log to standard error, at the levels `filter` names (directives of `tracing-subscriber`).
pub fn init(format: LogFormat, filter: &str) {
    let filter = EnvFilter::new(filter);
    let log = fmt().with_env_filter(filter).with_ansi(std::io::stderr().is_terminal()).with_writer(std::io::stderr);
    // Somebody who set a subscriber before keeps it: tests do.
    let _ = match format {
        LogFormat::Text => log.try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    };
}
