// The real Better Auth on Node, as the npm package ships it.
// With an IPC channel (fork) it serves every configuration it is sent, one after the other, until the channel closes.
import http from 'node:http';
import { pathToFileURL } from 'node:url';
import { betterAuth } from 'better-auth';
import { getMigrations } from 'better-auth/db/migration';
import { toNodeHandler } from 'better-auth/node';
import { bearer, jwt, oneTimeToken } from 'better-auth/plugins';

const PLUGINS = { bearer, jwt, oneTimeToken };

/** SQLite in memory, or the PostgreSQL database of a URL. */
async function database(url) {
  if (url) {
    const { default: pg } = await import('pg');
    return new pg.Pool({ connectionString: url, max: 10 });
  }
  const [{ default: Database }, { SqliteDialect }] = await Promise.all([import('libsql'), import('kysely')]);
  return { dialect: new SqliteDialect({ database: new Database(':memory:') }), type: 'sqlite' };
}

/** The options with a function in place of every `true` that stands for a way to send mail. */
function withMail({ emailAndPassword, emailVerification, user = {}, ...options }, webhook) {
  // Keys in the order of our webhook.
  const post = (type) => async ({ user, url, token, newEmail }) => {
    await fetch(webhook, { method: 'POST', body: JSON.stringify({ type, to: user.email, url, token, newEmail }) });
  };
  const sender = (group, key, type) => (group?.[key] ? { [key]: post(type) } : {});
  const { changeEmail, deleteUser } = user;
  return {
    ...options,
    emailAndPassword: { ...emailAndPassword, ...sender(emailAndPassword, 'sendResetPassword', 'reset-password') },
    emailVerification: { ...emailVerification, ...sender(emailVerification, 'sendVerificationEmail', 'verify-email') },
    user: {
      ...user,
      changeEmail: { ...changeEmail, ...sender(changeEmail, 'sendChangeEmailConfirmation', 'change-email') },
      deleteUser: { ...deleteUser, ...sender(deleteUser, 'sendDeleteAccountVerification', 'delete-account') },
    },
  };
}

/** Serves one configuration; resolves to `{ url, close }` once it answers. Mail is posted to `mailWebhook`. */
export async function serve(configuration, { host = '127.0.0.1', port = 0, databaseURL, mailWebhook } = {}) {
  const { name: _, publicURL, passwordHash: __, plugins = {}, ...options } = configuration;
  // The address goes into the configuration, so it is bound first.
  let handler = async (_, res) => res.writeHead(503).end();
  const server = http.createServer((req, res) => {
    handler(req, res).catch(() => {
      if (!res.headersSent) res.writeHead(500);
      res.end();
    });
  });
  await new Promise((resolve, reject) => server.once('error', reject).listen(port, host, resolve));
  const url = `http://${host}:${server.address().port}`;
  const auth = betterAuth({
    ...withMail(options, mailWebhook),
    plugins: Object.entries(plugins).map(([name, its]) => PLUGINS[name](its)),
    baseURL: publicURL ?? url,
    database: await database(databaseURL),
    telemetry: { enabled: false },
    logger: { disabled: !process.env.REFERENCE_LOG },
  });
  await (await getMigrations(auth.options)).runMigrations();
  await auth.$context;
  handler = toNodeHandler(auth);
  return { url, close: () => server.close() };
}

async function main() {
  // As in production: secure defaults, and a default /error page that redirects.
  process.env.NODE_ENV = 'production';
  if (process.env.REFERENCE_CONFIGURATION) {
    const { url } = await serve(JSON.parse(process.env.REFERENCE_CONFIGURATION), {
      port: Number(process.env.PORT ?? 0),
      databaseURL: process.env.DATABASE_URL,
      mailWebhook: process.env.MAIL_WEBHOOK,
    });
    console.log(url);
    return;
  }
  process.on('message', async ({ configuration, mailWebhook }) => {
    try {
      process.send({ name: configuration.name, url: (await serve(configuration, { mailWebhook })).url });
    } catch (error) {
      process.send({ name: configuration.name, error: String(error?.stack ?? error) });
    }
  });
  process.on('disconnect', () => process.exit(0));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main();
