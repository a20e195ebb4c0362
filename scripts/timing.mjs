#!/usr/bin/env node
// Does the time of an answer tell whether an address is known? Asks for known and unknown addresses in turns and prints
// the medians, their ratio, and the Kolmogorov-Smirnov distance of the two samples beside its 1 % limit (below it, they
// cannot be told apart). A program to look at, not a test: it wants a quiet machine.
//
//   node scripts/timing.mjs [--samples 150] [--database URL]     an administrator's PostgreSQL URL; SQLite without it
import http from 'node:http';
import { parseArgs } from 'node:util';
import { startSidecar } from '../integration-tests/client/sidecar.mjs';

const { values: options } = parseArgs({ options: { samples: { type: 'string', default: '150' }, database: { type: 'string' } } });
const samples = Number(options.samples);

const mailbox = http.createServer((request, response) => request.resume().once('end', () => response.writeHead(204).end()));
await new Promise((resolve) => mailbox.listen(0, '127.0.0.1', resolve));

const configuration = {
  name: 'timing',
  basePath: '/api/auth',
  secret: 'timing-secret-0123456789-abcdefghijklmnopqrst',
  trustedOrigins: ['http://app.example.test'],
  emailAndPassword: { enabled: true, autoSignIn: false, sendResetPassword: true },
  emailVerification: { sendVerificationEmail: true },
  rateLimit: { enabled: false },
};
const server = await startSidecar(configuration, {
  adminURL: options.database,
  mailWebhook: `http://127.0.0.1:${mailbox.address().port}/`,
});
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

/** Ms until the whole answer is there; the status must be as expected. */
function ask(path, body, status) {
  const payload = JSON.stringify(body);
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) };
  return new Promise((resolve, reject) => {
    const began = performance.now();
    const request = http.request(`${server.url}${configuration.basePath}${path}`, { method: 'POST', agent, headers }, (response) => {
      response.resume().once('end', () => {
        if (response.statusCode === status) resolve(performance.now() - began);
        else reject(new Error(`${path} answered ${response.statusCode}`));
      });
    });
    request.once('error', reject);
    request.end(payload);
  });
}

const median = (times) => [...times].sort((a, b) => a - b)[times.length >> 1];

/** The largest distance of the two samples' distribution functions. */
function distance(a, b) {
  const share = (times, limit) => times.filter((time) => time <= limit).length / times.length;
  return Math.max(...[...a, ...b].map((time) => Math.abs(share(a, time) - share(b, time))));
}

async function compare(name, path, body, status, count = samples) {
  const known = [];
  const unknown = [];
  for (let i = 0; i < count + 10; i++) {
    // The first ten warm up. Who comes first alternates.
    const times = [() => ask(path, body('ada@example.test', i), status), () => ask(path, body(`nobody${i}@example.test`, i), status)];
    const order = i % 2 ? [0, 1] : [1, 0];
    const result = [];
    for (const which of order) result[which] = await times[which]();
    if (i >= 10) known.push(result[0]), unknown.push(result[1]);
  }
  const [k, u] = [median(known), median(unknown)];
  const limit = 1.63 * Math.sqrt(2 / count);
  console.log(
    `${name.padEnd(26)} known ${k.toFixed(2).padStart(8)} ms   unknown ${u.toFixed(2).padStart(8)} ms   ratio ${(k / u).toFixed(3)}   ` +
      `distance ${distance(known, unknown).toFixed(3)} (limit ${limit.toFixed(3)})`,
  );
}

try {
  const password = 'correct-horse-1';
  await ask('/sign-up/email', { name: 'Ada', email: 'ada@example.test', password }, 200);
  await compare('request-password-reset', '/request-password-reset', (email) => ({ email }), 200);
  await compare('sign-in, wrong password', '/sign-in/email', (email) => ({ email, password: 'wrong-horse-1' }), 401);
  await compare('sign-up, taken or free', '/sign-up/email', (email) => ({ name: 'x', email, password }), 200);
  await compare('send-verification-email', '/send-verification-email', (email) => ({ email }), 200, Math.min(samples, 30));
} finally {
  await server.stop();
  agent.destroy();
  mailbox.close();
}
