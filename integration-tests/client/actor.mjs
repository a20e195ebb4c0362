// What a scenario works with: one browser page of the app (or anything that speaks HTTP) in front of one server.
import { isDeepStrictEqual } from 'node:util';
import { createAuthClient } from 'better-auth/client';
import { inferAdditionalFields } from 'better-auth/client/plugins';
import { getCookieCache } from 'better-auth/cookies';
import { people } from './adopted.mjs';
import { APP } from './configurations.mjs';
import { Jar, send } from './http.mjs';
import { Trace } from './trace.mjs';

const PASSWORD = 'correct-horse-1';

export class Actor {
  /**
   * `number`: the scenario's, which gives it addresses of its own; `spoil`: changes an answer (self-test); `theirs` and
   * `ids`: the adopted table behind the server and the form of its ids.
   */
  constructor({ configuration, url, number, mailbox, theirs, ids, spoil = () => {} }) {
    this.theirs = theirs;
    this.mailbox = mailbox;
    this.configuration = configuration;
    this.url = url;
    this.number = number;
    this.spoil = spoil;
    this.ip = `10.${number >> 8}.${number & 255}.7`;
    this.jar = new Jar();
    this.trace = new Trace({ configuration, hosts: [new URL(url).host, ...(configuration.publicURL ? [new URL(configuration.publicURL).host] : [])], ids });
  }

  email(local = 'ada') {
    return `${local}.${this.number}@example.test`;
  }

  user(local = 'ada', over = {}) {
    return { name: `Name of ${local}`, email: this.email(local), password: PASSWORD, ...over };
  }

  newJar() {
    return new Jar();
  }

  async deliver({ method, path, headers, body, jar }) {
    const response = await send({ url: this.url, path, method, headers, body });
    this.spoil(response, { method, path });
    jar?.store(response);
    return response;
  }

  /**
   * One raw request is one step. Body: `json`, `form` or `body` (bytes as they are; name the type in `headers`).
   * A header given as null is not sent; `jar: null` sends no cookies; `sort` orders a JSON list by that member, where
   * the order is the database's own.
   */
  async send(label, method, path, { json, form, body, headers = {}, jar = this.jar, absolute, sort } = {}) {
    const target = absolute ? path : this.configuration.basePath + path;
    const all = { origin: APP, 'x-forwarded-for': this.ip, 'user-agent': 'client-suite' };
    const cookie = jar?.header();
    if (cookie) all.cookie = cookie;
    let payload = body;
    if (json !== undefined) [payload, all['content-type']] = [JSON.stringify(json), 'application/json'];
    if (form !== undefined) [payload, all['content-type']] = [new URLSearchParams(form).toString(), 'application/x-www-form-urlencoded'];
    for (const [name, value] of Object.entries(headers)) {
      if (value === null) delete all[name];
      else all[name] = value;
    }
    this.trace.step(label);
    const response = await this.deliver({ method, path: target, headers: all, body: payload, jar });
    let data;
    try {
      data = JSON.parse(response.body);
    } catch {}
    if (sort && Array.isArray(data)) {
      data.sort((a, b) => (a[sort] < b[sort] ? -1 : 1));
      response.body = JSON.stringify(data);
    }
    await this.trace.exchange(method, target, response);
    return { ...response, data };
  }

  get(label, path, options) {
    return this.send(label, 'GET', path, options);
  }

  post(label, path, json, options) {
    return this.send(label, 'POST', path, { json, ...options });
  }

