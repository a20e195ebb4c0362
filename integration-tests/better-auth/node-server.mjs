// A Better Auth server on Node for one shape, the child of a test: `node-server.mjs SHAPE`, settings in the environment.
// It says when it listens, and runs those functions of Better Auth's internal adapter that have no endpoint.
import http from 'node:http';
import { open, shapeNamed } from './shapes.mjs';

const { DATABASE_URL: databaseURL, BETTER_AUTH_URL: baseURL, BETTER_AUTH_SECRET: secret, PORT: port, MAIL_WEBHOOK: webhook } = process.env;

const shape = shapeNamed(process.argv[2]);
const [{ betterAuth }, { toNodeHandler }] = await Promise.all([import(shape.library), import(`${shape.library}/node`)]);

// Keys as those of our webhook.
const sendResetPassword = async ({ user, url, token }) => {
  await fetch(webhook, { method: 'POST', body: JSON.stringify({ type: 'reset-password', to: user.email, url, token }) });
};
const { options } = await open(shape, { databaseURL, baseURL, secret, sendResetPassword });
const auth = betterAuth(options);
const { internalAdapter } = await auth.$context;

process.on('message', async ({ id, call, args }) => {
  try {
    process.send({ id, answer: await internalAdapter[call](...args) });
  } catch (error) {
    process.send({ id, error: String(error?.stack ?? error) });
  }
});
process.on('disconnect', () => process.exit());

http.createServer(toNodeHandler(auth)).listen(Number(port), '127.0.0.1', () => process.send({ id: 'ready' }));
