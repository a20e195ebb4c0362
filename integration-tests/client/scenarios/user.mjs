export default (scenario) => {
  scenario('update-user: name, image, fields', async (t) => {
    await t.signUp('ada', { software_background: 'old' });
    const before = await t.get('before', '/get-session');
    await t.sleep(10);
    await t.call('client', (c) => c.updateUser({ name: 'Ada L.', image: 'https://img.example.test/a.png', hardware_background: 'solder' }));
    const after = await t.get('after', '/get-session');
    t.note('updatedAt moved, createdAt did not', ['updatedAt', 'createdAt'].map((k) => after.data.user[k] > before.data.user[k]));
    await t.post('clear', '/update-user', { image: null, software_background: null });
    await t.post('empty', '/update-user', { name: '', hardware_background: '' });
    await t.get('cleared', '/get-session');
  });

  scenario('update-user: refusals', async (t) => {
    await t.post('nobody', '/update-user', { name: 'x' });
    await t.signUp('ada');
    for (const body of [{}, { role: 'admin' }, { email: 'a@b.co' }, { email: '' }, { email: null, name: 'Ada' }, [], 'x', null, { id: 'x', emailVerified: true }]) {
      await t.post(JSON.stringify(body), '/update-user', body);
    }
    await t.send('no body', 'POST', '/update-user');
    await t.get('unchanged', '/get-session');
  });

  scenario('fields: required, default, not for input, hidden', { configuration: 'fields' }, async (t) => {
    await t.signUp('missing', {}, { jar: null });
    await t.signUp('all-defaults', { department: 'research' });
    await t.get('what is shown', '/get-session');
    await t.signUp('given', { department: '', region: 'south', nickname: 'countess' }, { jar: null });
    await t.signUp('plan', { department: 'x', plan: 'gold' }, { jar: null });
    await t.signUp('badge', { department: 'x', badge: 'gold' }, { jar: null });
    await t.signUp('falsy-badge', { department: 'x', badge: '' }, { jar: null });
    await t.signUp('null-department', { department: null }, { jar: null });
    await t.post('plan later', '/update-user', { plan: 'gold' });
    await t.post('falsy plan later', '/update-user', { plan: '' });
    await t.post('badge and name later', '/update-user', { badge: 'gold', name: 'x' });
    await t.post('hidden later', '/update-user', { nickname: 'x' });
    await t.post('required later', '/update-user', { department: 'sales', region: 'west' });
    await t.get('after', '/get-session');
    await t.call('client', (c) => c.signUp.email(t.user('bob', { department: 'd', nickname: 'n' })), t.newJar());
  });

  scenario('change-password', async (t) => {
    const u = await t.signUp('ada');
    const second = await t.device('second', u);
    await t.call('client', (c) => c.changePassword({ currentPassword: u.password, newPassword: 'new-password-2' }));
    await t.get('others stay', '/get-session', { jar: second.jar });
    await t.post('old password', '/sign-in/email', { email: u.email, password: u.password }, { jar: null });
    await t.post('new password', '/sign-in/email', { email: u.email, password: 'new-password-2' }, { jar: null });
    const before = t.jar.with('none');
    await t.post('with revocation', '/change-password', { currentPassword: 'new-password-2', newPassword: 'new-password-3', revokeOtherSessions: true });
    await t.get('a new session', '/get-session');
    await t.get('the old one is gone', '/get-session', { jar: before });
    await t.get('the second too', '/get-session', { jar: second.jar });
    await t.get('one left', '/list-sessions');
  });

  scenario('change-password: refusals', async (t) => {
    await t.post('nobody', '/change-password', { currentPassword: 'a', newPassword: 'b' });
    const { password } = await t.signUp('ada');
    const good = { currentPassword: password, newPassword: 'new-password-2' };
    for (const [what, body] of Object.entries({
      wrong: { ...good, currentPassword: 'wrong password' }, 'too short': { ...good, newPassword: 'short' }, 'too long': { ...good, newPassword: 'x'.repeat(129) },
      'current too long': { ...good, currentPassword: 'x'.repeat(129) }, nothing: {}, 'number': { ...good, newPassword: 1 }, 'text as flag': { ...good, revokeOtherSessions: 'yes' }, list: [],
    })) await t.post(what, '/change-password', body);
    await t.post('unchanged', '/verify-password', { password });
  });

  scenario('change-password, not remembered', async (t) => {
    const u = await t.signUp('ada', { rememberMe: false });
    await t.post('with revocation', '/change-password', { currentPassword: u.password, newPassword: 'new-password-2', revokeOtherSessions: true });
    await t.get('session', '/get-session');
  });

  scenario('verify-password', async (t) => {
    await t.post('nobody', '/verify-password', { password: 'x' });
    const { password } = await t.signUp('ada');
    for (const body of [{ password }, { password: 'wrong password' }, { password: '' }, { password: 'x'.repeat(129) }, {}, { password: 1 }]) {
      await t.post(JSON.stringify(body).slice(0, 40), '/verify-password', body);
    }
  });

  scenario('accounts', async (t) => {
    await t.signUp('ada');
    const { data } = await t.get('list', '/list-accounts');
    await t.call('client', (c) => c.listAccounts());
    await t.get('nobody', '/list-accounts', { jar: null });
    await t.post('the last one stays', '/unlink-account', { accountId: data[0].id });
    await t.post('unknown, but the last one is named first', '/unlink-account', { accountId: 'unknown' });
    for (const body of [{}, { accountId: 1 }, { providerId: 'credential' }]) await t.post(JSON.stringify(body), '/unlink-account', body);
    await t.post('nobody', '/unlink-account', { accountId: 'x' }, { jar: null });
  });

  scenario('unlinking the last account where that is allowed', { configuration: 'fields' }, async (t) => {
    const u = await t.signUp('ada', { department: 'x' });
    const { data } = await t.get('list', '/list-accounts');
    const jar = t.newJar();
    await t.signUp('bob', { department: 'x' }, { jar });
    await t.post('by somebody else', '/unlink-account', { accountId: data[0].id }, { jar });
    await t.post('unknown', '/unlink-account', { accountId: 'unknown' });
    await t.post('unlink', '/unlink-account', { accountId: data[0].id });
    await t.get('none left', '/list-accounts');
    await t.post('no password any more', '/sign-in/email', { email: u.email, password: u.password }, { jar: null });
    await t.post('none to change', '/change-password', { currentPassword: u.password, newPassword: 'new-password-2' });
    await t.post('none to delete with', '/delete-user', { password: u.password });
  });

  scenario('delete-user', async (t) => {
    const u = await t.signUp('ada');
    const second = await t.device('second', u);
    await t.post('wrong password', '/delete-user', { password: 'wrong password' });
    await t.post('too long', '/delete-user', { password: 'x'.repeat(129) });
    await t.post('invalid token', '/delete-user', { token: 'unknown' });
    await t.post('wrong type', '/delete-user', { password: 1 });
    await t.send('no body', 'POST', '/delete-user');
    await t.call('with the password', (c) => c.deleteUser({ password: u.password }));
    await t.get('the second device', '/get-session', { jar: second.jar });
    await t.post('sign in', '/sign-in/email', { email: u.email, password: u.password }, { jar: null });
    await t.signUp('ada', { name: 'The address is free again' });
  });

  scenario('delete-user without a password, and by nobody', async (t) => {
    await t.post('nobody', '/delete-user', {});
    await t.signUp('ada', { rememberMe: false });
    await t.post('fresh session', '/delete-user', {});
    await t.get('gone', '/get-session');
  });
};
