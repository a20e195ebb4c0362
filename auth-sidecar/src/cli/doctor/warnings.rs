//! What loading the settings warned of, each with the line that ends the warning.

use super::report::{Level, Report};
use super::service::MAIL;

/// What a warning is about.
struct Known {
    /// What it begins with.
    start: &'static str,
    level: Level,
    /// Absent if another check tells more.
    fix: Option<&'static str>,
}

const fn known(start: &'static str, level: Level, fix: &'static str) -> Known {
    Known { start, level, fix: Some(fix) }
}

const fn told_elsewhere(start: &'static str) -> Known {
    Known { start, level: Level::Warning, fix: None }
}

use Level::{Problem, Warning};

const KNOWN: &[Known] = &[
    told_elsewhere("BETTER_AUTH_URL is http"),
    told_elsewhere("dev mode at "),
    told_elsewhere("AUTH_JWT_ALG is HS256"),
    told_elsewhere("FRONTEND_URL is set"),
    told_elsewhere("CORS_ORIGINS is set"),
    told_elsewhere("NEON_DATABASE_URL is set"),
    told_elsewhere("JWT_SECRET is set"),
    known("AUTH_COOKIE_SECURE is true", Problem, "AUTH_COOKIE_SECURE=auto"),
    known("AUTH_COOKIE_SECURE is false", Problem, "AUTH_COOKIE_SECURE=auto"),
    known("AUTH_DATABASE_ACQUIRE_TIMEOUT", Warning, "AUTH_DATABASE_ACQUIRE_TIMEOUT=2s"),
    known("dev mode listens", Warning, "HOST=127.0.0.1"),
    known("AUTH_JWT_EXPIRES_IN", Warning, "AUTH_JWT_EXPIRES_IN=15m"),
    known("AUTH_JWT_GRACE_PERIOD", Warning, "AUTH_JWT_GRACE_PERIOD=30d"),
    known("AUTH_JWT_ROTATION_INTERVAL", Warning, "AUTH_JWT_ROTATION_INTERVAL=30d"),
    known("AUTH_JWT_SECRET does nothing", Warning, "AUTH_JWT_SECRET="),
    known("AUTH_DISABLE_IP_TRACKING", Warning, "AUTH_DISABLE_IP_TRACKING=false"),
    known("AUTH_SIGN_IN_ATTEMPTS is 0", Warning, "AUTH_SIGN_IN_ATTEMPTS=20"),
    known("AUTH_MAIL has no encryption", Warning, MAIL),
    known("AUTH_MAIL is a webhook without https", Warning, "AUTH_MAIL=webhook+https://…"),
    known("AUTH_MAIL_WEBHOOK_SECRET", Warning, "AUTH_MAIL_WEBHOOK_SECRET=$(auth-sidecar secret)"),
    known("AUTH_USER_DELETE_USER_VERIFICATION", Problem, MAIL),
    known("AUTH_EMAIL_PASSWORD_REQUIRE_VERIFICATION", Problem, MAIL),
    known("AUTH_EMAIL_PASSWORD_MIN_LENGTH", Warning, "AUTH_EMAIL_PASSWORD_MIN_LENGTH=8"),
    known("AUTH_EMAIL_PASSWORD_MAX_LENGTH", Warning, "AUTH_EMAIL_PASSWORD_MAX_LENGTH=128"),
    known("AUTH_VERIFY_JWT", Warning, "AUTH_VERIFY_JWT=false"),
    known("AUTH_MAGIC_LINK_EXPIRES_IN", Warning, "AUTH_MAGIC_LINK_EXPIRES_IN=5m"),
    known("AUTH_EMAIL_OTP_LENGTH", Warning, "AUTH_EMAIL_OTP_LENGTH=6"),
    known("AUTH_EMAIL_OTP_EXPIRES_IN", Warning, "AUTH_EMAIL_OTP_EXPIRES_IN=5m"),
    known(
        "AUTH_EMAIL_OTP_CHANGE_EMAIL_VERIFY_CURRENT_EMAIL",
        Warning,
        "AUTH_EMAIL_OTP_CHANGE_EMAIL_VERIFY_CURRENT_EMAIL=false",
    ),
    known("AUTH_API_PREFIX", Warning, "AUTH_API_PREFIX=off"),
    known("AUTH_SESSION_UPDATE_AGE", Warning, "AUTH_SESSION_UPDATE_AGE=1d"),
    known("AUTH_SECRET is set too", Warning, "unset AUTH_SECRET"),
    known("BETTER_AUTH_SECRET: ", Warning, "BETTER_AUTH_SECRET=$(auth-sidecar secret)"),
    known("AUTH_SECRET: ", Warning, "AUTH_SECRET=$(auth-sidecar secret)"),
];

/// Repeats the warnings that no other check explains.
pub fn check(warnings: &[String], report: &mut Report) {
    for warning in warnings {
        match KNOWN.iter().find(|known| warning.starts_with(known.start)) {
            Some(Known { fix: None, .. }) => {}
            Some(Known { level, fix, .. }) => {
                report.add("settings", *level, warning.as_str(), fix.map(str::to_owned));
            }
            // It says itself what to do.
            None => report.add("settings", Level::Warning, warning.as_str(), None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{deployed, fixes};
    use super::*;

    #[test]
    fn warnings_of_the_settings_come_with_the_line_that_ends_them() {
        for (given, fix) in [
            (("AUTH_COOKIE_SECURE", "false"), "AUTH_COOKIE_SECURE=auto"),
            (("AUTH_JWT_EXPIRES_IN", "7d"), "AUTH_JWT_EXPIRES_IN=15m"),
            (("AUTH_JWT_GRACE_PERIOD", "15m"), "AUTH_JWT_GRACE_PERIOD=30d"),
            (("AUTH_EMAIL_PASSWORD_REQUIRE_VERIFICATION", "true"), MAIL),
            (("AUTH_SIGN_IN_ATTEMPTS", "0"), "AUTH_SIGN_IN_ATTEMPTS=20"),
            (("BETTER_AUTH_SECRET", "abababababcdcdcdcdefefefefghghgh"), "BETTER_AUTH_SECRET=$(auth-sidecar secret)"),
        ] {
            let (_, config) = deployed(&[given]);
            let mut report = Report::default();
            check(&config.warnings, &mut report);
            assert_eq!(fixes(&report), [fix], "{given:?}: {:?}", config.warnings);
        }
        let mut report = Report::default();
        check(&deployed(&[("BETTER_AUTH_URL", "http://auth.example.com")]).1.warnings, &mut report);
        assert_eq!(report.findings(), []);
    }
}
