// GET /auth/verify behind a real nginx and a real Caddy, with the configurations of examples/gateway.
//
//   node --test integration-tests/gateway/gateway.test.mjs
//
// AUTH_SIDECAR_BIN names the program (default: target/release/auth-sidecar); nginx and caddy are Debian's.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const repository = fileURLToPath(new URL('../..', import.meta.url));
const program = resolve(process.env.AUTH_SIDECAR_BIN ?? join(repository, 'target/release/auth-sidecar'));
const PATIENCE = 20_000;
const IDENTITY = ['user-id', 'user-email', 'user-email-verified', 'software-background', 'hardware-background'].map((name) => `x-auth-${name}`);

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** Starts a program and waits until it listens; `stop` ends it and waits for that. */
async function start(command, args, { port, env = {}, cwd }) {
  const child = spawn(command, args, { cwd, env: { PATH: process.env.PATH, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (said += text));
  const ended = new Promise((resolve) => {
    child.once('error', (error) => resolve((said += error.message)));
    child.once('exit', resolve);
  });
  const stop = async () => {
    child.kill('SIGTERM');
    await ended;
  };
  let over = false;
  ended.then(() => (over = true));
  for (const giveUp = Date.now() + PATIENCE; ; await pause(20)) {
    if (over) throw new Error(`${command} ended:\n${said}`);
    if (await listens(port)) return stop;
    if (Date.now() > giveUp) {
      await stop();
      throw new Error(`${command} does not listen on ${port}:\n${said}`);
    }
  }
}

async function listens(port) {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** `{ status, headers, json }`; fetch would not send every path and header as it is written. */
async function request(origin, path, { method = 'GET', headers = {}, body } = {}) {
  const { hostname, port } = new URL(origin);
  const sent = http.request({ hostname, port, path, method, headers, agent: false });
  sent.end(body);
  const [answer] = await once(sent, 'response');
  let text = '';
  for await (const chunk of answer) text += chunk;
  const json = answer.headers['content-type']?.startsWith('application/json') ? JSON.parse(text) : undefined;
  return { status: answer.statusCode, headers: answer.headers, json };
}

/** The example with its three addresses replaced, each of which must be there. */
async function example(name, addresses) {
  let text = await readFile(join(repository, 'examples/gateway', name), 'utf8');
  for (const [from, to] of Object.entries(addresses)) {
    assert.ok(text.includes(from), `${name} has no ${from}`);
    text = text.replaceAll(from, to);
  }
  return text;
}

const gateways = {
  async nginx(folder, { port, sidecar, application }) {
    const server = await example('nginx.conf', {
      'listen 8080;': `listen 127.0.0.1:${port};`,
      '127.0.0.1:4000': `127.0.0.1:${sidecar}`,
      '127.0.0.1:3000': `127.0.0.1:${application}`,
    });
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${folder}/${kind};`);
    const file = join(folder, 'nginx.conf');
    // Started by root its workers would have another user, who may not enter the folder.
    const user = process.getuid() === 0 ? 'user root;' : '';
    await writeFile(
      file,
      `${user} daemon off; pid ${folder}/nginx.pid; error_log stderr; events {} http { access_log off; ${temporary.join(' ')} ${server} }`,
    );
    return start('/usr/sbin/nginx', ['-e', 'stderr', '-c', file], { port });
  },
  async caddy(folder, { port, sidecar, application }) {
    const file = join(folder, 'Caddyfile');
    await writeFile(file, `{\n\tadmin off\n}\n${await example('Caddyfile', {})}`);
    const env = {
      SITE_ADDRESS: `http://127.0.0.1:${port}`,
      AUTH_SIDECAR: `127.0.0.1:${sidecar}`,
      APPLICATION: `127.0.0.1:${application}`,
      HOME: folder,
      XDG_DATA_HOME: folder,
      XDG_CONFIG_HOME: folder,
    };
    return start('caddy', ['run', '--config', file, '--adapter', 'caddyfile'], { port, env });
  },
};

for (const [name, startGateway] of Object.entries(gateways)) {
  describe(name, () => {
    const closers = [];
    let folder, origin, sidecarPort, startSidecar, stopSidecar, ada;

    /** What the application got, as `{ status, got }`; `got` is null if the request did not reach it. */
    let reached = null;
    const ask = async (path, headers = {}) => {
      reached = null;
      const { status } = await request(origin, path, { headers });
      return { status, got: reached };
    };
    const register = async (fields) => {
      const { status, headers, json } = await request(`http://127.0.0.1:${sidecarPort}`, '/auth/register', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ password: 'correct-horse-1', ...fields }),
      });
      assert.equal(status, 201);
      return { user: json.user, token: json.token, cookie: headers['set-cookie'][0].split(';')[0] };
    };
    const identity = (headers) => Object.fromEntries(IDENTITY.map((key) => [key, headers[key] ?? '']));
    /** Values that differ from what any test expects, under names in other letter cases. */
    const forged = {
      'X-AUTH-USER-ID': 'forged',
      'x-auth-user-email': 'forged@example.com',
      'X-Auth-Software-Background': 'forged',
      'x-Auth-hardware-Background': 'forged',
      'X-Auth-User-Email-Verified': 'true',
      'X-Auth-Jwt': 'forged',
      X_Auth_User_Id: 'forged',
    };
    const carriesForged = (headers) => Object.values(headers).some((value) => String(value).startsWith('forged'));

    before(async () => {
      folder = await mkdtemp(join(tmpdir(), `auth-sidecar-${name}.`));
      closers.push(() => rm(folder, { recursive: true }));
      const application = http.createServer((req, res) => {
        reached = req.headers;
        res.end('application');
      });
      application.listen(0, '127.0.0.1');
      await once(application, 'listening');
      closers.push(() => application.close());

      const port = await freePort();
      origin = `http://127.0.0.1:${port}`;
      sidecarPort = await freePort();
      startSidecar = async () => {
        const env = {
          AUTH_DEV: 'true',
          AUTH_DATA_DIR: join(folder, 'data'),
          AUTH_VERIFY_JWT: 'true',
          BETTER_AUTH_URL: origin,
          PORT: String(sidecarPort),
        };
        stopSidecar = await start(program, ['serve'], { port: sidecarPort, env, cwd: folder });
        for (;;) {
          const { status } = await request(`http://127.0.0.1:${sidecarPort}`, '/health/ready');
          if (status === 200) break;
          await pause(20);
        }
      };
      await startSidecar();
      closers.push(() => stopSidecar());
      closers.push(await startGateway(folder, { port, sidecar: sidecarPort, application: application.address().port }));
      ada = await register({
        email: 'ada@example.com',
        software_background: 'zehn Jahre C, 100 % Übung, 機械学習',
        hardware_background: 'Löten',
      });
    });
    after(async () => {
      for (const close of closers.reverse()) await close();
    });

    test('without a session the answer is 401 and the application is not asked', async () => {
      assert.deepEqual(await ask('/private/'), { status: 401, got: null });
      assert.deepEqual(await ask('/private/', { cookie: 'better-auth.session_token=made.up' }), { status: 401, got: null });
      assert.deepEqual(await ask('/private/', { authorization: 'Bearer made-up' }), { status: 401, got: null });
    });

    test('no spelling of a private path goes around the check', async () => {
      for (const path of ['//private/', '/./private/', '/open/../private/', '/%70rivate/', '/private/%2e%2e/private/']) {
        assert.deepEqual(await ask(path), { status: 401, got: null }, path);
      }
    });

    test('with the cookie the application learns who it is, with both fields percent-encoded', async () => {
      const { status, got } = await ask('/private/page', { cookie: ada.cookie });
      assert.equal(status, 200);
      assert.match(got['x-auth-software-background'], /^[\x20-\x7e]+$/);
      const decoded = Object.fromEntries(Object.entries(identity(got)).map(([key, value]) => [key, decodeURIComponent(value)]));
      assert.deepEqual(decoded, {
        'x-auth-user-id': ada.user.id,
        'x-auth-user-email': 'ada@example.com',
        'x-auth-user-email-verified': 'false',
        'x-auth-software-background': 'zehn Jahre C, 100 % Übung, 機械学習',
        'x-auth-hardware-background': 'Löten',
      });
      const [, claims] = got['x-auth-jwt'].split('.');
      assert.equal(JSON.parse(Buffer.from(claims, 'base64url')).sub, ada.user.id);
    });

    test('with the session token as bearer too', async () => {
      const { status, got } = await ask('/private/', { authorization: `Bearer ${ada.token}` });
      assert.deepEqual([status, got?.['x-auth-user-id']], [200, ada.user.id]);
    });

    test('headers that a client made up are dropped, signed in or not', async () => {
      const open = await ask('/', forged);
      assert.equal(open.status, 200);
      assert.ok(!carriesForged(open.got), JSON.stringify(open.got));
      assert.deepEqual(await ask('/private/', forged), { status: 401, got: null });

      const { got } = await ask('/private/', { ...forged, cookie: ada.cookie });
      assert.equal(got['x-auth-user-id'], ada.user.id);
      assert.ok(!carriesForged(got), JSON.stringify(got));
    });

    test('a field that is empty cannot be made up either', async () => {
      const blank = await register({ email: 'blank@example.com' });
      const { status, got } = await ask('/private/', { ...forged, cookie: blank.cookie });
      assert.equal(status, 200);
      assert.deepEqual(identity(got), {
        'x-auth-user-id': blank.user.id,
        'x-auth-user-email': 'blank@example.com',
        'x-auth-user-email-verified': 'false',
        'x-auth-software-background': '',
        'x-auth-hardware-background': '',
      });
      assert.ok(!carriesForged(got), JSON.stringify(got));
    });

    test('sign-out through the gateway ends access at once', async () => {
      const leaving = await register({ email: 'leaving@example.com' });
      assert.equal((await ask('/private/', { cookie: leaving.cookie })).status, 200);
      const signOut = await request(origin, '/api/auth/sign-out', {
        method: 'POST',
        headers: { cookie: leaving.cookie, origin, 'content-type': 'application/json' },
        body: '{}',
      });
      assert.equal(signOut.status, 200);
      assert.deepEqual(await ask('/private/', { cookie: leaving.cookie }), { status: 401, got: null });
      assert.deepEqual(await ask('/private/', { authorization: `Bearer ${leaving.token}` }), { status: 401, got: null });
    });

    test('while the sidecar is down nobody gets through, and all is well when it is back', async () => {
      await stopSidecar();
      const { status, got } = await ask('/private/', { ...forged, cookie: ada.cookie });
      assert.ok(status >= 500, `${status}`);
      assert.equal(got, null);
      await startSidecar();
      assert.equal((await ask('/private/', { cookie: ada.cookie })).status, 200);
    });
  });
}
