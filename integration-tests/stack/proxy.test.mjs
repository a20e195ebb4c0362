// What the reverse proxy of the stack does, and that the services behind it agree about addresses and tokens.
//
//   scripts/stack run node --test integration-tests/stack/proxy.test.mjs
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import http from 'node:http';
import { once } from 'node:events';
import { before, test } from 'node:test';

const origin = process.env.STACK_URL;
assert.ok(origin, 'run it by scripts/stack run');

/** Redirects are not followed, and the connection is IPv4's: the port is bound there alone. */
async function request(path, { method = 'GET', headers = {}, body } = {}) {
  const { port, host } = new URL(origin);
  const sent = http.request({ host: '127.0.0.1', port, path, method, headers: { host, ...headers }, agent: false });
  sent.end(body && JSON.stringify(body));
  const [answer] = await once(sent, 'response');
  let text = '';
  for await (const chunk of answer) text += chunk;
  return { status: answer.statusCode, headers: answer.headers, text, json: () => JSON.parse(text) };
}

let cookie;
before(async () => {
  const { status, headers, text } = await request('/api/auth/sign-up/email', {
    method: 'POST',
    headers: { origin, 'content-type': 'application/json', 'x-forwarded-for': '203.0.113.9' },
    body: { name: 'Ada', email: `ada-${process.pid}@example.com`, password: 'correct-horse-1', software_background: 'advanced' },
  });
  assert.equal(status, 200, text);
  cookie = headers['set-cookie'][0].split(';')[0];
});

test('the root leads to the book', async () => {
  for (const [path, target] of [['/', '/book/'], ['/book', '/book/'], ['/book/sign-in', '/book/sign-in/']]) {
    const { status, headers } = await request(path);
    assert.ok([301, 302].includes(status), `${path}: ${status}`);
    assert.equal(headers.location, target);
  }
});

test('pages are asked for again each time, files with a hash in their name never', async () => {
  const page = await request('/book/');
  assert.deepEqual([page.status, page.headers['cache-control']], [200, 'no-cache']);
  assert.equal(page.headers['x-content-type-options'], 'nosniff');
  assert.match(page.headers['content-security-policy'], /frame-ancestors 'none'/);
  const [script] = page.text.match(/\/book\/assets\/js\/[\w.~-]+\.js/);
  const { status, headers } = await request(script, { headers: { 'accept-encoding': 'gzip' } });
  assert.deepEqual([status, headers['cache-control']], [200, 'public, max-age=31536000, immutable']);
  assert.equal(headers['content-encoding'], 'gzip');
});

test('what is not there is answered with the page of the site, which nobody keeps', async () => {
  for (const path of ['/book/nothing', '/book/assets/js/nothing.js', '/book/assets/', '/nothing', '/health/ready']) {
    const { status, headers, text } = await request(path);
    assert.equal(status, 404, path);
    assert.match(text, /Page Not Found/, path);
    assert.equal(headers['cache-control'], undefined, path);
  }
});

test('each path reaches its service', async () => {
  assert.deepEqual((await request('/api/auth/ok')).json(), { ok: true });
  assert.equal((await request('/auth/me', { headers: { cookie } })).json().user.name, 'Ada');
  assert.equal((await request('/.well-known/jwks.json')).json().keys.length, 1);
  assert.equal((await request('/api/health')).status, 200);
});

test('a client cannot choose its address', async () => {
  const { json } = await request('/api/auth/get-session', { headers: { cookie } });
  assert.equal(json().session.ipAddress, '127.0.0.1');
});

test('the backend believes the token: issuer and audience are the public origin, the keys come from inside', async () => {
  const { token } = (await request('/api/auth/token', { headers: { cookie } })).json();
  const me = await request('/api/me', { headers: { authorization: `Bearer ${token}` } });
  assert.equal(me.status, 200, me.text);
  const { iss, aud, software_background } = me.json();
  assert.deepEqual({ iss, aud, software_background }, { iss: origin, aud: origin, software_background: 'advanced' });
  assert.equal((await request('/api/me')).status, 401);
});

test('the log of the proxy holds no query', async () => {
  await request('/book/?token=hidden-from-the-log');
  const log = await readFile(process.env.STACK_WEB_LOG, 'utf8');
  assert.match(log, / GET \/book\/ 200 /);
  assert.doesNotMatch(log, /hidden-from-the-log/);
});
