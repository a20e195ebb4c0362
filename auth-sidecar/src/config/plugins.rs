//! Which plugins are there, and their settings.

use super::env::Reader;
use super::jwt::{self, JwtSettings};
use super::mail::{MailSettings, MailTransport};
use crate::rate_limit::{PathMatch, PluginRule, Rule};

const NAME: &str = "AUTH_PLUGINS";

/// The plugins; one that is not enabled is `None`, and its endpoints do not exist.
#[derive(Clone, Debug, Default)]
pub struct PluginSettings {
    /// Tokens for other services.
    pub jwt: Option<JwtSettings>,
    /// Sessions in the `Authorization` header.
    pub bearer: BearerSettings,
    /// Sign-in by a mailed link.
    pub magic_link: Option<MagicLinkSettings>,
    /// Sign-in, proof of an address and password reset by a mailed code.
    pub email_otp: Option<EmailOtpSettings>,
    /// A session handed from one site to another.
    pub one_time_token: Option<OneTimeTokenSettings>,
}

/// Settings of the plugin bearer. The REST endpoints take such tokens with and without it.
#[derive(Clone, Debug, Default)]
pub struct BearerSettings {
    /// The protocol's endpoints take them too.
    pub enabled: bool,
    /// A token without its signature is ignored.
    pub require_signature: bool,
}

/// Settings of the plugin one-time-token.
#[derive(Clone, Debug)]
pub struct OneTimeTokenSettings {
    /// Life of a token, in seconds.
    pub expires_in: i64,
    /// The database holds hashes of the tokens.
    pub hashed: bool,
    /// Spending a token gives the session, but no cookie.
    pub disable_set_session_cookie: bool,
    /// Every new session comes with a token in the header `set-ott`.
    pub set_header: bool,
}

/// Settings of the plugin magic-link.
#[derive(Clone, Debug)]
pub struct MagicLinkSettings {
    /// Life of a link, in seconds.
    pub expires_in: i64,
    /// A link signs in known addresses alone.
    pub disable_sign_up: bool,
}

/// Settings of the plugin email-otp.
#[derive(Clone, Debug)]
pub struct EmailOtpSettings {
    /// Digits of a code.
    pub length: usize,
    /// Life of a code, in seconds.
    pub expires_in: i64,
    /// Wrong guesses a code survives.
    pub allowed_attempts: u32,
    /// A code signs in known addresses alone.
    pub disable_sign_up: bool,
    /// Sign-up mails a code that proves the address.
    pub send_on_sign_up: bool,
    /// Users may change their address by a code.
    pub change_email: bool,
    /// The old address has to prove itself by a code, too.
    pub verify_current_email: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Plugin {
    Jwt,
    Bearer,
    MagicLink,
    EmailOtp,
    OneTimeToken,
}

impl Plugin {
    /// By name, and the name of upstream's function where it differs.
    const NAMES: &[(&str, Self)] = &[
        ("jwt", Self::Jwt),
        ("bearer", Self::Bearer),
        ("magic-link", Self::MagicLink),
        ("magicLink", Self::MagicLink),
        ("email-otp", Self::EmailOtp),
        ("emailOTP", Self::EmailOtp),
        ("one-time-token", Self::OneTimeToken),
        ("oneTimeToken", Self::OneTimeToken),
    ];

