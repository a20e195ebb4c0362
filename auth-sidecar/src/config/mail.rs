//! The way mail goes, and what it says.

use std::fmt;
use std::path::{Path, PathBuf};

use lettre::message::Mailbox;
use url::Url;

use super::env::Reader;
use crate::mail::smtp::SmtpServer;
use crate::mail::{Templates, describe, templates};
use crate::secrets::Secret;

const NAME: &str = "AUTH_MAIL";
const WEBHOOK: &str = "webhook+";
/// Shortest key of webhook signatures, in characters.
const SHORTEST_SECRET: usize = 32;

/// How mail is sent. Addresses may hold credentials: `Debug` shows none.
#[derive(Clone)]
pub enum MailTransport {
    /// Not at all: what needs mail is refused, as upstream without a sender.
    Off,
    /// To the log; for dev mode.
    Log,
    /// By POST of JSON to this address.
    Webhook(Url),
    /// To this mail server.
    Smtp(SmtpServer),
}

impl fmt::Debug for MailTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&describe(self))
    }
}

/// Settings of mail.
#[derive(Clone, Debug)]
pub struct MailSettings {
    /// The way it goes.
    pub transport: MailTransport,
    /// Who it is from; always there with [`MailTransport::Smtp`].
    pub from: Option<Mailbox>,
    /// Whose mail it is, for its reader.
    pub product: String,
    /// The texts.
    pub templates: Templates,
    /// Key of the webhook's signatures; none are made without it.
    pub webhook_secret: Option<Secret>,
    /// The most mails that may wait.
    pub outbox_limit: u32,
    /// Whether users are told that their password or address was changed.
    pub notices: bool,
}

/// Absent only with a problem.
pub(super) fn read(r: &mut Reader<'_>, dev: bool, own_origin: Option<&str>) -> Option<MailSettings> {
    let transport = read_transport(r, dev);
    let from = r.get("AUTH_MAIL_FROM", parse_mailbox);
    if let MailTransport::Smtp(_) = &transport
        && from.is_none()
        && !r.has_problem("AUTH_MAIL_FROM")
    {
        r.problem("AUTH_MAIL_FROM", "is not set; mail by SMTP needs a sender");
    }
    let webhook_secret = r.get("AUTH_MAIL_WEBHOOK_SECRET", parse_secret);
    if let MailTransport::Webhook(url) = &transport {
        warn_of_webhook(r, dev, url, webhook_secret.is_some());
    }
    let product = r.get("AUTH_MAIL_PRODUCT_NAME", plain_line).unwrap_or_else(|| {
        let host = own_origin.and_then(|origin| Url::parse(origin).ok()?.host_str().map(str::to_owned));
        let host = host.unwrap_or_default();
        r.told("AUTH_MAIL_PRODUCT_NAME", &host);
        host
    });
    Some(MailSettings {
        transport,
        from,
        product,
        templates: read_templates(r)?,
        webhook_secret,
        outbox_limit: r.number("AUTH_MAIL_OUTBOX_LIMIT"),
        notices: r.flag("AUTH_MAIL_NOTICES"),
    })
}

fn read_transport(r: &mut Reader<'_>, dev: bool) -> MailTransport {
    let given = r.get(NAME, parse);
    let mut transport = given.unwrap_or(if dev { MailTransport::Log } else { MailTransport::Off });
    if matches!(transport, MailTransport::Log) && !dev {
        r.problem(NAME, "log writes links that open accounts to the log; it is for dev mode (AUTH_DEV=true) only");
    }
    if let MailTransport::Smtp(server) = &mut transport {
        if let Some(path) = server.ca.clone() {
            let outcome = r.machine.read_file(&path).map_err(|error| format!("cannot be read: {error}"));
            if let Err(reason) = outcome.and_then(|pem| server.trust(&pem)) {
                r.problem(NAME, format!("the file {} named by ca= {reason}", path.display()));
            }
        }
        if server.sends_in_clear() && !server.is_loopback {
            r.warn(
                "AUTH_MAIL has no encryption that is sure to happen; mails, and the password, may be read on the way",
            );
        }
    }
    r.shown_as(NAME, describe(&transport));
    if !r.present(NAME) {
        r.told(NAME, describe(&transport));
    }
    transport
}

fn warn_of_webhook(r: &mut Reader<'_>, dev: bool, url: &Url, signed: bool) {
    let is_loopback = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    if url.scheme() == "http" && !is_loopback && !dev {
        r.warn("AUTH_MAIL is a webhook without https: who is on the way reads links that open accounts");
    }
    if !signed && !dev {
        r.warn("AUTH_MAIL_WEBHOOK_SECRET is not set: the webhook cannot tell our mails from anybody else's");
    }
}

