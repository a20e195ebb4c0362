// Faults for `run.mjs --self-test`: each changes an answer of the reference in one way that the comparison must notice;
// or, with `same`, must not: ids of the form `ids`, as on an adopted table.

const body = (change) => (response) => {
  if (response.body) response.body = change(response.body);
};
const cookies = (change) => (response) => {
  const lines = response.headers.filter(([name]) => name === 'set-cookie').map(([, line]) => line);
  if (!lines.length) return;
  const others = response.headers.filter(([name]) => name !== 'set-cookie');
  response.headers.splice(0, Infinity, ...others, ...change(lines).map((line) => ['set-cookie', line]));
};
const line = (change) => cookies((lines) => lines.map(change));
const SESSIONS = 'sessions: list';
const FORGET = 'sign-in: remember me';
const CACHE = 'cookie-cache: compact: set, read, renewed';
const JWT = 'cookie-cache: jwt: set, read, renewed';
const JWE = 'cookie-cache: jwe: set, read, renewed';
const TOKEN = 'tokens: get-session gives one in a header';
const headerOf = (header, change) => (r) => r.headers.forEach((h) => h[0] === header && (h[1] = change(h[1])));
const claim = (change) => headerOf('set-auth-jwt', (jwt) => jwt.replace(/\.([\w-]+)\./, (_, payload) => `.${Buffer.from(change(Buffer.from(payload, 'base64url').toString())).toString('base64url')}.`));
const recode = (change) => line((text) => text.replace(/(session_data=)([\w-]+)/, (_, name, value) => name + Buffer.from(change(Buffer.from(value, 'base64url').toString())).toString('base64url')));

/** Numbers in place of ids, always the same for the same; `other` is put on top of those at userId. */
const numbered = (other) => {
  const numbers = new Map();
  const number = (id) => numbers.get(id) ?? numbers.set(id, numbers.size + 1).get(id);
  return body((text) => text.replace(/(?<="(id|userId)":")\w{32}(?=")/g, (id, key) => number(id) + (key === 'userId' ? other : 0)));
};

export const faults = [
  { name: 'status', spoil: (r) => void (r.status = r.status === 200 ? 201 : r.status) },
  { name: 'reason phrase', spoil: (r) => void (r.reason = 'Fine') },
  { name: 'content type with a charset', spoil: (r) => r.headers.forEach((h) => h[0] === 'content-type' && (h[1] += '; charset=utf-8')) },
  { name: 'a header too many', spoil: (r) => void r.headers.push(['x-powered-by', 'nothing']) },
  { name: 'a header missing', spoil: (r) => void (r.headers = r.headers.filter(([name]) => name !== 'pragma')) },
  { name: 'key order of the body', spoil: body((text) => text.replace(/^\{("token":"\w+"),(.*)\}$/, '{$2,$1}')) },
  { name: 'white space in the body', spoil: body((text) => text.replace(',', ', ')) },
  { name: 'a null left out', spoil: body((text) => text.replace('"image":null,', '')) },
  { name: 'a date without milliseconds', spoil: body((text) => text.replace(/\.\d{3}Z/, 'Z')) },
  { name: 'a lifetime of another day', spoil: body((text) => text.replace(/("expiresAt":")([^"]+)/, (_, k, v) => k + new Date(Date.parse(v) + 86_400_000).toISOString())) },
  { name: 'an id of another length', spoil: body((text) => text.replace(/("id":"\w{31})\w/, '$1')) },
  { name: 'an id in another alphabet', spoil: body((text) => text.replace(/("id":")\w/, '$1-')) },
  { name: 'the token is not the one of the cookie', spoil: body((text) => text.replace(/("token":")(\w+)/, (_, k, v) => k + [...v].reverse().join(''))) },
  { name: 'the userId is not the id of the user', spoil: body((text) => text.replace(/("userId":")(\w+)/, (_, k, v) => k + [...v].reverse().join(''))) },
  { name: 'no fault: ids that are numbers', ids: /\d+/, same: true, spoil: numbered(0) },
  { name: 'numbers: the userId is not the id of the user', ids: /\d+/, spoil: numbered(1) },
  { name: 'numbers: where they are not the form', ids: /user-\d+/, spoil: numbered(0) },
  { name: 'cookie without HttpOnly', spoil: line((text) => text.replace('; HttpOnly', '')) },
  { name: 'cookie attributes in another order', spoil: line((text) => text.replace(/; Path=\/; HttpOnly/, '; HttpOnly; Path=/')) },
  { name: 'cookie lives a second less', spoil: line((text) => text.replace('=604800', '=604799')) },
  { name: 'cookie twice', spoil: cookies((lines) => [...lines, lines[0]]) },
  { name: 'cookie with a wrong signature', spoil: line((text) => text.replace(/(session_token=\w+\.)/, '$1A')) },
  { name: 'cookie escaped in another way', spoil: line((text) => text.replace('%3D;', '=;')) },
  { name: 'cookies in another order', scenario: FORGET, spoil: cookies((lines) => [...lines].reverse()) },
  { name: 'dont_remember missing', scenario: FORGET, spoil: cookies((lines) => lines.filter((text) => !text.includes('dont_remember'))) },
  { name: 'an item missing in a list', scenario: SESSIONS, spoil: body((text) => text.replace(/^\[(\{[^}]*\}),.*\]$/, '[$1]')) },
  { name: 'another error message', scenario: 'sign-in: refusals are alike', spoil: body((text) => text.replace('Invalid email or password"', 'Invalid email or password."')) },
  { name: 'cache: key order', scenario: CACHE, spoil: recode((text) => text.replace(/("updatedAt":\d+),("version":"1")/, '$2,$1')) },
  { name: 'cache: broken signature', scenario: CACHE, spoil: recode((text) => text.replace('"version":"1"', '"version":"2"')) },
  { name: 'cache: lives longer', scenario: CACHE, spoil: recode((text) => text.replace(/("expiresAt":)(\d{13})/, (_, k, v) => k + (Number(v) + 600_000))) },
  { name: 'cache: jwt of another secret', scenario: JWT, spoil: line((text) => text.replace(/(session_data=[\w-]+\.[\w-]+\.)(.)/, (_, k, c) => k + (c === 'A' ? 'B' : 'A'))) },
  { name: 'cache: jwe that cannot be opened', scenario: JWE, spoil: line((text) => text.replace(/(session_data=[^;]+)([\w-]{4})(?=;)/, (_, k, end) => k + (end === 'AAAA' ? 'BBBB' : 'AAAA'))) },
  { name: 'token: lives longer', scenario: TOKEN, spoil: claim((text) => text.replace(/("exp":)(\d+)/, (_, k, v) => k + (Number(v) + 60))) },
  { name: 'token: claims in another order', scenario: TOKEN, spoil: claim((text) => text.replace(/("iss":"[^"]*"),("aud":"[^"]*")/, '$2,$1')) },
  { name: 'token: broken signature', scenario: TOKEN, spoil: headerOf('set-auth-jwt', (jwt) => jwt.replace(/.{8}$/, 'AAAAAAAA')) },
  { name: 'set-auth-token: broken signature', scenario: TOKEN, spoil: headerOf('set-auth-token', (token) => token.replace(/(.)=$/, (_, c) => (c === 'A' ? 'E=' : 'A='))) },
  { name: 'rate limit without x-retry-after', scenario: 'protocol: rate limit: three sign-ins in ten seconds', spoil: (r) => void (r.headers = r.headers.filter(([name]) => name !== 'x-retry-after')) },
];
