#!/usr/bin/env node
// The differential suite.
//
// Every scenario (scenarios/*.mjs) is played twice, in front of the real better-auth package and in front of
// auth-sidecar, by the unmodified JavaScript client and by raw HTTP. What crossed the wire is compared byte for byte:
// status, reason, every header, the Set-Cookie lines in their order with their attributes, and the body with its key
// order; and what the client gave the app. Only values that differ from run to run (ids, tokens, times) become
// placeholders, which keep their identity. Nothing is expected by hand.
//
//   npm ci
//   node run.mjs                             ours on SQLite
//   node run.mjs --database postgres         ours on PostgreSQL; TEST_DATABASE_URL is an administrator's URL
//   node run.mjs --only words,more           scenarios whose `file: title [configuration]` contains one of them
//   node run.mjs --list                      names the scenarios
//   node run.mjs --against reference         the package against itself: there must be no difference
//   node run.mjs --self-test                 and with faults put in, there must be some
//   node run.mjs --width 4                   scenarios at a time
//   node run.mjs --database postgres --adopt uuid --hash argon2id
//                                            ours on a table of users that another program made and `auth-sidecar adopt`
//                                            took over (adopted.mjs), its ids `uuid`, `integer` or `text`, its passwords
//                                            `bcrypt` (the default), `bcrypt-sha256` or `argon2id`, which then is the
//                                            setting for new ones too; the scenarios of scenarios/adopted.mjs come on top
//
// The program under test is AUTH_SIDECAR_BIN, else target/release/auth-sidecar, else target/debug/auth-sidecar.
// The version of the package is the one in package.json and nowhere else. The reference keeps its data in SQLite.
// Differences that are meant stand in allowed.mjs with their reason; one that no longer occurs fails the run.
// Exit status 0: no difference but the allowed ones. The details, with the warnings and errors that the program logged,
// go to out/differences-DATABASE.txt (with the kinds of an adopted table in its name).
import { fork } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Actor } from './actor.mjs';
import { adoptTable, HASH_KINDS, IDS } from './adopted.mjs';
import { allowed } from './allowed.mjs';
import { configurations } from './configurations.mjs';
import { faults } from './faults.mjs';
import { openMailbox } from './mailbox.mjs';
import { binary, startSidecar } from './sidecar.mjs';
import { compare, STOPPED } from './trace.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const { values: options } = parseArgs({
  options: {
    database: { type: 'string', default: 'sqlite' },
    against: { type: 'string', default: 'sidecar' },
    only: { type: 'string' },
    list: { type: 'boolean' },
    'self-test': { type: 'boolean' },
    width: { type: 'string', default: '4' },
    adopt: { type: 'string' },
    hash: { type: 'string' },
  },
});

function fail(message) {
  console.error(message);
  process.exit(2);
}
if (!['sqlite', 'postgres'].includes(options.database)) fail('--database is sqlite or postgres');
if (!['sidecar', 'reference'].includes(options.against)) fail('--against is sidecar or reference');
if (options.adopt && !IDS.includes(options.adopt)) fail(`--adopt is one of ${IDS.join(', ')}`);
if (options.hash && !(options.adopt && HASH_KINDS.includes(options.hash))) fail(`--hash is one of ${HASH_KINDS.join(', ')} and goes with --adopt`);
const adopted = options.adopt && { ids: options.adopt, hash: options.hash ?? HASH_KINDS[0] };
const run = [options.database, ...Object.values(adopted ?? {})].join('-');
const adminURL = options.database === 'postgres' ? process.env.TEST_DATABASE_URL : undefined;
const reflexive = options.against === 'reference' || options['self-test'];
if (adopted && reflexive) fail('--adopt is about our own program');
if (options.database === 'postgres' && !reflexive && !adminURL) fail('--database postgres needs TEST_DATABASE_URL, an administrator\'s URL');

if (!reflexive && !options.list) {
  try {
    binary();
  } catch (error) {
    fail(error.message);
  }
}

async function load() {
  const list = [];
  for (const file of fs.readdirSync(path.join(here, 'scenarios')).sort()) {
    const { default: declare } = await import(`./scenarios/${file}`);
    declare((title, ...rest) => {
      const play = rest.pop();
      const { configuration = 'default', adopted: onAdopted } = rest[0] ?? {};
      if (onAdopted && !adopted) return;
      if (!configurations[configuration]) fail(`${file}: ${title}: no configuration ${configuration}`);
      list.push({ number: list.length + 1, id: `${path.basename(file, '.mjs')}: ${title}`, configuration, play });
    });
  }
  return list;
}

