// Requests per second, latency, memory, start time and size: auth-sidecar on PostgreSQL and on SQLite beside the npm
// package on the same PostgreSQL. Servers run one at a time, in alternating order, on fresh databases; the table has
// medians. Everything, the load generator too, shares this machine: compare within one run, and hold differences under
// a fifth for unproven. Started by scripts/bench, which sees to BENCH_DATABASE_URL (an administrator's URL).
import { execFile, spawn } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { binary, freePort, freshDatabase, spawnSidecar } from '../integration-tests/client/sidecar.mjs';

const run = promisify(execFile);
const here = path.dirname(fileURLToPath(import.meta.url));
const { values: options } = parseArgs({ options: { rounds: { type: 'string', default: '3' }, seconds: { type: 'string', default: '5' } } });
const rounds = Number(options.rounds);
const seconds = Number(options.seconds);
const adminURL = process.env.BENCH_DATABASE_URL;
if (!adminURL) throw new Error('BENCH_DATABASE_URL is not set: use scripts/bench');

const configuration = {
  name: 'bench',
  basePath: '/api/auth',
  secret: 'bench-secret-0123456789-abcdefghijklmnopqrstuv',
  trustedOrigins: ['http://app.example.test'],
  emailAndPassword: { enabled: true },
  user: {
    additionalFields: {
      software_background: { type: 'string', required: false },
      hardware_background: { type: 'string', required: false },
    },
  },
  rateLimit: { enabled: false },
  // As ours has them from the start: each get-session signs a token for its header.
  plugins: { jwt: {}, bearer: {} },
};
const credentials = { email: 'ada@example.test', password: 'correct-horse-1' };
const host = '127.0.0.1';
const reference = path.join(here, '../integration-tests/client/reference.mjs');

const servers = [
  { name: 'npm, PostgreSQL', adminURL, start: (job) => spawn(process.execPath, [reference], { env: referenceEnvironment(job), stdio: ['ignore', 'ignore', 'inherit'] }) },
  { name: 'ours, PostgreSQL', adminURL, start: (job) => spawnSidecar(job, ['ignore', 'ignore', 'inherit']) },
  { name: 'ours, SQLite', start: (job) => spawnSidecar(job, ['ignore', 'ignore', 'inherit']) },
];

const referenceEnvironment = ({ port, databaseURL }) => ({
  ...process.env, NODE_ENV: 'production', PORT: String(port), DATABASE_URL: databaseURL, REFERENCE_CONFIGURATION: JSON.stringify(configuration),
});

/** Ms until GET /ok answers 200. */
async function firstAnswer(child, url) {
  const began = performance.now();
  for (;;) {
    if (child.exitCode !== null) throw new Error(`the server ended (${child.exitCode})`);
    const status = await new Promise((resolve) => {
      http.get(`${url}/ok`, { agent: false }, (res) => res.resume().once('end', () => resolve(res.statusCode))).once('error', () => resolve(0));
    });
    if (status === 200) return performance.now() - began;
    if (performance.now() - began > 30_000) throw new Error('the server does not answer');
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

async function end(child) {
  const ended = new Promise((resolve) => child.once('exit', resolve));
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 3000);
  await ended;
  clearTimeout(timer);
}

const residentMiB = (pid) => Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;

const hasWrk = await run('wrk', ['-v']).then(() => true, (error) => error.code !== 'ENOENT');

/** `{ rate: answers per second, p99: ms }`; any answer but 2xx is an error. */
async function load({ url, method = 'GET', headers = {}, body, connections }) {
  return hasWrk ? wrk({ url, method, headers, body, connections }) : generate({ url, method, headers, body, connections });
}

async function wrk({ url, method, headers, body, connections }) {
  const script = path.join(os.tmpdir(), `auth-sidecar-bench-${process.pid}.lua`);
  const quote = (text) => JSON.stringify(text); // for printable ASCII the same in Lua
  fs.writeFileSync(script, [
    `wrk.method = ${quote(method)}`,
    ...(body ? [`wrk.body = ${quote(body)}`] : []),
    ...Object.entries(headers).map(([name, value]) => `wrk.headers[${quote(name)}] = ${quote(value)}`),
    'done = function(summary, latency) io.write(string.format("RESULT %d %d %d %f\\n", summary.requests, summary.duration, summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.timeout, latency:percentile(99))) end',
  ].join('\n'));
  try {
    const { stdout, stderr } = await run('wrk', ['-t', '1', '-c', String(connections), '-d', `${seconds}s`, '--timeout', '30s', '-s', script, url]);
    const found = /RESULT (\d+) (\d+) (\d+) ([\d.]+)/.exec(stdout);
    if (!found) throw new Error(`wrk: ${stderr}${stdout}`);
    const [, requests, micros, errors, p99] = found.map(Number);
    if (errors) throw new Error(`${errors} of ${requests} requests failed: ${url}`);
    return { rate: requests / (micros / 1e6), p99: p99 / 1000 };
  } finally {
    fs.rmSync(script, { force: true });
  }
}

async function generate({ url, method, headers, body, connections }) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: connections });
  const until = performance.now() + seconds * 1000;
  const times = [];
  const one = () =>
    new Promise((resolve, reject) => {
      const began = performance.now();
      const all = body ? { ...headers, 'content-length': Buffer.byteLength(body) } : headers;
      const req = http.request(url, { agent, method, headers: all }, (res) => {
        res.resume().once('end', () => {
          if (res.statusCode >= 300) reject(new Error(`status ${res.statusCode}: ${url}`));
          times.push(performance.now() - began);
          resolve();
        });
      });
      req.once('error', reject).end(body);
    });
  const began = performance.now();
  await Promise.all(Array.from({ length: connections }, async () => {
    while (performance.now() < until) await one();
  }));
  const rate = times.length / ((performance.now() - began) / 1000);
  agent.destroy();
  times.sort((a, b) => a - b);
  return { rate, p99: times[Math.floor(times.length * 0.99)] };
}

