#!/usr/bin/env node
// Puts auth-sidecar behind the environment contract of a conformance runner (CONFORMANCE_* variables): the profile is
// translated to settings, the program started on the address asked for, SIGTERM passed on, the exit code handed on.
// CONFORMANCE_DATABASE_URL (an administrator's PostgreSQL URL) gives each start a fresh database there, else it is a
// fresh SQLite file. Exit 2: the profile needs something auth-sidecar does not have yet, or the contract is broken.
import { freshDatabase, spawnSidecar } from './sidecar.mjs';
import { missingPlugin } from './settings.mjs';

/** How long the program may take to end before it is killed: a runner may kill us after 3 s. */
const GRACE = 2000;

function refuse(message) {
  console.error(`target.mjs: ${message}`);
  process.exit(2);
}

const need = (name) => process.env[name] || refuse(`${name} is not set`);

const configuration = JSON.parse(need('CONFORMANCE_PROFILE'));
const plugin = missingPlugin(configuration);
if (plugin) refuse(`profile ${process.env.CONFORMANCE_PROFILE_NAME ?? ''} needs the plugin ${plugin}, which auth-sidecar does not have`);

const trusted = process.env.CONFORMANCE_TRUSTED_ORIGINS;
const job = {
  configuration: {
    ...configuration,
    secret: need('CONFORMANCE_SECRET'),
    basePath: need('CONFORMANCE_BASE_PATH'),
    trustedOrigins: trusted ? trusted.split(',') : undefined,
  },
  host: need('CONFORMANCE_LISTEN_HOST'),
  port: need('CONFORMANCE_LISTEN_PORT'),
  baseURL: need('CONFORMANCE_BASE_URL'),
  mailWebhook: process.env.CONFORMANCE_MAIL_WEBHOOK,
};

let child;
let stopping = false;
for (const signal of ['SIGTERM', 'SIGINT']) {
  process.on(signal, () => {
    stopping = true;
    child?.kill(signal);
    setTimeout(() => child?.kill('SIGKILL'), GRACE).unref();
  });
}

let database;
try {
  database = await freshDatabase(process.env.CONFORMANCE_DATABASE_URL);
  if (!stopping) child = spawnSidecar({ ...job, databaseURL: database.url }, 'inherit');
} catch (error) {
  database?.drop();
  refuse(error.message);
}
if (!child) {
  database.drop();
  process.exit(0);
}
child.once('error', (error) => {
  database.drop();
  refuse(`cannot start: ${error.message}`);
});
child.once('exit', (code, signal) => {
  database.drop();
  process.exit(code ?? (stopping ? 0 : 128 + (signal === 'SIGKILL' ? 9 : 15)));
});
