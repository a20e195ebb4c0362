// The two servers of a test: Better Auth on Node, and auth-sidecar on the same database.
// SECOND=node lets a second Better Auth take the place of auth-sidecar, to see what the tests themselves are worth.
import { execFile, fork, spawn } from 'node:child_process';
import crypto from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { setTimeout as pause } from 'node:timers/promises';
import { binary, freePort } from '../client/sidecar.mjs';

const PATIENCE = 30_000;

export const standIn = process.env.SECOND === 'node';

/** What both servers are told alike. */
export const settings = (databaseURL) => ({
  DATABASE_URL: databaseURL,
  BETTER_AUTH_URL: 'http://auth.example.com',
  BETTER_AUTH_SECRET: crypto.randomBytes(32).toString('base64'),
});

/** The environment of a server. Not UTC: a program that reads or writes local times must show. */
const environment = (its) => {
  const { PATH, HOME } = process.env;
  return { PATH, HOME, TZ: 'America/St_Johns', NODE_ENV: 'production', ...its };
};

function collect(child) {
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (text = (text + chunk).slice(-8000)));
  return () => text.trim();
}

async function end(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 5000);
  await ended;
  clearTimeout(timer);
}

/** Better Auth on Node: `{ name, url, call, stop, output }`; `call` runs a function of its internal adapter. */
export async function startNode(shape, its, mailWebhook) {
  const port = await freePort();
  const child = fork(fileURLToPath(new URL('node-server.mjs', import.meta.url)), [shape.name], {
    env: environment({ ...its, PORT: port, MAIL_WEBHOOK: mailWebhook }),
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const output = collect(child);
  const answers = new Map();
  let last = 0;
  const answerTo = (id) =>
    new Promise((resolve, reject) => {
      answers.set(id, (message) => (message.error ? reject(new Error(message.error)) : resolve(message.answer)));
      child.once('exit', () => reject(new Error(`Better Auth ended:\n${output()}`)));
    });
  child.on('message', (message) => answers.get(message.id)?.(message));
  child.setMaxListeners(0);
  const call = (name, ...args) => {
    const answer = answerTo(++last);
    child.send({ id: last, call: name, args });
    return answer;
  };
  await answerTo('ready');
  return { name: 'Better Auth', url: `http://127.0.0.1:${port}`, call, stop: () => end(child), output };
}

/** auth-sidecar: `{ name, url, stop, output }`. */
export async function startSidecar(its, mailWebhook) {
  const port = await freePort();
  const child = spawn(binary(), ['serve'], {
    env: environment({
      RUST_LOG: 'warn',
      ...its,
      HOST: '127.0.0.1',
      PORT: port,
      AUTH_RATE_LIMIT: 'false',
      AUTH_USER_DELETE_USER_ENABLED: 'true',
      AUTH_MAIL: `webhook+${mailWebhook}`,
      AUTH_MAIL_NOTICES: 'false',
      AUTH_SHUTDOWN_TIMEOUT: '1',
    }),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = collect(child);
  const url = `http://127.0.0.1:${port}`;
  for (const giveUp = Date.now() + PATIENCE; ; await pause(20)) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`auth-sidecar ended before it was ready:\n${output()}`);
    const answer = await fetch(`${url}/api/auth/ok`).catch(() => undefined);
    await answer?.arrayBuffer();
    if (answer?.ok) break;
    if (Date.now() > giveUp) {
      await end(child);
      throw new Error(`auth-sidecar does not answer:\n${output()}`);
    }
  }
  return { name: 'auth-sidecar', url, stop: () => end(child), output };
}

/** The server beside Better Auth. */
export const startSecond = async (shape, its, mailWebhook) =>
  standIn ? { ...(await startNode(shape, its, mailWebhook)), name: 'the other Better Auth' } : startSidecar(its, mailWebhook);

/** `auth-sidecar adopt …`: `{ status, output }`, whatever the status is. */
export function adopt(its, ...args) {
  return new Promise((resolve, reject) => {
    const done = (error, stdout, stderr) => {
      const output = `${stdout}\n${stderr}`.trim();
      if (error && typeof error.code !== 'number') reject(error);
      else resolve({ status: error?.code ?? 0, output });
    };
    execFile(binary(), ['adopt', ...args], { env: environment(its), timeout: PATIENCE }, done);
  });
}