    fn sends_mail(self) -> bool {
        matches!(self, Self::MagicLink | Self::EmailOtp)
    }
}

impl PluginSettings {
    /// The rate limits of the enabled plugins, in upstream's order.
    pub fn rate_limits(&self) -> Vec<PluginRule> {
        let limit = |path, max| PluginRule { path, rule: Rule { window: 60, max } };
        let magic_link = ["/sign-in/magic-link", "/magic-link/verify"].map(PathMatch::Prefix);
        let email_otp = [
            "/email-otp/send-verification-otp",
            "/email-otp/check-verification-otp",
            "/email-otp/verify-email",
            "/sign-in/email-otp",
            "/email-otp/request-password-reset",
            "/email-otp/reset-password",
            "/forget-password/email-otp",
            "/email-otp/request-email-change",
            "/email-otp/change-email",
        ]
        .map(PathMatch::Exact);
        let magic_link = self.magic_link.iter().flat_map(|_| magic_link.map(|path| limit(path, 5)));
        let email_otp = self.email_otp.iter().flat_map(|_| email_otp.map(|path| limit(path, 3)));
        magic_link.chain(email_otp).collect()
    }
}

pub(super) fn read(r: &mut Reader<'_>, mail: Option<&MailSettings>, own_origin: Option<&str>) -> PluginSettings {
    let named = r.list(NAME, parse);
    let wanted: Vec<Plugin> = named.iter().copied().flatten().collect();
    if named.contains(&None) && !wanted.is_empty() {
        r.problem(NAME, "has none beside plugins");
    }
    let jwt = jwt::read(r, own_origin);
    let bearer = BearerSettings {
        enabled: wanted.contains(&Plugin::Bearer),
        require_signature: r.flag("AUTH_BEARER_REQUIRE_SIGNATURE"),
    };
    let one_time_token = OneTimeTokenSettings {
        expires_in: r.number("AUTH_ONE_TIME_TOKEN_EXPIRES_IN").into(),
        hashed: r.choice("AUTH_ONE_TIME_TOKEN_STORE_TOKEN") == "hashed",
        disable_set_session_cookie: r.flag("AUTH_ONE_TIME_TOKEN_DISABLE_SET_SESSION_COOKIE"),
        set_header: r.flag("AUTH_ONE_TIME_TOKEN_SET_OTT_HEADER_ON_NEW_SESSION"),
    };
    let magic_link = MagicLinkSettings {
        expires_in: r.number("AUTH_MAGIC_LINK_EXPIRES_IN").into(),
        disable_sign_up: r.flag("AUTH_MAGIC_LINK_DISABLE_SIGN_UP"),
    };
    let email_otp = EmailOtpSettings {
        length: r.size("AUTH_EMAIL_OTP_LENGTH"),
        expires_in: r.number("AUTH_EMAIL_OTP_EXPIRES_IN").into(),
        allowed_attempts: r.number("AUTH_EMAIL_OTP_ALLOWED_ATTEMPTS"),
        disable_sign_up: r.flag("AUTH_EMAIL_OTP_DISABLE_SIGN_UP"),
        send_on_sign_up: r.flag("AUTH_EMAIL_OTP_SEND_ON_SIGN_UP"),
        change_email: r.flag("AUTH_EMAIL_OTP_CHANGE_EMAIL_ENABLED"),
        verify_current_email: r.flag("AUTH_EMAIL_OTP_CHANGE_EMAIL_VERIFY_CURRENT_EMAIL"),
    };
    if wanted.iter().any(|plugin| plugin.sends_mail())
        && mail.is_some_and(|mail| matches!(mail.transport, MailTransport::Off))
    {
        r.problem(NAME, "has plugins that send mail, but AUTH_MAIL is off");
    }
    if !wanted.contains(&Plugin::Jwt) && jwt.as_ref().is_some_and(|jwt| jwt.verify_header) {
        r.warn("AUTH_VERIFY_JWT does nothing without the plugin jwt");
    }
    let settings = PluginSettings {
        jwt: jwt.filter(|_| wanted.contains(&Plugin::Jwt)),
        bearer,
        magic_link: wanted.contains(&Plugin::MagicLink).then_some(magic_link),
        email_otp: wanted.contains(&Plugin::EmailOtp).then_some(email_otp),
        one_time_token: wanted.contains(&Plugin::OneTimeToken).then_some(one_time_token),
    };
    warn(r, &settings);
    settings
}

fn warn(r: &mut Reader<'_>, settings: &PluginSettings) {
    if settings.magic_link.as_ref().is_some_and(|settings| settings.expires_in > 3_600) {
        r.warn("AUTH_MAGIC_LINK_EXPIRES_IN is above an hour: a forgotten mail signs in");
    }
    let Some(otp) = &settings.email_otp else { return };
    if otp.length < 6 {
        r.warn("AUTH_EMAIL_OTP_LENGTH is below 6: short codes are guessed");
    }
    if otp.expires_in > 600 {
        r.warn("AUTH_EMAIL_OTP_EXPIRES_IN is above 10 minutes: there is more time to guess a code");
    }
    if otp.verify_current_email && !otp.change_email {
        r.warn(
            "AUTH_EMAIL_OTP_CHANGE_EMAIL_VERIFY_CURRENT_EMAIL does nothing without AUTH_EMAIL_OTP_CHANGE_EMAIL_ENABLED",
        );
    }
}

/// A plugin's name; the word `none` is no plugin.
fn parse(text: &str) -> Result<Option<Plugin>, String> {
    if text == "none" {
        return Ok(None);
    }
    let found = Plugin::NAMES.iter().find(|(name, _)| *name == text).map(|(_, plugin)| Some(*plugin));
    found.ok_or_else(|| "is no plugin; there are jwt, bearer, magic-link, email-otp and one-time-token".to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::{Config, ConfigErrors, OnlyLooking};
    use super::*;

    fn load(vars: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
        let deployment = [
            ("BETTER_AUTH_URL", "https://auth.example.com"),
            ("BETTER_AUTH_SECRET", "q0Zr8Yf1Kx9cJm2TnVb7WdLpEs4HgUaR"),
            ("DATABASE_URL", "postgres://auth@db/auth"),
            ("AUTH_MAIL", "webhook+https://api.example.com/mail"),
            ("AUTH_MAIL_WEBHOOK_SECRET", "q0Zr8Yf1Kx9cJm2TnVb7WdLpEs4HgUaR"),
        ];
        let all: std::collections::BTreeMap<&str, &str> = deployment.into_iter().chain(vars.iter().copied()).collect();
        Config::from_env(all.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())), &OnlyLooking)
    }

