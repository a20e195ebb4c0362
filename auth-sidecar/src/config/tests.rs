//! The settings as a whole. Variables are an argument: no test touches the environment.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use serde_json::json;

use super::settings::{Fallback, table};
use super::*;
use crate::cookies::{SameSite, Strategy};
use crate::fields::{Blank, FieldType};
use crate::password::Scheme;

const SECRET: &str = "q0Zr8Yf1Kx9cJm2TnVb7WdLpEs4HgUaR";

/// A machine with four processors and these files.
#[derive(Default)]
struct Fake(BTreeMap<String, String>);

impl Machine for Fake {
    fn read_file(&self, path: &Path) -> io::Result<String> {
        self.0.get(path.to_str().unwrap()).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn list_folder(&self, path: &Path) -> io::Result<Vec<String>> {
        let prefix = format!("{}/", path.to_str().unwrap());
        let names: Vec<_> = self.0.keys().filter_map(|file| file.strip_prefix(&prefix).map(str::to_owned)).collect();
        if names.is_empty() { Err(io::ErrorKind::NotFound.into()) } else { Ok(names) }
    }

    fn dev_secret(&self, folder: &Path) -> io::Result<String> {
        Ok(format!("secret-kept-in-{}-0123456789abcdef", folder.display()))
    }

    fn cores(&self) -> u32 {
        4
    }
}

fn load_with(vars: &[(&str, &str)], machine: &Fake) -> Result<Config, ConfigErrors> {
    Config::from_env(vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())), machine)
}

/// Exactly these variables.
fn load(vars: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
    load_with(vars, &Fake::default())
}

const DEPLOYMENT: &[(&str, &str)] = &[
    ("BETTER_AUTH_URL", "https://auth.example.com"),
    ("BETTER_AUTH_SECRET", SECRET),
    ("DATABASE_URL", "postgres://auth:hunter2@db/auth"),
];

/// A good deployment, changed by these variables.
fn deployed(vars: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
    let mut all: BTreeMap<&str, &str> = DEPLOYMENT.iter().copied().collect();
    all.extend(vars.iter().copied());
    load(&all.into_iter().collect::<Vec<_>>())
}

/// The refusal of a good deployment with these variables: one problem, `NAME: what`.
fn refusal(vars: &[(&str, &str)]) -> String {
    let errors = deployed(vars).map(|_| ()).expect_err(&format!("{vars:?} is accepted"));
    assert_eq!(errors.problems.len(), 1, "{errors}");
    format!("{}: {}", errors.problems[0].name, errors.problems[0].what)
}

fn assert_refused(vars: &[(&str, &str)], name: &str, part: &str) {
    let refusal = refusal(vars);
    assert!(refusal.starts_with(&format!("{name}: ")) && refusal.contains(part), "{refusal}");
}

fn names(errors: &ConfigErrors) -> BTreeSet<&str> {
    errors.problems.iter().map(|problem| problem.name.as_str()).collect()
}

fn warns(config: &Config, part: &str) -> bool {
    config.warnings.iter().any(|warning| warning.contains(part))
}

#[test]
fn nothing_at_all_starts_dev_mode() {
    let config = load(&[("PATH", "/bin")]).unwrap();
    assert!(config.dev);
    assert_eq!(config.base_url, "http://localhost:4000");
    assert_eq!(config.base_path, "/api/auth");
    assert_eq!(config.listen, Listen { host: "127.0.0.1".to_owned(), port: 4000 });
    assert_eq!(config.database.url, "sqlite://./data/auth.db");
    assert_eq!(config.secrets.current().expose(), "secret-kept-in-./data-0123456789abcdef");
    assert_eq!(config.trusted_origins, ["http://localhost:4000", "http://localhost:*", "http://127.0.0.1:*"]);
    assert!(!config.rate_limit.enabled);
    assert!(config.client_ip.localhost_fallback);
    assert!(!config.cookies.secure);
    assert_eq!(config.warnings, [""; 0]);
}

#[test]
fn dev_mode_follows_the_port_and_the_data_folder() {
    let config = load(&[("AUTH_DEV", "true"), ("PORT", "5000"), ("AUTH_DATA_DIR", "/tmp/x")]).unwrap();
    assert_eq!(config.base_url, "http://localhost:5000");
    assert_eq!(config.database.url, "sqlite:///tmp/x/auth.db");
}

/// A machine that must not be asked for anything.
struct Untouched;

impl Machine for Untouched {
    fn read_file(&self, path: &Path) -> io::Result<String> {
        panic!("{} is read", path.display())
    }

    fn list_folder(&self, path: &Path) -> io::Result<Vec<String>> {
        panic!("{} is listed", path.display())
    }

    fn dev_secret(&self, folder: &Path) -> io::Result<String> {
        panic!("a secret is made in {}", folder.display())
    }

    fn cores(&self) -> u32 {
        4
    }
}

