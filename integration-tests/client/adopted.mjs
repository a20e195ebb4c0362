// A table of users as a FastAPI program declares it with SQLAlchemy, with some people in it and a table that refers to
// them, and its adoption: `run.mjs --adopt`. PostgreSQL by the `psql` program, SQLite by the reference's own library.
import { ask } from './sidecar.mjs';

export const IDS = ['uuid', 'integer', 'text'];

const SHORT = 'old-password-1';
/** Longer than the 72 bytes that bcrypt looks at. */
const LONG = 'correct horse battery staple, '.repeat(3);

/**
 * Hashes of these two passwords, as passlib makes them when nothing is set:
 *   python -m venv v && v/bin/pip install passlib==1.7.4 bcrypt==4.0.1 argon2-cffi==25.1.0
 *   CryptContext(["bcrypt", "bcrypt_sha256", "argon2"]).hash(password, scheme="bcrypt")   and so on
 */
const HASHES = {
  bcrypt: {
    [SHORT]: '$2b$12$XL0eeWkOaLi3MqMwJUz4Au3ymdQepq0jOMQuWYpfesUxPAGS/Ti02',
    [LONG]: '$2b$12$bYzOCExNXqUFko.YmR.O.uH9G9bB94ZVC6i4477j9sdiH8GXYF7.u',
  },
  'bcrypt-sha256': {
    [SHORT]: '$bcrypt-sha256$v=2,t=2b,r=12$fMWVAZm3DsmKmk68yKuZTu$I7/YUaruho3e3CkjtfXBwYOPKqGb18C',
    [LONG]: '$bcrypt-sha256$v=2,t=2b,r=12$jJflb48GzBc1J9Dzk1vd.O$zCaMjjRtiV9hZBsrcFFmDhqFNVRA4NG',
  },
  argon2id: {
    [SHORT]: '$argon2id$v=19$m=65536,t=3,p=4$77333jsnxDhn7H3vvdf6/w$JG4M1E/GSYt5IV6Xu1/U9dQMSg3YK2PUitpLJxB+EX4',
    [LONG]: '$argon2id$v=19$m=65536,t=3,p=4$DmGM0TonhBBiTGkNYewd4w$DgtY2A3GfhxoAM5DM44G0+jCQG5k6tPc2rcGzWWP3T4',
  },
};
export const HASH_KINDS = Object.keys(HASHES);

/** Who is in the table. Two passwords are enough: nobody's is told from another's. */
export const people = {
  ada: { email: 'Ada@Old.Example.test', name: 'Ada Lovelace', password: SHORT },
  bob: { email: 'bob@old.example.test', name: 'Bob', password: SHORT },
  grace: { email: 'grace@old.example.test', name: null, password: LONG },
  eve: { email: 'eve@old.example.test', name: 'Eve', password: SHORT, inactive: true },
};

/** Ids and times as SQLAlchemy declares them; with `uuid` in SQLite, ids are 32 hexadecimal digits. */
const TYPES = {
  postgres: { uuid: 'uuid DEFAULT gen_random_uuid()', integer: 'serial', text: 'varchar(64)', time: 'timestamp DEFAULT now()', reference: { uuid: 'uuid', integer: 'integer' } },
  sqlite: { uuid: 'CHAR(32)', integer: 'INTEGER', text: 'VARCHAR(64)', time: 'DATETIME DEFAULT CURRENT_TIMESTAMP', reference: {} },
};

/** The id of the n-th row; the database itself counts integers. */
const OLD_IDS = {
  postgres: (n) => ({ uuid: `'5f0c1f3e-8a6b-4c1d-9e2f-00000000000${n}'`, text: `'user-5f0c1f3e8a6b4c1d9e2f00000000000${n}'` }),
  sqlite: (n) => ({ uuid: `'5f0c1f3e8a6b4c1d9e2f00000000000${n}'`, text: `'user-5f0c1f3e8a6b4c1d9e2f00000000000${n}'` }),
};

function declaration(backend, { ids, hash }) {
  const types = TYPES[backend];
  const text = (value) => (value === null ? 'NULL' : `'${value}'`);
  const rows = Object.values(people).map(({ email, name, password, inactive }, n) => {
    const id = OLD_IDS[backend](n + 1)[ids];
    const values = [text(email), text(HASHES[hash][password]), text(name), !inactive, false];
    return `INSERT INTO app_users (${id ? 'id, ' : ''}email, hashed_password, full_name, is_active, is_superuser)
      VALUES (${id ? `${id}, ` : ''}${values.join(', ')});
      INSERT INTO posts (id, author) SELECT ${n + 1}, id FROM app_users WHERE email = ${text(email)};`;
  });
  // Python's defaults are not the database's: is_active and is_superuser have none there.
  return `CREATE TABLE app_users (id ${types[ids]} NOT NULL, email varchar(320) NOT NULL, hashed_password varchar(1024) NOT NULL,
      full_name varchar(200), is_active boolean NOT NULL, is_superuser boolean NOT NULL, created_at ${types.time}, PRIMARY KEY (id));
    CREATE UNIQUE INDEX ix_app_users_email ON app_users (email);
    CREATE TABLE posts (id integer NOT NULL PRIMARY KEY, author ${types.reference[ids] ?? types[ids]} NOT NULL REFERENCES app_users (id) ON DELETE CASCADE);
    ${rows.join('\n')}`;
}

/** Rows as new as the reference's, however long the start took. */
const RENEW = {
  postgres: "created_at = now() AT TIME ZONE 'UTC', updated_at = now()",
  sqlite: 'created_at = CURRENT_TIMESTAMP',
};

/** What both databases know how to show, in one form: numbers as text, true and false as 1 and 0. */
const ROW = (email) => `SELECT CAST(id AS text) AS id, email, hashed_password, full_name, CAST(is_active AS integer) AS is_active,
  CAST(is_superuser AS integer) AS is_superuser, CAST(created_at AS text) AS created_at,
  (SELECT count(*) FROM posts WHERE author = app_users.id) AS posts FROM app_users WHERE lower(email) = '${email.toLowerCase()}'`;

/**
 * Makes the table in a fresh database, and `adopt` (a function of the command's arguments) adopts it.
 * Answers what the other program can do: `row(email)`, how it sees somebody (or undefined), and `renew(email)`.
 */
export async function adoptTable(url, { passwordHash, ...kinds }, adopt) {
  const sqlite = /^sqlite:\/\/(.*)$/.exec(url)?.[1];
  const backend = sqlite ? 'sqlite' : 'postgres';
  const rows = sqlite ? await openFile(sqlite) : async (sql) => JSON.parse(await ask(url, `SELECT coalesce(json_agg(t), '[]') FROM (${sql}) t`));
  // A time without a zone is UTC for whoever writes such columns with care.
  const write = (sql) => (sqlite ? rows(`PRAGMA foreign_keys = ON; ${sql}`, 'exec') : ask(url, `SET TIME ZONE 'UTC'; ${sql}`));
  await write(declaration(backend, kinds));
  await adopt(['--table', sqlite ? 'app_users' : 'public.app_users', '--apply', '--yes']);
  return {
    passwordHash,
    hash: kinds.hash,
    row: async (email) => (await rows(ROW(email)))[0],
    renew: (email) => write(`UPDATE app_users SET ${RENEW[backend]} WHERE email = '${email}'`),
  };
}

async function openFile(file) {
  const { default: Database } = await import('libsql');
  return async (sql, how = 'query') => {
    const database = new Database(file);
    try {
      return how === 'exec' ? database.exec(sql) : database.prepare(sql).all();
    } finally {
      database.close();
    }
  };
}