    fn problems(vars: &[(&str, &str)]) -> Vec<String> {
        let errors = load(vars).map(|_| ()).unwrap_err();
        errors.problems.iter().map(|problem| format!("{}: {}", problem.name, problem.what)).collect()
    }

    #[test]
    fn plugins_are_named_as_upstream_names_them_and_have_its_defaults() {
        assert!(load(&[]).unwrap().plugins.rate_limits().is_empty());
        for names in ["magic-link,email-otp", " emailOTP , magicLink,", "email-otp,magic-link,email-otp"] {
            let config = load(&[(NAME, names)]).unwrap();
            let (link, otp) = (config.plugins.magic_link.unwrap(), config.plugins.email_otp.unwrap());
            assert_eq!((link.expires_in, link.disable_sign_up), (300, false));
            assert_eq!((otp.length, otp.expires_in, otp.allowed_attempts), (6, 300, 3));
            assert!(!otp.disable_sign_up && !otp.send_on_sign_up && !otp.change_email && !otp.verify_current_email);
            assert_eq!(config.warnings, [""; 0]);
        }
        assert!(load(&[(NAME, "email-otp")]).unwrap().plugins.magic_link.is_none());
    }

    #[test]
    fn unknown_plugins_and_plugins_without_mail_are_refused() {
        let unknown = "AUTH_PLUGINS: \"passkey\" is no plugin; there are jwt, bearer, magic-link, email-otp and \
                       one-time-token";
        assert_eq!(problems(&[(NAME, "magic-link,passkey")]), [unknown]);
        let off = "AUTH_PLUGINS: has plugins that send mail, but AUTH_MAIL is off";
        assert_eq!(problems(&[(NAME, "email-otp"), ("AUTH_MAIL", "off")]), [off]);
        assert!(load(&[("AUTH_MAIL", "off")]).is_ok());
    }

    #[test]
    fn tokens_and_bearer_are_there_unless_something_else_is_said() {
        let has = |vars: &[(&str, &str)]| {
            let plugins = load(vars).unwrap().plugins;
            (plugins.jwt.is_some(), plugins.bearer.enabled, plugins.one_time_token.is_some())
        };
        assert_eq!(has(&[]), (true, true, false));
        assert_eq!(has(&[(NAME, "none")]), (false, false, false));
        assert_eq!(has(&[(NAME, "oneTimeToken, bearer")]), (false, true, true));
        assert_eq!(problems(&[(NAME, "none,jwt")]), ["AUTH_PLUGINS: has none beside plugins"]);
    }

    #[test]
    fn short_codes_and_long_lives_are_warned_of() {
        let warnings = |name, value| load(&[(NAME, "magic-link,email-otp"), (name, value)]).unwrap().warnings;
        for (name, value) in [
            ("AUTH_EMAIL_OTP_LENGTH", "4"),
            ("AUTH_EMAIL_OTP_EXPIRES_IN", "1h"),
            ("AUTH_MAGIC_LINK_EXPIRES_IN", "1d"),
            ("AUTH_EMAIL_OTP_CHANGE_EMAIL_VERIFY_CURRENT_EMAIL", "true"),
        ] {
            let warnings = warnings(name, value);
            assert!(warnings.len() == 1 && warnings[0].starts_with(name), "{warnings:?}");
        }
    }
}
