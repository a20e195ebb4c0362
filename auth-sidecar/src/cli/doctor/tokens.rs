//! Bearer tokens of sessions, and tokens for other services.

use super::report::Report;
use crate::config::{Config, Signing};

/// Judges both.
pub fn check(config: &Config, report: &mut Report) {
    let bearer = &config.plugins.bearer;
    if bearer.enabled && !bearer.require_signature {
        report.warning(
            "bearer",
            "plain session tokens are taken, as in Better Auth, so whoever reads the table sessions can act as anybody; \
             clients that keep what the header set-auth-token gave them have signed ones",
            "AUTH_BEARER_REQUIRE_SIGNATURE=true",
        );
    } else if bearer.enabled {
        report.ok("bearer", "only signed tokens are taken");
    } else {
        report.ok("bearer", "off: sessions travel in cookies alone");
    }

    let Some(jwt) = &config.plugins.jwt else {
        report.ok("jwt", "off: backends get no tokens");
        return;
    };
    let expected = format!("backends expect issuer {} and audience {}", jwt.issuer, jwt.audience);
    match &jwt.signing {
        Signing::Shared(_) => report.warning(
            "jwt",
            format!("HS256: whoever verifies tokens can make them, for any user; {expected}"),
            "AUTH_JWT_ALG=EdDSA",
        ),
        Signing::Keys(alg) => {
            let note = match alg.name() {
                "EdDSA" => " (python-jose cannot verify it: there AUTH_JWT_ALG=ES256)",
                _ => "",
            };
            report.ok("jwt", format!("{}{note}, for {} s; {expected}", alg.name(), jwt.expires_in));
        }
    }
    if jwt.issuer != config.base_url {
        report.ok("jwt", format!("AUTH_JWT_ISSUER is {}, not {}: tell every backend", jwt.issuer, config.base_url));
    }
    if jwt.expires_in > 3_600 && jwt.expires_in <= 86_400 {
        report.warning(
            "jwt",
            format!("tokens live {} s: so long they work after their user signed out", jwt.expires_in),
            "AUTH_JWT_EXPIRES_IN=15m",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{SECRET, deployed, fixes};
    use super::*;

    #[test]
    fn weaker_choices_are_told_with_the_stronger_one() {
        let unsigned = "AUTH_BEARER_REQUIRE_SIGNATURE=true";
        let shared = SECRET.chars().rev().collect::<String>();
        for (given, expected) in [
            (&[][..], &[unsigned][..]),
            (&[("AUTH_BEARER_REQUIRE_SIGNATURE", "true")], &[]),
            (&[("AUTH_PLUGINS", "none")], &[]),
            (&[("AUTH_JWT_EXPIRES_IN", "12h")], &[unsigned, "AUTH_JWT_EXPIRES_IN=15m"]),
            (&[("AUTH_JWT_ALG", "HS256"), ("AUTH_JWT_SECRET", shared.as_str())], &[unsigned, "AUTH_JWT_ALG=EdDSA"]),
        ] {
            let (_, config) = deployed(given);
            let mut report = Report::default();
            check(&config, &mut report);
            assert_eq!(fixes(&report), expected, "{given:?}");
            assert!(!report.text().contains(&shared));
        }
    }
}
