//! The way mail goes.

use url::Url;

use super::env::Reader;

const NAME: &str = "AUTH_MAIL";
const WEBHOOK: &str = "webhook+";

/// How mail is sent. The webhook's address may hold a credential: there is no `Debug` of it.
#[derive(Clone)]
pub enum MailTransport {
    /// Not at all: what needs mail is refused, as upstream without a sender.
    Off,
    /// To the log; for dev mode.
    Log,
    /// By POST of JSON to this address.
    Webhook(Url),
}

impl std::fmt::Debug for MailTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

impl MailTransport {
    fn word(&self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Log => "log",
            Self::Webhook(_) => "webhook",
        }
    }
}

pub(super) fn read(r: &mut Reader<'_>, dev: bool) -> MailTransport {
    let transport = r.get(NAME, parse).unwrap_or(if dev { MailTransport::Log } else { MailTransport::Off });
    if matches!(transport, MailTransport::Log) && !dev {
        r.problem(NAME, "is log, which writes links that open accounts to the log; it works in dev mode only");
    }
    r.shown_as(NAME, transport.word().to_owned());
    transport
}

/// Reasons never quote the value, which may hold a credential.
fn parse(text: &str) -> Result<MailTransport, String> {
    match text {
        "off" => return Ok(MailTransport::Off),
        "log" => return Ok(MailTransport::Log),
        _ => {}
    }
    let address = text.strip_prefix(WEBHOOK).ok_or("is none of off, log and webhook+https://…")?;
    match Url::parse(address) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(MailTransport::Webhook(url)),
        _ => Err("has no http or https address after webhook+".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_ways_are_read_and_others_refused_without_being_quoted() {
        assert!(matches!(parse("off"), Ok(MailTransport::Off)));
        assert!(matches!(parse("log"), Ok(MailTransport::Log)));
        let Ok(MailTransport::Webhook(url)) = parse("webhook+https://api.example.com/mail?key=k1") else { panic!() };
        assert_eq!(url.as_str(), "https://api.example.com/mail?key=k1");
        for text in ["", "smtp://user:hunter2@mail.example.com", "webhook+ftp://hunter2", "webhook+https://", "hunter2"]
        {
            let Err(reason) = parse(text) else { panic!("{text}") };
            assert!(!reason.contains("hunter2"), "{reason}");
        }
    }

    #[test]
    fn debug_shows_no_address() {
        let transport = parse("webhook+https://api.example.com/mail?key=k1").unwrap();
        assert_eq!(format!("{transport:?}"), "webhook");
    }
}
