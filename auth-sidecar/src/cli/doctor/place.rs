//! Where `DATABASE_URL` leads, and what can be said of it without going there.

use std::net::IpAddr;

use super::report::Report;
use super::site::is_this_machine;

/// The server a PostgreSQL URL names. Holds neither user nor password.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Place {
    host: String,
    port: String,
    database: String,
    options: Vec<(String, String)>,
}

impl Place {
    /// Reads the URL as libpq does, as far as that matters here.
    pub fn of(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        if !matches!(scheme, "postgres" | "postgresql") {
            return None;
        }
        // A question mark in the password is no query.
        let user_end = rest.split('/').next().and_then(|authority| authority.rfind('@')).map_or(0, |at| at + 1);
        let place = rest.get(user_end..)?;
        let (place, query) = place.split_once('?').unwrap_or((place, ""));
        let (authority, database) = place.split_once('/').unwrap_or((place, ""));
        let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, port)) => (host, port.trim_start_matches(':')),
            None => authority.rsplit_once(':').unwrap_or((authority, "")),
        };
        let options: Vec<(String, String)> =
            form_urlencoded::parse(query.as_bytes()).map(|(name, value)| (name.into(), value.into())).collect();
        let option = |name: &str| options.iter().find(|(given, _)| given == name).map(|(_, value)| value.clone());
        Some(Self {
            host: option("host").unwrap_or_else(|| host.to_owned()).to_ascii_lowercase(),
            port: option("port").unwrap_or_else(|| port.to_owned()),
            database: database.to_owned(),
            options,
        })
    }

    fn option(&self, name: &str) -> Option<&str> {
        self.options.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// Whether the way there leaves the machine and its own network, as far as the name tells.
    fn is_remote(&self) -> bool {
        let host = self.host.as_str();
        let private = match host.parse::<IpAddr>() {
            Ok(IpAddr::V4(ip)) => ip.is_private() || ip.is_link_local(),
            Ok(IpAddr::V6(ip)) => ip.is_unique_local(),
            // Names of containers, and those that platforms give services inside.
            Err(_) => {
                !host.contains('.')
                    || [".internal", ".local", ".svc", ".cluster.local", ".flycast", ".lan"]
                        .iter()
                        .any(|inside| host.ends_with(inside))
            }
        };
        !(host.is_empty() || host.starts_with('/') || is_this_machine(host) || private)
    }

    /// Host and port past a pooler that gives each transaction another connection.
    fn direct(&self) -> Option<(String, &str)> {
        let first = self.host.split('.').next().unwrap_or_default();
        match first.strip_suffix("-pooler") {
            Some(direct) => Some((self.host.replacen(first, direct, 1), self.port.as_str())),
            None if self.port == "6543" => Some((self.host.clone(), "5432")),
            None => None,
        }
    }

    /// The URL as it should be, its user and password left out.
    fn line(&self) -> String {
        let (host, port) = self.direct().unwrap_or_else(|| (self.host.clone(), self.port.as_str()));
        let port = if port.is_empty() { String::new() } else { format!(":{port}") };
        let mode = if self.is_remote() { "?sslmode=verify-full" } else { "" };
        format!("DATABASE_URL=postgres://USER:PASSWORD@{host}{port}/{}{mode}", self.database)
    }

    /// Judges encryption on the way there.
    pub fn check_encryption(&self, from_environment: Option<&str>, report: &mut Report) {
        const CHECK: &str = "database-tls";
        let mode = match self.option("sslrootcert") {
            Some("system") => "verify-full",
            _ => self.option("sslmode").or(from_environment).unwrap_or("prefer"),
        };
        let fix = || self.line();
        match mode {
            _ if !self.is_remote() => report.ok(CHECK, "the database is on this machine or in its own network"),
            "verify-full" => report.ok(CHECK, "verify-full: encrypted, and the server is who it says"),
            "require" | "verify-ca" => report.warning(
                CHECK,
                format!("{mode}: encrypted, but nothing shows that the server is {}", self.host),
                fix(),
            ),
            "disable" | "allow" => report.problem(
                CHECK,
                format!("sslmode={mode}: password and rows travel to {} in the clear", self.host),
                fix(),
            ),
            _ => report.warning(
                CHECK,
                format!("no sslmode: whoever is on the way to {} can switch encryption off", self.host),
                fix(),
            ),
        }
    }

    /// Judges what may stand between: a pooler that gives each transaction another connection
    /// loses prepared statements, settings of a session and the lock of migrations.
    pub fn check_pooler(&self, report: &mut Report) {
        const CHECK: &str = "database-pooler";
        if self.direct().is_some() {
            report.problem(
                CHECK,
                format!(
                    "{} is a pooler in transaction mode: prepared statements and the lock of migrations get lost in it",
                    self.host
                ),
                self.line(),
            );
        } else if self.port == "6432" || self.option("pgbouncer").is_some() {
            report.warning(
                CHECK,
                format!("{} looks like PgBouncer, which has to keep a connection for each session", self.host),
                "pool_mode = session",
            );
        } else {
            report.ok(CHECK, "no sign of a pooler in transaction mode");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::Level;
    use super::super::testing::{fixes, worst};
    use super::*;

    fn judged(url: &str, check: impl Fn(&Place, &mut Report)) -> (Level, Vec<String>) {
        let mut report = Report::default();
        check(&Place::of(url).unwrap(), &mut report);
        assert!(!report.text().contains("hunter"), "{}", report.text());
        (worst(&report), fixes(&report).iter().map(|&fix| fix.to_owned()).collect())
    }

    #[test]
    fn encryption_is_wanted_on_the_way_to_another_network() {
        let neon = "DATABASE_URL=postgres://USER:PASSWORD@ep-x.eu.neon.tech/auth?sslmode=verify-full";
        for (url, level, fix) in [
            ("postgres://u:hunter2@localhost/auth", Level::Ok, None),
            ("postgres://u:hunter2@db:5432/auth", Level::Ok, None),
            ("postgres://u:hunter2@10.0.0.7/auth", Level::Ok, None),
            ("postgres://u:hunter2@postgres.railway.internal:5432/auth", Level::Ok, None),
            ("postgres:///auth?host=/run/postgresql", Level::Ok, None),
            ("postgres://u:hunter2@[::1]:5432/auth", Level::Ok, None),
            ("postgres://u:hunt@r?2@ep-x.eu.neon.tech/auth?sslmode=verify-full", Level::Ok, None),
            ("postgres://u:hunter2@ep-x.eu.neon.tech/auth?sslrootcert=system", Level::Ok, None),
            ("postgres://u:hunter2@ep-x.eu.neon.tech/auth?sslmode=require", Level::Warning, Some(neon)),
            ("postgres://u:hunter2@ep-x.eu.neon.tech/auth", Level::Warning, Some(neon)),
            ("postgres://u:hunter2@ep-x.eu.neon.tech/auth?sslmode=disable", Level::Problem, Some(neon)),
        ] {
            let (found, fixes) = judged(url, |place, report| place.check_encryption(None, report));
            assert_eq!((found, fixes.first().map(String::as_str)), (level, fix), "{url}");
        }
        let (found, _) = judged("postgres://u@db.example.com/auth", |place, report| {
            place.check_encryption(Some("verify-full"), report);
        });
        assert_eq!(found, Level::Ok);
    }

    #[test]
    fn poolers_of_transactions_are_known_by_name_and_port() {
        let neon = "DATABASE_URL=postgres://USER:PASSWORD@ep-x.eu.neon.tech/auth?sslmode=verify-full";
        for (url, level, fix) in [
            ("postgres://u:hunter2@ep-x.eu.neon.tech/auth", Level::Ok, None),
            ("postgres://u:hunter2@ep-x-pooler.eu.neon.tech/auth?sslmode=require", Level::Problem, Some(neon)),
            (
                "postgres://u:hunter2@aws-0.pooler.supabase.com:6543/postgres",
                Level::Problem,
                Some(
                    "DATABASE_URL=postgres://USER:PASSWORD@aws-0.pooler.supabase.com:5432/postgres?sslmode=verify-full",
                ),
            ),
            ("postgres://u:hunter2@db:6432/auth", Level::Warning, Some("pool_mode = session")),
        ] {
            let (found, fixes) = judged(url, |place, report| place.check_pooler(report));
            assert_eq!((found, fixes.first().map(String::as_str)), (level, fix), "{url}");
        }
        assert_eq!(Place::of("sqlite://auth.db"), None);
    }
}
