//! The worker: takes due mails out of the outbox, a few at a time, and notes what became of each.

use std::sync::atomic::Ordering;
use std::time::Duration;

use chrono::NaiveDateTime;
use futures_util::future::join_all;
use schema::{Db, DbError, MailRow, MailState, mails};
use tokio::runtime::Handle;
use tokio::time::Instant;

use super::transport::{Delivery, Failure};
use super::{Mail, Mailer};
use crate::clock::{Clock, plus_seconds};

/// Waits before the second attempt and those after it, in seconds. After the last one a mail is
/// given up: nine attempts over 21 hours.
pub const BACKOFF: [i64; 8] = [5, 30, 120, 600, 1_800, 7_200, 21_600, 43_200];
/// The most attempts under way at once.
const BATCH: i64 = 4;
/// A worker that has not reported after so many seconds is taken for dead; four times the longest attempt.
const LEASE: i64 = 120;
/// How long a worker that nobody wakes waits between two looks.
const POLL: Duration = Duration::from_secs(5);
/// How often old rows are cleared away.
const CLEARING: Duration = Duration::from_secs(3600);
/// How long a sent mail's row is kept, in seconds: a week.
const KEEP_SENT: i64 = 604_800;
/// How long a failed mail's row is kept, in seconds: 30 days.
const KEEP_FAILED: i64 = 2_592_000;

/// Sends what is in the outbox. Any number of them may work on one database.
pub struct Worker {
    mailer: Mailer,
    db: Db,
    clock: Clock,
}

impl Worker {
    /// A worker; [`Worker::start`] makes it work by itself.
    #[must_use]
    pub fn new(mailer: Mailer, db: Db, clock: Clock) -> Self {
        Self { mailer, db, clock }
    }

    /// Works in the background until [`Mailer::stop`], on the runtime this is called on; to be called
    /// once the tables are there. Does nothing when mail is off.
    pub async fn start(self) {
        if !self.mailer.is_on() {
            return;
        }
        // A second worker of the same process would be a mistake, but does no harm.
        let _ = self.mailer.0.runtime.set(Handle::current());
        self.mailer.later().await.spawn(async move { self.run().await });
    }

    async fn run(&self) {
        let mut stopped = self.mailer.0.stop.subscribe();
        let mut clear_at = Instant::now();
        while !*stopped.borrow_and_update() {
            if let Err(error) = self.run_once().await {
                tracing::warn!(%error, "the outbox cannot be worked on; trying again");
            }
            if Instant::now() >= clear_at {
                clear_at = Instant::now() + CLEARING;
                if let Err(error) = self.clear().await {
                    tracing::warn!(%error, "old mails cannot be cleared away");
                }
            }
            tokio::select! {
                () = self.mailer.0.wake.notified() => {}
                () = tokio::time::sleep(POLL) => {}
                _ = stopped.changed() => {}
            }
        }
    }

    /// Tries every mail that is due, once; returns how many were tried here. Stops early after
    /// [`Mailer::stop`].
    ///
    /// # Errors
    /// When the database fails.
    pub async fn run_once(&self) -> Result<usize, DbError> {
        let mut tried = 0;
        loop {
            let now = self.clock.now();
            let look = move |conn: &mut _| Ok((mails::due_mails(conn, now, BATCH)?, mails::count_pending(conn)?));
            let (due, pending) = self.db.read(look).await?;
            self.mailer.0.pending.store(pending, Ordering::Relaxed);
            if due.is_empty() || *self.mailer.0.stop.borrow() {
                return Ok(tried);
            }
            let lease_end = plus_seconds(now, LEASE);
            let claim = move |conn: &mut _| {
                let mut ours = Vec::new();
                for row in &due {
                    if mails::claim_mail(conn, row, now, lease_end)? {
                        ours.push(row.clone());
                    }
                }
                Ok(ours)
            };
            // Rows that another worker was faster to claim are no longer due: the next look tells.
            let ours = self.db.write(claim).await?;
            tried += ours.len();
            let outcomes = join_all(ours.iter().map(|row| self.attempt(row, now, lease_end))).await;
            outcomes.into_iter().collect::<Result<(), DbError>>()?;
        }
    }

    async fn attempt(&self, row: &MailRow, now: NaiveDateTime, lease_end: NaiveDateTime) -> Result<(), DbError> {
        let outcome = match Mail::from_row(&row.kind, &row.recipient, &row.payload) {
            _ if row.expires_at.is_some_and(|end| end <= now) => {
                Err(Failure::permanent("its link or code expired before it could be sent"))
            }
            None => Err(Failure::permanent("this release does not understand the row")),
            Some(mail) => {
                let delivery = Delivery { id: &row.id, mail: &mail, expires_at: row.expires_at, now };
                self.mailer.0.transport.deliver(&delivery).await
            }
        };
        let attempt = row.attempts.saturating_add(1);
        let (id, now) = (row.id.clone(), self.clock.now());
        let Err(failure) = outcome else {
            tracing::info!(id, kind = row.kind, attempt, "mail sent");
            return self.db.write(move |conn| mails::mark_sent(conn, &id, now)).await;
        };
        let next = next_attempt(attempt, now).filter(|_| !failure.permanent);
        let Failure { reason, .. } = failure;
        if let Some(next) = next {
            tracing::warn!(id, kind = row.kind, attempt, reason, "mail not sent yet");
            return self.db.write(move |conn| mails::postpone_mail(conn, &id, lease_end, next, &reason, now)).await;
        }
        tracing::error!(id, kind = row.kind, attempt, reason, "mail given up; `auth-sidecar mail retry` tries again");
        self.db.write(move |conn| mails::mark_failed(conn, &id, lease_end, &reason, now)).await
    }

    async fn clear(&self) -> Result<(), DbError> {
        let now = self.clock.now();
        let cleared = self.db.write(move |conn| {
            let sent = mails::delete_mails(conn, MailState::Sent, plus_seconds(now, -KEEP_SENT))?;
            Ok(sent + mails::delete_mails(conn, MailState::Failed, plus_seconds(now, -KEEP_FAILED))?)
        });
        match cleared.await? {
            0 => {}
            rows => tracing::info!(rows, "old mails cleared away"),
        }
        Ok(())
    }
}

/// When the attempt after the `attempt`th is due; `None` when it was the last.
fn next_attempt(attempt: i32, now: NaiveDateTime) -> Option<NaiveDateTime> {
    let wait = BACKOFF.get(usize::try_from(attempt.checked_sub(1)?).ok()?)?;
    Some(plus_seconds(now, *wait))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::from_ms;

    #[test]
    fn attempts_are_nine_with_growing_waits_over_most_of_a_day() {
        let now = from_ms(0);
        let waits: Vec<i64> = (1..)
            .map_while(|attempt| next_attempt(attempt, now))
            .map(|next| next.signed_duration_since(now).num_seconds())
            .collect();
        assert_eq!(waits, [5, 30, 120, 600, 1_800, 7_200, 21_600, 43_200]);
        assert_eq!(waits.iter().sum::<i64>(), 74_555);
        assert_eq!(next_attempt(0, now), None);
        assert_eq!(next_attempt(9, now), None);
    }
}
