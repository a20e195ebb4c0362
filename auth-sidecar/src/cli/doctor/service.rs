//! Mail, limits and the secret.

use super::report::Report;
use crate::config::{Config, MailTransport};
use crate::mail::describe;

/// The line that gives mail a way.
pub const MAIL: &str = "AUTH_MAIL=smtp://user:password@mail.example.com:587";

/// Judges them.
pub fn check(config: &Config, secret_is_known: bool, report: &mut Report) {
    if secret_is_known {
        report.ok("secret", "set, and long enough; keep it: it also opens the keys of tokens");
    }
    mail(config, report);
    limits(config, report);
}

fn mail(config: &Config, report: &mut Report) {
    match &config.mail.transport {
        MailTransport::Off => report.warning(
            "mail",
            "off: who forgets the password cannot get a new one, and no address can be proven",
            MAIL,
        ),
        transport => report.ok("mail", format!("{}; auth-sidecar mail test ADDRESS tries it out", describe(transport))),
    }
}

fn limits(config: &Config, report: &mut Report) {
    if config.dev {
        return;
    }
    if !config.rate_limit.enabled {
        report.warning(
            "rate-limit",
            "off: nothing slows whoever tries addresses and passwords",
            "AUTH_RATE_LIMIT=true",
        );
        return;
    }
    let addresses = &config.client_ip;
    let headers = addresses.headers.join(", ");
    let proxies: Vec<String> = addresses.trusted_proxies.iter().map(ToString::to_string).collect();
    let way = if proxies.is_empty() {
        format!("{headers} counts if it holds one address; a proxy that appends to it needs AUTH_TRUSTED_PROXIES")
    } else {
        format!("by {headers} behind {}", proxies.join(", "))
    };
    report.ok("rate-limit", format!("on; {way}"));
}

#[cfg(test)]
mod tests {
    use super::super::testing::{deployed, fixes};
    use super::*;

    #[test]
    fn mail_that_is_off_and_missing_limits_are_told() {
        for (given, expected) in [
            (&[][..], &[MAIL][..]),
            (&[("AUTH_RATE_LIMIT", "false")], &[MAIL, "AUTH_RATE_LIMIT=true"]),
            (
                &[
                    ("AUTH_MAIL", "smtp://ada:pass-hunter2@mail.example.com:587"),
                    ("AUTH_MAIL_FROM", "no-reply@example.com"),
                    ("AUTH_TRUSTED_PROXIES", "10.0.0.0/8"),
                ],
                &[],
            ),
        ] {
            let (_, config) = deployed(given);
            let mut report = Report::default();
            check(&config, true, &mut report);
            assert_eq!(fixes(&report), expected, "{given:?}: {}", report.text());
            assert!(!report.text().contains("hunter2"));
        }
    }
}
