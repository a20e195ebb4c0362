//! Settings of the tokens for other services.

use super::env::Reader;
use crate::plugins::jwt::key::KeyAlg;
use crate::secrets::{Secret, Secrets};

const ALG: &str = "AUTH_JWT_ALG";
const SECRET: &str = "AUTH_JWT_SECRET";
const PAYLOAD: &str = "AUTH_JWT_PAYLOAD";

/// Fewest characters of a shared secret: HS256 wants 32 bytes (RFC 7518 §3.2).
const SHORTEST: usize = 32;

/// What can be said of a user besides the declared fields.
const MEMBERS: &[&str] = &["name", "email", "emailVerified", "image", "createdAt", "updatedAt", "id"];

/// Settings of the plugin jwt (upstream `JwtOptions`).
#[derive(Clone, Debug)]
pub struct JwtSettings {
    /// What signs.
    pub signing: Signing,
    /// The claim `iss`.
    pub issuer: String,
    /// The claim `aud`.
    pub audience: String,
    /// Life of a token, in seconds.
    pub expires_in: i64,
    /// The members of a user that are claims, besides declared fields; all if absent.
    pub payload: Option<Vec<String>>,
    /// Whether `get-session` gives a token in a header.
    pub set_header: bool,
    /// Whether the check for gateways gives one.
    pub verify_header: bool,
    /// How long a key signs, in seconds; for ever if absent.
    pub rotation_interval: Option<i64>,
    /// How long a key is published after that, in seconds.
    pub grace_period: i64,
}

/// What signs tokens.
#[derive(Clone, Debug)]
pub enum Signing {
    /// Keys of the database, of this algorithm.
    Keys(KeyAlg),
    /// HS256 under a secret that every verifier knows.
    Shared(Secret),
}

/// Absent only with a problem.
pub(super) fn read(r: &mut Reader<'_>, own_origin: Option<&str>) -> Option<JwtSettings> {
    let signing = read_signing(r);
    let mut or_origin = |name: &str| {
        r.text(name).or_else(|| {
            let origin = own_origin?.to_owned();
            r.told(name, &origin);
            Some(origin)
        })
    };
    let (issuer, audience) = (or_origin("AUTH_JWT_ISSUER"), or_origin("AUTH_JWT_AUDIENCE"));
    let payload = r.list(PAYLOAD, |member| match MEMBERS.contains(&member) {
        true => Ok(member.to_owned()),
        false => Err(format!("is none of {}; a declared field has AUTH_FIELD_<NAME>_CLAIM", MEMBERS.join(", "))),
    });
    let expires_in = i64::from(r.number("AUTH_JWT_EXPIRES_IN"));
    if expires_in > 86_400 {
        r.warn("AUTH_JWT_EXPIRES_IN is above a day: whoever signs out leaves a token behind that works so long");
    }
    let rotation_interval = r.optional_number("AUTH_JWT_ROTATION_INTERVAL").map(i64::from);
    let grace_period = i64::from(r.number("AUTH_JWT_GRACE_PERIOD"));
    if grace_period < expires_in + 60 {
        r.warn("AUTH_JWT_GRACE_PERIOD is not above AUTH_JWT_EXPIRES_IN by a minute: a key that ends takes good tokens along");
    }
    if rotation_interval.is_some_and(|interval| grace_period / interval > 50) {
        r.warn("AUTH_JWT_ROTATION_INTERVAL is so short beside AUTH_JWT_GRACE_PERIOD that over 50 keys are published at once");
    }
    Some(JwtSettings {
        expires_in,
        payload: (!payload.is_empty()).then_some(payload),
        set_header: !r.flag("AUTH_JWT_DISABLE_SETTING_JWT_HEADER"),
        verify_header: r.flag("AUTH_VERIFY_JWT"),
        rotation_interval,
        grace_period,
        signing: signing?,
        issuer: issuer?,
        audience: audience?,
    })
}

/// A secret that backends know must not be one that makes sessions.
pub(super) fn check_secret(r: &mut Reader<'_>, settings: Option<&JwtSettings>, secrets: &Secrets) {
    if let Some(JwtSettings { signing: Signing::Shared(shared), .. }) = settings
        && secrets.all().any(|secret| secret.expose() == shared.expose())
    {
        r.problem(SECRET, "is BETTER_AUTH_SECRET too: whoever verifies tokens could sign in as anybody");
    }
}

