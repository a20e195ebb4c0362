// What the versions of Better Auth, and the adapters, differ in.
import fs from 'node:fs';
import Database from 'better-sqlite3'; // libsql, in fact: the same interface and file, and nothing to be compiled
import { SqliteDialect } from 'kysely';
import pg from 'pg';

export const isSQLite = (databaseURL) => databaseURL.startsWith('sqlite:');
export const sqliteFile = (databaseURL) => databaseURL.replace(/^sqlite:\/\//, '');
const here = (name) => new URL(name, import.meta.url);

/** How long a statement may wait for another program's lock on a SQLite file, in ms: the default of better-sqlite3. */
const BUSY = 5000;

export function openSQLite(databaseURL, options) {
  return new Database(sqliteFile(databaseURL), { timeout: BUSY, ...options });
}

export const openPostgres = (databaseURL, options) => new pg.Pool({ connectionString: databaseURL, max: 5, ...options });

/** Gives statements the one function of better-sqlite3 that Prisma's adapter needs and libsql lacks. */
function bindStatements() {
  const database = new Database(':memory:');
  const statement = Object.getPrototypeOf(database.prepare('SELECT 1'));
  statement.bind = function bind(values) {
    return {
      reader: this.reader,
      columns: () => this.columns(),
      run: () => this.run(...values),
      raw: () => ({ all: () => this.raw().all(...values) }),
    };
  };
  database.close();
}

const ADAPTERS = {
  kysely: (databaseURL) => {
    if (isSQLite(databaseURL)) {
      const database = openSQLite(databaseURL);
      // Better Auth knows better-sqlite3 itself, and would say the same about it.
      const options = { dialect: new SqliteDialect({ database }), type: 'sqlite', transaction: true };
      return { database: options, close: () => database.close() };
    }
    const database = openPostgres(databaseURL);
    return { database, close: () => database.end() };
  },

  drizzle: async (databaseURL) => {
    const { drizzleAdapter } = await import('better-auth/adapters/drizzle');
    const kind = isSQLite(databaseURL) ? 'sqlite' : 'pg';
    const { drizzle } = await import(kind === 'pg' ? 'drizzle-orm/node-postgres' : 'drizzle-orm/better-sqlite3');
    const schema = await import(here(`drizzle/${kind}.mjs`));
    const client = kind === 'pg' ? openPostgres(databaseURL) : openSQLite(databaseURL);
    return {
      database: drizzleAdapter(drizzle({ client, schema }), { provider: kind, schema }),
      close: () => (kind === 'pg' ? client.end() : client.close()),
    };
  },

  prisma: async (databaseURL, { timestampFormat }) => {
    const { prismaAdapter } = await import('better-auth/adapters/prisma');
    const { prismaClient } = await import('./prisma/client.mjs');
    const sqlite = isSQLite(databaseURL);
    let driver;
    if (sqlite) {
      bindStatements();
      const { PrismaBetterSqlite3 } = await import('@prisma/adapter-better-sqlite3');
      driver = new PrismaBetterSqlite3({ url: `file:${sqliteFile(databaseURL)}`, timeout: BUSY }, { timestampFormat });
    } else {
      const { PrismaPg } = await import('@prisma/adapter-pg');
      driver = new PrismaPg({ connectionString: databaseURL, max: 5 });
    }
    const client = prismaClient(sqlite ? 'sqlite' : 'pg', driver);
    return { database: prismaAdapter(client, { provider: sqlite ? 'sqlite' : 'postgresql' }), close: () => client.$disconnect() };
  },
};

/** `{ database, close }`: `database` as `betterAuth()` takes it. */
export const openDatabase = async (shape, databaseURL) => ADAPTERS[shape.adapter](databaseURL, shape);

export async function pluginsOf({ library, plugins, jwks }) {
  const all = await import(`${library}/plugins`);
  return plugins.map((name) => all[name](name === 'jwt' && jwks ? { schema: { jwks } } : {}));
}

/** Makes the tables in an empty database as the tool of the adapter does. `options`: of `betterAuth()`. */
export async function createTables({ library, adapter }, databaseURL, options) {
  if (adapter === 'kysely') {
    const { getMigrations } = await import(`${library}/db/migration`).catch(() => import(`${library}/db`));
    return (await getMigrations(options)).runMigrations();
  }
  const sqlite = isSQLite(databaseURL);
  const ddl = fs.readFileSync(here(`${adapter}/${sqlite ? 'sqlite' : 'pg'}.sql`), 'utf8');
  const database = sqlite ? openSQLite(databaseURL) : openPostgres(databaseURL);
  try {
    await (sqlite ? database.exec(ddl) : database.query(ddl));
  } finally {
    await (sqlite ? database.close() : database.end());
  }
}