async function measure(server) {
  const database = await freshDatabase(server.adminURL);
  const port = await freePort(host);
  const url = `http://${host}:${port}${configuration.basePath}`;
  const job = { configuration, host, port, baseURL: `http://${host}:${port}`, databaseURL: database.url };
  const results = {};
  let child;
  try {
    // The first start makes the tables.
    child = server.start(job);
    results['first start, ms'] = await firstAnswer(child, url);
    await end(child);
    child = server.start(job);
    results['start, ms'] = await firstAnswer(child, url);
    await new Promise((resolve) => setTimeout(resolve, 500));
    results['memory idle, MiB'] = residentMiB(child.pid);

    const json = { 'content-type': 'application/json', origin: 'http://app.example.test' };
    const signUp = await fetch(`${url}/sign-up/email`, {
      method: 'POST', headers: json, body: JSON.stringify({ name: 'Ada', ...credentials, software_background: 'go', hardware_background: 'none' }),
    });
    if (!signUp.ok) throw new Error(`sign-up: ${signUp.status} ${await signUp.text()}`);
    const cookie = signUp.headers.getSetCookie().map((line) => line.split(';')[0]).join('; ');
    // wrk calls an answer of `null` a success: make sure there is a session.
    const session = await (await fetch(`${url}/get-session`, { headers: { cookie } })).json();
    if (session?.user?.email !== credentials.email) throw new Error('the session cannot be read');

    const read = { url: `${url}/get-session`, headers: { cookie } };
    for (const connections of [1, 16, 64]) {
      const { rate, p99 } = await load({ ...read, connections });
      results[`get-session ×${connections}, 1/s`] = rate;
      results[`get-session ×${connections}, p99 ms`] = p99;
    }
    results['token ×16, 1/s'] = (await load({ url: `${url}/token`, headers: { cookie }, connections: 16 })).rate;
    results['memory after reads, MiB'] = residentMiB(child.pid);
    const signIn = await load({ url: `${url}/sign-in/email`, method: 'POST', headers: json, body: JSON.stringify(credentials), connections: 8 });
    results['sign-in ×8, 1/s'] = signIn.rate;
    results['memory after sign-ins, MiB'] = residentMiB(child.pid);
  } finally {
    if (child) await end(child);
    database.drop();
  }
  return results;
}

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
const number = (value) => (value >= 100 ? String(Math.round(value)) : value.toFixed(1));
const ratio = (value) => value.toFixed(value >= 10 ? 0 : 2);

const all = new Map(servers.map(({ name }) => [name, []]));
for (let round = 0; round < rounds; round++) {
  // Each round begins with another server.
  for (let i = 0; i < servers.length; i++) {
    const server = servers[(i + round) % servers.length];
    console.error(`round ${round + 1} of ${rounds}: ${server.name}`);
    all.get(server.name).push(await measure(server));
  }
}

const [npm, ours, sqlite] = servers.map(({ name }) => all.get(name));
const rows = Object.keys(npm[0]).map((key) => {
  const [a, b, c] = [npm, ours, sqlite].map((runs) => median(runs.map((run) => run[key])));
  return [key, number(a), number(b), ratio(b / a), number(c), ratio(c / a)];
});
const table = [['', 'npm, PostgreSQL', 'ours, PostgreSQL', 'ratio', 'ours, SQLite', 'ratio'], ...rows];
const widths = table[0].map((_, column) => Math.max(...table.map((row) => row[column].length)));
for (const row of table) console.log(row.map((cell, i) => (i ? cell.padStart(widths[i]) : cell.padEnd(widths[i]))).join('  '));
console.log(`\nprogram: ${(fs.statSync(binary()).size / 2 ** 20).toFixed(1)} MiB. ${rounds} rounds of ${seconds} s, ${os.availableParallelism()} cores, ${hasWrk ? 'wrk' : 'a generator in Node'}; Node ${process.version}; passwords: npm scrypt, ours bcrypt 10.`);
