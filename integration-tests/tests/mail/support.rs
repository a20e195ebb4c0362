//! An outbox without the HTTP service around it.

use std::collections::BTreeMap;

use auth_sidecar::clock::Clock;
use auth_sidecar::config::{Config, ThisMachine};
use auth_sidecar::mail::{Mail, MailKind, Mailer, Worker};
use integration_tests::{BASE_URL, SECRET, START_MS};
use schema::test_support::TestDb;
use schema::{MailRow, mails};

/// An outbox, its worker and its clock, which stands still.
pub struct Outbox {
    pub db: TestDb,
    pub clock: Clock,
    pub mailer: Mailer,
    pub worker: Worker,
}

/// The mailer of these settings.
pub fn mailer(db: &TestDb, settings: &[(&str, &str)]) -> Mailer {
    let fixed = [
        ("BETTER_AUTH_URL", BASE_URL),
        ("BETTER_AUTH_SECRET", SECRET),
        ("DATABASE_URL", db.url.as_str()),
        ("AUTH_MAIL_FROM", "Example <no-reply@sender.example>"),
    ];
    let vars: BTreeMap<&str, &str> = fixed.into_iter().chain(settings.iter().copied()).collect();
    let vars = vars.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    let config = Config::from_env(vars, &ThisMachine).unwrap_or_else(|errors| panic!("{errors}"));
    Mailer::new(config.mail).unwrap()
}

impl Outbox {
    pub fn new(db: TestDb, settings: &[(&str, &str)]) -> Self {
        let (mailer, clock) = (mailer(&db, settings), Clock::fixed(START_MS));
        let worker = Worker::new(mailer.clone(), db.db.clone(), clock.clone());
        Self { db, clock, mailer, worker }
    }

    /// With the mail server on this port.
    pub fn smtp(db: TestDb, port: u16) -> Self {
        Self::new(db, &[("AUTH_MAIL", &format!("smtp://127.0.0.1:{port}"))])
    }

    pub async fn put(&self, mail: &Mail) {
        self.mailer.enqueue(&self.db.db, mail, self.clock.now()).await.unwrap();
    }

    /// Tries what is due; how many mails that were.
    pub async fn work(&self) -> usize {
        self.worker.run_once().await.unwrap()
    }

    /// All rows, newest first.
    pub async fn rows(&self) -> Vec<MailRow> {
        self.db.db.read(|conn| mails::list_mails(conn, None, 1000)).await.unwrap()
    }

    /// The one row there is.
    pub async fn row(&self) -> MailRow {
        let mut rows = self.rows().await;
        assert_eq!(rows.len(), 1);
        rows.remove(0)
    }

    /// State, attempts and reason of the one row there is.
    pub async fn standing(&self) -> (String, i32, String) {
        let row = self.row().await;
        (row.state, row.attempts, row.last_error.unwrap_or_default())
    }

    /// Seconds until the one row there is is due.
    pub async fn due_in(&self) -> i64 {
        self.row().await.next_attempt_at.signed_duration_since(self.clock.now()).num_seconds()
    }
}

/// A link to set a new password, good for an hour.
pub fn reset(to: &str) -> Mail {
    let url = format!("{BASE_URL}/api/auth/reset-password/t0kenT0ken?callbackURL=%2Fa&x=1");
    Mail::link(MailKind::ResetPassword, to, url, "t0kenT0ken".to_owned(), 3600)
}

/// A mail that never expires.
pub fn notice(to: &str) -> Mail {
    Mail::new(MailKind::PasswordChanged, to)
}
