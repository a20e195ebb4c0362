export default (scenario) => {
  scenario('through the client', async (t) => {
    const u = await t.signUp('ada', { software_background: 'go' }, { jar: null });
    await t.call('sign in', (c) => c.signIn.email({ email: u.email, password: u.password }));
    await t.call('session', (c) => c.getSession());
    await t.call('wrong password', (c) => c.signIn.email({ email: u.email, password: 'something else' }), t.newJar());
    await t.call('throwing', (c) => c.signIn.email({ email: u.email, password: 'something else', fetchOptions: { throw: true } }), t.newJar());
  });

  scenario('callbackURL: body, location header', async (t) => {
    const u = await t.signUp('ada', {}, { jar: null });
    for (const callbackURL of ['/dash?x=1#y', 'http://app.example.test/in', '', 'https://a.trusted.example.test/x']) {
      await t.post(`to <${callbackURL}>`, '/sign-in/email', { email: u.email, password: u.password, callbackURL }, { jar: null });
    }
  });

  scenario('refusals are alike', async (t) => {
    const u = await t.signUp('ada', {}, { jar: null });
    await t.post('wrong password', '/sign-in/email', { email: u.email, password: 'wrong password' }, { jar: null });
    await t.post('unknown address', '/sign-in/email', { email: t.email('nobody'), password: 'wrong password' }, { jar: null });
    await t.post('empty password', '/sign-in/email', { email: u.email, password: '' }, { jar: null });
    await t.post('too long', '/sign-in/email', { email: u.email, password: 'x'.repeat(129) }, { jar: null });
    await t.post('no address', '/sign-in/email', { email: 'nope', password: u.password }, { jar: null });
    await t.post('address with spaces', '/sign-in/email', { email: ` ${u.email}`, password: u.password }, { jar: null });
  });

  scenario('the address in another case', async (t) => {
    const u = await t.signUp('ada', {}, { jar: null });
    await t.post('sign in', '/sign-in/email', { email: u.email.toUpperCase(), password: u.password });
  });

  scenario('equivalent spellings of a password', async (t) => {
    const u = await t.signUp('ada', { password: 'pa\u0308sswo\u0308rd \u{1D4B3}' }, { jar: null });
    await t.post('composed', '/sign-in/email', { email: u.email, password: 'p\u00e4ssw\u00f6rd X' }, { jar: null });
    await t.post('another letter', '/sign-in/email', { email: u.email, password: 'p\u00e4ssw\u00f6rd Y' }, { jar: null });
  });

  scenario('a long password counts to its end', async (t) => {
    const u = await t.signUp('ada', { password: `${'x'.repeat(100)}1` }, { jar: null });
    await t.post('the last character differs', '/sign-in/email', { email: u.email, password: `${'x'.repeat(100)}2` }, { jar: null });
    await t.post('right', '/sign-in/email', { email: u.email, password: u.password }, { jar: null });
  });

  scenario("Better Auth's own password hash", { configuration: 'scrypt' }, async (t) => {
    const u = await t.signUp('ada', {}, { jar: null });
    await t.post('wrong', '/sign-in/email', { email: u.email, password: 'wrong password' }, { jar: null });
    await t.post('right', '/sign-in/email', { email: u.email, password: u.password });
    await t.post('change', '/change-password', { currentPassword: u.password, newPassword: 'another long one' });
    await t.post('verify', '/verify-password', { password: 'another long one' });
  });

  scenario('validation messages', async (t) => {
    const email = t.email('x');
    for (const [what, body] of Object.entries({
      nothing: {}, 'null address': { email: null, password: 'x' }, 'list as password': { email, password: [] },
      'text for rememberMe': { email, password: 'x', rememberMe: 'true' }, 'null callbackURL': { email, password: 'x', callbackURL: null },
      'number as callbackURL': { email, password: 'x', callbackURL: 7 },
    })) await t.post(what, '/sign-in/email', body, { jar: null });
    for (const body of [[], 'text', 5, null, false]) await t.post(`body ${JSON.stringify(body)}`, '/sign-in/email', body, { jar: null });
  });

  scenario('remember me', async (t) => {
    const u = await t.signUp('ada', {}, { jar: null });
    await t.post('not remembered', '/sign-in/email', { email: u.email, password: u.password, rememberMe: false });
    await t.get('session', '/get-session');
    await t.post('update keeps it a browser session', '/update-user', { name: 'Still here' });
    await t.post('remembered after all', '/sign-in/email', { email: u.email, password: u.password, rememberMe: true });
    await t.post('not remembered again', '/sign-in/email', { email: u.email, password: u.password, rememberMe: false });
    await t.call('sign out', (c) => c.signOut());
  });

  scenario('every sign-in is a session of its own', async (t) => {
    const u = await t.signUp('ada');
    await t.device('second', u);
    await t.post('over the first', '/sign-in/email', { email: u.email, password: u.password });
    await t.get('all of them', '/list-sessions', { sort: 'createdAt' });
  });

  scenario('user agent and address of a session', async (t) => {
    const u = await t.signUp('ada', {}, { jar: null });
    const sign = async (what, headers) => {
      const jar = t.newJar();
      await t.post(what, '/sign-in/email', { email: u.email, password: u.password }, { jar, headers });
      await t.get(`recorded: ${what}`, '/get-session', { jar });
    };
    await sign('neither', { 'user-agent': null, 'x-forwarded-for': null });
    await sign('two proxies', { 'x-forwarded-for': '198.51.100.1, 203.0.113.9' });
    await sign('IPv6', { 'x-forwarded-for': '2001:db8:1:2:3:4:5:6' });
    await sign('mapped IPv4', { 'x-forwarded-for': '::ffff:192.0.2.1' });
    await sign('no address', { 'x-forwarded-for': 'unknown' });
    await sign('with a port', { 'x-forwarded-for': '192.0.2.1:4711' });
    await sign('spaces', { 'x-forwarded-for': ' 192.0.2.1 ' });
    await sign('long agent', { 'user-agent': 'x'.repeat(600) });
  });
};
