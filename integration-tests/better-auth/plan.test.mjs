// What `auth-sidecar adopt` says about a schema that is behind or ahead of the one it knows. It changes nothing then.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { freshDatabase } from '../client/sidecar.mjs';
import { execute, schemaOf } from './catalog.mjs';
import { adopt, settings, standIn } from './servers.mjs';
import { create, shape, shapeNamed } from './shapes.mjs';

const administrator = process.env.TEST_DATABASE_URL;

const planned = (what, shape, { statements, refused, names }) => {
  for (const kind of ['postgres', 'sqlite']) {
    const skip = (standIn && 'auth-sidecar alone has it') || (kind === 'postgres' && !administrator && 'TEST_DATABASE_URL is not set');
    test(`${what}, on ${kind}`, { skip }, async () => {
      const database = await freshDatabase(kind === 'postgres' ? administrator : undefined);
      try {
        await create(shape, database.url);
        if (statements) await execute(database.url, statements);
        const schema = await schemaOf(database.url);
        const its = settings(database.url);
        const attempts = refused ? [[], ['--apply', '--yes']] : [[]];
        for (const attempt of attempts) {
          const { status, output } = await adopt(its, ...attempt);
          assert.equal(status !== 0, Boolean(refused), output);
          for (const name of names) assert.match(output, new RegExp(`\\b${name}\\b`), output);
        }
        assert.equal(await schemaOf(database.url), schema);
      } finally {
        database.drop();
      }
    });
  }
};

/** A server that demands a text of its own: NOT NULL, and without a default. */
const withField = (model, name) => shape('ahead', { options: { [model]: { additionalFields: { [name]: { type: 'string', required: true } } } } });

describe('the plan names', { concurrency: 2 }, () => {
  planned('columns of keys that version 1.3 did not have', shapeNamed('version-1.3'), { names: ['jwks', 'expiresAt', 'alg', 'crv'] });

  planned('columns of keys that version 1.6 did not have', shapeNamed('version-1.6'), { names: ['jwks', 'alg', 'crv'] });

  planned('a required field of users that it has no value for', withField('user', 'tenant'), { refused: true, names: ['user', 'tenant'] });

  planned('a required field of sessions that it has no value for', withField('session', 'device'), { refused: true, names: ['session', 'device'] });

  planned('a table that is missing', shapeNamed('kysely'), { statements: 'DROP TABLE "account"', refused: true, names: ['account'] });

  planned('a column that is missing', shapeNamed('kysely'), {
    statements: 'ALTER TABLE "session" DROP COLUMN "expiresAt"',
    refused: true,
    names: ['session', 'expiresAt'],
  });
});