#[test]
fn dev_mode_makes_no_secret_while_something_is_wrong() {
    for name in ["AUTH_BCRYPT_COST", "AUTH_NO_SUCH_THING"] {
        let errors = Config::from_env([(name.to_owned(), "x".to_owned())], &Untouched).unwrap_err();
        assert_eq!(names(&errors), BTreeSet::from([name]));
    }
}

#[test]
fn any_sign_of_a_deployment_ends_dev_mode_and_names_what_is_missing() {
    let essential = ["BETTER_AUTH_URL", "BETTER_AUTH_SECRET", "DATABASE_URL"];
    for (name, value) in DEPLOYMENT {
        let errors = load(&[(name, value)]).unwrap_err();
        let missing: BTreeSet<&str> = essential.into_iter().filter(|other| other != name).collect();
        assert_eq!(names(&errors), missing);
    }
    for vars in [[("AUTH_DEV", "false")], [("BETTER_AUTH_SECRET", "")], [("DATABASE_URL", " ")]] {
        assert_eq!(names(&load(&vars).unwrap_err()), essential.into_iter().collect(), "{vars:?}");
    }
    let errors = load(&[("DATABASE_URL_FILE", "/none")]).unwrap_err();
    assert_eq!(names(&errors), ["BETTER_AUTH_URL", "BETTER_AUTH_SECRET", "DATABASE_URL_FILE"].into_iter().collect());
}

#[test]
fn deployment_has_the_documented_defaults() {
    let config = deployed(&[]).unwrap();
    assert!(!config.dev);
    assert_eq!(config.base_url, "https://auth.example.com");
    assert_eq!(config.listen, Listen { host: "0.0.0.0".to_owned(), port: 4000 });
    assert_eq!(config.trusted_origins, ["https://auth.example.com"]);
    assert_eq!(config.secrets.current().expose(), SECRET);
    assert_eq!(config.database.pool_size, 4);
    assert_eq!(config.database.acquire_timeout.as_secs(), 2);
    assert_eq!(config.database.query_timeout.as_secs(), 3);
    let email = &config.email_password;
    assert!(email.enabled && email.auto_sign_in && !email.disable_sign_up);
    assert_eq!((email.min_password_length, email.max_password_length), (8, 128));
    assert_eq!((config.password.policy.scheme, config.password.policy.bcrypt_cost), (Scheme::Bcrypt, 10));
    assert_eq!((config.password.threads, config.password.queue), (4, 64));
    let session = &config.session;
    assert_eq!((session.expires_in, session.update_age, session.fresh_age), (604_800, 86_400, 86_400));
    assert!(!session.disable_refresh && !session.defer_refresh && session.cookie_cache.is_none());
    assert_eq!(config.cookies.prefix, "better-auth");
    assert!(config.cookies.secure && !config.cookies.partitioned);
    assert_eq!(config.cookies.same_site, SameSite::Lax);
    assert_eq!(config.cookies.domain, None);
    assert!(config.rate_limit.enabled);
    assert!(!config.client_ip.localhost_fallback && !config.client_ip.disabled);
    assert_eq!(config.client_ip.headers, ["x-forwarded-for"]);
    let http = &config.http;
    assert!(http.cors && http.no_store);
    assert_eq!(http.body_limit, 262_144);
    assert_eq!(http.api_prefix.as_deref(), Some("/auth"));
    assert_eq!((http.workers, http.shutdown_timeout), (4, 8));
    assert!(!config.user.delete_user_enabled && !config.account.allow_unlinking_all);
    assert_eq!(config.fields, FieldRegistry::default());
    assert_eq!(config.warnings, [""; 0]);
}

