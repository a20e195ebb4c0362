//! Settings, from the environment alone.
//!
//! [`Config::from_env`] is a function of its arguments: the variables, and a [`Machine`] that
//! reads files for it. It reports every problem at once. [`settings`] is the one table of names,
//! defaults and ranges; the other modules hold what a table cannot say, one per topic.

mod cookie;
mod database;
pub mod docs;
mod env;
mod fields;
mod http;
mod jwt;
mod limits;
mod machine;
mod mail;
mod origins;
mod parse;
mod password;
mod plugins;
mod problem;
mod public_url;
mod secrets;
mod session;
pub mod settings;
mod summary;
mod unknown;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

use schema::DbConfig;

pub use self::env::{Resolved, Source};
pub use self::http::{HttpSettings, Listen, LogFormat};
pub use self::jwt::{JwtSettings, Signing};
pub use self::machine::{Machine, OnlyLooking, ThisMachine};
pub use self::mail::{MailSettings, MailTransport};
pub(crate) use self::origins::check as check_origin;
pub use self::password::{EmailPasswordSettings, EmailVerificationSettings, PasswordSettings};
pub use self::plugins::{BearerSettings, EmailOtpSettings, MagicLinkSettings, OneTimeTokenSettings, PluginSettings};
pub use self::problem::{ConfigErrors, Problem};
pub use self::session::SessionSettings;

use self::env::Reader;
use crate::client_ip::ClientIpSettings;
use crate::cookies::CookieSettings;
use crate::fields::FieldRegistry;
use crate::rate_limit::RateLimitSettings;
use crate::secrets::Secrets;

/// Settings of users (upstream option `user`).
#[derive(Clone, Debug)]
pub struct UserSettings {
    /// Users may delete themselves.
    pub delete_user_enabled: bool,
    /// Deletion waits for a mailed link to be opened.
    pub delete_user_verification: bool,
    /// Life of that link, in seconds.
    pub delete_token_expires_in: i64,
    /// Users may change their address.
    pub change_email: ChangeEmailSettings,
}

/// Settings of changing an address (upstream option `user.changeEmail`).
#[derive(Clone, Debug)]
pub struct ChangeEmailSettings {
    /// Users may change their address.
    pub enabled: bool,
    /// A proven address has to approve the change first.
    pub confirmation: bool,
    /// An address that was never proven is changed at once.
    pub update_without_verification: bool,
}

/// Settings of accounts (upstream option `account.accountLinking`).
#[derive(Clone, Debug)]
pub struct AccountSettings {
    /// Users may unlink their last account.
    pub allow_unlinking_all: bool,
}

/// All settings. `Debug` shows no secret.
#[derive(Clone, Debug)]
pub struct Config {
    /// Dev mode.
    pub dev: bool,
    /// The public origin: scheme, host and port without a trailing slash.
    pub base_url: String,
    /// Path of the Better Auth endpoints, as `/api/auth`; empty if they are at the root.
    pub base_path: String,
    /// Where the service listens.
    pub listen: Listen,
    /// Folder of what dev mode keeps.
    pub data_dir: PathBuf,
    /// Where the rows are.
    pub database: DbConfig,
    /// Whether `serve` brings the tables up to date.
    pub migrate_on_start: bool,
    /// The way mail goes, and what it says.
    pub mail: MailSettings,
    /// The plugins.
    pub plugins: PluginSettings,
    /// Keys of cookies and tokens.
    pub secrets: Secrets,
    /// Patterns of trusted origins, checked; the service's own is the first.
    pub trusted_origins: Vec<String>,
    /// Sign-up and sign-in with email and password.
    pub email_password: EmailPasswordSettings,
    /// Proving an address.
    pub email_verification: EmailVerificationSettings,
    /// Lifetimes of sessions.
    pub session: SessionSettings,
    /// Names and attributes of cookies.
    pub cookies: CookieSettings,
    /// Hashes of passwords.
    pub password: PasswordSettings,
    /// Rate limits.
    pub rate_limit: RateLimitSettings,
    /// Attempts at each account's password, whatever addresses they come from.
    pub sign_in_throttle: RateLimitSettings,
    /// Pause between two rounds of removing what is over, in seconds.
    pub purge_interval: u64,
    /// How a client's address is found.
    pub client_ip: ClientIpSettings,
    /// The server.
    pub http: HttpSettings,
    /// Users.
    pub user: UserSettings,
    /// Accounts.
    pub account: AccountSettings,
    /// Additional fields.
    pub fields: FieldRegistry,
    /// What looks like a mistake but stops nothing; for the log at start.
    pub warnings: Vec<String>,
    resolved: Vec<Resolved>,
}

/// With any of these the program is meant for more than a first try.
const DEPLOYED: &[&str] =
    &["BETTER_AUTH_URL", "BETTER_AUTH_SECRET", "BETTER_AUTH_SECRETS", "AUTH_SECRET", "DATABASE_URL"];

