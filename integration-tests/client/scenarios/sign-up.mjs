export default (scenario) => {
  scenario('through the client, with both fields', async (t) => {
    await t.call('sign up', (c) => c.signUp.email(t.user('ada', { software_background: 'Python, ROS 2', hardware_background: 'none' })));
    await t.call('who am I', (c) => c.getSession());
  });

  scenario('fields left out, null, empty and long', async (t) => {
    await t.signUp('none', {}, { jar: t.newJar() });
    await t.signUp('null', { software_background: null }, { jar: t.newJar() });
    await t.signUp('empty', { software_background: '', hardware_background: '  ' }, { jar: t.newJar() });
    await t.signUp('long', { software_background: 'lorem '.repeat(1600) }, { jar: t.newJar() });
    await t.signUp('text', { name: 'Zoë "Z" \u2028 🦀 <b>', software_background: 'tab\t back\\slash / \u007f' });
    await t.get('read back', '/get-session');
  });

  scenario('unknown and protected keys are dropped', async (t) => {
    await t.signUp('ada', { role: 'admin', softwareBackground: 'x', emailVerified: true, id: 'mine', createdAt: '2001-01-01T00:00:00.000Z' });
    await t.post('prototype keys', '/sign-up/email', JSON.parse(`{"name":"P","email":"${t.email('p')}","password":"long enough 1","__proto__":{"admin":true},"constructor":{"x":1}}`), { jar: t.newJar() });
  });

  scenario('image, callbackURL, remember me', async (t) => {
    await t.signUp('image', { image: 'https://img.example.test/a.png', callbackURL: '/welcome' }, { jar: t.newJar() });
    await t.signUp('forget', { rememberMe: false });
    await t.get('session', '/get-session');
  });

  scenario('an address that is taken, in any case', async (t) => {
    await t.signUp('ada');
    await t.signUp('ada', {}, { jar: null });
    await t.signUp('ada', { email: t.email('ada').toUpperCase() }, { jar: null });
    await t.call('through the client', (c) => c.signUp.email(t.user('ada')), t.newJar());
  });

  scenario('an upper-case address is kept in lower case', async (t) => {
    await t.signUp('ada', { email: t.email('ADA').toUpperCase() });
    await t.get('session', '/get-session');
  });

  scenario('password lengths', async (t) => {
    for (const [what, password] of [
      ['seven', '1234567'], ['eight', '12345678'], ['128', 'x'.repeat(128)], ['129', 'x'.repeat(129)],
      ['four astral characters', '🦀🦀🦀🦀'], ['three and one', '🦀🦀🦀x'],
    ]) await t.signUp(what.replaceAll(' ', '-'), { password }, { jar: null });
  });

  scenario('validation messages', async (t) => {
    const good = t.user('x');
    for (const [what, body] of Object.entries({
      nothing: {}, 'number as name': { ...good, name: 1 }, 'bad address': { ...good, email: 'nope' }, 'number as address': { ...good, email: 5 },
      'null address': { ...good, email: null }, 'empty password': { ...good, password: '' }, 'list as password': { ...good, password: [] },
      'text for rememberMe': { ...good, rememberMe: 'no' }, 'null image': { ...good, image: null }, 'null callbackURL': { ...good, callbackURL: null },
      'several at once': { name: true, email: {}, password: 1.5, rememberMe: 0 }, 'empty name': { ...good, name: '' },
    })) await t.post(what, '/sign-up/email', body, { jar: null });
    for (const body of [[], 'text', 5, null, true]) await t.post(`body ${JSON.stringify(body)}`, '/sign-up/email', body, { jar: null });
    await t.send('no body', 'POST', '/sign-up/email', { jar: null });
  });

  scenario('which addresses are addresses', async (t) => {
    const d = `${t.number}.example.test`;
    for (const email of [
      `a+b@${d}`, `a'b@${d}`, `a_b@c-d.${d}`, `A@B.${d}`, ` a@${d}`, `b@${d} `, 'a@b', `ü@${d}`, `a..b@${d}`, `.a@${d}`, `a.@${d}`, 'a@b.c',
      'a@-b.co', 'a@b_c.com', 'a@1.2.3.4', 'a@[1.2.3.4]', `a@@${d}`, '', `"a"@${d}`, `x@e--y.${d}`, `x@y-.${d}`,
    ]) await t.signUp(`<${email}>`, { email }, { jar: null });
  });

  scenario('closed', { configuration: 'closed' }, async (t) => {
    await t.signUp('ada');
    await t.post('still validated', '/sign-up/email', {});
    await t.post('sign in', '/sign-in/email', { email: t.email('ada'), password: 'whatever 1' });
  });

  scenario('e-mail and password off', { configuration: 'off' }, async (t) => {
    await t.signUp('ada');
    await t.post('sign in', '/sign-in/email', { email: t.email('ada'), password: 'whatever 1' });
  });

  scenario('without automatic sign-in and with other lengths', { configuration: 'lengths' }, async (t) => {
    for (const length of [11, 12, 20, 21]) await t.signUp(`length-${length}`, { password: 'p'.repeat(length) }, { jar: t.newJar() });
    await t.signUp('ada', { password: 'just right 12' });
    await t.get('no session', '/get-session');
    await t.signUp('ada', { password: 'just right 12', name: 'Somebody else', hardware_background: 'a lie' });
    await t.post('sign in', '/sign-in/email', { email: t.email('ada'), password: 'just right 12' });
    await t.post('too long to sign in', '/sign-in/email', { email: t.email('ada'), password: 'p'.repeat(21) });
    await t.post('too short for a change', '/change-password', { currentPassword: 'just right 12', newPassword: 'p'.repeat(11) });
    await t.post('too long for a change', '/change-password', { currentPassword: 'just right 12', newPassword: 'p'.repeat(21) });
    await t.post('deletion is off', '/delete-user', {});
  });
};
