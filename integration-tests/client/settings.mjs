// One configuration of Better Auth, written as data, translated to the environment of auth-sidecar.
// A configuration is named like the options of `betterAuth()` (durations in seconds), with a few keys of our own:
// `name`, `publicURL` (when it is not the listen address) and `passwordHash` (`scrypt` for Better Auth's own, `argon2id`).

/** The plugins there are, those that send mail apart. */
const MAILING = ['magicLink', 'emailOTP'];
const PLUGINS = ['jwt', 'bearer', 'oneTimeToken', ...MAILING];

/** Better Auth has one callback per kind of mail; here there is one mailer for all. */
const sendsMail = (c) =>
  Boolean(c.emailAndPassword?.sendResetPassword || c.emailVerification?.sendVerificationEmail || MAILING.some((name) => c.plugins?.[name]));

/** The plugins a configuration has, in its order. */
const plugins = (c) => Object.keys(c.plugins ?? {}).filter((name) => c.plugins[name]);

/** The first plugin of a configuration that auth-sidecar does not have, or undefined. */
export const missingPlugin = (configuration) => plugins(configuration).find((name) => !PLUGINS.includes(name));

const seconds = (text) => (typeof text === 'string' ? text.replace(/\s/g, '') : undefined);

const BUILT_IN_FIELDS = ['software_background', 'hardware_background'];
const constant = (name) => name.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toUpperCase();

/** AUTH_RATE_LIMIT_RULES: `PATH=MAX/WINDOW` in seconds, or `PATH=off`. */
const rules = (custom) =>
  custom &&
  Object.entries(custom)
    .map(([path, rule]) => `${path}=${rule ? `${rule.max}/${rule.window}` : 'off'}`)
    .join(',');

function fieldSettings(prefix, fields) {
  const out = {};
  for (const [name, field] of Object.entries(fields ?? {})) {
    const of = `${prefix}_${constant(name)}`;
    Object.assign(out, {
      [`${of}_TYPE`]: field.type,
      [`${of}_REQUIRED`]: field.required,
      [`${of}_INPUT`]: field.input,
      [`${of}_RETURNED`]: field.returned,
      [`${of}_DEFAULT`]: field.defaultValue,
      // Better Auth has neither limit.
      [`${of}_MAX_LENGTH`]: 100_000,
      [`${of}_BLANK`]: 'keep',
    });
  }
  return out;
}

/**
 * The complete environment for one start.
 * `job`: { configuration, host, port, baseURL, databaseURL, mailWebhook }.
 */