fn read_templates(r: &mut Reader<'_>) -> Option<Templates> {
    const FOLDER: &str = "AUTH_MAIL_TEMPLATES";
    let folder = r.text(FOLDER).map(PathBuf::from);
    let machine = r.machine;
    let loaded = match &folder {
        None => Templates::built_in(),
        Some(folder) => {
            match machine.list_folder(folder) {
                Err(error) => {
                    r.problem(FOLDER, format!("names the folder {}, which cannot be read: {error}", folder.display()));
                    return None;
                }
                Ok(files) => warn_of_unknown(r, folder, files),
            }
            Templates::load(templates::from_folder(folder, |path| machine.read_file(path)))
        }
    };
    match loaded {
        Ok(templates) => Some(templates),
        Err(problems) => {
            problems.into_iter().for_each(|problem| r.problem(FOLDER, problem));
            None
        }
    }
}

/// A file that replaces nothing is most likely misnamed.
fn warn_of_unknown(r: &mut Reader<'_>, folder: &Path, files: Vec<String>) {
    for file in files.iter().filter(|file| !file.starts_with('.') && !Templates::knows(file)) {
        r.warn(format!("AUTH_MAIL_TEMPLATES: {} is the name of no template", folder.join(file).display()));
    }
}

/// Reasons never quote the value, which may hold a credential.
fn parse(text: &str) -> Result<MailTransport, String> {
    match text {
        "off" => return Ok(MailTransport::Off),
        "log" => return Ok(MailTransport::Log),
        _ if text.starts_with("smtp://") || text.starts_with("smtps://") => {
            return SmtpServer::parse(text).map(MailTransport::Smtp);
        }
        _ => {}
    }
    let address = text.strip_prefix(WEBHOOK).ok_or("is none of off, log, smtp://…, smtps://… and webhook+https://…")?;
    match Url::parse(address) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(MailTransport::Webhook(url)),
        _ => Err("has no http or https address after webhook+".to_owned()),
    }
}

/// `Name <address>` or an address; the name may have any characters, in quotes or not.
fn parse_mailbox(text: &str) -> Result<Mailbox, String> {
    let text = plain_line(text)?;
    let (name, address) = match text.strip_suffix('>').and_then(|rest| rest.rsplit_once('<')) {
        Some((name, address)) => (name.trim().trim_matches('"').trim(), address),
        None => ("", text.as_str()),
    };
    let address = address.trim().parse().map_err(|_| "is no address, as Example <no-reply@example.com>".to_owned())?;
    Ok(Mailbox::new(Some(name.to_owned()).filter(|name| !name.is_empty()), address))
}

fn plain_line(text: &str) -> Result<String, String> {
    if text.chars().any(char::is_control) { Err("has a line break".to_owned()) } else { Ok(text.to_owned()) }
}

fn parse_secret(text: &str) -> Result<Secret, String> {
    if text.chars().count() < SHORTEST_SECRET {
        return Err(format!("is shorter than {SHORTEST_SECRET} characters"));
    }
    Ok(Secret::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ways_are_read_and_others_refused_without_being_quoted() {
        assert!(matches!(parse("off"), Ok(MailTransport::Off)));
        assert!(matches!(parse("log"), Ok(MailTransport::Log)));
        let Ok(MailTransport::Webhook(url)) = parse("webhook+https://api.example.com/mail?key=k1") else { panic!() };
        assert_eq!(url.as_str(), "https://api.example.com/mail?key=k1");
        assert!(matches!(parse("smtps://user:hunter2@mail.example.com"), Ok(MailTransport::Smtp(_))));
        for text in ["", "smtp://:hunter2@mail.example.com", "webhook+ftp://hunter2", "webhook+https://", "hunter2"] {
            let Err(reason) = parse(text) else { panic!("{text}") };
            assert!(!reason.contains("hunter2"), "{reason}");
        }
    }

    #[test]
    fn debug_shows_no_address_and_no_password() {
        let shown = |text| format!("{:?}", parse(text).unwrap());
        assert_eq!(shown("webhook+https://api.example.com/mail?key=k1"), "webhook");
        assert_eq!(shown("smtp://ada:hunter2@mail.example.com"), "smtp mail.example.com:587 (STARTTLS)");
    }

    #[test]
    fn a_sender_is_an_address_with_or_without_a_name() {
        for (text, shown) in [
            ("no-reply@example.com", "no-reply@example.com"),
            ("Example <no-reply@example.com>", "Example <no-reply@example.com>"),
            ("Acme, Inc. <no-reply@example.com>", "\"Acme, Inc.\" <no-reply@example.com>"),
            ("\"Acme, Inc.\" <no-reply@example.com>", "\"Acme, Inc.\" <no-reply@example.com>"),
            ("<no-reply@example.com>", "no-reply@example.com"),
        ] {
            assert_eq!(parse_mailbox(text).unwrap().to_string(), shown, "{text}");
        }
        for text in
            ["", "Example", "Example <>", "a@b@c", "Example <a@example.com", "A\nBcc: x@y.example <a@b.example>"]
        {
            assert!(parse_mailbox(text).is_err(), "{text}");
        }
    }
}
