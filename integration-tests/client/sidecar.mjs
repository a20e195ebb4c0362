// Starts our own program with a database of its own. Node's built-ins and the `psql` program are all it needs.
import { execFile, spawn } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { settings } from './settings.mjs';

const repository = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');

/** Path of the program: AUTH_SIDECAR_BIN, else the newest kind of build there is. Throws when there is none. */
export function binary() {
  const target = path.resolve(repository, process.env.CARGO_TARGET_DIR ?? 'target');
  const candidates = process.env.AUTH_SIDECAR_BIN
    ? [process.env.AUTH_SIDECAR_BIN]
    : ['release', 'debug'].map((kind) => path.join(target, kind, 'auth-sidecar'));
  const found = candidates.find((file) => fs.existsSync(file));
  if (!found) throw new Error(`no auth-sidecar program at ${candidates.join(' or ')}: run \`cargo build --release\` or set AUTH_SIDECAR_BIN`);
  return path.resolve(found);
}

/** A port that nobody else is given until it is released. */
async function reservePort(host) {
  const server = net.createServer();
  await new Promise((resolve, reject) => server.once('error', reject).listen(0, host, resolve));
  const { port } = server.address();
  return { port, release: () => new Promise((resolve) => server.close(resolve)) };
}

export async function freePort(host = '127.0.0.1') {
  const { port, release } = await reservePort(host);
  await release();
  return port;
}

const psqlArguments = (url, sql) => ['-X', '-q', '-At', '-v', 'ON_ERROR_STOP=1', '-d', url, '-c', sql];

const run = (program, args, options) =>
  new Promise((resolve, reject) => {
    execFile(program, args, options, (error, stdout, stderr) => (error ? reject(Object.assign(error, { stdout, stderr })) : resolve(stdout)));
  });

/** What `psql` prints for a statement. */
export const ask = (url, sql) =>
  run('psql', psqlArguments(url, sql)).catch((error) => {
    throw new Error(error.code === 'ENOENT' ? 'psql is not installed' : error.stderr.trim());
  });

/** The same server, another database: the path of the URL is exchanged, its options stay. */
function withDatabase(url, name) {
  const parts = /^(postgres(?:ql)?:\/\/[^/?]*)(?:\/[^?]*)?(\?.*)?$/.exec(url);
  if (!parts) throw new Error('the administrator URL must look like postgres://USER:PASSWORD@HOST:PORT/DATABASE');
  return `${parts[1]}/${name}${parts[2] ?? ''}`;
}

/**
 * A database nobody has used: in the PostgreSQL server of `adminURL`, or a SQLite file without one.
 * `drop` does not wait and does not fail: it must not hold up the end of a program.
 */
export async function freshDatabase(adminURL) {
  if (adminURL) {
    const name = `auth_sidecar_${crypto.randomBytes(8).toString('hex')}`;
    // template0: nobody can be connected to it, so that parallel starts do not get into each other's way.
    await ask(adminURL, `CREATE DATABASE ${name} TEMPLATE template0`).catch((error) => {
      throw new Error(`cannot create a database: ${error.message}`);
    });
    const drop = () =>
      spawn('psql', psqlArguments(adminURL, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`), { detached: true, stdio: 'ignore' })
        .on('error', () => {})
        .unref();
    return { url: withDatabase(adminURL, name), drop };
  }
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'auth-sidecar-'));
  return { url: `sqlite://${path.join(folder, 'auth.db')}`, drop: () => fs.rmSync(folder, { recursive: true, force: true }) };
}

/**
 * The environment handed on: ours alone where settings are concerned, because an unknown AUTH_ name stops the start
 * and a forgotten one would change the configuration under test.
 */
function environment(job) {
  const kept = Object.entries(process.env).filter(([name]) => !/^(AUTH_|BETTER_AUTH_|CONFORMANCE_|DATABASE_URL$|HOST$|PORT$)/.test(name));
  return { RUST_LOG: 'warn', ...Object.fromEntries(kept), ...settings(job) };
}

/** Starts the program; `job` as for `settings`. The caller ends the child. */
export const spawnSidecar = (job, stdio) => spawn(binary(), ['serve'], { env: environment(job), stdio });

/** Runs `auth-sidecar adopt` with these arguments, in the environment the program will serve in. */
const adopt = (job) => (options) =>
  run(binary(), ['adopt', ...options], { env: environment(job) }).catch((error) => {
    throw new Error(`auth-sidecar adopt: ${error.stdout}${error.stderr}`.trim());
  });

/** Waits until GET {base path}/ok answers 200, the child ends or time is up (`limit` in ms). */
async function ready(child, url, output, limit = 20_000) {
  const deadline = Date.now() + limit;
  while (Date.now() < deadline) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`auth-sidecar ended before it was ready:\n${output()}`);
    const answer = await fetch(url, { signal: AbortSignal.timeout(1000) }).catch(() => undefined);
    await answer?.arrayBuffer();
    if (answer?.status === 200) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`auth-sidecar did not answer ${url} within ${limit} ms:\n${output()}`);
}

/**
 * Our server for one configuration, ready to answer: `{ url, child, stop }`. Before its start, `prepare(url, adopt)` may
 * fill its database and adopt what it put there; `theirs` is what that answered.
 */
export async function startSidecar(configuration, { adminURL, mailWebhook, prepare } = {}) {
  const database = await freshDatabase(adminURL);
  const host = '127.0.0.1';
  const { port, release } = await reservePort(host);
  const url = `http://${host}:${port}`;
  let text = '';
  let child;
  let theirs;
  const stop = async () => {
    if (child?.pid && child.exitCode === null && child.signalCode === null) {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 3000);
      await ended;
      clearTimeout(timer);
    }
    release();
    database.drop();
  };
  try {
    const job = { configuration, host, port, baseURL: configuration.publicURL ?? url, databaseURL: database.url, mailWebhook };
    theirs = await prepare?.(database.url, adopt(job));
    await release();
    child = spawnSidecar(job, ['ignore', 'pipe', 'pipe']);
    const keep = (chunk) => (text = (text + chunk).slice(-4000));
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.once('error', (error) => keep(`${error}\n`));
    await ready(child, `${url}${configuration.basePath}/ok`, () => text.trim());
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, child, theirs, stop, output: () => text };
}