impl Config {
    /// The settings of the variables. In dev mode, and only if nothing is wrong, the machine is
    /// asked for the secret it keeps.
    ///
    /// # Errors
    /// Every problem there is, each with the name of its setting.
    pub fn from_env(
        vars: impl IntoIterator<Item = (String, String)>,
        machine: &dyn Machine,
    ) -> Result<Self, ConfigErrors> {
        let mut reader = Reader::new(vars, machine);
        match Self::read(&mut reader) {
            Some(mut config) if reader.problems.is_empty() => {
                config.warnings = reader.warnings;
                config.resolved = summary::in_order(reader.resolved);
                Ok(config)
            }
            _ => Err(ConfigErrors { problems: reader.problems, warnings: reader.warnings }),
        }
    }

    /// Every setting with its value and where it came from, in the order of the table.
    #[must_use]
    pub fn resolved(&self) -> &[Resolved] {
        &self.resolved
    }

    /// [`Self::resolved`] as text, a line each.
    #[must_use]
    pub fn summary(&self) -> String {
        summary::text(&self.resolved)
    }

    /// The public address of the endpoints: origin and base path, without a trailing slash.
    #[must_use]
    pub fn auth_url(&self) -> String {
        format!("{}{}", self.base_url, self.base_path)
    }

    /// The database's address as it may be shown.
    #[must_use]
    pub fn database_shown(&self) -> &str {
        self.resolved.iter().find(|resolved| resolved.name == "DATABASE_URL").map_or("", |resolved| &resolved.value)
    }

    /// Absent only with a problem.
    fn read(r: &mut Reader<'_>) -> Option<Self> {
        let dev = r.optional_flag("AUTH_DEV").unwrap_or_else(|| {
            let dev = !DEPLOYED.iter().any(|name| r.present(name));
            r.told("AUTH_DEV", dev);
            dev
        });
        let port = r.number("PORT");
        let data_dir = PathBuf::from(r.text("AUTH_DATA_DIR").unwrap_or_default());
        let public = public_url::read(r, dev, port);
        let listen = http::read_listen(r, dev, port);
        let database = database::read(r, dev, &data_dir);
        let own_origin = public.as_ref().map(|public| public.origin.as_str());
        let trusted_origins = origins::read(r, dev, own_origin);
        let email_password = password::read_email_password(r);
        let email_verification = password::read_email_verification(r, email_password.require_verification);
        let session = session::read(r);
        let cookies = cookie::read(r, public.as_ref());
        let password = password::read_hashing(r);
        let (rate_limit, client_ip) = limits::read(r, dev);
        let sign_in_throttle = limits::read_sign_in(r);
        let purge_interval = r.number("AUTH_PURGE_INTERVAL").into();
        let http = http::read(r, public.as_ref());
        let user = UserSettings {
            delete_user_enabled: r.flag("AUTH_USER_DELETE_USER_ENABLED"),
            delete_user_verification: r.flag("AUTH_USER_DELETE_USER_VERIFICATION"),
            delete_token_expires_in: r.number("AUTH_USER_DELETE_USER_TOKEN_EXPIRES_IN").into(),
            change_email: ChangeEmailSettings {
                enabled: r.flag("AUTH_USER_CHANGE_EMAIL_ENABLED"),
                confirmation: r.flag("AUTH_USER_CHANGE_EMAIL_CONFIRMATION"),
                update_without_verification: r.flag("AUTH_USER_CHANGE_EMAIL_UPDATE_WITHOUT_VERIFICATION"),
            },
        };
        let mail = mail::read(r, dev, own_origin);
        let mail_is_off = mail.as_ref().is_some_and(|mail| matches!(mail.transport, MailTransport::Off));
        if mail_is_off && user.delete_user_verification {
            r.warn("AUTH_USER_DELETE_USER_VERIFICATION is true but AUTH_MAIL is off: users are deleted without a link");
        }
        if mail_is_off && email_password.require_verification {
            r.warn(
                "AUTH_EMAIL_PASSWORD_REQUIRE_VERIFICATION is true but AUTH_MAIL is off: new users can never sign in",
            );
        }
        let plugins = plugins::read(r, mail.as_ref(), own_origin);
        let migrate_on_start = r.flag("AUTH_MIGRATE_ON_START");
        let account = AccountSettings { allow_unlinking_all: r.flag("AUTH_ACCOUNT_LINKING_ALLOW_UNLINKING_ALL") };
        let fields = fields::read(r);
        unknown::check(r);
        let secrets = secrets::read(r, dev, &data_dir)?;
        jwt::check_secret(r, plugins.jwt.as_ref(), &secrets);
        let public = public?;
        Some(Self {
            dev,
            base_url: public.origin,
            base_path: public.base_path,
            listen,
            data_dir,
            database: database?,
            migrate_on_start,
            mail: mail?,
            plugins,
            secrets,
            trusted_origins,
            email_password,
            email_verification,
            session,
            cookies,
            password,
            rate_limit,
            sign_in_throttle,
            purge_interval,
            client_ip,
            http,
            user,
            account,
            fields,
            warnings: Vec::new(),
            resolved: Vec::new(),
        })
    }
}
