//! Mail by SMTP (RFC 5321), with TLS from the start or by STARTTLS (RFC 8314, RFC 3207).

use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, MultiPart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use percent_encoding::percent_decode_str;
use url::{Host, Url};

use super::templates::Rendered;
use super::transport::{Delivery, Failure};
use crate::clock::to_ms;
use crate::secrets::Secret;

/// How long the server may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Replies of class 5 that speak of our credentials, not of the mail (RFC 4954, section 6): they pass
/// once an operator has set the right ones.
const ABOUT_CREDENTIALS: [u16; 4] = [530, 534, 535, 538];

/// How the connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpTls {
    /// From the first byte (`smtps://`).
    Implicit,
    /// By STARTTLS, or nothing is sent.
    Required,
    /// By STARTTLS where the server offers it.
    Opportunistic,
    /// Never.
    None,
}

/// A mail server. `Display` shows neither user nor password, and there is no `Debug`.
#[derive(Clone)]
pub struct SmtpServer {
    /// Name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// User and password.
    pub credentials: Option<(String, Secret)>,
    /// How the connection is encrypted.
    pub tls: SmtpTls,
    /// File of the only certificate authorities to trust, in PEM.
    pub ca: Option<PathBuf>,
    /// What was in that file.
    pub authorities: Option<Certificate>,
    /// Whether the host is this machine.
    pub is_loopback: bool,
}

impl fmt::Display for SmtpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tls = match self.tls {
            SmtpTls::Implicit => "TLS",
            SmtpTls::Required => "STARTTLS",
            SmtpTls::Opportunistic => "STARTTLS if offered",
            SmtpTls::None => "not encrypted",
        };
        write!(f, "smtp {}:{} ({tls})", self.host, self.port)
    }
}

impl SmtpServer {
    /// Reads `smtp://USER:PASSWORD@HOST:PORT?tls=…&ca=FILE` or `smtps://…`; user and password are
    /// percent-decoded. The file is not read yet.
    ///
    /// # Errors
    /// What is wrong, as the end of a sentence that begins with the value; never with a part of it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let escape = "is no smtp://USER:PASSWORD@HOST:PORT; special characters of user and password are \
                      percent-encoded, as %2F for /";
        let url = Url::parse(text).map_err(|_| escape.to_owned())?;
        let implicit = url.scheme() == "smtps";
        if !matches!(url.path(), "" | "/") || url.fragment().is_some() {
            return Err(escape.to_owned());
        }
        let host = match url.host() {
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            Some(Host::Domain(name)) if !name.is_empty() && !name.contains('%') => name.to_owned(),
            _ => return Err(escape.to_owned()),
        };
        let is_loopback =
            host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        let mut tls = match (implicit, is_loopback) {
            (true, _) => SmtpTls::Implicit,
            (false, true) => SmtpTls::None,
            (false, false) => SmtpTls::Required,
        };
        let mut ca = None;
        for (key, value) in url.query_pairs() {
            match (key.as_ref(), value.as_ref()) {
                ("tls", _) if implicit => return Err("has tls=… with smtps://, which is always encrypted".to_owned()),
                ("tls", "required") => tls = SmtpTls::Required,
                ("tls", "opportunistic") => tls = SmtpTls::Opportunistic,
                ("tls", "none") => tls = SmtpTls::None,
                ("tls", _) => return Err("has another tls= than required, opportunistic and none".to_owned()),
                ("ca", path) if !path.is_empty() => ca = Some(PathBuf::from(path)),
                _ => return Err("has another option than tls=… and ca=FILE".to_owned()),
            }
        }
        if ca.is_some() && tls == SmtpTls::None {
            return Err("names a certificate authority but is not encrypted; add tls=required".to_owned());
        }
        let credentials = match (url.username(), url.password()) {
            ("", None) => None,
            (user, Some(password)) if !user.is_empty() => Some((decoded(user)?, Secret::new(decoded(password)?))),
            _ => return Err("has a user without a password, or a password without a user".to_owned()),
        };
        let port = url.port().unwrap_or(if implicit { 465 } else { 587 });
        Ok(Self { host, port, credentials, tls, ca, authorities: None, is_loopback })
    }

    /// Takes the text of the file named by `ca`.
    ///
    /// # Errors
    /// When there is no certificate in it.
    pub fn trust(&mut self, pem: &str) -> Result<(), String> {
        let none = || "holds no certificate in PEM".to_owned();
        if !pem.contains("-----BEGIN CERTIFICATE-----") {
            return Err(none());
        }
        self.authorities = Some(Certificate::from_pem(pem.as_bytes()).map_err(|_| none())?);
        Ok(())
    }

    /// Whether somebody on the way may read what is sent, or make it so.
    #[must_use]
    pub fn sends_in_clear(&self) -> bool {
        matches!(self.tls, SmtpTls::None | SmtpTls::Opportunistic)
    }

    fn tls(&self) -> Result<Tls, lettre::transport::smtp::Error> {
        if self.tls == SmtpTls::None {
            return Ok(Tls::None);
        }
        let mut parameters = TlsParameters::builder(self.host.clone());
        if let Some(authorities) = &self.authorities {
            parameters = parameters.certificate_store(CertificateStore::None).add_root_certificate(authorities.clone());
        }
        let parameters = parameters.build_rustls()?;
        Ok(match self.tls {
            SmtpTls::Implicit => Tls::Wrapper(parameters),
            SmtpTls::Opportunistic => Tls::Opportunistic(parameters),
            SmtpTls::Required | SmtpTls::None => Tls::Required(parameters),
        })
    }
}

