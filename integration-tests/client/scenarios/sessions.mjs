export default (scenario) => {
  scenario('list', async (t) => {
    const u = await t.signUp('ada');
    await t.device('second', u, { rememberMe: false });
    await t.get('both', '/list-sessions', { sort: 'createdAt' });
    await t.call('client', async (c) => (await c.listSessions()).data.length);
    await t.get('nobody', '/list-sessions', { jar: null });
    await t.post('wrong method', '/list-sessions', {});
  });

  scenario('revoke one', async (t) => {
    const u = await t.signUp('ada');
    const second = await t.device('second', u);
    await t.call('the other', (c) => c.revokeSession({ token: second.token }));
    await t.get('it is gone', '/get-session', { jar: second.jar });
    await t.post('unknown', '/revoke-session', { token: 'unknown' });
    await t.post('own', '/revoke-session', { token: u.token }, { jar: t.jar.with('none') });
    await t.get('gone too', '/get-session');
  });

  scenario('a session of somebody else is not revoked', async (t) => {
    await t.signUp('ada');
    const jar = t.newJar();
    const bob = await t.signUp('bob', {}, { jar });
    await t.post('try', '/revoke-session', { token: bob.token });
    await t.get('still there', '/get-session', { jar });
  });

  scenario('revoke: validation and no session', async (t) => {
    await t.post('nobody', '/revoke-session', { token: 'x' });
    await t.post('nobody, invalid', '/revoke-session', {});
    await t.signUp('ada');
    for (const body of [{}, { token: 1 }, { token: null }, []]) await t.post(JSON.stringify(body), '/revoke-session', body);
    await t.send('no body', 'POST', '/revoke-session');
  });

  scenario('revoke all', async (t) => {
    const u = await t.signUp('ada');
    const second = await t.device('second', u);
    await t.call('all', (c) => c.revokeSessions(), t.jar.with('none'));
    await t.get('first', '/get-session');
    await t.get('second', '/get-session', { jar: second.jar });
    await t.post('nobody', '/revoke-sessions', {}, { jar: null });
  });

  scenario('revoke the others', async (t) => {
    const u = await t.signUp('ada');
    const second = await t.device('second', u);
    await t.call('others', (c) => c.revokeOtherSessions());
    await t.get('first', '/get-session');
    await t.get('second', '/get-session', { jar: second.jar });
    await t.get('one left', '/list-sessions');
    await t.send('no body', 'POST', '/revoke-other-sessions');
    await t.post('nobody', '/revoke-other-sessions', {}, { jar: null });
  });

  scenario('update-session without fields', async (t) => {
    await t.signUp('ada');
    await t.post('core fields', '/update-session', { token: 'x', userId: 'y', expiresAt: '2001-01-01T00:00:00.000Z' });
    await t.post('nothing', '/update-session', {});
    await t.post('list', '/update-session', []);
    await t.post('nobody', '/update-session', {}, { jar: null });
  });

  scenario('update-session with a field', { configuration: 'fields' }, async (t) => {
    await t.signUp('ada', { department: 'research' });
    await t.get('before', '/get-session');
    await t.post('set', '/update-session', { theme: 'dark', token: 'ignored' });
    await t.get('after', '/get-session');
    await t.get('in the list', '/list-sessions');
    await t.post('clear', '/update-session', { theme: null });
    await t.post('empty', '/update-session', { theme: '' });
    await t.post('unknown', '/update-session', { other: 1 });
    await t.call('client', (c) => c.updateSession({ theme: 'light' }));
    await t.signUp('eve', { department: 'x', theme: 'dark' });
    await t.get('not by signing up', '/get-session');
  });
};
