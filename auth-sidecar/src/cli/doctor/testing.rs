//! What the tests of the checks share.

use std::collections::BTreeMap;

use super::report::{Level, Report};
use crate::config::{Config, OnlyLooking};

/// A good secret.
pub const SECRET: &str = "q0Zr8Yf1Kx9cJm2TnVb7WdLpEs4HgUaR";

/// These variables.
pub fn vars(given: &[(&str, &str)]) -> BTreeMap<String, String> {
    given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// A good deployment, changed by these variables, and its settings.
#[track_caller]
pub fn deployed(given: &[(&str, &str)]) -> (BTreeMap<String, String>, Config) {
    let mut all = vars(&[
        ("BETTER_AUTH_URL", "https://auth.example.com"),
        ("BETTER_AUTH_SECRET", SECRET),
        ("DATABASE_URL", "postgres://auth:pass-hunter2@db/auth"),
    ]);
    all.extend(vars(given));
    let config = Config::from_env(all.clone(), &OnlyLooking).unwrap();
    (all, config)
}

/// The fixes of what was found, in order.
pub fn fixes(report: &Report) -> Vec<&str> {
    report.findings().iter().filter_map(|finding| finding.fix.as_deref()).collect()
}

/// How bad the worst finding is.
pub fn worst(report: &Report) -> Level {
    match (report.count(Level::Problem), report.count(Level::Warning)) {
        (0, 0) => Level::Ok,
        (0, _) => Level::Warning,
        _ => Level::Problem,
    }
}