#[test]
fn settings_reach_their_places() {
    let config = deployed(&[
        ("BETTER_AUTH_TRUSTED_ORIGINS", " https://a.example.com , https://*.b.example.com,"),
        ("AUTH_SESSION_COOKIE_CACHE", "jwe"),
        ("AUTH_SESSION_COOKIE_CACHE_MAX_AGE", "1m"),
        ("AUTH_SESSION_EXPIRES_IN", "5"),
        ("AUTH_SESSION_UPDATE_AGE", "0"),
        ("AUTH_PASSWORD_HASH", "argon2id"),
        ("AUTH_COOKIE_MODE", "cross-site"),
        ("AUTH_COOKIE_DOMAIN", ".example.com"),
        ("AUTH_COOKIE_PREFIX", "acme"),
        ("AUTH_API_PREFIX", "off"),
        ("AUTH_DISABLED_PATHS", "/verify-password, /ok/"),
        ("AUTH_BODY_LIMIT", "1MiB"),
        ("AUTH_TRUSTED_PROXIES", "10.0.0.0/8,::1"),
        ("AUTH_IP_HEADERS", "CF-Connecting-IP"),
        ("AUTH_LOG_FORMAT", "JSON"),
        ("RUST_LOG", "debug"),
        ("HOST", "[::]"),
    ])
    .unwrap();
    assert_eq!(
        config.trusted_origins,
        ["https://auth.example.com", "https://a.example.com", "https://*.b.example.com"]
    );
    let cache = config.session.cookie_cache.unwrap();
    assert_eq!((cache.strategy, cache.max_age, cache.version.as_str()), (Strategy::Jwe, 60, "1"));
    assert_eq!((config.session.expires_in, config.session.update_age), (5, 0));
    assert_eq!(config.password.policy.scheme, Scheme::Argon2id);
    assert_eq!(config.cookies.same_site, SameSite::None);
    assert!(config.cookies.secure && config.cookies.partitioned);
    assert_eq!(config.cookies.domain.as_deref(), Some(".example.com"));
    assert_eq!(config.cookies.prefix, "acme");
    assert_eq!(config.http.api_prefix, None);
    assert_eq!(config.http.disabled_paths, ["/verify-password", "/ok"]);
    assert_eq!(config.http.body_limit, 1_048_576);
    assert_eq!(config.client_ip.headers, ["cf-connecting-ip"]);
    assert_eq!(config.http.log_format, LogFormat::Json);
    assert_eq!(config.http.log_filter, "debug");
    assert_eq!(config.listen.host, "::");
}

#[test]
fn all_problems_are_told_at_once_with_name_reason_and_example() {
    let errors = load(&[
        ("BETTER_AUTH_URL", "auth.example.com"),
        ("BETTER_AUTH_SECRET", "short"),
        ("DATABASE_URL", "mysql://root:hunter2@db/auth"),
        ("PORT", "99999"),
        ("AUTH_BCRYPT_COST", "9"),
        ("AUTH_SESION_EXPIRES_IN", "1"),
        ("AUTH_SESSION_EXPIRES_IN", "401d"),
        ("BETTER_AUTH_TRUSTED_ORIGINS", "*,https://x.example.com/"),
    ])
    .unwrap_err();
    let text = errors.to_string();
    assert_eq!(errors.problems.len(), 9, "{text}");
    for line in [
        "9 settings are wrong:",
        "BETTER_AUTH_URL: \"auth.example.com\" is no URL",
        "(for example BETTER_AUTH_URL=https://auth.example.com)",
        "BETTER_AUTH_SECRET: the secret has 5 characters; at least 32 are needed",
        "DATABASE_URL: the value has an unknown scheme; sqlite:// and postgres:// are known",
        "PORT: \"99999\" is not a whole number from 1 to 65535 (for example PORT=4000)",
        "AUTH_BCRYPT_COST: \"9\" is not a whole number from 10 to 15",
        "AUTH_SESION_EXPIRES_IN: is no setting; did you mean AUTH_SESSION_EXPIRES_IN?",
        "AUTH_SESSION_EXPIRES_IN: \"401d\" is not a duration from 1 to 34560000 seconds",
        "\"*\" would trust every site",
        "\"https://x.example.com/\" has something after the host; write https://x.example.com",
    ] {
        assert!(text.contains(line), "{line}\nis not in\n{text}");
    }
    assert!(!text.contains("hunter2") && !text.contains("short"), "{text}");
}

