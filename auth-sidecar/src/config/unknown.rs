//! Names in the environment that look like settings and are none.

use super::env::Reader;
use super::settings::lookup;

/// What a newcomer tries, and what it is called here.
const ALIASES: &[(&str, &str)] = &[
    ("AUTH_URL", "BETTER_AUTH_URL"),
    ("AUTH_BASE_URL", "BETTER_AUTH_URL"),
    ("BETTER_AUTH_BASE_URL", "BETTER_AUTH_URL"),
    ("BETTER_AUTH_BASE_PATH", "AUTH_BASE_PATH"),
    ("AUTH_TRUSTED_ORIGINS", "BETTER_AUTH_TRUSTED_ORIGINS"),
    ("AUTH_CORS_ORIGINS", "BETTER_AUTH_TRUSTED_ORIGINS"),
    ("AUTH_SECRETS", "BETTER_AUTH_SECRETS"),
    ("AUTH_DATABASE_URL", "DATABASE_URL"),
    ("BETTER_AUTH_DATABASE_URL", "DATABASE_URL"),
    ("AUTH_HOST", "HOST"),
    ("AUTH_PORT", "PORT"),
    ("AUTH_LOG", "RUST_LOG"),
    ("AUTH_LOG_LEVEL", "RUST_LOG"),
    ("AUTH_COOKIE_SAME_SITE", "AUTH_COOKIE_MODE"),
    ("AUTH_COOKIE_SAMESITE", "AUTH_COOKIE_MODE"),
];

/// Names other programs use, which are not read; each with the setting that is.
const ELSEWHERE: &[(&str, &str)] = &[
    ("FRONTEND_URL", "BETTER_AUTH_TRUSTED_ORIGINS"),
    ("CORS_ORIGINS", "BETTER_AUTH_TRUSTED_ORIGINS"),
    ("NEON_DATABASE_URL", "DATABASE_URL"),
    ("JWT_SECRET", "BETTER_AUTH_SECRET"),
];

/// Every unknown `AUTH_*` and `BETTER_AUTH_*` name is a problem; call it after all fields were read.
pub(super) fn check(r: &mut Reader<'_>) {
    let known = r.known();
    let unknown: Vec<String> = r
        .names()
        .filter(|name| name.starts_with("AUTH_") || name.starts_with("BETTER_AUTH_"))
        .filter(|name| !known.contains(*name))
        .map(str::to_owned)
        .collect();
    for name in unknown {
        let what = match explain(&name, known.iter().map(String::as_str)) {
            Some(advice) => format!("is no setting; {advice}"),
            None => "is no setting".to_owned(),
        };
        // No example: it would be one of a name that does not exist.
        r.problems.push(super::Problem { name, what, example: "" });
    }
    for (name, setting) in ELSEWHERE {
        let told = r.present(setting) || (*setting == "BETTER_AUTH_SECRET" && has_secret(r));
        if r.present(name) && !told {
            r.warn(format!("{name} is set but not read; the setting is {setting}"));
        }
    }
}

fn has_secret(r: &Reader<'_>) -> bool {
    r.present("BETTER_AUTH_SECRETS") || r.present("AUTH_SECRET")
}

fn explain<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    if let Some((_, setting)) = ALIASES.iter().find(|(alias, _)| *alias == name) {
        return Some(format!("use {setting}"));
    }
    if let Some(setting) = name.strip_suffix("_FILE")
        && lookup(setting).is_some()
    {
        return Some(format!("only secrets are read from files; use {setting}"));
    }
    let near = known
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .min()
        .filter(|(distance, _)| *distance <= name.len() / 4);
    match near {
        Some((distance, candidate)) if distance <= 3 || lookup(name).is_none() => {
            Some(format!("did you mean {candidate}?"))
        }
        _ if lookup(name).is_some() && name.starts_with("AUTH_SESSION_FIELD_") => {
            Some("no such field is declared in AUTH_SESSION_FIELDS".to_owned())
        }
        _ if lookup(name).is_some() => Some("no such field is declared in AUTH_USER_FIELDS".to_owned()),
        _ => None,
    }
}
