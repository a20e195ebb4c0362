// Somebody with a browser, as far as its cookies go, who uses both servers.
import assert from 'node:assert/strict';
import { Jar, send } from '../client/http.mjs';

const ORIGIN = 'http://auth.example.com';
let last = 0;

/** `{ status, json }` of one request; `jar` is optional. */
export async function request(server, path, { method, body, jar, headers } = {}) {
  const cookie = jar?.header();
  const response = await send({
    url: server.url,
    path: `/api/auth${path}`,
    method: method ?? (body ? 'POST' : 'GET'),
    headers: { host: new URL(ORIGIN).host, origin: ORIGIN, ...(cookie && { cookie }), ...(body && { 'content-type': 'application/json' }), ...headers },
    body: body && JSON.stringify(body),
  });
  jar?.store(response);
  assert.ok(response.status < 500, `${server.name} answers ${path} with ${response.status} ${response.body}\n${server.output()}`);
  return { status: response.status, json: response.body ? JSON.parse(response.body) : undefined };
}

export class Person {
  constructor(name = 'Ada') {
    this.name = name;
    this.email = `${name.toLowerCase()}-${++last}@example.com`;
    this.password = `password of ${this.email}`;
    this.jar = new Jar();
  }

  /** The same person at another computer. */
  elsewhere() {
    const other = Object.assign(Object.create(Person.prototype), this);
    other.jar = new Jar();
    return other;
  }

  request(server, path, its) {
    return request(server, path, { ...its, jar: this.jar });
  }

  /** The JSON of an answer that must be 200. */
  async does(server, path, its) {
    const { status, json } = await this.request(server, path, its);
    assert.equal(status, 200, `${server.name} answers ${path} with ${status} ${JSON.stringify(json)}`);
    return json;
  }

  async signUp(server, fields = {}) {
    const { name, email, password } = this;
    const { user } = await this.does(server, '/sign-up/email', { body: { name, email, password, ...fields } });
    this.id = user.id;
    return user;
  }

  async signIn(server) {
    const { email, password } = this;
    const { user } = await this.does(server, '/sign-in/email', { body: { email, password } });
    return user;
  }

  signOut(server) {
    return this.does(server, '/sign-out', { method: 'POST' });
  }

  /** `{ session, user }`, or null for nobody. */
  session(server) {
    return this.does(server, '/get-session');
  }

  async isSignedIn(...servers) {
    for (const server of servers) assert.equal((await this.session(server))?.user.email, this.email, `signed in at ${server.name}`);
  }

  async isSignedOut(...servers) {
    for (const server of servers) assert.equal(await this.session(server), null, `signed out at ${server.name}`);
  }

  /** Passwords are compared by signing in, with cookies that are thrown away. */
  async hasPassword(password, ...servers) {
    for (const server of servers) {
      const body = { email: this.email, password };
      const { status, json } = await request(server, '/sign-in/email', { body });
      assert.equal(status, 200, `${server.name} takes the password: ${JSON.stringify(json)}`);
    }
  }

  async hasNotPassword(password, ...servers) {
    for (const server of servers) {
      const { status } = await request(server, '/sign-in/email', { body: { email: this.email, password } });
      assert.equal(status, 401, `${server.name} refuses the password`);
    }
  }

  async changePassword(server, newPassword) {
    await this.does(server, '/change-password', { body: { currentPassword: this.password, newPassword } });
    this.password = newPassword;
  }
}
