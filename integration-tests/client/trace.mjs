// Turns an exchange into comparable entries. Bytes are kept; only values that differ from run to run become
// placeholders, numbered by the step that showed them first, so that "the token in the body is the one in the cookie"
// is compared too.
import crypto from 'node:crypto';
import { getCookieCache } from 'better-auth/cookies';
import { symmetricDecodeJWT } from 'better-auth/crypto';

/** What a transport may choose freely. Everything else on the wire is compared. */
const TRANSPORT_HEADERS = new Set(['connection', 'content-length', 'date', 'keep-alive', 'transfer-encoding']);
const ISO = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g;
const RANDOM = /(?<![A-Za-z0-9_-])[A-Za-z0-9]{32}(?![A-Za-z0-9_-])/g;
const JWT = /eyJ[\w-]+\.eyJ[\w-]+\.[\w-]+/g;
const ONE_TIME = /(?<=\{"token":")[\w-]{32}(?="\})/g;
const KEY = /(?<="[xyn]":")[\w-]{40,}(?=")/g;
/** Where an id of a user may stand: a small number elsewhere is a number. */
const ID_MEMBERS = 'id|userId|accountId|sub';
const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/g;

/** Distance from now, coarse enough not to depend on how busy the machine is. */
function distance(ms) {
  const delta = ms - Date.now();
  if (Math.abs(delta) < 15_000) return 'now';
  const minutes = Math.round(Math.abs(delta) / 60_000);
  const parts = [[Math.floor(minutes / 1440), 'd'], [Math.floor((minutes % 1440) / 60), 'h'], [minutes % 60, 'm']];
  return (delta < 0 ? '-' : '+') + parts.flatMap(([n, unit]) => (n ? [`${n}${unit}`] : [])).join('');
}

export class Trace {
  /**
   * `hosts`: the texts that stand for this server, `host:port` and public host.
   * `ids`: on an adopted table, the form of the ids that are not like the package's, and `seen`, called for each.
   */
  constructor({ configuration, hosts, ids }) {
    this.configuration = configuration;
    this.hosts = hosts;
    this.ids = ids && { ...ids, pattern: new RegExp(`(?<="(?:${ID_MEMBERS})":")(?:${ids.form.source})(?=")`, 'g') };
    this.seen = new Map();
    this.mailed = new Map();
    this.steps = [];
  }

  /** Opens a step; entries are `[key, value]` pairs. */
  step(label) {
    this.steps.push({ label, entries: [] });
    this.inStep = 0;
  }

  entry(key, value) {
    this.steps.at(-1).entries.push([key, value]);
  }

  random(raw) {
    if (!this.seen.has(raw)) this.seen.set(raw, `<random ${++this.inStep} of "${this.steps.at(-1).label}">`);
    return this.seen.get(raw);
  }

  text(text) {
    let out = text.replace(JWT, (token) => this.jwt(token));
    for (const [token, name] of this.mailed) out = out.replaceAll(token, name);
    for (const host of this.hosts) out = out.replaceAll(host, '<host>');
    if (this.ids) out = out.replace(this.ids.pattern, (raw) => this.likeThePackages(raw));
    return out
      .replace(ISO, (date) => `<date ${distance(Date.parse(date))}>`)
      .replace(UUID, '<uuid>')
      .replace(KEY, (part) => `<${part.length} of a key>`)
      .replace(ONE_TIME, (raw) => this.random(raw))
      .replace(RANDOM, (raw) => this.random(raw));
  }

  /** A stand-in for an id of another form: always the same for the same id, and taken for what it is from here on. */
  likeThePackages(raw) {
    this.ids.seen();
    return crypto.createHash('sha256').update(raw).digest('hex').slice(0, 32);
  }

  /** A token for other services: what it says, in its order. Whether its signature is right is the scenario's business. */
  jwt(token) {
    const [header, payload] = token.split('.').map((part) => Buffer.from(part, 'base64url').toString());
    if (header.includes('HS256')) return token;
    const times = payload.replace(/(?<="(?:iat|exp)":)\d{10}/g, (s) => `<s ${distance(Number(s) * 1000)}>`);
    return `<jwt ${header} ${times}>`;
  }

