const strategies = ['compact', 'jwt', 'jwe'];

/**
 * The same form with other content. Only well-formed base64 goes in: what a broken signature does is left open, since
 * in the package it depends on which letter is hit.
 */
function altered(strategy, value) {
  if (strategy === 'compact') return Buffer.from(Buffer.from(value, 'base64url').toString().replace('"Name of', '"Game of')).toString('base64url');
  const parts = value.split('.');
  const last = parts.pop();
  return [...parts, (last[0] === 'A' ? 'B' : 'A') + last.slice(1)].join('.');
}

export default (scenario) => {
  for (const configuration of strategies) {
    scenario(`${configuration}: set, read, renewed`, { configuration }, async (t) => {
      await t.signUp('ada', { software_background: 'Zoë 🦀 "quotes" </script>', image: 'https://img.example.test/ä.png' });
      const cache = await t.readCache();
      t.note('what the helper of an app reads', cache && { user: cache.user, session: cache.session, version: cache.version });
      await t.get('from the cookie', '/get-session');
      await t.call('through the client', (c) => c.getSession());
      await t.get('past the cookie', '/get-session?disableCookieCache=true');
      await t.get('where a session is needed', '/list-accounts');
      await t.get('freshness', '/list-sessions');
      await t.post('update-user writes it anew', '/update-user', { name: 'Renamed' });
      await t.get('the new name', '/get-session');
      await t.get('no cache cookie: a new one', '/get-session', { jar: t.jar.with('session_data', undefined) });
      await t.post('sign out', '/sign-out', {});
    });

    scenario(`${configuration}: not remembered`, { configuration }, async (t) => {
      await t.signUp('ada', { rememberMe: false });
      await t.get('from the cookie', '/get-session');
      await t.get('past the cookie', '/get-session?disableCookieCache=true');
      await t.get('no cache cookie', '/get-session', { jar: t.jar.with('session_data', undefined) });
    });

    scenario(`${configuration}: a revoked session lives in the cookie, but not where it matters`, { configuration }, async (t) => {
      const u = await t.signUp('ada');
      const second = await t.device('second', u);
      await t.post('revoke the others', '/revoke-other-sessions', {});
      const jar = () => second.jar.with('none');
      await t.get('still read', '/get-session', { jar: jar() });
      await t.get('accounts', '/list-accounts', { jar: jar() });
      await t.post('change-password', '/change-password', { currentPassword: u.password, newPassword: 'a new password' }, { jar: jar() });
      await t.post('update-user', '/update-user', { name: 'Ghost' }, { jar: jar() });
      await t.get('past the cookie', '/get-session?disableCookieCache=true', { jar: jar() });
    });

    scenario(`${configuration}: cookies that prove nothing`, { configuration }, async (t) => {
      const a = await t.signUp('ada');
      const b = t.newJar();
      await t.signUp('bob', {}, { jar: b });
      await t.get("another user's cache", '/get-session', { jar: t.jar.with('session_data', b.get('session_data')) });
      await t.get('garbage', '/get-session', { jar: t.jar.with('session_data', 'garbage') });
      await t.get('cut short', '/get-session', { jar: t.jar.with('session_data', t.jar.get('session_data').slice(0, -5)) });
      await t.get('altered', '/get-session', { jar: t.jar.with('session_data', altered(configuration, t.jar.get('session_data'))) });
      await t.get('empty', '/get-session', { jar: t.jar.with('session_data', '') });
      await t.get('no token beside it', '/get-session', { jar: t.jar.with('session_token', undefined) });
      t.note('the address', a.email);
    });

    scenario(`${configuration}: a cookie too long for one line comes in chunks`, { configuration }, async (t) => {
      await t.signUp('ada', { software_background: 'long '.repeat(1400) });
      t.note('the helper joins them', (await t.readCache())?.user?.software_background?.length ?? null);
      await t.get('read from the chunks', '/get-session');
      await t.post('shorter', '/update-user', { software_background: 'short' });
      await t.get('read again', '/get-session');
      await t.post('longer', '/update-user', { software_background: 'long '.repeat(900) });
      await t.post('sign out', '/sign-out', {});
    });
  }

  scenario('compact: expires after its own time', { configuration: 'cache-short' }, async (t) => {
    await t.signUp('ada');
    await t.sleep(1300);
    await t.get('read anew', '/get-session');
    await t.get('where a session is needed', '/list-accounts');
  });

  scenario('hidden and session fields', { configuration: 'fields-cache' }, async (t) => {
    await t.signUp('ada', { nickname: 'countess' });
    await t.post('session field', '/update-session', { theme: 'dark' });
    await t.get('from the cookie', '/get-session');
  });
};
