//! docs/configuration.md, written from the table of settings.

use std::fmt::Write as _;

use super::settings::{Fallback, GROUPS, Kind, Setting};

const INTRO: &str = "# Configuration

<!-- Written from the table in auth-sidecar/src/config/settings. After a change there run
     UPDATE_DOCS=1 cargo test -p auth-sidecar --lib config::docs -->

All settings are environment variables. `auth-sidecar` with none of them starts in dev mode; a
deployment sets four:

```sh
BETTER_AUTH_URL=https://auth.example.com
BETTER_AUTH_SECRET=$(openssl rand -base64 32)
BETTER_AUTH_TRUSTED_ORIGINS=https://www.example.com
DATABASE_URL=postgres://auth:password@db.example.com/auth
```

Wrong values, and unknown names that begin with `AUTH_` or `BETTER_AUTH_`, stop the start with one
message that lists all of them. `auth-sidecar config` prints every setting, its value and where it
came from, without secrets.

- A blank value is as good as none.
- Secrets (marked *secret*) can come from a file instead: `BETTER_AUTH_SECRET_FILE=/run/secrets/auth`
  names it. Giving both is an error.
- True is `true`, `1`, `on` or `yes`; false is `false`, `0`, `off` or `no`.
- A duration is a number of seconds, or has a unit: `30s`, `15m`, `1h`, `7d`, `2w`.
- A size is a number of bytes, or has a unit: `256KiB`, `1MiB`.
- Lists have commas between their items; blanks around an item do not count.
";

const LIMITS: &str = "
## Fixed limits

| what | limit | then |
|---|---|---|
| request body | `AUTH_BODY_LIMIT` | 413 |
| time for the head of a connection's first request | 5 s | the connection is closed |
| idle time of a connection between requests | 75 s | the connection is closed |
| time for a request's body | 15 s | 408 |
| depth of JSON | 128 | 400 |
| items of a list field | 100 | 400 |
| JSON text of a list field | 100000 characters | 400 |
| lifetime of a session or cookie | 34560000 s (400 days) | the start is refused |

## Exit codes

| code | meaning |
|---|---|
| 0 | all is well |
| 1 | a failure at run time |
| 2 | a wrong command line |
| 75 | the database cannot be reached or migrated; trying again may help (`EX_TEMPFAIL`) |
| 78 | wrong settings (`EX_CONFIG`) |
";

/// The text of docs/configuration.md.
#[must_use]
pub fn markdown() -> String {
    let mut text = INTRO.to_owned();
    for group in GROUPS {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n## {}\n\n", group.title);
        if !group.intro.is_empty() {
            let _ = write!(text, "{}\n\n", group.intro);
        }
        text.push_str("| setting | value | default | |\n|---|---|---|---|\n");
        for setting in group.settings {
            text.push_str(&table_row(setting));
        }
    }
    text.push_str(LIMITS);
    text
}

fn table_row(setting: &Setting) -> String {
    let default = match setting.default {
        Fallback::Value(text) => format!("`{text}`"),
        Fallback::Told(words) => words.to_owned(),
        Fallback::None => String::new(),
    };
    let kind = match setting.kind {
        Kind::Text if setting.secret => "text, *secret*".to_owned(),
        Kind::Text => "text".to_owned(),
        Kind::List => "list".to_owned(),
        Kind::Flag => "true or false".to_owned(),
        Kind::Number(min, max) => format!("{min} to {max}"),
        Kind::Seconds(min, max) => format!("duration, {min} to {max} s"),
        Kind::Bytes(min, max) => format!("size, {min} to {max} bytes"),
        Kind::Choice(words) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
    };
    let example = format!("For example `{}`.", setting.example);
    let about = match setting.kind {
        Kind::Text | Kind::List => format!("{} {example}", setting.about),
        _ => setting.about.to_owned(),
    };
    format!("| `{}` | {kind} | {default} | {about} |\n", setting.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_is_what_the_table_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(path, markdown()).unwrap();
        }
        let text = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            text == markdown(),
            "docs/configuration.md is out of date: UPDATE_DOCS=1 cargo test -p auth-sidecar --lib config::docs"
        );
    }
}
