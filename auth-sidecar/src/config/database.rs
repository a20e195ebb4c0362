//! Where the rows are.

use std::path::Path;
use std::time::Duration;

use schema::DbConfig;

use super::env::Reader;

const NAME: &str = "DATABASE_URL";

pub(super) fn read(r: &mut Reader<'_>, dev: bool, data_dir: &Path) -> Option<DbConfig> {
    let given = r.get(NAME, |url| check(url).map(|()| url.to_owned()));
    let pool_size = r.number("AUTH_DATABASE_POOL_SIZE");
    let acquire_timeout = Duration::from_secs(r.number("AUTH_DATABASE_ACQUIRE_TIMEOUT").into());
    let query_timeout = Duration::from_secs(r.number("AUTH_DATABASE_QUERY_TIMEOUT").into());
    if acquire_timeout > query_timeout {
        r.warn("AUTH_DATABASE_ACQUIRE_TIMEOUT is above AUTH_DATABASE_QUERY_TIMEOUT, which counts the wait too");
    }
    let url = match given {
        Some(url) => {
            r.shown_as(NAME, without_password(&url));
            url
        }
        None if dev && !r.has_problem(NAME) => {
            let url = format!("sqlite://{}", data_dir.join("auth.db").display());
            if let Err(reason) = check(&url) {
                r.problem("AUTH_DATA_DIR", format!("the database in it {reason}"));
                return None;
            }
            r.shown_as(NAME, url.clone());
            url
        }
        None => {
            r.missing(NAME);
            return None;
        }
    };
    Some(DbConfig { pool_size, acquire_timeout, query_timeout, ..DbConfig::new(url) })
}

/// Refuses what the data layer would, before anything is made. Reasons never quote the URL, which
/// may hold a password.
fn check(url: &str) -> Result<(), String> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return Err("has no scheme; write sqlite://PATH or postgres://USER:PASSWORD@HOST/NAME".to_owned());
    };
    match scheme {
        "postgres" | "postgresql" if rest.is_empty() => Err("names no server".to_owned()),
        "postgres" | "postgresql" => Ok(()),
        "sqlite" if rest.contains(['?', '#']) => Err("has options after the path, which are not supported".to_owned()),
        "sqlite" if rest.is_empty() || rest.ends_with('/') || rest.contains(":memory:") => {
            Err("names no file; write sqlite://data/auth.db or sqlite:///var/lib/auth.db".to_owned())
        }
        "sqlite" => Ok(()),
        driver if driver.starts_with("postgresql+") || driver.starts_with("postgres+") => {
            Err("has the driver of a Python program in its scheme; write postgresql://".to_owned())
        }
        driver if driver.starts_with("sqlite+") => {
            Err("has the driver of a Python program in its scheme; write sqlite://".to_owned())
        }
        _ => Err("has an unknown scheme; sqlite:// and postgres:// are known".to_owned()),
    }
}

/// For showing: no password and no options, which may hold one too.
fn without_password(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    if scheme == "sqlite" {
        return url.to_owned();
    }
    let (user, place) = rest.rsplit_once('@').unwrap_or(("", rest));
    let place = place.split('?').next().unwrap_or_default();
    // Anything unusual may be part of a password with an unescaped @.
    let plain = |user: &&str| user.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    match user.split(':').next().filter(plain) {
        Some("") => format!("{scheme}://{place}"),
        user => format!("{scheme}://{}:***@{place}", user.unwrap_or("***")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_database_urls_have_no_password() {
        for (url, shown) in [
            ("postgres://auth:hunter2@db/auth?sslmode=require", "postgres://auth:***@db/auth"),
            ("postgres://auth:hun@ter2@db/auth", "postgres://auth:***@db/auth"),
            ("postgres://auth:hun?ter2@db/auth", "postgres://auth:***@db/auth"),
            ("postgres:///auth?host=db&password=hunter2", "postgres:///auth"),
            ("postgres://db/auth?password=hunter2@x", "postgres://***:***@x"),
            ("sqlite://data/auth.db", "sqlite://data/auth.db"),
        ] {
            assert_eq!(without_password(url), shown);
        }
    }
}
