// Differences from the npm package that are meant. Each entry names where it shows and why it is right:
//   { scenario, step, key, database, reason }
// `scenario` is `file: title`, `step` its label, `key` the entry (`status`, `body`, `set-cookie`, `header NAME`, …); each
// a text, a regular expression, or left out for "any". `database` (sqlite, postgres) limits an entry to one of them.
// A run of the whole suite fails when an entry matches nothing any more.
export const allowed = [
  {
    scenario: 'protocol: error',
    step: 'error ?error=<raw>',
    reason: 'A request target may not contain < or > unescaped (RFC 3986): our HTTP library answers 400. Browsers escape them.',
  },
  {
    scenario: 'user: fields: required, default, not for input, hidden',
    step: 'sign up null-department',
    reason: 'null is no value for a required field. Better Auth lets it through to the database, whose NOT NULL then decides.',
  },
  {
    scenario: 'mail: reset: a second link',
    step: 'the first afterwards',
    reason: 'A password that was set ends every older link to set one.',
  },
  {
    scenario: /^mail: (change of address|proof and change)/,
    step: /^to the (old|new|newest) address$/,
    key: 'token',
    reason: 'The token of a change says whether the old address was proven when it was asked for: one claim more, emailVerified.',
  },
  {
    scenario: /^tokens:/,
    key: 'header etag',
    reason: 'The key set has a tag, so that whoever has it already is not sent it again.',
  },
];