fn decoded(text: &str) -> Result<String, String> {
    let decoded = percent_decode_str(text).decode_utf8().map_err(|_| "has bytes that are no UTF-8".to_owned())?;
    Ok(decoded.into_owned())
}

/// Hands mails to one server, each over a connection of its own.
pub struct Smtp {
    from: Mailbox,
    transport: AsyncSmtpTransport<Tokio1Executor>,
    password: Option<Secret>,
}

impl Smtp {
    /// A client of `server`; connects to nothing yet.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(server: &SmtpServer, from: Mailbox) -> Result<Self, lettre::transport::smtp::Error> {
        // The domain we write from stands for us: the machine's name is often one of a container.
        let hello = ClientId::Domain(from.email.domain().to_owned());
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(server.host.clone())
            .port(server.port)
            .tls(server.tls()?)
            .hello_name(hello)
            .timeout(Some(CONNECT_TIMEOUT));
        if let Some((user, password)) = &server.credentials {
            builder = builder.credentials(Credentials::new(user.clone(), password.expose().to_owned()));
        }
        let password = server.credentials.as_ref().map(|(_, password)| password.clone());
        Ok(Self { from, transport: builder.build(), password })
    }

    /// The password, which no error may hold.
    pub(super) fn secret(&self) -> Option<&str> {
        self.password.as_ref().map(Secret::expose)
    }

    pub(super) async fn deliver(&self, delivery: &Delivery<'_>, texts: Rendered) -> Result<(), Failure> {
        let message = message(&self.from, delivery, texts).map_err(Failure::permanent)?;
        match self.transport.send(message).await {
            Ok(_) => Ok(()),
            Err(error) => {
                let code = error.status().map(u16::from);
                let about_credentials = code.is_some_and(|code| ABOUT_CREDENTIALS.contains(&code));
                let reason = format!("the mail server: {error}");
                Err(if error.is_permanent() && !about_credentials {
                    Failure::permanent(reason)
                } else {
                    Failure::passing(reason)
                })
            }
        }
    }
}

fn message(from: &Mailbox, delivery: &Delivery<'_>, texts: Rendered) -> Result<Message, String> {
    let to: Address = delivery.mail.to.parse().map_err(|_| "the recipient is no address for SMTP".to_owned())?;
    let since_epoch = Duration::from_millis(u64::try_from(to_ms(delivery.now)).unwrap_or_default());
    Message::builder()
        .from(from.clone())
        .to(Mailbox::new(None, to))
        .subject(texts.subject)
        .date(SystemTime::UNIX_EPOCH + since_epoch)
        // The same in every attempt: a server that took one without our knowing sees the copy.
        .message_id(Some(format!("<{}@{}>", delivery.id, from.email.domain())))
        .header(AutoSubmitted)
        .multipart(MultiPart::alternative_plain_html(texts.text, texts.html))
        .map_err(|error| format!("the mail cannot be written: {error}"))
}

