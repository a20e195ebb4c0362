//! The ways mail goes, and what becomes of an attempt.

use std::time::Duration;

use chrono::NaiveDateTime;

use super::smtp::Smtp;
use super::webhook::Webhook;
use super::{Mail, Templates};
use crate::config::{MailSettings, MailTransport};

/// How long an attempt may take in all.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);
/// The longest reason that is kept, in characters.
const REASON_LENGTH: usize = 300;

/// A mail on its way.
pub struct Delivery<'a> {
    /// Id of the mail, the same in every attempt.
    pub id: &'a str,
    /// What is told.
    pub mail: &'a Mail,
    /// When its link or code ends (UTC).
    pub expires_at: Option<NaiveDateTime>,
    /// The time of the attempt (UTC).
    pub now: NaiveDateTime,
}

impl Delivery<'_> {
    /// How many minutes the link or code is good for, rounded.
    fn minutes_left(&self) -> Option<i64> {
        let left = self.expires_at?.signed_duration_since(self.now).num_seconds();
        Some(left.saturating_add(30).div_euclid(60).max(1))
    }
}

/// Why an attempt failed.
#[derive(Debug)]
pub struct Failure {
    /// For an operator; after [`Transport::deliver`] in one line and without secrets.
    pub reason: String,
    /// Whether another attempt would fail the same way.
    pub permanent: bool,
}

impl Failure {
    pub(super) fn permanent(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), permanent: true }
    }

    pub(super) fn passing(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), permanent: false }
    }
}

/// The configured way.
pub enum Transport {
    /// Not at all.
    Off,
    /// To the log.
    Log,
    /// To a program.
    Webhook(Webhook),
    /// To a mail server.
    Smtp {
        /// The server.
        smtp: Smtp,
        /// The texts.
        templates: Templates,
        /// Whose mail it is.
        product: String,
    },
}

impl Transport {
    /// The way of the settings; connects to nothing yet.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(settings: MailSettings) -> std::io::Result<Self> {
        Ok(match (settings.transport, settings.from) {
            (MailTransport::Off, _) => Self::Off,
            (MailTransport::Log, _) => Self::Log,
            (MailTransport::Webhook(url), _) => {
                Self::Webhook(Webhook::new(url, settings.webhook_secret).map_err(std::io::Error::other)?)
            }
            (MailTransport::Smtp(server), Some(from)) => Self::Smtp {
                smtp: Smtp::new(&server, from).map_err(std::io::Error::other)?,
                templates: settings.templates,
                product: settings.product,
            },
            (MailTransport::Smtp(_), None) => return Err(std::io::Error::other("AUTH_MAIL_FROM is not set")),
        })
    }

    /// Hands a mail over, within 30 seconds.
    ///
    /// # Errors
    /// Why it failed, without secrets.
    pub async fn deliver(&self, delivery: &Delivery<'_>) -> Result<(), Failure> {
        let outcome = tokio::time::timeout(ATTEMPT_TIMEOUT, self.attempt(delivery)).await;
        let outcome = outcome.unwrap_or_else(|_| Err(Failure::passing("no answer within 30 seconds")));
        outcome.map_err(|failure| Failure { reason: self.without_secrets(&failure.reason, delivery.mail), ..failure })
    }

    async fn attempt(&self, delivery: &Delivery<'_>) -> Result<(), Failure> {
        let mail = delivery.mail;
        match self {
            Self::Off => Err(Failure::passing("mail is off (AUTH_MAIL)")),
            // Dev mode: the log is the mailbox.
            Self::Log => {
                let link_or_code = mail.url.as_ref().or(mail.otp.as_ref()).map_or("", String::as_str);
                tracing::info!(kind = mail.kind.name(), to = mail.to, "mail: {link_or_code}");
                Ok(())
            }
            Self::Webhook(webhook) => webhook.deliver(delivery).await,
            Self::Smtp { smtp, templates, product } => {
                let texts = templates.render(mail, product, delivery.minutes_left()).map_err(Failure::permanent)?;
                smtp.deliver(delivery, texts).await
            }
        }
    }

    /// In one line, short, and without what a server may have quoted back to us.
    fn without_secrets(&self, reason: &str, mail: &Mail) -> String {
        let password = match self {
            Self::Smtp { smtp, .. } => smtp.secret(),
            _ => None,
        };
        let mut text = reason.to_owned();
        for secret in mail.secrets().chain(password).filter(|secret| !secret.is_empty()) {
            text = text.replace(secret, "***");
        }
        let words: Vec<&str> = text.split(|c: char| c.is_whitespace() || c.is_control()).collect();
        words.join(" ").chars().take(REASON_LENGTH).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::MailKind;
    use super::super::smtp::SmtpServer;
    use super::*;
    use crate::clock::{from_ms, plus_seconds};

    #[test]
    fn a_reason_is_one_short_line_without_link_token_code_or_password() {
        let server = SmtpServer::parse("smtp://user:hunter2@mail.example.com").ok().unwrap();
        let from = "a@example.com".parse().unwrap();
        let transport = Transport::Smtp {
            smtp: Smtp::new(&server, from).unwrap(),
            templates: Templates::built_in().unwrap(),
            product: String::new(),
        };
        let mut mail =
            Mail::link(MailKind::MagicLink, "b@example.com", "https://a/?token=t0k&x".into(), "t0k".into(), 60);
        mail.otp = Some("123456".to_owned());
        let reason = "550 5.7.1\r\nhunter2 said https://a/?token=t0k&x and t0k and 123456 ";
        assert_eq!(transport.without_secrets(reason, &mail), "550 5.7.1  *** said *** and *** and *** ");
        assert_eq!(transport.without_secrets(&"x".repeat(5000), &mail).len(), REASON_LENGTH);
    }

    #[test]
    fn the_minutes_left_are_rounded_and_never_none() {
        let mail = Mail::new(MailKind::Test, "a@example.com");
        let now = from_ms(0);
        let left = |seconds| {
            Delivery { id: "", mail: &mail, expires_at: Some(plus_seconds(now, seconds)), now }.minutes_left()
        };
        let cases = [(3600, 60), (3571, 60), (3569, 59), (89, 1), (1, 1)];
        for (seconds, minutes) in cases {
            assert_eq!(left(seconds), Some(minutes), "{seconds}");
        }
        assert_eq!(Delivery { id: "", mail: &mail, expires_at: None, now }.minutes_left(), None);
    }
}