#[test]
fn wrong_values_are_refused_by_name() {
    for (name, value, part) in [
        ("BETTER_AUTH_URL", "ftp://x.example.com", "neither https nor http"),
        ("BETTER_AUTH_URL", "https://me:pw@x.example.com", "user name"),
        ("BETTER_AUTH_URL", "https://x.example.com?a=b", "? or #"),
        ("BETTER_AUTH_URL", "/api/auth", "no URL"),
        ("AUTH_DEV", "maybe", "neither true nor false"),
        ("HOST", "0.0.0.0:80", "PORT"),
        ("PORT", "0", "from 1 to 65535"),
        ("AUTH_BASE_PATH", "api/auth", "begin with /"),
        ("AUTH_BASE_PATH", "/api//auth", "plain path"),
        ("AUTH_API_PREFIX", "/", "off for none"),
        ("AUTH_API_PREFIX", "/api/auth", "base path"),
        ("AUTH_API_PREFIX", "/api", "base path"),
        ("AUTH_DISABLED_PATHS", "/api/auth/ok", "base path"),
        ("AUTH_DISABLED_PATHS", "ok", "begin with /"),
        ("AUTH_BODY_LIMIT", "-1", "size"),
        ("AUTH_ERROR_URL", "javascript:alert(1)", "URL or path"),
        ("AUTH_ERROR_URL", "//evil.example", "URL or path"),
        ("AUTH_PASSWORD_HASH", "md5", "bcrypt, argon2id, scrypt"),
        ("AUTH_BCRYPT_COST", "16", "10 to 15"),
        ("AUTH_HASH_QUEUE", "0", "from 1"),
        ("AUTH_EMAIL_PASSWORD_MAX_LENGTH", "7", "MIN_LENGTH"),
        ("AUTH_SESSION_EXPIRES_IN", "0", "from 1"),
        ("AUTH_SESSION_EXPIRES_IN", "34560001", "34560000"),
        ("AUTH_SESSION_UPDATE_AGE", "-1", "duration"),
        ("AUTH_SESSION_COOKIE_CACHE", "redis", "off, compact, jwt, jwe"),
        ("AUTH_COOKIE_PREFIX", "__Secure-x", "prefix"),
        ("AUTH_COOKIE_PREFIX", "a b", "letters"),
        ("AUTH_COOKIE_SECURE", "maybe", "auto, true, false"),
        ("AUTH_COOKIE_MODE", "none", "lax, cross-site"),
        ("AUTH_COOKIE_DOMAIN", "com", "one's own"),
        ("AUTH_COOKIE_DOMAIN", "example.org", "neither auth.example.com"),
        ("AUTH_IP_HEADERS", "x forwarded", "header"),
        ("AUTH_TRUSTED_PROXIES", "10.0.0.0/40", "network"),
        ("AUTH_RATE_LIMIT_RULES", "/ok", "PATH"),
        ("AUTH_IPV6_SUBNET", "129", "1 to 128"),
        ("AUTH_DATABASE_POOL_SIZE", "0", "1 to 200"),
        ("BETTER_AUTH_TRUSTED_ORIGINS", "https://*.com", "every site under .com"),
        ("AUTH_USER_FIELDS", "favouriteRobot", "snake case"),
        ("DATABASE_URL", "data/auth.db", "no scheme"),
        ("DATABASE_URL", "sqlite://:memory:", "no file"),
        ("DATABASE_URL", "postgresql+asyncpg://auth@db/auth", "Python"),
        ("BETTER_AUTH_SECRET", "better-auth-secret-12345678901234567890", "placeholder"),
        ("BETTER_AUTH_SECRETS", "2:new", "at least 32"),
        ("BETTER_AUTH_SECRETS", "new", "VERSION:SECRET"),
    ] {
        assert_refused(&[(name, value)], name, part);
    }
}

#[test]
fn unknown_names_are_refused_with_the_right_one() {
    for (name, advice) in [
        ("AUTH_URL", "use BETTER_AUTH_URL"),
        ("AUTH_TRUSTED_ORIGINS", "use BETTER_AUTH_TRUSTED_ORIGINS"),
        ("BETTER_AUTH_SECRE", "did you mean BETTER_AUTH_SECRET?"),
        ("BETTER_AUTH_TRUSTED_ORIGIN", "did you mean BETTER_AUTH_TRUSTED_ORIGINS?"),
        ("AUTH_RATELIMIT", "did you mean AUTH_RATE_LIMIT?"),
        ("AUTH_FIELD_SOFTWARE_BACKGROUND_VALUE", "did you mean AUTH_FIELD_SOFTWARE_BACKGROUND_VALUES?"),
        ("AUTH_FIELD_DEPARTMENT_TYPE", "declared in AUTH_USER_FIELDS"),
        ("AUTH_SESSION_FIELD_COLOUR_SCHEME_TYPE", "declared in AUTH_SESSION_FIELDS"),
        ("AUTH_BCRYPT_COST_FILE", "only secrets are read from files"),
        ("AUTH_QQQQQQQQ", "is no setting"),
    ] {
        assert_refused(&[(name, "s3cr3t")], name, advice);
        assert!(!refusal(&[(name, "s3cr3t")]).contains("s3cr3t"));
    }
}

#[test]
fn secrets_are_read_from_files() {
    let file = |path: &str, text: &str| (path.to_owned(), text.to_owned());
    let machine = Fake(BTreeMap::from([
        file("/run/secret", &format!("{SECRET}\n")),
        file("/run/db", "sqlite:///var/lib/auth.db\n"),
        file("/run/blank", "\n"),
    ]));
    let with = |name: &str, path: &str| {
        let vars = [("BETTER_AUTH_URL", "https://auth.example.com"), ("DATABASE_URL_FILE", "/run/db"), (name, path)];
        load_with(&vars, &machine)
    };
    let config = with("BETTER_AUTH_SECRET_FILE", "/run/secret").unwrap();
    assert_eq!(config.secrets.current().expose(), SECRET);
    assert_eq!(config.database.url, "sqlite:///var/lib/auth.db");
    assert!(config.summary().contains("(set, 32 characters)  [file /run/secret]"), "{}", config.summary());
    for (path, part) in [("/run/none", "cannot be read"), ("/run/blank", "is empty")] {
        let errors = with("BETTER_AUTH_SECRET_FILE", path).unwrap_err();
        assert_eq!(names(&errors), ["BETTER_AUTH_SECRET_FILE"].into_iter().collect());
        assert!(errors.to_string().contains(part), "{errors}");
    }
}

