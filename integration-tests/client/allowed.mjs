// Differences from the npm package that are meant. Each entry names where it shows and why it is right:
//   { scenario, step, key, only, database, adopted, reason }
// `scenario` is `file: title`, `step` its label, `key` the entry (`status`, `body`, `set-cookie`, `header NAME`, …); each
// a text, a regular expression, or left out for "any". `database` (sqlite, postgres) limits an entry to one of them, and
// `adopted` (uuid, integer, text) to a table of users with such ids that was adopted (--adopt).
// With `only`, everything of the entry but what that matches is the same on both sides.
// An entry with `ids` allows ids of users of that form in place of the package's, wherever an id stands; they are
// compared as ids all the same.
// A run of the whole suite fails when an entry matches nothing any more.

/** Cookies that hold an id of another length are as much longer or shorter: the last chunk is. */
const chunks = {
  scenario: /^cookie-cache: \w+: a cookie too long for one line comes in chunks$/,
  key: 'set-cookie',
  only: /<chunk of \d+ bytes>(?![\s\S]*<chunk)/,
  reason: 'An id of an adopted table of users is longer or shorter than the 32 characters of the package.',
};

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
  {
    adopted: 'uuid',
    database: 'postgres',
    ids: /[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/,
    reason: 'Users of an adopted table keep their ids, and new ones get the same kind: the column holds nothing else.',
  },
  { ...chunks, adopted: 'uuid', database: 'postgres' },
  {
    adopted: 'integer',
    ids: /[1-9]\d{0,8}/,
    reason: 'Users of an adopted table keep their ids, and new ones get the same kind: the column holds nothing else.',
  },
  { ...chunks, adopted: 'integer' },
  {
    adopted: 'text',
    ids: /user-[0-9a-f]{32}/,
    reason: 'Users of an adopted table keep their ids; new ones get such as the package makes.',
  },
  ...['uuid', 'integer', 'text'].map((adopted) => ({
    adopted,
    database: 'postgres',
    scenario: 'protocol: large input',
    step: /^(sign up ada|long query)$/,
    reason: "A name of 100 000 characters does not fit the other program's varchar(200): it is refused.",
  })),
  ...['uuid', 'integer', 'text'].map((adopted) => ({
    adopted,
    scenario: 'sign-in: equivalent spellings of a password',
    step: 'composed',
    reason: 'The program beside us hashes what was typed, so that is what is hashed on its table: another spelling is another password.',
  })),
];