/** One process of the package for all configurations. */
async function openReference() {
  const mailbox = await openMailbox();
  const child = fork(path.join(here, 'reference.mjs'), {
    env: { ...process.env, NODE_ENV: 'production', REFERENCE_CONFIGURATION: '' },
    // It prints the exceptions behind its 500s.
    stdio: ['ignore', 'inherit', process.env.REFERENCE_LOG ? 'inherit' : 'ignore', 'ipc'],
  });
  const waiting = new Map();
  child.on('message', ({ name, url, error }) => (error ? waiting.get(name).reject(new Error(error)) : waiting.get(name).resolve({ url })));
  child.on('exit', (code) => waiting.forEach(({ reject }) => reject(new Error(`the reference ended (${code})`))));
  const start = (configuration) =>
    new Promise((resolve, reject) => {
      waiting.set(configuration.name, { resolve, reject });
      child.send({ configuration, mailWebhook: mailbox.url });
    });
  return { start: once(start), mailbox, close: () => child.disconnect() };
}

/** One process of ours for each configuration. */
async function openSidecars(used) {
  const mailbox = await openMailbox();
  const started = [];
  const byDefault = adopted?.hash === 'argon2id' ? { passwordHash: 'argon2id' } : {};
  const start = (one) => {
    const configuration = { ...byDefault, ...one };
    const prepare = adopted && ((url, adopt) => adoptTable(url, { ...adopted, passwordHash: configuration.passwordHash }, adopt));
    const server = startSidecar(configuration, { adminURL, mailWebhook: mailbox.url, prepare });
    started.push({ configuration, server });
    return server;
  };
  /** Stops all; answers what they logged (warnings and errors). */
  const close = async () => {
    let logs = '';
    for (const { configuration, server } of started) {
      const { stop, output } = await server.catch(() => ({}));
      await stop?.();
      for (const line of output?.().split('\n') ?? []) if (/ (WARN|ERROR) /.test(line)) logs += `log of ${configuration.name}: ${line}\n`;
    }
    return logs;
  };
  const entry = allowed.find((candidate) => candidate.ids && applies(candidate));
  const ids = entry && { form: entry.ids, seen: () => used.add(entry) };
  return { start: once(start), mailbox, ids, close };
}

function once(start) {
  const servers = new Map();
  return (name) => {
    if (!servers.has(name)) {
      servers.set(name, start(configurations[name]));
      servers.get(name).catch(() => {}); // shown by the scenarios that need it
    }
    return servers.get(name);
  };
}

async function play(scenario, servers, spoil) {
  let actor;
  try {
    const { url, theirs } = await servers.start(scenario.configuration);
    const { mailbox, ids } = servers;
    actor = new Actor({ configuration: configurations[scenario.configuration], url, number: scenario.number, mailbox, theirs, ids, spoil });
    await scenario.play(actor);
    return actor.trace.steps;
  } catch (error) {
    const steps = actor?.trace.steps ?? [];
    return [...steps, { label: STOPPED, entries: [['error', `${error.message}`]] }];
  }
}

async function pool(items, width, work) {
  const queue = [...items];
  await Promise.all(Array.from({ length: width }, async () => {
    for (let item = queue.shift(); item; item = queue.shift()) await work(item);
  }));
}

const matches = (pattern, text) => pattern === undefined || (pattern instanceof RegExp ? pattern.test(text) : pattern === text);
const applies = (entry) => (!entry.database || entry.database === options.database) && (!entry.adopted || entry.adopted === adopted?.ids);
const sameBut = (part, { reference, ours }) => !part || (reference ?? '').replace(part, '') === (ours ?? '').replace(part, '');
const isAllowed = (entry, scenario, difference) =>
  applies(entry) && !entry.ids && sameBut(entry.only, difference) &&
  matches(entry.scenario, scenario.id) && matches(entry.step, difference.step) && matches(entry.key, difference.key);

/** Both texts, cut to where they part. */
function show({ step, key, reference, ours }) {
  const [a, b] = [reference ?? '(absent)', ours ?? '(absent)'];
  let at = 0;
  while (at < a.length && a[at] === b[at]) at++;
  const from = Math.max(0, at - 120);
  const cut = (text) => `${from ? '…' : ''}${text.slice(from, at + 280)}${text.length > at + 280 ? '…' : ''}`.replaceAll('\n', '\n      ');
  return `  ${step} › ${key}\n    - ${cut(a)}\n    + ${cut(b)}\n`;
}

