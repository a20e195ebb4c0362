// Databases as Better Auth servers on Node make them: each shape is one way to set such a server up.
import { createTables, openDatabase, pluginsOf } from './library.mjs';

const text = { type: 'string', required: false };
/** Keys of the two fields as most shapes declare them; the columns are named like the keys. */
const SNAKE = ['software_background', 'hardware_background'];
const CAMEL = ['softwareBackground', 'hardwareBackground'];

const snake = (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
const columns = (...names) => Object.fromEntries(names.map((name) => [name, snake(name)]));

/** Every table and column under another name, as an application with a naming scheme of its own has them. */
const RENAMED = {
  user: { modelName: 'users', fields: { ...columns('emailVerified', 'createdAt', 'updatedAt'), email: 'email_address', image: 'picture' } },
  session: {
    modelName: 'user_sessions',
    fields: columns('expiresAt', 'createdAt', 'updatedAt', 'ipAddress', 'userAgent', 'userId'),
  },
  account: {
    modelName: 'user_accounts',
    fields: columns(
      ...['accountId', 'providerId', 'userId', 'accessToken', 'refreshToken', 'idToken'],
      ...['accessTokenExpiresAt', 'refreshTokenExpiresAt', 'createdAt', 'updatedAt'],
    ),
  },
  verification: { modelName: 'verifications', fields: columns('expiresAt', 'createdAt', 'updatedAt') },
};
const RENAMED_KEYS = { modelName: 'signing_keys', fields: columns('publicKey', 'privateKey', 'createdAt', 'expiresAt') };

/**
 * `library`: the npm name of Better Auth. `adapter`: what it reaches the database through. `fields`: keys of additional
 * user fields. `ids`: what the ids of users are like. `options`: of `betterAuth()`. `jwks`: the schema of the jwt plugin.
 * `thorough`: it is also tried with many people at once, and with all that is refused.
 */
export const shape = (name, its) => ({
  name,
  library: 'better-auth',
  adapter: 'kysely',
  databases: ['postgres', 'sqlite'],
  fields: SNAKE,
  ids: 'text',
  options: {},
  plugins: ['jwt', 'bearer'],
  ...its,
});

const generating = (generateId) => ({ advanced: { database: { generateId } } });

export const shapes = [
  shape('kysely', { thorough: true }),
  shape('camel-fields', { fields: CAMEL }),
  shape('no-fields', { fields: [] }),
  shape('uuid', { ids: 'uuid', options: generating('uuid') }),
  shape('serial', { ids: 'number', options: generating('serial') }),
  shape('renamed', { options: RENAMED, jwks: RENAMED_KEYS }),
  shape('admin', { plugins: ['jwt', 'bearer', 'admin'] }),
  shape('version-1.3', { library: 'better-auth-1.3' }),
  shape('version-1.4', { library: 'better-auth-1.4' }),
  // Their tables are those of 1.4: once each is enough.
  shape('version-1.5', { library: 'better-auth-1.5', databases: ['sqlite'] }),
  shape('version-1.6', { library: 'better-auth-1.6', databases: ['postgres'] }),
  shape('drizzle', { adapter: 'drizzle', thorough: true }),
  shape('prisma', { adapter: 'prisma' }),
  // How Prisma wrote times into SQLite before it had driver adapters, and how it does if one asks the adapter for it.
  shape('prisma-milliseconds', { adapter: 'prisma', databases: ['sqlite'], timestampFormat: 'unixepoch-ms' }),
];

export const shapeNamed = (name) => {
  const found = shapes.find((shape) => shape.name === name);
  if (!found) throw new Error(`no shape ${name}: there are ${shapes.map((shape) => shape.name).join(', ')}`);
  return found;
};

/** The names of the tables that every shape has. */
export const tablesOf = ({ options, jwks }) =>
  ['user', 'session', 'account', 'verification'].map((model) => options[model]?.modelName ?? model).concat(jwks?.modelName ?? 'jwks');

/** `{ options, close }`: the options of `betterAuth()` for a server of this shape. */
export async function open(shape, { databaseURL, baseURL, secret, sendResetPassword }) {
  const { database, close } = await openDatabase(shape, databaseURL);
  const { user, ...own } = shape.options;
  const options = {
    baseURL,
    secret,
    database,
    emailAndPassword: { enabled: true, sendResetPassword },
    rateLimit: { enabled: false },
    telemetry: { enabled: false },
    logger: { level: 'error' },
    user: {
      ...user,
      deleteUser: { enabled: true },
      additionalFields: { ...Object.fromEntries(shape.fields.map((key) => [key, text])), ...user?.additionalFields },
    },
    ...own,
    plugins: await pluginsOf(shape),
  };
  return { options, close };
}

/** Makes the tables of the shape in an empty database. */
export async function create(shape, databaseURL) {
  const { options, close } = await open(shape, { databaseURL, baseURL: 'http://localhost', secret: 'x'.repeat(32) });
  try {
    await createTables(shape, databaseURL, options);
  } finally {
    await close();
  }
}