export function settings({ configuration: c, host, port, baseURL, databaseURL, mailWebhook }) {
  const { emailAndPassword: password = {}, session = {}, rateLimit = {}, advanced = {}, user = {} } = c;
  const cache = session.cookieCache ?? {};
  const cookies = advanced.defaultCookieAttributes;
  // Upstream has no limit on any field, the built-in ones included.
  const userFields = { ...Object.fromEntries(BUILT_IN_FIELDS.map((name) => [name, {}])), ...user.additionalFields };
  const declared = Object.keys(userFields).filter((name) => !BUILT_IN_FIELDS.includes(name));
  const sessionFields = session.additionalFields ?? {};
  const all = {
    BETTER_AUTH_URL: baseURL,
    BETTER_AUTH_SECRET: c.secret,
    BETTER_AUTH_TRUSTED_ORIGINS: c.trustedOrigins?.join(','),
    DATABASE_URL: databaseURL,
    HOST: host,
    PORT: port,
    // Seconds: whoever started us does not wait long.
    AUTH_SHUTDOWN_TIMEOUT: 1,
    AUTH_DEV: false,
    AUTH_BASE_PATH: c.basePath,
    // Ours alone: Better Auth has no such headers and no second API.
    AUTH_CORS: false,
    AUTH_NO_STORE: false,
    AUTH_API_PREFIX: 'off',
    AUTH_EMAIL_PASSWORD_ENABLED: password.enabled ?? false,
    AUTH_EMAIL_PASSWORD_DISABLE_SIGN_UP: password.disableSignUp,
    AUTH_EMAIL_PASSWORD_AUTO_SIGN_IN: password.autoSignIn,
    AUTH_EMAIL_PASSWORD_MIN_LENGTH: password.minPasswordLength,
    AUTH_EMAIL_PASSWORD_MAX_LENGTH: password.maxPasswordLength,
    AUTH_PASSWORD_HASH: ['scrypt', 'argon2id'].find((kind) => kind === c.passwordHash),
    AUTH_SESSION_EXPIRES_IN: session.expiresIn,
    AUTH_SESSION_UPDATE_AGE: session.updateAge,
    AUTH_SESSION_FRESH_AGE: session.freshAge,
    AUTH_SESSION_DISABLE_REFRESH: session.disableSessionRefresh,
    AUTH_SESSION_DEFER_REFRESH: session.deferSessionRefresh,
    AUTH_SESSION_COOKIE_CACHE: cache.enabled ? (cache.strategy ?? 'compact') : 'off',
    AUTH_SESSION_COOKIE_CACHE_MAX_AGE: cache.maxAge,
    AUTH_SESSION_COOKIE_CACHE_VERSION: cache.version,
    AUTH_COOKIE_PREFIX: advanced.cookiePrefix,
    AUTH_COOKIE_MODE: cookies?.sameSite === 'none' ? 'cross-site' : undefined,
    AUTH_COOKIE_DOMAIN: advanced.crossSubDomainCookies?.enabled ? advanced.crossSubDomainCookies.domain : undefined,
    AUTH_COOKIE_SECURE: advanced.useSecureCookies,
    AUTH_RATE_LIMIT: rateLimit.enabled ?? false,
    AUTH_RATE_LIMIT_WINDOW: rateLimit.window,
    AUTH_RATE_LIMIT_MAX: rateLimit.max,
    AUTH_RATE_LIMIT_RULES: rules(rateLimit.customRules),
    AUTH_DISABLED_PATHS: c.disabledPaths?.join(','),
    AUTH_MAIL: mailWebhook && sendsMail(c) ? `webhook+${mailWebhook}` : 'off',
    // Ours alone: Better Auth tells nobody, and counts attempts by address only.
    AUTH_SIGN_IN_ATTEMPTS: 0,
    AUTH_MAIL_NOTICES: false,
    AUTH_EMAIL_PASSWORD_REQUIRE_VERIFICATION: password.requireEmailVerification,
    AUTH_EMAIL_PASSWORD_RESET_TOKEN_EXPIRES_IN: password.resetPasswordTokenExpiresIn,
    AUTH_EMAIL_PASSWORD_REVOKE_SESSIONS_ON_RESET: password.revokeSessionsOnPasswordReset,
    AUTH_EMAIL_VERIFICATION_SEND_ON_SIGN_UP: c.emailVerification?.sendOnSignUp,
    AUTH_EMAIL_VERIFICATION_SEND_ON_SIGN_IN: c.emailVerification?.sendOnSignIn,
    AUTH_EMAIL_VERIFICATION_AUTO_SIGN_IN: c.emailVerification?.autoSignInAfterVerification,
    AUTH_EMAIL_VERIFICATION_EXPIRES_IN: c.emailVerification?.expiresIn,
    AUTH_USER_DELETE_USER_VERIFICATION: user.deleteUser?.sendDeleteAccountVerification,
    AUTH_USER_DELETE_USER_TOKEN_EXPIRES_IN: user.deleteUser?.deleteTokenExpiresIn,
    AUTH_USER_CHANGE_EMAIL_CONFIRMATION: user.changeEmail?.sendChangeEmailConfirmation,
    AUTH_USER_CHANGE_EMAIL_ENABLED: user.changeEmail?.enabled,
    AUTH_USER_CHANGE_EMAIL_UPDATE_WITHOUT_VERIFICATION: user.changeEmail?.updateEmailWithoutVerification,
    AUTH_USER_DELETE_USER_ENABLED: user.deleteUser?.enabled,
    AUTH_ACCOUNT_LINKING_ALLOW_UNLINKING_ALL: c.account?.accountLinking?.allowUnlinkingAll,
    AUTH_PLUGINS: plugins(c).join(',') || 'none',
    AUTH_JWT_ALG: c.plugins?.jwt?.jwks?.keyPairConfig?.alg,
    AUTH_JWT_ISSUER: c.plugins?.jwt?.jwt?.issuer,
    AUTH_JWT_AUDIENCE: c.plugins?.jwt?.jwt?.audience,
    AUTH_JWT_EXPIRES_IN: seconds(c.plugins?.jwt?.jwt?.expirationTime),
    AUTH_JWT_DISABLE_SETTING_JWT_HEADER: c.plugins?.jwt?.disableSettingJwtHeader,
    AUTH_JWT_ROTATION_INTERVAL: c.plugins?.jwt?.jwks?.rotationInterval,
    AUTH_JWT_GRACE_PERIOD: c.plugins?.jwt?.jwks?.gracePeriod,
    AUTH_BEARER_REQUIRE_SIGNATURE: c.plugins?.bearer?.requireSignature,
    AUTH_ONE_TIME_TOKEN_EXPIRES_IN: c.plugins?.oneTimeToken?.expiresIn && c.plugins.oneTimeToken.expiresIn * 60,
    AUTH_ONE_TIME_TOKEN_STORE_TOKEN: c.plugins?.oneTimeToken?.storeToken,
    AUTH_ONE_TIME_TOKEN_SET_OTT_HEADER_ON_NEW_SESSION: c.plugins?.oneTimeToken?.setOttHeaderOnNewSession,
    AUTH_ONE_TIME_TOKEN_DISABLE_SET_SESSION_COOKIE: c.plugins?.oneTimeToken?.disableSetSessionCookie,
    AUTH_MAGIC_LINK_EXPIRES_IN: c.plugins?.magicLink?.expiresIn,
    AUTH_MAGIC_LINK_DISABLE_SIGN_UP: c.plugins?.magicLink?.disableSignUp,
    AUTH_EMAIL_OTP_LENGTH: c.plugins?.emailOTP?.otpLength,
    AUTH_EMAIL_OTP_EXPIRES_IN: c.plugins?.emailOTP?.expiresIn,
    AUTH_EMAIL_OTP_ALLOWED_ATTEMPTS: c.plugins?.emailOTP?.allowedAttempts,
    AUTH_EMAIL_OTP_DISABLE_SIGN_UP: c.plugins?.emailOTP?.disableSignUp,
    AUTH_EMAIL_OTP_SEND_ON_SIGN_UP: c.plugins?.emailOTP?.sendVerificationOnSignUp,
    AUTH_EMAIL_OTP_CHANGE_EMAIL_ENABLED: c.plugins?.emailOTP?.changeEmail?.enabled,
    AUTH_EMAIL_OTP_CHANGE_EMAIL_VERIFY_CURRENT_EMAIL: c.plugins?.emailOTP?.changeEmail?.verifyCurrentEmail,
    AUTH_USER_FIELDS: declared.join(',') || undefined,
    AUTH_SESSION_FIELDS: Object.keys(sessionFields).join(',') || undefined,
    ...fieldSettings('AUTH_FIELD', userFields),
    ...fieldSettings('AUTH_SESSION_FIELD', sessionFields),
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined).map(([key, value]) => [key, String(value)]));
}