fn read_signing(r: &mut Reader<'_>) -> Option<Signing> {
    let alg = r.choice(ALG);
    let secret = r.text(SECRET);
    if let Some(alg) = KeyAlg::parse(alg) {
        if secret.is_some() {
            r.warn(format!("{SECRET} does nothing unless {ALG} is HS256"));
        }
        return Some(Signing::Keys(alg));
    }
    let Some(secret) = secret else {
        if !r.has_problem(SECRET) {
            r.problem(SECRET, format!("is not set; {ALG}=HS256 needs it"));
        }
        return None;
    };
    if secret.chars().count() < SHORTEST {
        r.problem(SECRET, format!("has fewer than {SHORTEST} characters"));
    }
    r.warn(format!(
        "{ALG} is HS256: whoever can verify tokens can also make them, for any user. Prefer EdDSA, ES256 or RS256"
    ));
    Some(Signing::Shared(Secret::new(secret)))
}

#[cfg(test)]
mod tests {
    use super::super::{Config, ConfigErrors, OnlyLooking};
    use super::*;

    const KEY: &str = "q0Zr8Yf1Kx9cJm2TnVb7WdLpEs4HgUaR";
    const SHARED: &str = "T2nVb7WdLpEs4HgUaRq0Zr8Yf1Kx9cJm";

    fn load(vars: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
        let deployment = [
            ("BETTER_AUTH_URL", "https://auth.example.com/accounts"),
            ("BETTER_AUTH_SECRET", KEY),
            ("DATABASE_URL", "postgres://auth@db/auth"),
        ];
        let all = deployment.iter().chain(vars).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::from_env(all, &OnlyLooking)
    }

    fn problems(vars: &[(&str, &str)]) -> Vec<String> {
        let errors = load(vars).map(|_| ()).unwrap_err();
        errors.problems.iter().map(|problem| format!("{}: {}", problem.name, problem.what)).collect()
    }

    #[test]
    fn the_defaults_are_upstreams() {
        let jwt = load(&[]).unwrap().plugins.jwt.unwrap();
        assert!(matches!(jwt.signing, Signing::Keys(KeyAlg::EdDsa)));
        assert_eq!(
            (jwt.issuer.as_str(), jwt.audience.as_str()),
            ("https://auth.example.com", "https://auth.example.com")
        );
        assert_eq!((jwt.expires_in, jwt.rotation_interval, jwt.grace_period), (900, None, 2_592_000));
        assert!(jwt.payload.is_none() && jwt.set_header && !jwt.verify_header);
    }

    #[test]
    fn a_shared_secret_is_warned_of_and_must_be_long_and_of_its_own() {
        let hs256 = (ALG, "HS256");
        let good = load(&[hs256, (SECRET, SHARED)]).unwrap();
        assert!(matches!(good.plugins.jwt.unwrap().signing, Signing::Shared(_)));
        assert_eq!(good.warnings.len(), 1, "{:?}", good.warnings);
        assert_eq!(problems(&[hs256]), ["AUTH_JWT_SECRET: is not set; AUTH_JWT_ALG=HS256 needs it"]);
        assert_eq!(problems(&[hs256, (SECRET, "short")]), ["AUTH_JWT_SECRET: has fewer than 32 characters"]);
        let shared = problems(&[hs256, (SECRET, KEY)]);
        assert!(shared.len() == 1 && shared[0].contains("could sign in as anybody"), "{shared:?}");
        assert_eq!(load(&[(SECRET, SHARED)]).unwrap().warnings.len(), 1);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        assert_eq!(problems(&[(ALG, "none")]).len(), 1);
        let payload = problems(&[(PAYLOAD, "email,password")]);
        assert!(payload.len() == 1 && payload[0].contains("\"password\" is none of name, email"), "{payload:?}");
        for warned in
            [("AUTH_JWT_EXPIRES_IN", "7d"), ("AUTH_JWT_GRACE_PERIOD", "15m"), ("AUTH_JWT_ROTATION_INTERVAL", "1h")]
        {
            let warnings = load(&[warned]).unwrap().warnings;
            assert!(warnings.len() == 1 && warnings[0].contains(warned.0), "{warnings:?}");
        }
        let names = problems(&[("AUTH_USER_FIELDS", "user_id,jwt,email,plan"), ("AUTH_FIELD_EMAIL_KEY", "contact")]);
        assert_eq!(names.len(), 3, "{names:?}");
    }
}
