//! The secrets of cookies and tokens (upstream `context/secret-utils`). Upstream warns about a
//! short secret; here it stops the start outside dev mode.

use std::collections::BTreeSet;
use std::path::Path;

use super::env::Reader;
use crate::secrets::{Secret, Secrets};

const SECRET: &str = "BETTER_AUTH_SECRET";
const VERSIONS: &str = "BETTER_AUTH_SECRETS";
const ALIAS: &str = "AUTH_SECRET";

/// Fewest characters of a secret.
const SHORTEST: usize = 32;

/// Fewest different characters of a secret.
const FEWEST_DIFFERENT: usize = 8;

/// Upstream's estimate below which it warns, in bits.
const LOW_ENTROPY: f64 = 120.0;

/// Upstream `utils/constants`, `DEFAULT_SECRET`.
const UPSTREAM_DEFAULT: &str = "better-auth-secret-12345678901234567890";

/// Parts of secrets that were copied from a guide. Compared without case, `-`, `_` and blanks.
const PLACEHOLDERS: &[&str] = &[
    "changeme",
    "changethis",
    "yoursecret",
    "yourbetterauthsecret",
    "yoursuper",
    "supersecret",
    "replaceme",
    "replacewith",
    "placeholder",
    "secrethere",
    "opensslrand",
    "generateasecret",
    "examplesecret",
];

/// Reads the secrets last of all: dev mode makes one, which it should not for settings that are
/// wrong elsewhere.
pub(super) fn read(r: &mut Reader<'_>, dev: bool, data_dir: &Path) -> Option<Secrets> {
    let versions = r.get(VERSIONS, parse_versions);
    let mut single = r.text(SECRET).map(|secret| (SECRET, secret));
    if let Some(alias) = r.text(ALIAS) {
        match &single {
            Some((_, secret)) if *secret != alias => {
                r.warn(format!("{ALIAS} is set too and differs; {SECRET} is used"));
            }
            Some(_) => {}
            None => single = Some((ALIAS, alias)),
        }
    }
    if let Some(versions) = versions {
        if let Some((_, current)) = versions.first() {
            judge(r, VERSIONS, "the current secret", current, dev);
        }
        let old = versions.iter().skip(1).map(|(_, secret)| secret);
        if old.chain(single.as_ref().map(|(_, secret)| secret)).any(|secret| weakness(secret).is_some()) {
            r.warn(format!("an old secret beside {VERSIONS} is weak; drop it once its cookies are gone"));
        }
        let versions = versions.into_iter().map(|(version, secret)| (version, Secret::new(secret)));
        let legacy = single.map(|(_, secret)| Secret::new(secret));
        return match Secrets::versions(versions.collect(), legacy) {
            Ok(secrets) => Some(secrets),
            Err(error) => {
                r.problem(VERSIONS, format!("is refused: {error}"));
                None
            }
        };
    }
    if let Some((name, secret)) = single {
        judge(r, name, "the secret", &secret, dev);
        return Some(Secrets::single(Secret::new(secret)));
    }
    if !dev && ![SECRET, VERSIONS, ALIAS].iter().any(|name| r.has_problem(name)) {
        r.missing(SECRET);
    }
    if !r.problems.is_empty() {
        return None;
    }
    match r.machine.dev_secret(data_dir) {
        Ok(secret) if secret.chars().count() >= SHORTEST => {
            r.shown_as(SECRET, format!("(kept in {})", data_dir.join("secret").display()));
            Some(Secrets::single(Secret::new(secret)))
        }
        Ok(_) => {
            let path = data_dir.join("secret");
            r.problem("AUTH_DATA_DIR", format!("has a damaged file {}; delete it", path.display()));
            None
        }
        Err(error) => {
            let what = format!("cannot keep a secret in {}: {error}", data_dir.display());
            r.problem("AUTH_DATA_DIR", what);
            None
        }
    }
}

/// A weak secret is a problem, or in dev mode a warning.
fn judge(r: &mut Reader<'_>, name: &str, which: &str, secret: &str, dev: bool) {
    match weakness(secret) {
        Some(reason) if dev => r.warn(format!("{name}: {which} {reason}")),
        Some(reason) => r.problem(name, format!("{which} {reason}")),
        None if entropy(secret) < LOW_ENTROPY => {
            r.warn(format!("{name}: {which} looks guessable; make a random one: openssl rand -base64 32"));
        }
        None => {}
    }
}

fn weakness(secret: &str) -> Option<String> {
    let length = secret.chars().count();
    if length < SHORTEST {
        return Some(format!("has {length} characters; at least {SHORTEST} are needed"));
    }
    let plain: String =
        secret.chars().filter(|c| !c.is_whitespace() && !matches!(c, '-' | '_')).flat_map(char::to_lowercase).collect();
    if secret == UPSTREAM_DEFAULT || PLACEHOLDERS.iter().any(|part| plain.contains(part)) {
        return Some("is a known default or placeholder; make a random one".to_owned());
    }
    if different(secret) < FEWEST_DIFFERENT {
        return Some("repeats a few characters; make a random one".to_owned());
    }
    None
}

fn different(secret: &str) -> usize {
    secret.chars().collect::<BTreeSet<_>>().len()
}

/// Upstream `estimateEntropy`, in bits.
fn entropy(secret: &str) -> f64 {
    let number = |n: usize| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
    number(secret.chars().count()) * number(different(secret)).log2()
}

/// Upstream `parseSecretsEnv` and `validateSecretsArray`. Reasons never quote a value.
fn parse_versions(text: &str) -> Result<Vec<(u32, String)>, String> {
    let mut versions = Vec::new();
    let mut seen = BTreeSet::new();
    for (index, entry) in text.split(',').enumerate() {
        let place = index + 1;
        let (version, secret) = entry
            .trim()
            .split_once(':')
            .ok_or_else(|| format!("has an entry (number {place}) that is not VERSION:SECRET"))?;
        let digits = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit());
        let version: u32 = version
            .parse()
            .ok()
            .filter(|_| digits)
            .ok_or_else(|| format!("has an entry (number {place}) whose version is no whole number"))?;
        if secret.trim().is_empty() {
            return Err(format!("has no secret for version {version}"));
        }
        if !seen.insert(version) {
            return Err(format!("has version {version} twice"));
        }
        versions.push((version, secret.trim().to_owned()));
    }
    Ok(versions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_secrets_are_told_from_good_ones() {
        for weak in [
            "short",
            UPSTREAM_DEFAULT,
            "change-me-please-0123456789-abcdefghijk",
            "your-secret-key-0123456789-abcdefghijk",
            "$(openssl rand -base64 32) xxxxxxxxxxxxx",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        ] {
            assert!(weakness(weak).is_some(), "{weak}");
        }
        for good in [
            "contract-lab-secret-0123456789abcdefghijklmnop",
            "conformance-secret-0123456789-abcdefghijklmnop",
            "q0Zr8Yf1Kx9cJm2TnVb7WdLpEs4HgUaR",
        ] {
            assert_eq!(weakness(good), None, "{good}");
            assert!(entropy(good) >= LOW_ENTROPY, "{good}");
        }
    }

    #[test]
    fn versions_are_distinct_whole_numbers_with_a_secret_each() {
        assert_eq!(parse_versions("2:new:er, 1:old"), Ok(vec![(2, "new:er".to_owned()), (1, "old".to_owned())]));
        for text in ["secret", "a:secret", "-1:secret", ":secret", "1:", "1:a,1:b", "1:a,", "+1:a"] {
            assert!(parse_versions(text).is_err(), "{text}");
        }
    }
}
