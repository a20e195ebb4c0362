//! Variables of other programs, which newcomers expect to be read here.

use std::collections::BTreeMap;

use super::report::Report;
use super::trusted_origins::{line_with, mended};
use crate::config::Config;

const CHECK: &str = "other-names";

/// Names that hold a page's address.
const PAGES: &[&str] = &["FRONTEND_URL", "CORS_ORIGINS", "ALLOWED_ORIGINS", "CLIENT_URL"];

/// Names that hold the database's address.
const DATABASES: &[&str] = &["NEON_DATABASE_URL", "POSTGRES_URL", "DB_URL"];

/// Says which of them are set but do nothing; one whose value is in force all the same is left alone.
pub fn check(vars: &BTreeMap<String, String>, config: Option<&Config>, report: &mut Report) {
    let filled = |name: &str| vars.get(name).map(|text| text.trim()).filter(|text| !text.is_empty());
    for name in PAGES {
        let Some(value) = filled(name) else { continue };
        let trusted: Vec<String> = config.map(|config| config.trusted_origins.clone()).unwrap_or_default();
        let missing: Vec<String> = mended(value).origins.into_iter().filter(|page| !trusted.contains(page)).collect();
        if missing.is_empty() {
            continue;
        }
        let others = trusted.iter().skip(1).filter(|_| vars.contains_key(super::trusted_origins::NAME));
        let all: Vec<String> = others.cloned().chain(missing.iter().cloned()).collect();
        let message = format!("{name} is set but not read: {} is not trusted", missing.join(", "));
        report.warning(CHECK, message, line_with(&all));
    }
    for name in DATABASES {
        if filled(name).is_some() && filled("DATABASE_URL").is_none() && filled("DATABASE_URL_FILE").is_none() {
            report.warning(CHECK, format!("{name} is set but not read"), format!("DATABASE_URL=${name}"));
        }
    }
    if filled("JWT_SECRET").is_some() && filled("AUTH_JWT_SECRET").is_none() {
        report.warning(
            CHECK,
            "JWT_SECRET is set but not read: cookies have BETTER_AUTH_SECRET, and tokens are signed by keys that \
             backends fetch from /api/auth/jwks; one that must share a secret needs AUTH_JWT_ALG=HS256 and \
             AUTH_JWT_SECRET",
            "unset JWT_SECRET",
        );
    }
    if !report.blames(CHECK) {
        report.ok(CHECK, "no variable of another program is mistaken for a setting");
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{deployed, fixes, vars};
    use super::*;

    #[test]
    fn each_foreign_name_is_told_with_the_setting_that_is_read() {
        for (given, fix) in [
            (
                ("FRONTEND_URL", "https://user.github.io/repo/"),
                "BETTER_AUTH_TRUSTED_ORIGINS=https://www.example.com,https://user.github.io",
            ),
            (
                ("CORS_ORIGINS", "[\"https://a.example.com\", \"https://www.example.com\"]"),
                "BETTER_AUTH_TRUSTED_ORIGINS=https://www.example.com,https://a.example.com",
            ),
            (("JWT_SECRET", "hunter2"), "unset JWT_SECRET"),
        ] {
            let (vars, config) = deployed(&[given, ("BETTER_AUTH_TRUSTED_ORIGINS", "https://www.example.com")]);
            let mut report = Report::default();
            check(&vars, Some(&config), &mut report);
            assert_eq!(fixes(&report), [fix], "{given:?}");
            assert!(!report.text().contains("hunter2"));
        }
        let mut report = Report::default();
        check(&vars(&[("NEON_DATABASE_URL", "postgres://u:hunter2@h/d")]), None, &mut report);
        assert_eq!(fixes(&report), ["DATABASE_URL=$NEON_DATABASE_URL"]);
        assert!(!report.text().contains("hunter2"));
    }

    #[test]
    fn a_foreign_name_whose_value_is_in_force_is_left_alone() {
        let (vars, config) = deployed(&[
            ("FRONTEND_URL", "https://www.example.com/"),
            ("NEON_DATABASE_URL", "postgres://auth@db/auth"),
            ("BETTER_AUTH_TRUSTED_ORIGINS", "https://www.example.com"),
        ]);
        let mut report = Report::default();
        check(&vars, Some(&config), &mut report);
        assert!(!report.blames(CHECK), "{}", report.text());
    }
}