  /** The unmodified client; `wire` collects what it sent. */
  client(jar, wire) {
    return createAuthClient({
      baseURL: this.url + this.configuration.basePath,
      plugins: [inferAdditionalFields({ user: this.configuration.user?.additionalFields ?? {} })],
      fetchOptions: {
        customFetchImpl: async (input, init = {}) => {
          const url = new URL(input instanceof Request ? input.url : input);
          const method = init.method ?? 'GET';
          const headers = Object.fromEntries(new Headers(init.headers));
          // What a browser adds for the script of a page.
          Object.assign(headers, { accept: '*/*', origin: APP, 'sec-fetch-mode': 'cors', 'user-agent': 'client-suite', 'x-forwarded-for': this.ip });
          const cookie = jar?.header();
          if (cookie) headers.cookie = cookie;
          const path = url.pathname + url.search;
          const response = await this.deliver({ method, path, headers, body: init.body ?? undefined, jar });
          wire.push({ method, path, response });
          const answer = new Response([204, 304].includes(response.status) ? null : response.body, {
            status: response.status,
            statusText: response.reason,
            headers: response.headers,
          });
          Object.defineProperty(answer, 'url', { value: String(url) });
          return answer;
        },
      },
    });
  }

  /** One call of the client is one step: the requests it made and what it gave the app. */
  async call(label, use, jar = this.jar) {
    const wire = [];
    this.trace.step(label);
    let result;
    let thrown;
    try {
      result = await use(this.client(jar, wire));
    } catch (error) {
      thrown = `${error.name}: ${error.message}`;
    }
    for (const { method, path, response } of wire) await this.trace.exchange(method, path, response);
    this.trace.entry('result', thrown ? this.trace.text(`thrown ${thrown}`) : this.trace.value(result ?? null));
    return result ?? {};
  }

  /** Waits for the next mail to somebody (one step): `{ type, to, url, token, newEmail, path }`. `local`, or an address. */
  async mail(label, local = 'ada') {
    const mail = await this.mailbox.next(local.includes('@') ? local : this.email(local));
    this.trace.step(label);
    this.trace.mail(mail);
    const { pathname, search } = new URL(mail.url);
    return { ...mail, path: pathname + search };
  }

  /** Follows the link of a mail (one step). */
  follow(label, mail, options) {
    return this.get(label, mail.path, { absolute: true, ...options });
  }

  /** A fact the scenario worked out itself. */
  note(label, value) {
    this.trace.step(label);
    this.trace.entry('note', this.trace.value(value));
  }

  /** Somebody of the adopted table. In the reference, which has none, that person signs up and out first, unseen. */
  async existing(who) {
    const { inactive, ...person } = people[who];
    await this.theirs?.renew(person.email);
    if (!this.theirs && !inactive) {
      const jar = new Jar();
      for (const [path, json] of [['/sign-up/email', { ...person, name: person.name ?? '' }], ['/sign-out', {}]]) {
        const headers = { origin: APP, 'content-type': 'application/json', cookie: jar.header() };
        const response = await send({ url: this.url, path: this.configuration.basePath + path, method: 'POST', headers, body: JSON.stringify(json) });
        if (response.status !== 200) throw new Error(`the reference refuses ${who} ${path}: ${response.body}`);
        jar.store(response);
      }
    }
    return person;
  }

  /** A comparison with the adopted table (one step), of what `facts` answers: [what is, what should be]. */
  async inTable(label, facts) {
    const [is, should] = this.theirs ? await facts(this.theirs) : [];
    this.note(label, isDeepStrictEqual(is, should) || { is, should });
  }

  sleep(ms) {
    return new Promise((resolve) => setTimeout(resolve, ms));
  }

  /** Signs up through raw HTTP (one step); answers the body given and what came back. */
  async signUp(local = 'ada', over = {}, options) {
    const user = this.user(local, over);
    const response = await this.post(`sign up ${local}`, '/sign-up/email', user, options);
    return { ...user, token: response.data?.token, id: response.data?.user?.id };
  }

  /** Signs in into a jar of its own (one step). */
  async device(label, { email, password }, over = {}) {
    const jar = new Jar();
    // Devices are told apart by the time they came.
    await this.sleep(5);
    const response = await this.post(label, '/sign-in/email', { email, password, ...over }, { jar });
    return { jar, token: response.data?.token };
  }

  /** The cookie cache of a jar as an app's server reads it, chunks included. */
  readCache(jar = this.jar, over = {}) {
    const { secret, session } = this.configuration;
    return getCookieCache(new Headers({ cookie: jar.header() }), { secret, strategy: session?.cookieCache?.strategy, isSecure: false, ...over });
  }
}
