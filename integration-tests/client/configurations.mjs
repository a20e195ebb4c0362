// The server configurations the scenarios name: Better Auth's own options as data (durations in seconds), plus
// `publicURL` where the server is reached under another name than it listens on (behind a TLS terminator).

export const APP = 'http://app.example.test';

const fields = {
  software_background: { type: 'string', required: false, input: true },
  hardware_background: { type: 'string', required: false, input: true },
};

const base = {
  basePath: '/api/auth',
  secret: 'client-suite-secret-0123456789-abcdefghijklmnop',
  trustedOrigins: [APP, 'https://*.trusted.example.test', 'myapp://'],
  emailAndPassword: { enabled: true },
  user: { additionalFields: fields, deleteUser: { enabled: true } },
  rateLimit: { enabled: false },
};

const isObject = (value) => value && typeof value === 'object' && !Array.isArray(value);
const merge = (a, b) => {
  const out = { ...a };
  for (const [key, value] of Object.entries(b)) out[key] = isObject(value) && isObject(a[key]) ? merge(a[key], value) : value;
  return out;
};

const https = 'https://auth.example.test';
const cache = (strategy, more = {}) => ({ session: { cookieCache: { enabled: true, maxAge: 300, strategy, ...more } } });

// `true` for a way to send mail stands for a function that posts to the suite's mailbox.
const mail = {
  emailAndPassword: { sendResetPassword: true },
  emailVerification: { sendVerificationEmail: true },
  user: { changeEmail: { enabled: true } },
};

const all = {
  default: {},
  scrypt: { passwordHash: 'scrypt' },
  closed: { emailAndPassword: { disableSignUp: true } },
  off: { emailAndPassword: { enabled: false } },
  lengths: { emailAndPassword: { autoSignIn: false, minPasswordLength: 12, maxPasswordLength: 20 }, user: { deleteUser: { enabled: false } } },
  compact: cache('compact'),
  jwt: cache('jwt'),
  jwe: cache('jwe'),
  'cache-refresh': merge(cache('compact'), { session: { updateAge: 0 } }),
  'cache-short': cache('compact', { maxAge: 1 }),
  refresh: { session: { expiresIn: 86_400, updateAge: 0, freshAge: 0 } },
  'refresh-disabled': { session: { updateAge: 0, disableSessionRefresh: true } },
  deferred: { session: { updateAge: 0, deferSessionRefresh: true } },
  'deferred-cache': merge(cache('compact'), { session: { updateAge: 0, deferSessionRefresh: true } }),
  short: { session: { expiresIn: 3, updateAge: 86_400, freshAge: 1 } },
  secure: merge(cache('compact', { maxAge: 60 }), { publicURL: https, advanced: { cookiePrefix: 'acme' } }),
  'cross-site': { publicURL: https, advanced: { defaultCookieAttributes: { sameSite: 'none', secure: true, partitioned: true } } },
  subdomain: { publicURL: https, advanced: { crossSubDomainCookies: { enabled: true, domain: '.example.test' } } },
  'other-path': { basePath: '/auth/v1' },
  fields: {
    user: {
      additionalFields: {
        plan: { type: 'string', required: false, input: false, defaultValue: 'free' },
        badge: { type: 'string', required: false, input: false },
        department: { type: 'string', required: true, input: true },
        region: { type: 'string', required: true, input: true, defaultValue: 'north' },
        nickname: { type: 'string', required: false, input: true, returned: false },
      },
    },
    session: { additionalFields: { theme: { type: 'string', required: false, input: true } } },
    account: { accountLinking: { allowUnlinkingAll: true } },
    disabledPaths: ['/verify-password'],
  },
  'fields-cache': merge(cache('compact'), {
    user: { additionalFields: { nickname: { type: 'string', required: false, input: true, returned: false } } },
    session: { additionalFields: { theme: { type: 'string', required: false, input: true } } },
  }),
  mail: merge(mail, {
    emailAndPassword: { resetPasswordTokenExpiresIn: 600, revokeSessionsOnPasswordReset: true },
    user: { changeEmail: { sendChangeEmailConfirmation: true } },
  }),
  'mail-cache': merge(mail, merge(cache('compact'), { emailVerification: { autoSignInAfterVerification: true } })),
  'mail-at-once': merge(mail, { emailVerification: { sendOnSignUp: true }, user: { changeEmail: { updateEmailWithoutVerification: true } } }),
  'mail-short': merge(mail, {
    emailAndPassword: { resetPasswordTokenExpiresIn: 1 },
    emailVerification: { expiresIn: 1 },
    user: { deleteUser: { sendDeleteAccountVerification: true, deleteTokenExpiresIn: 1 } },
  }),
  verify: merge(mail, {
    emailAndPassword: { requireEmailVerification: true },
    emailVerification: { sendOnSignIn: true, autoSignInAfterVerification: true, expiresIn: 1200 },
  }),
  'verify-silent': merge(mail, { emailAndPassword: { requireEmailVerification: true }, emailVerification: { sendOnSignUp: false } }),
  'delete-mail': merge(mail, { user: { deleteUser: { sendDeleteAccountVerification: true, deleteTokenExpiresIn: 7200 } }, session: { freshAge: 1 } }),
  tokens: { plugins: { jwt: {}, bearer: {}, oneTimeToken: {} } },
  'tokens-refresh': { session: { updateAge: 0 }, plugins: { jwt: {}, bearer: {} } },
  'tokens-handed': { plugins: { bearer: {}, oneTimeToken: { setOttHeaderOnNewSession: true } } },
  'tokens-cache': merge(cache('compact'), { plugins: { jwt: {}, bearer: {} } }),
  'tokens-strict': {
    plugins: {
      jwt: {
        disableSettingJwtHeader: true,
        jwks: { keyPairConfig: { alg: 'RS256' } },
        jwt: { issuer: 'https://issuer.example.test', audience: 'api', expirationTime: '1h' },
      },
      bearer: { requireSignature: true },
      oneTimeToken: { storeToken: 'hashed', disableSetSessionCookie: true },
    },
  },
  'rate-limit': {
    rateLimit: { enabled: true, window: 60, max: 5, customRules: { '/list-sessions': { window: 2, max: 1 }, '/ok': false } },
  },
};

export const configurations = Object.fromEntries(Object.entries(all).map(([name, over]) => [name, { name, ...merge(base, over) }]));