#[test]
fn secret_given_twice_is_refused() {
    assert_refused(
        &[("BETTER_AUTH_SECRET_FILE", "/run/secret")],
        "BETTER_AUTH_SECRET",
        "BETTER_AUTH_SECRET_FILE too; keep one",
    );
}

#[test]
fn versioned_secrets_keep_the_plain_one_for_what_is_older() {
    let new = "NtBqWx7Zk3Vd9Ls2Pf6Hj8Rc4Mg5Ty1U";
    let versions = format!("2:{new},1:{SECRET}");
    let config = deployed(&[("BETTER_AUTH_SECRETS", &versions)]).unwrap();
    assert_eq!(config.secrets.current().expose(), new);
    assert_eq!(config.secrets.current_version(), Some(2));
    assert_eq!(config.secrets.version(1).unwrap().expose(), SECRET);
    assert_eq!(config.secrets.unversioned().unwrap().expose(), SECRET);
    let with_weak = format!("2:{new},1:old");
    assert!(warns(&deployed(&[("BETTER_AUTH_SECRETS", &with_weak)]).unwrap(), "an old secret"));
}

#[test]
fn auth_secret_is_an_alias() {
    let vars = [DEPLOYMENT[0], DEPLOYMENT[2], ("AUTH_SECRET", SECRET)];
    assert_eq!(load(&vars).unwrap().secrets.current().expose(), SECRET);
    let other = deployed(&[("AUTH_SECRET", "another")]).unwrap();
    assert_eq!(other.secrets.current().expose(), SECRET);
    assert!(warns(&other, "AUTH_SECRET is set too and differs"));
}

#[test]
fn dev_mode_accepts_a_weak_secret_with_a_warning() {
    let config = load(&[("AUTH_DEV", "true"), ("BETTER_AUTH_SECRET", "secret")]).unwrap();
    assert!(warns(&config, "has 6 characters"));
}

