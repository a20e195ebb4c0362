export default (scenario) => {
  scenario('nobody', async (t) => {
    await t.call('client', (c) => c.getSession());
    await t.get('raw', '/get-session', { headers: { origin: null } });
    await t.get('a cache cookie while the cache is off', '/get-session', { headers: { cookie: 'better-auth.session_data=x' } });
    await t.get('chunks while the cache is off', '/get-session', { headers: { cookie: 'better-auth.session_data.0=x; better-auth.session_data.1=y' } });
  });

  scenario('methods', async (t) => {
    await t.signUp('ada');
    await t.post('POST', '/get-session', {});
    await t.send('POST as text', 'POST', '/get-session', { body: 'x', headers: { 'content-type': 'text/plain' } });
    await t.post('POST without a session', '/get-session', {}, { jar: null });
    for (const method of ['PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS']) await t.send(method, method, '/get-session');
  });

  scenario('query', async (t) => {
    await t.signUp('ada');
    for (const query of ['disableCookieCache=true', 'disableRefresh=true', 'disableRefresh=false', 'disableCookieCache=', 'x=1', 'disableRefresh=1&disableRefresh=2', 'disableRefresh=%zz']) {
      await t.get(query, `/get-session?${query}`);
    }
  });

  scenario('cookies that prove nothing', async (t) => {
    await t.signUp('ada');
    const value = decodeURIComponent(t.jar.get('session_token'));
    const [token, signature] = value.split(/\.(?=[^.]*$)/);
    const flip = (x) => (x[0] === 'A' ? 'B' : 'A') + x.slice(1);
    for (const [what, v] of Object.entries({
      'other token': `${flip(token)}.${signature}`, 'other signature': `${token}.${flip(signature)}`, 'no signature': token, 'short signature': `${token}.${signature.slice(0, 9)}`,
      'url-safe signature': `${token}.${signature.replaceAll('+', '-').replaceAll('/', '_')}x`, 'only a dot': '.', garbage: 'garbage', empty: '', quoted: `"${value}"`, 'plain, not escaped': value,
    })) {
      const raw = what === 'plain, not escaped' || what === 'quoted' ? v : encodeURIComponent(v);
      // Whether a signature survives the exchange of letters is chance: it is left out unless it has some.
      if (what === 'url-safe signature' && !/[+/]/.test(signature)) await t.get(what, '/get-session', { headers: { cookie: 'better-auth.session_token=x.y' } });
      else await t.get(what, '/get-session', { jar: t.jar.with('session_token', raw) });
    }
    const good = `better-auth.session_token=${t.jar.get('session_token')}`;
    await t.get('the first of two counts', '/get-session', { headers: { cookie: `${good}; better-auth.session_token=x` } });
    await t.get('and not the second', '/get-session', { headers: { cookie: `better-auth.session_token=x; ${good}` } });
    await t.get('among others, no spaces', '/get-session', { headers: { cookie: `a=b;${good};c="d";e` } });
    await t.get('the name in another case', '/get-session', { headers: { cookie: good.replace('session_token', 'Session_Token') } });
    await t.get('the secure name on plain http', '/get-session', { headers: { cookie: `__Secure-${good}` } });
  });

  scenario('a signed cookie of a session that is gone', async (t) => {
    const u = await t.signUp('ada');
    const second = await t.device('second', u);
    await t.post('revoke the others', '/revoke-other-sessions', {});
    await t.get('get-session', '/get-session', { jar: second.jar.with('none') });
    await t.get('list-accounts', '/list-accounts', { jar: second.jar.with('none') });
    await t.get('list-sessions', '/list-sessions', { jar: second.jar.with('none') });
    await t.post('change-password', '/change-password', { currentPassword: 'a', newPassword: 'b' }, { jar: second.jar.with('none') });
  });

  scenario('every read extends', { configuration: 'refresh' }, async (t) => {
    await t.signUp('ada');
    const first = await t.get('first', '/get-session');
    await t.sleep(20);
    const second = await t.get('second', '/get-session');
    t.note('the end and updatedAt moved, createdAt did not', ['expiresAt', 'updatedAt', 'createdAt'].map((k) => second.data.session[k] > first.data.session[k]));
    await t.get('not when asked not to', '/get-session?disableRefresh=true');
    await t.get('a middleware refreshes too', '/list-accounts');
    await t.post('update-user after a refresh', '/update-user', { name: 'Twice' });
    await t.get('freshness is off', '/list-sessions');
    await t.post('sign in, not remembered', '/sign-in/email', { email: t.email(), password: t.user().password, rememberMe: false });
    await t.get('never extended then', '/get-session');
  });

  scenario('with a cookie cache a middleware keeps one cookie', { configuration: 'cache-refresh' }, async (t) => {
    await t.signUp('ada');
    await t.get('answered from the cache', '/list-accounts');
    const bare = t.jar.with('session_data', undefined);
    await t.get('refreshed', '/list-accounts', { jar: bare.with('none') });
    await t.get('refreshed by get-session', '/get-session', { jar: bare.with('none') });
    await t.post('refreshed, then set again', '/update-user', { name: 'Thrice' }, { jar: bare.with('none') });
    await t.get('list-sessions', '/list-sessions', { jar: bare.with('none') });
  });

  scenario('refresh disabled', { configuration: 'refresh-disabled' }, async (t) => {
    await t.signUp('ada');
    await t.get('read', '/get-session');
    await t.get('middleware', '/list-accounts');
  });

  scenario('refresh deferred to POST', { configuration: 'deferred' }, async (t) => {
    await t.signUp('ada');
    await t.get('GET says it is due', '/get-session');
    await t.get('GET, not wanted', '/get-session?disableRefresh=true');
    await t.post('POST does it', '/get-session', {});
    await t.send('POST without a body', 'POST', '/get-session');
    await t.call('the client', (c) => c.getSession());
    await t.get('a middleware does not', '/list-accounts');
    await t.post('update-user', '/update-user', { name: 'Later' });
    await t.post('nobody', '/get-session', {}, { jar: null });
    await t.post('foreign origin', '/get-session', {}, { headers: { origin: 'https://evil.example.net' } });
  });

  scenario('refresh deferred, with a cookie cache', { configuration: 'deferred-cache' }, async (t) => {
    await t.signUp('ada');
    await t.get('from the cache', '/get-session');
    await t.get('past the cache', '/get-session?disableCookieCache=true');
    await t.post('POST, from the cache', '/get-session', {});
    await t.post('POST, past the cache', '/get-session?disableCookieCache=true', {});
  });

  scenario('expiry and freshness', { configuration: 'short' }, async (t) => {
    const u = await t.signUp('ada');
    await t.get('fresh', '/list-sessions');
    await t.sleep(1300);
    await t.get('no longer fresh', '/list-sessions');
    await t.post('unlink needs it too', '/unlink-account', { accountId: 'x' });
    await t.post('delete without a password', '/delete-user', {});
    await t.get('plain session', '/get-session');
    await t.sleep(2200);
    await t.get('expired, where a session is needed', '/list-accounts', { jar: t.jar.with('none') });
    await t.get('expired', '/get-session');
    await t.get('and forgotten', '/get-session');
    await t.post('sign in', '/sign-in/email', { email: u.email, password: u.password });
    await t.get('only the new one is left', '/list-sessions');
  });
};
