//! Mail leaves through an outbox: a flow inserts a row in its own transaction, a [`Worker`] hands the
//! rows over, tries again what failed, and blanks what was sent.
//!
//! - [`Mail`], [`MailKind`]: what is told, and about what
//! - [`Mailer`]: what flows see of it
//! - [`Worker`]: one per process
//! - [`Templates`]: the texts
//! - [`smtp`], [`webhook`], [`transport`]: the ways mail goes

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use chrono::NaiveDateTime;
use schema::{Db, DbError, MailRow, MailState, mails};
use tokio::runtime::Handle;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};

use crate::clock::plus_seconds;
use crate::config::{MailSettings, MailTransport};
use crate::ids::generate_id;

mod content;
pub mod smtp;
pub mod templates;
pub mod transport;
pub mod webhook;
mod worker;

pub use self::content::{Mail, MailKind};
pub use self::templates::Templates;
pub use self::worker::{BACKOFF, Worker};

use self::transport::{Delivery, Transport};

/// The most tasks of [`Mailer::later`] at once; one more request waits for its turn.
const TASKS: u32 = 64;

/// The outbox as flows see it. Clones share everything.
#[derive(Clone)]
pub struct Mailer(Arc<Shared>);

struct Shared {
    transport: Transport,
    notices: bool,
    outbox_limit: i64,
    /// Pending mails at the worker's last look, and those made here since.
    pending: AtomicI64,
    wake: Notify,
    stop: watch::Sender<bool>,
    tasks: Arc<Semaphore>,
    runtime: OnceLock<Handle>,
}

impl Mailer {
    /// A mailer for the configured way.
    ///
    /// # Errors
    /// When the HTTP or SMTP client cannot be built.
    pub fn new(settings: MailSettings) -> std::io::Result<Self> {
        Ok(Self(Arc::new(Shared {
            notices: settings.notices,
            outbox_limit: i64::from(settings.outbox_limit),
            transport: Transport::new(settings)?,
            pending: AtomicI64::new(0),
            wake: Notify::new(),
            stop: watch::Sender::new(false),
            tasks: Arc::new(Semaphore::new(usize::try_from(TASKS).unwrap_or(1))),
            runtime: OnceLock::new(),
        })))
    }

    /// Whether there is a way to send anything.
    #[must_use]
    pub fn is_on(&self) -> bool {
        !matches!(self.0.transport, Transport::Off)
    }

    /// The row of a mail, to be inserted with [`mails::insert_mail`] in the transaction that gives
    /// the mail its reason; [`Mailer::wake`] follows. `None` when mail is off, when it is a notice and
    /// those are off, or when the outbox is full (which is logged): the flow goes on all the same.
    #[must_use]
    pub fn row(&self, mail: &Mail, now: NaiveDateTime) -> Option<MailRow> {
        if !self.is_on() || (mail.kind.is_notice() && !self.0.notices) {
            return None;
        }
        if self.0.pending.fetch_add(1, Ordering::Relaxed) >= self.0.outbox_limit {
            self.0.pending.fetch_sub(1, Ordering::Relaxed);
            tracing::error!(kind = mail.kind.name(), "the outbox is full (AUTH_MAIL_OUTBOX_LIMIT): a mail is dropped");
            return None;
        }
        Some(MailRow {
            id: generate_id(),
            kind: mail.kind.name().to_owned(),
            recipient: mail.to.clone(),
            payload: mail.payload(),
            state: MailState::Pending.as_str().to_owned(),
            attempts: 0,
            next_attempt_at: now,
            expires_at: mail.expires_in.map(|seconds| plus_seconds(now, seconds)),
            last_error: None,
            created_at: now,
            updated_at: now,
            sent_at: None,
        })
    }

    /// Tells the worker that there is something to send. Without it the worker finds out by itself
    /// within seconds.
    pub fn wake(&self) {
        self.0.wake.notify_one();
    }

    /// Puts a mail into the outbox, for a flow that writes nothing else.
    ///
    /// # Errors
    /// As [`Db::write`].
    pub async fn enqueue(&self, db: &Db, mail: &Mail, now: NaiveDateTime) -> Result<(), DbError> {
        let Some(row) = self.row(mail, now) else { return Ok(()) };
        db.write(move |conn| mails::insert_mail(conn, &row)).await?;
        self.wake();
        Ok(())
    }

    /// Room for work after the answer, so that the time of the answer does not tell whether there is
    /// any. Ask for it in both cases, before it is known which one it is: it waits while there is
    /// too much such work.
    ///
    /// The work is lost when the process is killed before it is done, within milliseconds; an orderly
    /// stop waits for it.
    pub async fn later(&self) -> Later {
        // An error would mean that the semaphore is closed, which nobody does.
        let permit = Arc::clone(&self.0.tasks).acquire_owned().await.ok();
        Later { permit, runtime: self.0.runtime.get().cloned() }
    }

    /// No new attempts from now on; those under way go on.
    pub fn stop(&self) {
        self.0.stop.send_replace(true);
    }

    /// Stops, and waits up to `limit` for the attempts and tasks under way.
    pub async fn drain(&self, limit: Duration) {
        self.stop();
        if tokio::time::timeout(limit, self.0.tasks.acquire_many(TASKS)).await.is_err() {
            tracing::warn!("mail under way was cut short; it is tried again after the next start");
        }
    }

    /// Hands a mail over at once, without outbox and second attempts.
    ///
    /// # Errors
    /// Why it failed, without secrets.
    pub async fn send_now(&self, mail: &Mail, now: NaiveDateTime) -> Result<(), String> {
        let delivery = Delivery { id: &generate_id(), mail, expires_at: None, now };
        self.0.transport.deliver(&delivery).await.map_err(|failure| failure.reason)
    }
}

/// Room for one piece of work after the answer; see [`Mailer::later`].
pub struct Later {
    permit: Option<OwnedSemaphorePermit>,
    runtime: Option<Handle>,
}

impl Later {
    /// Starts the work. It runs on the worker's runtime when there is one: those that answer requests
    /// end before it when the service stops.
    pub fn spawn(self, work: impl Future<Output = ()> + Send + 'static) {
        let permit = self.permit;
        let work = async move {
            work.await;
            drop(permit);
        };
        match self.runtime {
            Some(runtime) => drop(runtime.spawn(work)),
            None => drop(tokio::spawn(work)),
        }
    }
}

impl std::fmt::Debug for Mailer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mailer").field("is_on", &self.is_on()).finish_non_exhaustive()
    }
}

/// A short word for what `transport` does.
#[must_use]
pub fn describe(transport: &MailTransport) -> String {
    match transport {
        MailTransport::Off => "off".to_owned(),
        MailTransport::Log => "log".to_owned(),
        MailTransport::Webhook(_) => "webhook".to_owned(),
        MailTransport::Smtp(server) => server.to_string(),
    }
}