#[test]
fn secrets_are_in_neither_debug_nor_summary_nor_messages() {
    let config = deployed(&[("BETTER_AUTH_SECRETS", &format!("1:{SECRET}"))]).unwrap();
    for text in [format!("{config:?}"), config.summary()] {
        assert!(!text.contains(SECRET), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
    assert!(config.summary().contains("postgres://auth:***@db/auth"));
    let dev = load(&[]).unwrap();
    assert!(!dev.summary().contains(dev.secrets.current().expose()));
    let errors = deployed(&[("BETTER_AUTH_SECRETS", SECRET)]).unwrap_err();
    assert!(!errors.to_string().contains(SECRET), "{errors}");
}

#[test]
fn path_in_the_public_url_is_the_base_path() {
    let config = deployed(&[("BETTER_AUTH_URL", "https://example.com/accounts/api/")]).unwrap();
    assert_eq!((config.base_url.as_str(), config.base_path.as_str()), ("https://example.com", "/accounts/api"));
    let url = ("BETTER_AUTH_URL", "https://example.com/accounts");
    assert_eq!(deployed(&[url, ("AUTH_BASE_PATH", "/accounts/")]).unwrap().base_path, "/accounts");
    assert_refused(&[url, ("AUTH_BASE_PATH", "/api/auth")], "AUTH_BASE_PATH", "has the path");
    assert_eq!(deployed(&[("AUTH_BASE_PATH", "/")]).unwrap().base_path, "");
}

#[test]
fn rest_endpoints_step_aside_for_the_base_path() {
    for base_path in ["/auth", "/auth/api"] {
        let config = deployed(&[("AUTH_BASE_PATH", base_path)]).unwrap();
        assert_eq!(config.http.api_prefix, None);
        assert!(warns(&config, "AUTH_API_PREFIX"));
    }
    for base_path in ["/authentication", "/", "/api"] {
        let config = deployed(&[("AUTH_BASE_PATH", base_path)]).unwrap();
        assert_eq!(config.http.api_prefix.as_deref(), Some("/auth"));
    }
}

#[test]
fn plain_http_is_loud_unless_it_stays_on_the_machine() {
    let config = deployed(&[("BETTER_AUTH_URL", "http://auth.example.com")]).unwrap();
    assert!(warns(&config, "without https"));
    assert!(!config.cookies.secure);
    for local in ["http://localhost:4000", "http://127.0.0.1:4000", "http://[::1]:4000"] {
        assert_eq!(deployed(&[("BETTER_AUTH_URL", local)]).unwrap().warnings, [""; 0]);
    }
}

#[test]
fn dev_mode_beyond_the_machine_is_loud() {
    let config = load(&[("AUTH_DEV", "true"), ("BETTER_AUTH_URL", "https://auth.example.com")]).unwrap();
    assert!(warns(&config, "dev mode at https://auth.example.com"));
    assert!(warns(&load(&[("AUTH_DEV", "true"), ("HOST", "0.0.0.0")]).unwrap(), "HOST"));
}

#[test]
fn cross_site_cookies_need_https() {
    let mode = ("AUTH_COOKIE_MODE", "cross-site");
    let http = ("BETTER_AUTH_URL", "http://localhost:4000");
    assert_refused(&[mode, http], "AUTH_COOKIE_MODE", "https");
    assert_refused(&[mode, ("AUTH_COOKIE_SECURE", "false")], "AUTH_COOKIE_SECURE", "cross-site");
    let forced = deployed(&[http, ("AUTH_COOKIE_SECURE", "true")]).unwrap();
    assert!(forced.cookies.secure && warns(&forced, "browsers drop"));
}

#[test]
fn names_of_other_programs_are_pointed_out() {
    let vars = [("FRONTEND_URL", "x"), ("CORS_ORIGINS", "x"), ("NEON_DATABASE_URL", "x"), ("JWT_SECRET", "x")];
    let config = load(&vars).unwrap();
    assert!(config.dev);
    for (name, setting) in [
        ("FRONTEND_URL", "BETTER_AUTH_TRUSTED_ORIGINS"),
        ("CORS_ORIGINS", "BETTER_AUTH_TRUSTED_ORIGINS"),
        ("NEON_DATABASE_URL", "DATABASE_URL"),
        ("JWT_SECRET", "BETTER_AUTH_SECRET"),
    ] {
        assert!(warns(&config, &format!("{name} is set but not read; the setting is {setting}")), "{name}");
    }
    let set = [&vars[..], &[("BETTER_AUTH_TRUSTED_ORIGINS", "https://www.example.com")]].concat();
    assert_eq!(deployed(&set).unwrap().warnings, [""; 0]);
}

#[test]
fn shared_hosting_domains_are_pointed_out() {
    let config = deployed(&[("BETTER_AUTH_TRUSTED_ORIGINS", "https://*.vercel.app")]).unwrap();
    assert!(warns(&config, "everybody's sites under vercel.app"));
}

#[test]
fn fields_follow_their_settings() {
    let config = deployed(&[
        ("AUTH_FIELD_SOFTWARE_BACKGROUND_VALUES", "beginner, intermediate,advanced"),
        ("AUTH_FIELD_SOFTWARE_BACKGROUND_KEY", "softwareBackground"),
        ("AUTH_FIELD_SOFTWARE_BACKGROUND_REQUIRED", "true"),
        ("AUTH_FIELD_SOFTWARE_BACKGROUND_DEFAULT", "Beginner"),
        ("AUTH_FIELD_HARDWARE_BACKGROUND_TYPE", "string[]"),
        ("AUTH_FIELD_HARDWARE_BACKGROUND_BLANK", "keep"),
        ("AUTH_USER_FIELDS", "plan,age"),
        ("AUTH_FIELD_PLAN_INPUT", "false"),
        ("AUTH_FIELD_PLAN_DEFAULT", "free"),
        ("AUTH_FIELD_PLAN_RETURNED", "false"),
        ("AUTH_FIELD_AGE_TYPE", "number"),
        ("AUTH_FIELD_AGE_DEFAULT", "12"),
        ("AUTH_SESSION_FIELDS", "theme"),
        ("AUTH_SESSION_FIELD_THEME_MAX_LENGTH", "20"),
    ])
    .unwrap();
    let user = &config.fields.user;
    let names: Vec<&str> = user.iter().map(|field| field.name.as_str()).collect();
    assert_eq!(names, ["software_background", "hardware_background", "plan", "age"]);
    assert_eq!(user[0].key, "softwareBackground");
    assert_eq!(user[0].values.as_ref().unwrap(), &["beginner", "intermediate", "advanced"]);
    assert_eq!((user[0].required, user[0].default.clone()), (true, Some(json!("beginner"))));
    assert_eq!((user[1].kind, user[1].blank), (FieldType::StringList, Blank::Keep));
    assert_eq!(user[2].default, Some(json!("free")));
    assert!(!user[2].input && !user[2].returned && !user[2].claim);
    assert_eq!((user[3].kind, user[3].default.clone()), (FieldType::Number, Some(json!(12))));
    assert_eq!(config.fields.session[0].max_length, 20);
    assert!(!config.fields.session[0].claim);
}

#[test]
fn fields_that_make_no_sense_are_refused() {
    for (vars, name, part) in [
        (&[("AUTH_USER_FIELDS", "software_background")][..], "AUTH_USER_FIELDS", "software_background twice"),
        (&[("AUTH_USER_FIELDS", "email_verified")], "AUTH_FIELD_EMAIL_VERIFIED_KEY", "emailVerified"),
        (&[("AUTH_USER_FIELDS", "role")], "AUTH_FIELD_ROLE_KEY", "built in"),
        (&[("AUTH_SESSION_FIELDS", "user_id")], "AUTH_SESSION_FIELD_USER_ID_KEY", "userId"),
        (
            &[("AUTH_USER_FIELDS", "plan"), ("AUTH_FIELD_PLAN_KEY", "softwareBackground")],
            "AUTH_FIELD_PLAN_KEY",
            "the key of the field software_background",
        ),
        (&[("AUTH_FIELD_SOFTWARE_BACKGROUND_KEY", "a-b")], "AUTH_FIELD_SOFTWARE_BACKGROUND_KEY", "no key"),
        (&[("AUTH_FIELD_SOFTWARE_BACKGROUND_TYPE", "number")], "AUTH_FIELD_SOFTWARE_BACKGROUND_TYPE", "text column"),
        (
            &[("AUTH_FIELD_SOFTWARE_BACKGROUND_TYPE", "date")],
            "AUTH_FIELD_SOFTWARE_BACKGROUND_TYPE",
            "string, string[], number, boolean",
        ),
        (&[("AUTH_FIELD_SOFTWARE_BACKGROUND_VALUES", "a,A")], "AUTH_FIELD_SOFTWARE_BACKGROUND_VALUES", "twice"),
        (
            &[("AUTH_FIELD_SOFTWARE_BACKGROUND_VALUES", "abc"), ("AUTH_FIELD_SOFTWARE_BACKGROUND_MAX_LENGTH", "2")],
            "AUTH_FIELD_SOFTWARE_BACKGROUND_VALUES",
            "MAX_LENGTH",
        ),
        (
            &[("AUTH_FIELD_SOFTWARE_BACKGROUND_VALUES", "a,b"), ("AUTH_FIELD_SOFTWARE_BACKGROUND_DEFAULT", "c")],
            "AUTH_FIELD_SOFTWARE_BACKGROUND_DEFAULT",
            "must be one of: a, b",
        ),
        (
            &[("AUTH_FIELD_SOFTWARE_BACKGROUND_MAX_LENGTH", "100001")],
            "AUTH_FIELD_SOFTWARE_BACKGROUND_MAX_LENGTH",
            "100000",
        ),
        (
            &[("AUTH_FIELD_SOFTWARE_BACKGROUND_REQUIRED", "true"), ("AUTH_FIELD_SOFTWARE_BACKGROUND_INPUT", "false")],
            "AUTH_FIELD_SOFTWARE_BACKGROUND_REQUIRED",
            "DEFAULT",
        ),
        (
            &[("AUTH_FIELD_SOFTWARE_BACKGROUND_RETURNED", "false"), ("AUTH_FIELD_SOFTWARE_BACKGROUND_CLAIM", "true")],
            "AUTH_FIELD_SOFTWARE_BACKGROUND_CLAIM",
            "RETURNED",
        ),
        (
            &[("AUTH_SESSION_FIELDS", "theme"), ("AUTH_SESSION_FIELD_THEME_CLAIM", "true")],
            "AUTH_SESSION_FIELD_THEME_CLAIM",
            "no setting",
        ),
    ] {
        assert_refused(vars, name, part);
    }
}

#[test]
fn every_setting_of_the_table_is_read_once_and_shown_once() {
    for config in [load(&[]).unwrap(), deployed(&[]).unwrap()] {
        let shown: Vec<&str> = config.resolved().iter().map(|resolved| resolved.name.as_str()).collect();
        let distinct: BTreeSet<&str> = shown.iter().copied().collect();
        assert_eq!(shown.len(), distinct.len(), "{shown:?}");
        for setting in table().filter(|setting| !setting.name.contains('<')) {
            assert!(distinct.contains(setting.name), "{} is never read", setting.name);
        }
        for setting in table().filter(|setting| setting.name.contains('<')) {
            let name = setting.name.replace("<NAME>", "HARDWARE_BACKGROUND");
            assert!(distinct.contains(name.as_str()), "{name} is never read");
        }
    }
}

#[test]
fn every_default_and_example_of_the_table_is_accepted() {
    let machine = Fake(BTreeMap::from([("/etc/auth-sidecar/mail/test.txt".to_owned(), "A test".to_owned())]));
    for setting in table().filter(|setting| !setting.secret) {
        let default = match setting.default {
            Fallback::Value(text) => Some(text),
            Fallback::Told(_) | Fallback::None => None,
        };
        let name = setting.name.replace("<NAME>", "SOFTWARE_BACKGROUND");
        for value in default.into_iter().chain([setting.example]) {
            let mut vars = vec![(name.as_str(), value)];
            if name.ends_with("_CLAIM") {
                vars.push(("AUTH_FIELD_SOFTWARE_BACKGROUND_RETURNED", "true"));
            }
            if name == "AUTH_PLUGINS" {
                vars.push(("AUTH_MAIL", "webhook+https://api.example.com/mail"));
            }
            vars.extend(DEPLOYMENT.iter().filter(|(known, _)| *known != name));
            if let Err(errors) = load_with(&vars, &machine) {
                panic!("{name}={value}: {errors}");
            }
        }
    }
}

const SMTP: (&str, &str) = ("AUTH_MAIL", "smtp://ada:hunter2@mail.example.com");
const FROM: (&str, &str) = ("AUTH_MAIL_FROM", "Example <no-reply@example.com>");

#[test]
fn mail_is_off_in_a_deployment_and_goes_to_the_log_in_dev_mode() {
    let config = deployed(&[]).unwrap();
    assert!(matches!(config.mail.transport, MailTransport::Off));
    assert_eq!((config.mail.product.as_str(), config.mail.outbox_limit), ("auth.example.com", 10_000));
    assert!(config.mail.notices && config.mail.from.is_none());
    assert!(matches!(load(&[]).unwrap().mail.transport, MailTransport::Log));
    assert_refused(&[("AUTH_MAIL", "log")], "AUTH_MAIL", "dev mode");
}

#[test]
fn mail_by_smtp_needs_a_sender_and_its_password_is_never_shown() {
    assert_refused(&[SMTP], "AUTH_MAIL_FROM", "needs a sender");
    assert_refused(&[SMTP, ("AUTH_MAIL_FROM", "nobody")], "AUTH_MAIL_FROM", "is no address");
    let config = deployed(&[SMTP, FROM]).unwrap();
    assert_eq!(config.warnings, [""; 0]);
    let shown = format!("{}{:?}", config.summary(), config.mail);
    assert!(shown.contains("smtp mail.example.com:587 (STARTTLS)") && !shown.contains("hunter2"), "{shown}");
}

#[test]
fn mail_in_the_clear_and_unsigned_webhooks_are_warned_of() {
    let config = |url: &str| deployed(&[("AUTH_MAIL", url), FROM]).unwrap();
    assert!(warns(&config("smtp://mailpit:1025?tls=none"), "no encryption"));
    assert!(!warns(&config("smtp://127.0.0.1:1025"), "no encryption"));
    assert!(warns(&config("webhook+http://api.example.com/mail"), "without https"));
    assert!(!warns(&config("webhook+http://127.0.0.1:8000/mail"), "without https"));
    assert!(warns(&config("webhook+https://api.example.com/mail"), "AUTH_MAIL_WEBHOOK_SECRET"));
    let signed = [("AUTH_MAIL", "webhook+https://api.example.com/mail"), ("AUTH_MAIL_WEBHOOK_SECRET", SECRET)];
    assert_eq!(deployed(&signed).unwrap().warnings, [""; 0]);
    assert_refused(&[("AUTH_MAIL_WEBHOOK_SECRET", "short")], "AUTH_MAIL_WEBHOOK_SECRET", "shorter than 32");
}

#[test]
fn the_authority_of_a_mail_server_must_be_a_certificate() {
    let vars = [("AUTH_MAIL", "smtps://mail.example.com?ca=/etc/ca.pem"), FROM];
    assert_refused(&vars, "AUTH_MAIL", "/etc/ca.pem named by ca= cannot be read");
    let all: Vec<_> = DEPLOYMENT.iter().copied().chain(vars).collect();
    let errors = load_with(&all, &Fake(BTreeMap::from([("/etc/ca.pem".to_owned(), "x".to_owned())]))).unwrap_err();
    assert!(errors.to_string().contains("holds no certificate"), "{errors}");
}

#[test]
fn templates_of_a_folder_are_checked_at_the_start() {
    let with = |files: &[(&str, &str)]| {
        let files = files.iter().map(|(name, text)| (format!("/etc/mail/{name}"), (*text).to_owned())).collect();
        let vars: Vec<_> = DEPLOYMENT.iter().copied().chain([("AUTH_MAIL_TEMPLATES", "/etc/mail")]).collect();
        load_with(&vars, &Fake(files))
    };
    assert!(with(&[]).unwrap_err().to_string().contains("names the folder /etc/mail, which cannot be read"));
    assert_eq!(with(&[("reset-password.txt", "{{ url }}")]).unwrap().warnings, [""; 0]);
    let misnamed = with(&[("reset_password.txt", "{{ url }}")]).unwrap();
    assert!(warns(&misnamed, "/etc/mail/reset_password.txt is the name of no template"));
    let errors = with(&[("reset-password.txt", "a\n{{ ulr }}"), ("layout.html", "{% if %}")]).unwrap_err();
    assert!(errors.to_string().contains("layout.html, line 1: syntax error"), "{errors}");
    let errors = with(&[("reset-password.txt", "a\n{{ ulr }}")]).unwrap_err();
    assert_eq!(errors.problems.len(), 1, "{errors}");
    assert!(errors.problems[0].what.starts_with("reset-password.txt, line 2: undefined value"), "{errors}");
}
