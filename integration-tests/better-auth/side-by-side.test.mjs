// A database that Better Auth on Node made and goes on using is adopted, and auth-sidecar works on it at the same time.
//
//   npm test            every shape on SQLite and, with TEST_DATABASE_URL (an administrator's), on PostgreSQL
//   SHAPES=kysely,uuid  those alone;  SECOND=node  a second Better Auth instead of auth-sidecar (see servers.mjs)
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';
import { Jar } from '../client/http.mjs';
import { freshDatabase } from '../client/sidecar.mjs';
import { openMailbox } from '../client/mailbox.mjs';
import { rows, schemaOf } from './catalog.mjs';
import { Person, request } from './person.mjs';
import { adopt, settings, standIn, startNode, startSecond } from './servers.mjs';
import { create, shapes, tablesOf } from './shapes.mjs';

const administrator = process.env.TEST_DATABASE_URL;
const chosen = process.env.SHAPES?.split(',');

/** What ids of a shape look like in answers. */
const IDS = {
  text: /^[A-Za-z0-9]{32}$/,
  uuid: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
  number: /^[1-9][0-9]*$/,
};
/** Keys that a plugin of the shape adds to answers of Better Auth alone. */
const FOREIGN_KEYS = { admin: ['role', 'banned', 'banReason', 'banExpires', 'impersonatedBy'] };
/** Fields that adopt adds where a shape has none. */
const ADDED_KEYS = ['software_background', 'hardware_background'];

/** In place of the second server until it is there. */
const missing = {
  name: 'auth-sidecar',
  get url() {
    throw new Error('auth-sidecar was not started');
  },
  stop() {},
};

/** How many requests are under way at a time, where there are many. */
const PARALLEL = 10;

/** Does something `count` times; all that has begun has ended when it resolves or rejects. */
async function inParallel(count, act) {
  let next = 0;
  const worker = async () => {
    while (next < count) await act(next++);
  };
  const ended = await Promise.allSettled(Array.from({ length: PARALLEL }, worker));
  for (const { reason } of ended) if (reason) throw reason;
}

const without = (keys, value) => Object.fromEntries(Object.entries(value).filter(([key]) => !keys.includes(key)));

/** Checks that what auth-sidecar says about a session or user is what Better Auth says. */
function assertSame(shape, theirs, ours) {
  const [foreign, added] = [shape.plugins.flatMap((plugin) => FOREIGN_KEYS[plugin] ?? []), shape.fields.length ? [] : ADDED_KEYS];
  for (const part of ['session', 'user']) {
    assert.deepEqual(without(added, ours[part]), without(standIn ? [] : foreign, theirs[part]), part);
    if (part === 'user' && !standIn) for (const key of added) assert.equal(ours.user[key], null, key);
  }
}

// Each waits for its servers most of the time.
describe('side by side', { concurrency: 3 }, () => {
  for (const shape of shapes) {
    for (const database of shape.databases) {
      if (chosen && !chosen.includes(shape.name)) continue;
      const skip = database === 'postgres' && !administrator && 'TEST_DATABASE_URL is not set';
      describe(`${shape.name} on ${database}`, { skip, concurrency: 1 }, () => sideBySide(shape, database));
    }
  }
});

