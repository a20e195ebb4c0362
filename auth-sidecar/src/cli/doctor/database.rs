//! The database itself: whether it answers, its version, tables, clock, and the keys in it.

use std::time::Duration;

use schema::inspect::{ServerFacts, server_facts};
use schema::{Backend, Db, DbConfig, DbError, MigrateError, jwks, migrations};

use super::place::Place;
use super::report::Report;
use super::sqlite_file;
use crate::clock::{Clock, from_ms};
use crate::config::{Config, Signing};
use crate::plugins::jwt::keyring::{open, signing_row};

/// The oldest PostgreSQL that the tables are made for.
const OLDEST_POSTGRES: i64 = 130_000;
/// How far apart two clocks may be, in milliseconds.
pub const CLOCK_TOLERANCE_MS: i64 = 5_000;

/// Checks all of it, and changes nothing.
pub async fn check(config: &Config, secret_is_known: bool, ssl_mode: Option<&str>, report: &mut Report) {
    let url = config.database.url.as_str();
    let place = Place::of(url);
    if let Some(place) = &place {
        place.check_encryption(ssl_mode, report);
        place.check_pooler(report);
    } else if !sqlite_file::check(url, config.dev, report) {
        return;
    }
    // One connection, and time enough for a server that has to wake up first.
    let patient = DbConfig {
        pool_size: 1,
        acquire_timeout: Duration::from_secs(5),
        query_timeout: Duration::from_secs(8),
        ..config.database.clone()
    };
    let db = match Db::open_to_look(patient) {
        Ok(db) => db,
        Err(error) => {
            report.problem("database", error.to_string(), "DATABASE_URL=postgres://auth:password@db.example.com/auth");
            return;
        }
    };
    let asked = Clock::System.now_ms();
    let facts = db.read(server_facts).await;
    let answered = Clock::System.now_ms();
    match facts {
        Ok(facts) => {
            judge_version(db.backend(), &facts, config.database_shown(), report);
            if db.backend() == Backend::Postgres {
                judge_clock(&facts, asked, answered, report);
            }
        }
        Err(error) => {
            report.problem("database", unreachable(&error, config.database_shown()), fix_for(&error, db.backend()));
            return;
        }
    }
    if tables(&db, config, report).await && secret_is_known {
        signing_key(&db, config, report).await;
    }
}

fn unreachable(error: &DbError, shown: &str) -> String {
    match error {
        DbError::Unavailable(reason) => format!("{shown} does not answer: {reason}"),
        other => format!("{shown} does not answer: {other}"),
    }
}

/// What to try, by what the database says.
fn fix_for(error: &DbError, backend: Backend) -> &'static str {
    let text = error.to_string();
    if backend == Backend::Sqlite {
        return "run doctor as the user that runs the service";
    }
    for (part, fix) in [
        (
            "password authentication failed",
            "DATABASE_URL=postgres://USER:PASSWORD@HOST/NAME with the right password, its @ : / ? # % written as %40 %3A %2F %3F %23 %25",
        ),
        (
            "does not exist",
            "CREATE DATABASE …; CREATE ROLE … LOGIN PASSWORD …; or name those there are in DATABASE_URL",
        ),
        (
            "could not translate host name",
            "DATABASE_URL=postgres://USER:PASSWORD@HOST/NAME with a host that this machine can look up; in compose the name of the service",
        ),
        (
            "certificate",
            "DATABASE_URL=…?sslmode=verify-full&sslrootcert=FILE with the authority of the server's certificate",
        ),
        ("does not support SSL", "DATABASE_URL=…?sslmode=disable, if the way there is your own"),
        ("no pg_hba.conf entry", "DATABASE_URL=…?sslmode=require, or a line for this client in pg_hba.conf"),
        (
            "cannot be read",
            "DATABASE_URL=postgres://USER:PASSWORD@HOST/NAME with @ : / ? # % of the password written as %40 %3A %2F %3F %23 %25",
        ),
        ("too many", "AUTH_DATABASE_POOL_SIZE=2, or a server that allows more connections"),
    ] {
        if text.contains(part) {
            return fix;
        }
    }
    "start the database, or put its address into DATABASE_URL; one that sleeps may need a second run of doctor"
}

