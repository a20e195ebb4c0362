//! Mail: what is sent, and by which way.

use std::time::Duration;

use reqwest::redirect::Policy;
use serde::Serialize;

use crate::config::MailTransport;

/// How long a webhook may take to answer.
const WEBHOOK_TIMEOUT: Duration = Duration::from_secs(10);

/// One mail. The link and the token are credentials: there is no `Debug`.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Mail {
    /// What it is about.
    #[serde(rename = "type")]
    pub kind: MailKind,
    /// The address it goes to.
    pub to: String,
    /// The link its reader follows.
    pub url: String,
    /// The token in the link.
    pub token: String,
    /// The address that is asked for, in the approval of a change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_email: Option<String>,
}

/// What a mail is about.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MailKind {
    /// A link to set a new password.
    ResetPassword,
    /// A link that proves an address.
    VerifyEmail,
}

/// Sends mail off the request's path.
#[derive(Clone)]
pub struct Mailer {
    transport: MailTransport,
    http: reqwest::Client,
}

impl Mailer {
    /// A mailer for the configured way.
    ///
    /// # Errors
    /// When the HTTP client cannot be built.
    pub fn new(transport: MailTransport) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder().timeout(WEBHOOK_TIMEOUT).redirect(Policy::none()).no_proxy().build()?;
        Ok(Self { transport, http })
    }

    /// Whether there is a way to send anything.
    #[must_use]
    pub fn is_on(&self) -> bool {
        !matches!(self.transport, MailTransport::Off)
    }

    /// Sends in the background; a failure goes to the log, without the link.
    pub fn send(&self, mail: Mail) {
        match &self.transport {
            MailTransport::Off => {}
            // Dev mode: the log is the mailbox.
            MailTransport::Log => tracing::info!(kind = ?mail.kind, to = mail.to, url = mail.url, "mail"),
            MailTransport::Webhook(url) => {
                let request = self.http.post(url.clone()).header("content-type", "application/json");
                actix_web::rt::spawn(post(request, mail));
            }
        }
    }
}

async fn post(request: reqwest::RequestBuilder, mail: Mail) {
    let kind = mail.kind;
    let Ok(body) = serde_json::to_string(&mail) else { return };
    let outcome = request.body(body).send().await.and_then(reqwest::Response::error_for_status);
    if let Err(error) = outcome {
        tracing::error!(?kind, error = %error.without_url(), "the mail webhook failed");
    }
}