function sideBySide(shape, kind) {
  const values = (...given) => Object.fromEntries(shape.fields.map((key, i) => [key, given[i]]));
  const adoption = standIn && 'auth-sidecar alone has it';
  const thorough = !shape.thorough && 'two shapes are enough';

  let database;
  let its;
  let mailbox;
  let node;
  let second = missing;
  let schema;
  let schemaBesides;
  const ada = new Person('Ada');
  const bob = new Person('Bob');
  const grace = new Person('Grace'); // by way of another provider: no password
  const mallory = new Person('Mallory'); // banned, where there are bans
  let kids;

  /** Both ways round: `[from, to]`. */
  const bothWays = async (check) => {
    await check(node, second);
    await check(second, node);
  };
  const jwks = async (server) => (await request(server, '/jwks')).json;
  const kidsOf = async (server) => (await jwks(server)).keys.map(({ kid }) => kid).sort();

  before(async () => {
    database = await freshDatabase(kind === 'postgres' ? administrator : undefined);
    its = settings(database.url);
    [mailbox] = await Promise.all([openMailbox(), create(shape, database.url)]);
    schema = await schemaOf(database.url);
    node = await startNode(shape, its, mailbox.url);
    await ada.signUp(node, values('advanced', 'FPGA boards'));
    await bob.signUp(node, values('beginner', undefined));
    await ada.does(node, '/token');
    kids = await kidsOf(node);
    const user = await node.call(
      'createOAuthUser',
      { name: grace.name, email: grace.email, emailVerified: true, image: 'https://example.com/grace.png' },
      { providerId: 'github', accountId: '1906', accessToken: 'gho_1', scope: 'read:user,user:email', accessTokenExpiresAt: new Date(Date.now() + 3600e3) },
    );
    grace.id = user.user.id;
    if (shape.plugins.includes('admin')) {
      await mallory.signUp(node);
      await node.call('updateUser', mallory.id, { banned: true, banReason: 'spam' });
    }
  });
  after(async () => {
    await Promise.all([second.stop(), node?.stop()]);
    mailbox?.close();
    database?.drop();
  });

  test('the plan names the tables and changes nothing', { skip: adoption }, async () => {
    const { status, output } = await adopt(its);
    assert.equal(status, 0, output);
    for (const table of tablesOf(shape)) assert.match(output, new RegExp(`\\b${table}\\b`), output);
    assert.equal(await schemaOf(database.url), schema);
    await ada.isSignedIn(node);
  });

  test('adopting and serving need no further setting', async () => {
    if (!standIn) {
      const { status, output } = await adopt(its, '--apply', '--yes');
      assert.equal(status, 0, output);
    }
    second = await startSecond(shape, its, mailbox.url);
    schemaBesides = await schemaOf(database.url);
  });

  test('adopting again says that it is done', { skip: adoption }, async () => {
    const { output } = await adopt(its, '--apply', '--yes');
    assert.match(output, /already/i);
    assert.equal(await schemaOf(database.url), schemaBesides);
  });

  test('the sessions of Better Auth are signed in at once, as the same people', async () => {
    for (const person of [ada, bob]) {
      const [theirs, ours] = [await person.session(node), await person.session(second)];
      assert.ok(theirs && ours, `${person.email}: ${JSON.stringify({ theirs, ours })}`);
      assertSame(shape, theirs, ours);
    }
  });

  test('sessions begin and end on both sides', async () => {
    await bothWays(async (from, to) => {
      const visit = ada.elsewhere();
      const user = await visit.signIn(from);
      assert.equal(user.id, ada.id);
      await visit.isSignedIn(to, from);
      assertSame(shape, await visit.session(node), await visit.session(second));
      const copy = ada.elsewhere();
      copy.jar = new Jar(visit.jar.cookies);
      await visit.signOut(to);
      await copy.isSignedOut(from, to);
    });
    await ada.isSignedIn(node, second);
  });

  test('a password is still one of Better Auth after signing in', async () => {
    await ada.hasPassword(ada.password, second, node);
    const { table, password } = accounts(shape);
    const hashes = await rows(database.url, `SELECT "${password}" AS hash FROM "${table}" WHERE "${password}" IS NOT NULL`);
    for (const { hash } of hashes) assert.match(hash, /^[0-9a-f]{32}:[0-9a-f]{128}$/);
  });

  test('a changed password holds on both sides', async () => {
    await bothWays(async (from, to) => {
      const [old, changed] = [bob.password, `changed at ${from.name}`];
      await bob.changePassword(from, changed);
      await bob.hasPassword(changed, to);
      await bob.hasNotPassword(old, to);
    });
  });

  test('who signs up on one side signs in on the other', async () => {
    await bothWays(async (from, to) => {
      const person = new Person('Hedy');
      const user = await person.signUp(from, values('none', 'radio'));
      assert.match(user.id, IDS[shape.ids]);
      const { session } = await person.session(to);
      assert.match(session.id, IDS[shape.ids]);
      assert.equal(session.userId, user.id);
      const visit = person.elsewhere();
      assert.equal((await visit.signIn(to)).id, user.id);
      assertSame(shape, await visit.session(node), await visit.session(second));
    });
  });

  test('what is updated on one side is read on the other', async () => {
    await bothWays(async (from, to) => {
      const changes = { name: `Ada of ${from.name}`, ...values(`set at ${from.name}`, null) };
      await ada.does(from, '/update-user', { body: changes });
      const { user } = await ada.session(to);
      for (const [key, value] of Object.entries(changes)) assert.equal(user[key], value, key);
      assertSame(shape, await ada.session(node), await ada.session(second));
    });
  });

  test('tokens of each side are verified with the keys of the other, and no key is made', async () => {
    await bothWays(async (from, to) => {
      const { token } = await ada.does(from, '/token');
      assert.ok(kids.includes(decodeProtectedHeader(token).kid));
      const { payload } = await jwtVerify(token, createLocalJWKSet(await jwks(to)));
      assert.equal(payload.sub, ada.id);
      assert.equal(payload.email, ada.email);
    });
    for (const server of [node, second]) assert.deepEqual(await kidsOf(server), kids, server.name);
    assert.deepEqual((await jwks(second)).keys, (await jwks(node)).keys);
  });

  test('sessions are listed and revoked across', async () => {
    await bothWays(async (from, to) => {
      const [here, there] = [bob.elsewhere(), bob.elsewhere()];
      await here.signIn(from);
      await there.signIn(to);
      const listed = async (server) => (await here.does(server, '/list-sessions')).map(({ id, token }) => `${id} ${token}`).sort();
      const [theirs, ours] = [await listed(node), await listed(second)];
      assert.deepEqual(ours, theirs);
      await here.does(to, '/revoke-other-sessions', { method: 'POST' });
      await there.isSignedOut(from, to);
      await here.isSignedIn(from, to);
      assert.equal((await listed(from)).length, 1);
    });
  });

  test('a reset that is asked for on one side is done on the other', async () => {
    await bothWays(async (from, to) => {
      const body = { email: bob.email, redirectTo: '/reset' };
      assert.equal((await request(from, '/request-password-reset', { body })).status, 200);
      const { token, url } = await mailbox.next(bob.email);
      const code = token ?? /reset-password\/([^?]+)/.exec(url)[1];
      const newPassword = `reset at ${to.name}`;
      assert.equal((await request(to, '/reset-password', { body: { newPassword, token: code } })).status, 200);
      bob.password = newPassword;
      await bob.hasPassword(newPassword, from);
      for (const server of [from, to]) {
        const again = await request(server, '/reset-password', { body: { newPassword, token: code } });
        assert.equal(again.status, 400, 'the link works once');
      }
    });
  });

  test('who came by another provider has no password, and gets one by a reset', async () => {
    for (const server of [node, second]) {
      const { status } = await request(server, '/sign-in/email', { body: { email: grace.email, password: grace.password } });
      assert.equal(status, 401, server.name);
    }
    assert.equal((await request(second, '/request-password-reset', { body: { email: grace.email, redirectTo: '/reset' } })).status, 200);
    const { token } = await mailbox.next(grace.email);
    assert.equal((await request(second, '/reset-password', { body: { newPassword: grace.password, token } })).status, 200);
    const visit = grace.elsewhere();
    await visit.signIn(node);
    const listed = async (server) =>
      (await visit.does(server, '/list-accounts')).map(({ providerId, accountId, scopes }) => ({ providerId, accountId, scopes }));
    const byProvider = (a, b) => a.providerId.localeCompare(b.providerId);
    const accounts = (await listed(second)).sort(byProvider);
    assert.deepEqual(accounts.map(({ providerId }) => providerId), ['credential', 'github']);
    assert.deepEqual(accounts, (await listed(node)).sort(byProvider));
    assertSame(shape, await visit.session(node), await visit.session(second));
  });

  test('what is refused is refused with the same words', { skip: thorough }, async () => {
    const { name, email, password } = ada;
    const refused = {
      'a wrong password': ['/sign-in/email', { email, password: 'not the password' }],
      'an unknown address': ['/sign-in/email', { email: 'nobody@example.com', password }],
      'an address that is taken': ['/sign-up/email', { name, email, password }],
      'the same address in capitals': ['/sign-up/email', { name, email: email.toUpperCase(), password }],
      'a short password': ['/sign-up/email', { name, email: 'new@example.com', password: 'short' }],
      'an unknown link': ['/reset-password', { newPassword: password, token: 'nothing' }],
    };
    for (const [what, [path, body]] of Object.entries(refused)) {
      const [theirs, ours] = [await request(node, path, { body }), await request(second, path, { body })];
      assert.ok(theirs.status >= 400, what);
      assert.deepEqual(ours, theirs, what);
    }
  });

  test('who is deleted on one side is gone on the other', async () => {
    await bothWays(async (from, to) => {
      const person = new Person('Rosalind');
      await person.signUp(to);
      const other = person.elsewhere();
      other.jar = new Jar(person.jar.cookies);
      await person.does(from, '/delete-user', { body: { password: person.password } });
      await other.isSignedOut(to, from);
      await other.hasNotPassword(person.password, to);
    });
  });

  test('banned people are nobody', { skip: !shape.plugins.includes('admin') && 'there are no bans' }, async () => {
    if (!standIn) await mallory.isSignedOut(second);
    const { status } = await request(second, '/sign-in/email', { body: { email: mallory.email, password: mallory.password } });
    assert.ok([401, 403].includes(status), `signing in is answered with ${status}`);

    // A ban while both are running, by an administrator.
    const trudy = new Person('Trudy');
    await trudy.signUp(second);
    await trudy.isSignedIn(second, node);
    await node.call('updateUser', ada.id, { role: 'admin' });
    await ada.does(node, '/admin/ban-user', { body: { userId: trudy.id, banReason: 'spam' } });
    await trudy.isSignedOut(second);
    const refused = await request(second, '/sign-in/email', { body: { email: trudy.email, password: trudy.password } });
    assert.ok([401, 403].includes(refused.status), `signing in is answered with ${refused.status}`);
    await ada.does(node, '/admin/unban-user', { body: { userId: trudy.id } });
    await trudy.hasPassword(trudy.password, second, node);
  });

  // Not sign-ups: Better Auth hashes the password in a transaction that has read already, so that with its Kysely adapter
  // on SQLite anything that another program writes meanwhile fails it, whoever that is.
  test('many sign in and out on both sides at once', { skip: thorough }, async () => {
    const person = new Person('Emmy');
    await person.signUp(node);
    const open = [];
    await inParallel(50, async (i) => {
      const [from, to] = i % 2 ? [node, second] : [second, node];
      const visit = person.elsewhere();
      await visit.signIn(from);
      if (i % 5) open.push(visit);
      else await visit.signOut(to);
    });
    assert.equal(open.length, 40);
    for (const server of [node, second]) assert.equal((await person.does(server, '/list-sessions')).length, 1 + open.length, server.name);
    await inParallel(open.length, (i) => open[i].signOut(i % 2 ? node : second));
    for (const server of [node, second]) assert.equal((await person.does(server, '/list-sessions')).length, 1, server.name);
  });

  test('after reverting, Better Auth works on as before', async () => {
    const hedy = new Person('Hedy');
    await hedy.signUp(second, values('none', 'radio'));
    await second.stop();
    second = missing;
    if (!standIn) {
      const { status, output } = await adopt(its, '--revert', '--yes');
      assert.equal(status, 0, output);
    }
    assert.equal(await schemaOf(database.url), schema);
    await ada.isSignedIn(node);
    await hedy.isSignedIn(node);
    for (const [key, value] of Object.entries(values('none', 'radio'))) assert.equal((await hedy.session(node)).user[key], value);
    await bob.hasPassword(bob.password, node);
    const person = new Person('Barbara');
    await person.signUp(node, values('advanced', 'none'));
    await person.isSignedIn(node);
    assert.deepEqual(await kidsOf(node), kids);
  });
}

const accounts = ({ options: { account } }) => ({ table: account?.modelName ?? 'account', password: account?.fields?.password ?? 'password' });
