// On an adopted table only: people who were there before. In front of the reference they have just signed up, and from
// then on nobody can tell the two apart.
const signIn = ({ email, password }) => ({ email, password });
const withoutHash = ({ hashed_password: _, ...row }) => row;
/** What a sign-in makes of a hash of another kind than the setting asks for; without one all stay. */
const RENEWED = { scrypt: /^[0-9a-f]{32}:[0-9a-f]{128}$/, argon2id: /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/ };

/** A sign-in past the traces: the reference answers another one. */
const attempt = ({ url, configuration }, body) => {
  const headers = { 'content-type': 'application/json', origin: url };
  return fetch(`${url}${configuration.basePath}/sign-in/email`, { method: 'POST', headers, body: JSON.stringify(body) });
};

export default (scenario) => {
  for (const configuration of ['default', 'scrypt', 'compact', 'jwe', 'tokens']) {
    scenario(`an old password goes on, with the old id and name (${configuration})`, { configuration, adopted: true }, async (t) => {
      const ada = await t.existing('ada');
      const before = await t.theirs?.row(ada.email);
      const { data } = await t.call('sign in', (c) => c.signIn.email(signIn(ada)));
      await t.inTable('id and name', () => [[data?.user.id, data?.user.name], [before.id, ada.name]]);
      await t.inTable('the row is the same', async ({ row }) => [withoutHash(await row(ada.email)), withoutHash(before)]);
      await t.call('who am I', (c) => c.getSession());
      await t.get('past a cache', '/get-session?disableCookieCache=true');
      await t.get('accounts', '/list-accounts');
      await t.get('sessions', '/list-sessions');
      if (configuration === 'tokens') await t.get('token', '/token');
      await t.post('another password', '/sign-in/email', { ...signIn(ada), password: 'old-password-2' }, { jar: null });
      await t.post('again, the address in another case', '/sign-in/email', { ...signIn(ada), email: ada.email.toUpperCase() }, { jar: null });
      const after = await t.theirs?.row(ada.email);
      await t.inTable('the row is still the same', () => [withoutHash(after), withoutHash(before)]);
      await t.inTable('the hash was renewed where the setting asks for another', ({ passwordHash, hash }) => {
        const renewed = passwordHash !== hash && RENEWED[passwordHash];
        return renewed ? [renewed.test(after.hashed_password), true] : [after.hashed_password, before.hashed_password];
      });
    });
  }

  scenario('a long old password', { adopted: true }, async (t) => {
    const grace = await t.existing('grace');
    await t.post('sign in', '/sign-in/email', signIn(grace));
    // The other program's hash stays, and bcrypt knows only the first 72 bytes.
    const otherEnd = { ...signIn(grace), password: `${grace.password.slice(0, -1)}x` };
    await t.inTable('another end', async ({ hash }) => [(await attempt(t, otherEnd)).status, hash === 'bcrypt' ? 200 : 401]);
    await t.post('again', '/sign-in/email', signIn(grace), { jar: null });
    const before = await t.theirs?.row(grace.email);
    await t.post('update', '/update-user', { software_background: 'C' });
    await t.get('no name', '/get-session');
    await t.inTable('nothing else is written', async ({ row }) => [await row(grace.email), before]);
  });

  scenario('who is not active does not sign in', { adopted: true }, async (t) => {
    const eve = await t.existing('eve');
    await t.post('another password', '/sign-in/email', { ...signIn(eve), password: 'old-password-2' }, { jar: null });
    await t.inTable('refused with the words of the admin plugin', async () => {
      const answer = await attempt(t, signIn(eve));
      return [[answer.status, (await answer.json()).code], [403, 'BANNED_USER']];
    });
  });

  scenario('an old user changes everything and goes', { adopted: true }, async (t) => {
    const bob = await t.existing('bob');
    const before = await t.theirs?.row(bob.email);
    await t.post('the address is taken', '/sign-up/email', { ...bob, email: bob.email.toUpperCase() }, { jar: null });
    await t.post('sign in', '/sign-in/email', signIn(bob));
    await t.call('update', (c) => c.updateUser({ name: 'Robert', software_background: 'C', hardware_background: '' }));
    await t.call('password', (c) => c.changePassword({ currentPassword: bob.password, newPassword: 'new-password-2', revokeOtherSessions: true }));
    await t.post('the old one', '/sign-in/email', signIn(bob), { jar: null });
    await t.post('the new one', '/sign-in/email', { ...signIn(bob), password: 'new-password-2' }, { jar: null });
    await t.get('after', '/get-session');
    await t.inTable('his row', async ({ row }) => [withoutHash(await row(bob.email)), { ...withoutHash(before), full_name: 'Robert' }]);
    await t.call('delete', (c) => c.deleteUser({ password: 'new-password-2' }));
    await t.inTable('no row', async ({ row }) => [await row(bob.email), undefined]);
    await t.signUp('bob', { email: bob.email });
    await t.get('somebody new', '/get-session');
    await t.inTable('a row as others', async ({ row }) => {
      const { id, created_at: _, ...rest } = withoutHash(await row(bob.email));
      return [{ other: id !== before.id, ...rest }, { other: true, email: bob.email, full_name: 'Name of bob', is_active: 1, is_superuser: 0, posts: 0 }];
    });
  });

  scenario('a forgotten old password', { configuration: 'mail', adopted: true }, async (t) => {
    const ada = await t.existing('ada');
    await t.post('request', '/request-password-reset', { email: ada.email, redirectTo: '/new' });
    const mail = await t.mail('the mail', ada.email.toLowerCase());
    await t.follow('follow', mail);
    await t.post('reset', '/reset-password', { newPassword: 'new-password-2', token: mail.token });
    await t.post('the old one', '/sign-in/email', signIn(ada));
    await t.post('the new one', '/sign-in/email', { ...signIn(ada), password: 'new-password-2' });
    await t.post('proof', '/send-verification-email', { email: ada.email });
    await t.follow('prove', await t.mail('the proof', ada.email.toLowerCase()));
    await t.get('proven', '/get-session');
  });
};