async function runAll(scenarios) {
  const used = new Set();
  const reference = await openReference();
  const ours = await (options.against === 'reference' ? openReference() : openSidecars(used));
  const failed = [];
  let steps = 0;
  let logs = '';
  try {
    await pool(scenarios, Number(options.width), async (scenario) => {
      const [expected, actual] = await Promise.all([play(scenario, reference), play(scenario, ours)]);
      steps += expected.length;
      const differences = compare(expected, actual).filter((difference) => {
        const entry = reflexive ? undefined : allowed.find((candidate) => isAllowed(candidate, scenario, difference));
        if (entry) used.add(entry);
        return !entry;
      });
      const broken = expected.at(-1);
      if (broken?.label === STOPPED) differences.push({ step: STOPPED, key: 'reference', reference: broken.entries[0][1] });
      if (differences.length) failed.push({ scenario, differences });
    });
  } finally {
    reference.close();
    logs = (await ours.close()) ?? '';
  }
  const stale = reflexive || options.only ? [] : allowed.filter((entry) => applies(entry) && !used.has(entry));

  failed.sort((a, b) => a.scenario.number - b.scenario.number);
  const report = failed.map(({ scenario, differences }) => `${scenario.id} [${scenario.configuration}]\n${differences.map(show).join('')}`).join('\n');
  const file = path.join(here, 'out', `differences-${run}.txt`);
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, report + logs);
  console.log(report.length > 20_000 ? `${report.slice(0, 20_000)}…\n(the rest is in ${path.relative(process.cwd(), file)})\n` : report);
  for (const entry of stale) console.log(`allowed difference that no longer occurs: ${JSON.stringify(entry, (_, v) => (v instanceof RegExp ? String(v) : v))}`);
  const passed = scenarios.length - failed.length;
  console.log(`${run}: ${passed} of ${scenarios.length} scenarios identical (${steps} steps), ${used.size} allowed differences, ${stale.length} stale`);
  console.log(`${passed} passed, ${failed.length + stale.length} failed`);
  return failed.length === 0 && stale.length === 0;
}

/** Proves that the suite can fail: each fault, put into the answers of the reference, must show as a difference. */
async function selfTest(scenarios) {
  const servers = await openReference();
  let missed = 0;
  try {
    await pool([{ name: 'no fault', spoil: undefined }, ...faults], Number(options.width), async ({ name, scenario: id, ids: form, same = name === 'no fault', spoil }) => {
      const chosen = scenarios.filter((scenario) => scenario.id === (id ?? 'sign-up: through the client, with both fields'));
      if (chosen.length !== 1) fail(`fault "${name}": no scenario "${id}"`);
      // One after the other: a scenario has fixed addresses, so each play gets a number of its own.
      const traces = [];
      for (const fault of [undefined, spoil]) {
        const number = (selfTest.number = (selfTest.number ?? 1000) + 1);
        const ids = fault && form && { form, seen() {} };
        const steps = await play({ ...chosen[0], number }, { ...servers, ids }, fault);
        traces.push(JSON.parse(JSON.stringify(steps).replaceAll(`.${number}@`, '.N@').replaceAll(`10.${number >> 8}.${number & 255}.7`, 'IP')));
      }
      const found = compare(...traces);
      const good = same === (found.length === 0);
      if (!good) missed++;
      console.log(`${good ? 'ok    ' : 'MISSED'} ${name.padEnd(44)} ${found[0] ? `${found[0].step} › ${found[0].key}` : ''}`);
    });
  } finally {
    servers.close();
  }
  console.log(`${faults.length + 1 - missed} passed, ${missed} failed`);
  return missed === 0;
}

const words = options.only?.split(',').map((word) => word.trim()).filter(Boolean);
const scenarios = (await load()).filter(({ id, configuration }) => !words || words.some((word) => `${id} [${configuration}]`.includes(word)));
if (options.list) {
  for (const { id, configuration } of scenarios) console.log(`${id} [${configuration}]`);
  process.exit(0);
}
if (!scenarios.length) fail('no scenario matches');
const ok = await (options['self-test'] ? selfTest(scenarios) : runAll(scenarios));
process.exit(ok ? 0 : 1);