fn judge_version(backend: Backend, facts: &ServerFacts, shown: &str, report: &mut Report) {
    match backend {
        Backend::Sqlite => report.ok("database", format!("{shown} can be opened (SQLite {})", facts.version)),
        Backend::Postgres if facts.version_number < OLDEST_POSTGRES => report.problem(
            "database",
            format!("{shown} is PostgreSQL {}; 13 or newer is needed", facts.version),
            "image: postgres:17-alpine",
        ),
        Backend::Postgres => report.ok("database", format!("{shown} answers (PostgreSQL {})", facts.version)),
    }
}

/// The answer's time lies between question and answer, if both clocks are right.
fn judge_clock(facts: &ServerFacts, asked: i64, answered: i64, report: &mut Report) {
    const CHECK: &str = "database-clock";
    let apart = facts.now_ms - facts.now_ms.clamp(asked, answered);
    if apart.abs() <= CLOCK_TOLERANCE_MS {
        report.ok(CHECK, "as this machine's; time zones do not matter, all times are kept in UTC");
        return;
    }
    let (seconds, way) = (apart.abs() / 1_000, if apart > 0 { "ahead of" } else { "behind" });
    report.warning(
        CHECK,
        format!("the database's clock is {seconds} s {way} this machine's ({} UTC)", from_ms(answered).format("%F %T")),
        "timedatectl set-ntp true",
    );
}

/// Whether the tables are up to date.
async fn tables(db: &Db, config: &Config, report: &mut Report) -> bool {
    const CHECK: &str = "migrations";
    const FIX: &str = "auth-sidecar migrate";
    match migrations::pending(db).await {
        Ok(pending) if pending.is_empty() => {
            report.ok(CHECK, "the tables are up to date");
            true
        }
        Ok(pending) => {
            let names = pending.join(", ");
            if config.migrate_on_start {
                report.warning(CHECK, format!("missing, the next start applies them: {names}"), FIX);
            } else {
                report.problem(CHECK, format!("missing, and AUTH_MIGRATE_ON_START is false: {names}"), FIX);
            }
            false
        }
        Err(error) => {
            report.problem(CHECK, format!("cannot be looked up: {error}"), fix_for_tables(&error));
            false
        }
    }
}

fn fix_for_tables(error: &MigrateError) -> &'static str {
    if error.to_string().contains("permission denied") {
        "GRANT ALL ON SCHEMA public TO …; the role of DATABASE_URL has to own the tables"
    } else {
        "auth-sidecar migrate status"
    }
}

async fn signing_key(db: &Db, config: &Config, report: &mut Report) {
    const CHECK: &str = "signing-key";
    let Some(jwt) = &config.plugins.jwt else { return };
    let Signing::Keys(alg) = &jwt.signing else { return };
    let now = Clock::System.now();
    let rows = match db.read(jwks::list_keys).await {
        Ok(rows) => rows,
        Err(error) => {
            report.problem(CHECK, format!("cannot be read: {error}"), "auth-sidecar keys list");
            return;
        }
    };
    match signing_row(&rows, *alg, now).map(|row| open(&config.secrets, row, *alg)) {
        None => report.ok(CHECK, "none yet; the service makes one when it starts"),
        Some(Ok(key)) => report.ok(CHECK, format!("{} ({}) opens with the secret", key.kid, alg.name())),
        Some(Err(error)) => report.problem(CHECK, error.to_string(), "BETTER_AUTH_SECRETS=2:NEW,1:OLD"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::Level;
    use super::super::testing::{fixes, worst};
    use super::*;

    fn facts(version_number: i64, now_ms: i64) -> ServerFacts {
        ServerFacts { version: "x".to_owned(), version_number, now_ms }
    }

    #[test]
    fn old_servers_are_refused() {
        for (number, level) in [(120_022, Level::Problem), (130_000, Level::Ok), (170_002, Level::Ok)] {
            let mut report = Report::default();
            judge_version(Backend::Postgres, &facts(number, 0), "postgres://db/auth", &mut report);
            assert_eq!(worst(&report), level, "{number}");
        }
    }

    #[test]
    fn clocks_that_are_apart_are_told_but_not_a_slow_answer() {
        for (now, level) in [
            (10_000, Level::Ok),
            (14_000, Level::Ok),
            (24_900, Level::Ok),
            (25_100, Level::Warning),
            (5_100, Level::Ok),
            (4_900, Level::Warning),
        ] {
            let mut report = Report::default();
            judge_clock(&facts(170_000, now), 10_000, 20_000, &mut report);
            assert_eq!(worst(&report), level, "{now}: {}", report.text());
            assert_eq!(fixes(&report).is_empty(), level == Level::Ok);
        }
    }
}