/// `Auto-Submitted: auto-generated` (RFC 3834): no vacation notes in return.
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Mail, MailKind};
    use super::*;
    use crate::clock::from_ms;

    #[test]
    fn the_address_of_a_server_has_defaults_by_scheme_and_place() {
        for (text, shown) in [
            ("smtp://mail.example.com", "smtp mail.example.com:587 (STARTTLS)"),
            ("smtps://mail.example.com/", "smtp mail.example.com:465 (TLS)"),
            ("smtp://mail.example.com:2525?tls=opportunistic", "smtp mail.example.com:2525 (STARTTLS if offered)"),
            ("smtp://mailpit:1025?tls=none", "smtp mailpit:1025 (not encrypted)"),
            ("smtp://localhost:1025", "smtp localhost:1025 (not encrypted)"),
            ("smtp://127.0.0.1:25", "smtp 127.0.0.1:25 (not encrypted)"),
            ("smtp://[::1]:25?tls=required", "smtp ::1:25 (STARTTLS)"),
            ("smtp://localhost.example.com", "smtp localhost.example.com:587 (STARTTLS)"),
        ] {
            assert_eq!(SmtpServer::parse(text).map(|server| server.to_string()).as_deref(), Ok(shown), "{text}");
        }
    }

    #[test]
    fn user_and_password_are_percent_decoded() {
        let server =
            SmtpServer::parse("smtps://AKIA%40x:a%2Fb%2Bc%3D%25@mail.example.com?ca=/etc/ca.pem").ok().unwrap();
        let (user, password) = server.credentials.unwrap();
        assert_eq!((user.as_str(), password.expose()), ("AKIA@x", "a/b+c=%"));
        assert_eq!(server.ca, Some(PathBuf::from("/etc/ca.pem")));
    }

    #[test]
    fn wrong_addresses_are_refused_without_being_quoted() {
        for text in [
            "smtp://",
            "smtp://:hunter2@mail.example.com",
            "smtp://hunter2@mail.example.com",
            "smtp://user:hun/ter2@mail.example.com",
            "smtp://user:12/hunter2@mail.example.com",
            "smtp://user:12#hunter2@mail.example.com",
            "smtp://user:12?hunter2@mail.example.com",
            "smtp://mail.example.com?tls=hunter2",
            "smtp://mail.example.com?hunter2=1",
            "smtp://mail.example.com/hunter2",
            "smtps://mail.example.com?tls=none",
            "smtp://localhost?ca=/etc/hunter2.pem",
            "smtp://user:%ffhunter2@mail.example.com",
            "smtp://mail.example.com:hunter2",
        ] {
            let Err(reason) = SmtpServer::parse(text) else { panic!("{text} is accepted") };
            assert!(!reason.contains("hunter2"), "{reason}");
        }
    }

    #[test]
    fn only_certificates_are_taken_for_an_authority() {
        let mut server = SmtpServer::parse("smtps://mail.example.com?ca=/etc/ca.pem").ok().unwrap();
        for text in ["", "-----BEGIN PRIVATE KEY-----", "-----BEGIN CERTIFICATE-----\n%\n-----END CERTIFICATE-----"] {
            assert_eq!(server.trust(text), Err("holds no certificate in PEM".to_owned()), "{text}");
        }
    }

    fn texts() -> Rendered {
        Rendered { subject: "Grüße".to_owned(), text: "text\n".to_owned(), html: "<p>html</p>\n".to_owned() }
    }

    #[test]
    fn a_message_has_the_headers_of_a_mail_and_both_texts() {
        let mail = Mail::new(MailKind::Test, "ada@example.com");
        let delivery = Delivery { id: "id1", mail: &mail, expires_at: None, now: from_ms(1_893_456_000_000) };
        let from = Mailbox::new(Some("Acme, Inc.".to_owned()), "no-reply@acme.example".parse().unwrap());
        let text = String::from_utf8(message(&from, &delivery, texts()).unwrap().formatted()).unwrap();
        for line in [
            // "Acme, Inc.", whose comma would part two addresses.
            "From: =?utf-8?b?QWNtZSwgSW5jLg==?= <no-reply@acme.example>",
            "To: ada@example.com",
            "Subject: =?utf-8?b?R3LDvMOfZQ==?=",
            "Date: Tue, 01 Jan 2030 00:00:00 +0000",
            "Message-ID: <id1@acme.example>",
            "Auto-Submitted: auto-generated",
            "MIME-Version: 1.0",
            "Content-Type: text/plain; charset=utf-8",
            "Content-Type: text/html; charset=utf-8",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        assert!(text.contains("multipart/alternative"), "{text}");
    }

    #[test]
    fn a_recipient_cannot_bring_headers_or_recipients_along() {
        for to in ["ada@example.com\r\nBcc: all@example.com", "ada@example.com, all@example.com", "a b@example.com", ""]
        {
            let mail = Mail::new(MailKind::Test, to);
            let delivery = Delivery { id: "id1", mail: &mail, expires_at: None, now: from_ms(0) };
            let from = Mailbox::new(None, "no-reply@acme.example".parse().unwrap());
            assert!(message(&from, &delivery, texts()).is_err(), "{to:?}");
        }
    }
}
