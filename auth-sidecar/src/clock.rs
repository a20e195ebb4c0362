//! The one source of time, so that tests can set it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

/// Tells the time in UTC, cut to milliseconds as both databases and the wire keep it.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// A clock that stands still until it is moved; for tests.
    Fixed(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands at `ms` milliseconds since the Unix epoch.
    #[must_use]
    pub fn fixed(ms: i64) -> Self {
        Self::Fixed(Arc::new(AtomicI64::new(ms)))
    }

    /// Moves a fixed clock by `seconds`; the system clock is left alone.
    pub fn advance(&self, seconds: i64) {
        if let Self::Fixed(ms) = self {
            ms.fetch_add(seconds.saturating_mul(1000), Ordering::SeqCst);
        }
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        match self {
            #[expect(clippy::disallowed_methods, reason = "this is the one place that asks the machine")]
            Self::System => Utc::now().timestamp_millis(),
            Self::Fixed(ms) => ms.load(Ordering::SeqCst),
        }
    }

    /// Now, in UTC, cut to milliseconds.
    #[must_use]
    pub fn now(&self) -> NaiveDateTime {
        from_ms(self.now_ms())
    }
}

/// The UTC time of `ms` milliseconds since the Unix epoch; the epoch itself when out of range.
#[must_use]
pub fn from_ms(ms: i64) -> NaiveDateTime {
    DateTime::from_timestamp_millis(ms).unwrap_or_default().naive_utc()
}

/// Milliseconds since the Unix epoch of a UTC time.
#[must_use]
pub fn to_ms(time: NaiveDateTime) -> i64 {
    time.and_utc().timestamp_millis()
}

/// `time` moved by `seconds`, staying at `time` when the result is out of range.
#[must_use]
pub fn plus_seconds(time: NaiveDateTime, seconds: i64) -> NaiveDateTime {
    TimeDelta::try_seconds(seconds).and_then(|delta| time.checked_add_signed(delta)).unwrap_or(time)
}
