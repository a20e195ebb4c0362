//! Mail by webhook: a POST of JSON to a program that sends it.

use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::redirect::Policy;
use serde::Serialize;
use sha2::Sha256;
use url::Url;

use super::Mail;
use super::transport::{Delivery, Failure};
use crate::clock::to_ms;
use crate::secrets::Secret;

/// How long a webhook may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Header of the time of the attempt, in seconds since the Unix epoch.
pub const TIMESTAMP_HEADER: &str = "x-auth-sidecar-timestamp";
/// Header of the signature.
pub const SIGNATURE_HEADER: &str = "x-auth-sidecar-signature";
/// Header of the mail's id, the same in every attempt.
pub const ID_HEADER: &str = "x-auth-sidecar-mail-id";

/// Posts mails to one address.
pub struct Webhook {
    url: Url,
    secret: Option<Secret>,
    http: reqwest::Client,
}

/// The body; its names are a contract.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    r#type: &'a str,
    to: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    otp: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    new_email: Option<&'a str>,
}

impl Webhook {
    /// A client of the address; follows no redirects.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(url: Url, secret: Option<Secret>) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder().timeout(TIMEOUT).redirect(Policy::none()).no_proxy().build()?;
        Ok(Self { url, secret, http })
    }

    pub(super) async fn deliver(&self, delivery: &Delivery<'_>) -> Result<(), Failure> {
        let body = body(delivery.mail).map_err(|error| Failure::permanent(error.to_string()))?;
        let timestamp = to_ms(delivery.now).div_euclid(1000);
        let mut request = self
            .http
            .post(self.url.clone())
            .header("content-type", "application/json")
            .header(ID_HEADER, delivery.id)
            .header(TIMESTAMP_HEADER, timestamp);
        if let Some(secret) = &self.secret {
            request = request.header(SIGNATURE_HEADER, signature(secret, timestamp, &body));
        }
        let status = match request.body(body).send().await {
            Ok(response) => response.status(),
            Err(error) => return Err(Failure::passing(format!("the webhook: {}", chain(&error.without_url())))),
        };
        let reason = format!("the webhook answered {}", status.as_u16());
        match status.as_u16() {
            200..=299 => Ok(()),
            408 | 429 => Err(Failure::passing(reason)),
            400..=499 => Err(Failure::permanent(reason)),
            _ => Err(Failure::passing(reason)),
        }
    }
}

fn body(mail: &Mail) -> Result<String, serde_json::Error> {
    serde_json::to_string(&Body {
        r#type: mail.kind.name(),
        to: &mail.to,
        url: mail.url.as_deref(),
        token: mail.token.as_deref(),
        otp: mail.otp.as_deref(),
        new_email: mail.new_email.as_deref(),
    })
}

/// `sha256=` and the HMAC-SHA256 of `<timestamp>.<body>` in hexadecimal; the key is the secret's UTF-8.
#[must_use]
pub fn signature(secret: &Secret, timestamp: i64, body: &str) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()) else {
        // HMAC takes keys of any length.
        return String::new();
    };
    mac.update(format!("{timestamp}.{body}").as_bytes());
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

/// An error with its causes, of which `reqwest` shows the first alone.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::super::MailKind;
    use super::*;

    #[test]
    fn the_signature_is_that_of_the_receiver_in_the_documentation() {
        // Made by the Python code there.
        let document = include_str!("../../../docs/mail.md");
        let expected = "sha256=b4dca36db2708816e9f8fb85deac80f1dae902e0a84f1fa2daf9bb087f37a12a";
        let (key, body) =
            ("webhook-secret-0123456789-abcdefgh", r#"{"type":"otp:sign-in","to":"ada@example.com","otp":"123456"}"#);
        for part in [key, "`1893456000`", body, expected] {
            assert!(document.contains(part), "{part}");
        }
        let secret = Secret::new(key);
        assert_eq!(signature(&secret, 1_893_456_000, body), expected);
        assert_ne!(signature(&secret, 1_893_456_001, body), expected);
    }

    #[test]
    fn the_body_has_the_members_that_apply() {
        let mut mail = Mail::link(MailKind::ChangeEmail, "a@example.com", "https://x/".into(), "t".into(), 60);
        mail.new_email = Some("b@example.com".to_owned());
        mail.name = Some("Ada".to_owned());
        let expected =
            r#"{"type":"change-email","to":"a@example.com","url":"https://x/","token":"t","newEmail":"b@example.com"}"#;
        assert_eq!(body(&mail).unwrap(), expected);
        let code = Mail::code(MailKind::OtpSignIn, "a@example.com", "123456".into(), 300);
        assert_eq!(body(&code).unwrap(), r#"{"type":"otp:sign-in","to":"a@example.com","otp":"123456"}"#);
    }
}