  /** A mail: its members in their order. Its token is known by name from here on. */
  mail(mail) {
    const [header, payload, signature] = mail.token.split('.');
    const name = `<token ${this.mailed.size + 1}, of "${this.steps.at(-1).label}">`;
    if (signature) {
      const part = (text) => Buffer.from(text, 'base64url').toString();
      const expected = crypto.createHmac('sha256', this.configuration.secret).update(`${header}.${payload}`).digest('base64url');
      const claims = this.text(part(payload)).replace(/(?<=:)\d{10}(?=[,}])/g, (s) => `<s ${distance(Number(s) * 1000)}>`);
      this.entry('token', `${signature === expected ? 'signed' : 'BADLY SIGNED'} ${part(header)} ${claims}`);
    } else {
      this.entry('token', mail.token.replace(/[a-z]/g, 'a').replace(/[A-Z]/g, 'a').replace(/\d/g, 'a'));
    }
    this.mailed.set(mail.token, name);
    this.entry('mail', this.text(JSON.stringify(mail)));
  }

  /** What a client call gave the application: dates are objects there, and stay distinguishable. */
  value(value) {
    const walk = (v) => {
      if (v instanceof Date) return `Date ${v.toISOString()}`;
      if (Array.isArray(v)) return v.map(walk);
      if (v && typeof v === 'object') return Object.fromEntries(Object.entries(v).map(([k, x]) => [k, walk(x)]));
      return v === undefined ? '<undefined>' : v;
    };
    return this.text(JSON.stringify(walk(value)));
  }

  async exchange(method, path, response) {
    this.entry('request', this.text(`${method} ${path}`));
    this.entry('status', `${response.status} ${response.reason}`);
    const cookies = [];
    const others = new Map();
    for (const [name, value] of response.headers) {
      if (name === 'set-cookie') cookies.push(await this.cookie(value));
      else if (!TRANSPORT_HEADERS.has(name)) others.set(name, [...(others.get(name) ?? []), this.header(name, value)]);
    }
    // One entry for all: order and repetition count.
    if (cookies.length) this.entry('set-cookie', cookies.join('\n'));
    for (const name of [...others.keys()].sort()) this.entry(`header ${name}`, others.get(name).join('\n'));
    this.entry('body', this.text(response.body));
  }

  header(name, value) {
    if (name === 'set-ott') return `<${value.length} of a token>`;
    if (name === 'set-auth-token') return this.signed(value);
    // Seconds still to wait depend on how busy the machine is: rounded up to fives.
    if (name === 'x-retry-after' && /^\d+$/.test(value)) return `<at most ${Math.ceil(Number(value) / 5) * 5} s>`;
    return this.text(value);
  }

  async cookie(line) {
    const end = line.indexOf(';');
    const pair = end < 0 ? line : line.slice(0, end);
    const name = pair.slice(0, pair.indexOf('='));
    const raw = pair.slice(name.length + 1);
    return `${name}=${await this.cookieValue(name, raw)}${end < 0 ? '' : line.slice(end)}`;
  }

  async cookieValue(name, raw) {
    if (raw === '') return '';
    if (/session_data\.\d+$/.test(name)) return `<chunk of ${raw.length} bytes>`;
    let value;
    try {
      value = decodeURIComponent(raw);
    } catch {
      return `<undecodable ${raw}>`;
    }
    const form = encodeURIComponent(value) === raw ? '' : ' escaped in another way';
    if (name.endsWith('session_data')) return `<${await this.cache(name, value)}${form}>`;
    return `<${this.signed(value)}${form}>`;
  }

  signed(value) {
    const dot = value.lastIndexOf('.');
    const payload = value.slice(0, dot);
    const expected = crypto.createHmac('sha256', this.configuration.secret).update(payload).digest('base64');
    return `${value.slice(dot + 1) === expected ? 'signed' : 'BADLY SIGNED'} ${this.text(payload)}`;
  }

  /** A cookie cache: its content in the order written, its times, and whether the package's own helper accepts it. */
  async cache(name, value) {
    const { secret } = this.configuration;
    const strategy = this.configuration.session?.cookieCache?.strategy ?? 'compact';
    const [, secure, prefix] = /^(__Secure-)?(.*)\.session_data$/.exec(name) ?? [];
    const opened = await getCookieCache(new Headers({ cookie: `${name}=${value}` }), {
      secret, strategy, cookiePrefix: prefix, isSecure: Boolean(secure),
    }).catch((error) => ({ error: error.message }));
    const verdict = opened?.session ? 'opened by the helper' : `REFUSED by the helper ${JSON.stringify(opened)}`;
    const times = (text) =>
      this.text(text)
        .replace(/(?<=:)\d{13}(?=[,}])/g, (ms) => `<ms ${distance(Number(ms))}>`)
        .replace(/(?<=:)\d{10}(?=[,}])/g, (s) => `<s ${distance(Number(s) * 1000)}>`);
    const part = (text) => Buffer.from(text ?? '', 'base64url').toString();
    const [header, payload] = value.split('.');
    if (strategy === 'jwt') return `jwt ${part(header)} ${times(part(payload))} ${verdict}`;
    if (strategy === 'jwe') {
      const claims = await symmetricDecodeJWT(value, secret, 'better-auth-session').catch(() => null);
      return `jwe ${part(header)} ${times(JSON.stringify(claims))} ${verdict}`;
    }
    return `compact ${times(part(value)).replace(/"signature":"[\w-]{43}"/, '"signature":"<hmac>"')} ${verdict}`;
  }
}

/** Label of the step that ends a play which could not go on. */
export const STOPPED = 'stopped early';

/** The differences of two traces: `[{ step, key, reference, ours }]`; a value is undefined where the entry is absent. */
export function compare(reference, ours) {
  const out = [];
  // Where one side stopped early, what it did not get to is no news.
  const stopped = ours.findIndex((step) => step.label === STOPPED);
  for (let i = 0; i < Math.max(reference.length, ours.length); i++) {
    if (i === stopped) {
      out.push({ step: STOPPED, key: 'error', reference: `goes on with "${reference[i]?.label ?? 'the end'}"`, ours: ours[i].entries[0][1] });
      break;
    }
    const sides = [reference[i], ours[i]];
    const label = sides[0]?.label ?? sides[1]?.label;
    // A key can repeat within a step (a client call that makes two requests): number them.
    const maps = sides.map((side) => {
      const map = new Map();
      for (const [key, value] of side?.entries ?? []) {
        let name = key;
        for (let n = 2; map.has(name); n++) name = `${key} (${n})`;
        map.set(name, value);
      }
      return map;
    });
    for (const key of new Set([...maps[0].keys(), ...maps[1].keys()])) {
      const [a, b] = maps.map((map) => map.get(key));
      if (a !== b) out.push({ step: label, key, reference: a, ours: b });
    }
  }
  return out;
}
