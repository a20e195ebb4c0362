const JSON_TYPE = { 'content-type': 'application/json' };

export default (scenario) => {
  scenario('ok', async (t) => {
    await t.get('ok', '/ok');
    await t.call('client', (c) => c.$fetch('/ok'));
    for (const method of ['POST', 'HEAD', 'OPTIONS', 'PUT']) await t.send(method, method, '/ok');
  });

  scenario('error', async (t) => {
    for (const query of ['', '?error=INVALID_TOKEN', '?error=a%20b', '?error=x&error_description=two%20words%26more', "?error='quoted'", '?error=%3Cscript%3E', '?error=<raw>', '?error=a&error=b']) {
      await t.get(`error ${query}`, `/error${query}`);
    }
  });

  scenario('404', async (t) => {
    for (const path of ['', '/', '/nothing', '/ok/', '//ok', '/OK', '/ok/more', '/sign-in', '/sign-in/email/', '/get-client-session', '/set-password', '/%6fk']) await t.get(`GET ${path}`, path);
    for (const path of ['/', '/api', '/api/authx/ok', '/api/auth/../auth/ok', '/other']) await t.get(`absolute ${path}`, path, { absolute: true });
    for (const path of ['/sign-in/email', '/sign-up/email', '/update-user', '/change-password', '/revoke-session', '/delete-user', '/sign-out']) await t.get(`GET ${path}`, path);
    for (const path of ['/set-password', '/list-accounts', '/error', '/nothing']) await t.post(`POST ${path}`, path, {});
    await t.call('a method the client makes up', (c) => c.getClientSession());
  });

  scenario('a disabled path', { configuration: 'fields' }, async (t) => {
    await t.post('disabled', '/verify-password', { password: 'x' });
    await t.get('in any way', '/verify-password');
    await t.get('with a slash', '/verify-password/');
  });

  scenario('another base path', { configuration: 'other-path' }, async (t) => {
    await t.signUp('ada');
    await t.call('session', (c) => c.getSession());
    await t.get('the usual one', '/api/auth/ok', { absolute: true });
  });

  scenario('JSON', async (t) => {
    const send = (what, body, headers = JSON_TYPE) => t.send(what, 'POST', '/sign-in/email', { body, headers, jar: null });
    for (const body of ['{', 'nope', '{"email":}', '[1,2', '{"a":1}x', '', ' ', '{"email":"a@b.co"', "{'email':1}", '{"a":01}', '\u0000', '{"a":NaN}', '{"a":1,}', '{"a":"\t"}']) await send(JSON.stringify(body), body);
    const credentials = JSON.stringify({ email: t.email(), password: 'whatever 1' });
    await send('byte order mark', `\ufeff${credentials}`);
    await send('white space around', `\n\t ${credentials} \r\n`);
    await send('duplicate keys: the last counts', `{"email":"nope",${credentials.slice(1)}`);
    await send('escapes', credentials.replace('@', '\\u0040'));
    await send('invalid UTF-8', Buffer.concat([Buffer.from('{"email":"a@b.co","password":"'), Buffer.from([0xff, 0xfe]), Buffer.from('"}')]));
  });

  scenario('media types', async (t) => {
    const body = JSON.stringify({ email: t.email(), password: 'whatever 1' });
    const types = [
      'text/plain', 'application/vnd.api+json', 'multipart/form-data; boundary=x', 'json', 'application/octet-stream', 'application/json; charset=utf-8', 'Application/JSON', 'application/json;charset=UTF-8',
      'application/jsonp', 'text/json', ' application/json',
    ];
    for (const type of types) await t.send(`sign-in as ${type}`, 'POST', '/sign-in/email', { body, headers: { 'content-type': type }, jar: null });
    for (const path of ['/sign-out', '/revoke-sessions', '/nothing']) await t.send(`${path} as text`, 'POST', path, { body, headers: { 'content-type': 'text/plain' } });
    await t.send('no type', 'POST', '/sign-in/email', { body, jar: null });
    await t.send('type without a body', 'POST', '/sign-in/email', { headers: { ...JSON_TYPE, 'content-length': 0 }, jar: null });
  });

  scenario('forms', async (t) => {
    const u = t.user('ada');
    await t.send('sign up', 'POST', '/sign-up/email', { form: { ...u, software_background: 'a+b c&d=ü' } });
    await t.get('session', '/get-session');
    await t.send('sign in', 'POST', '/sign-in/email', { form: { email: u.email, password: u.password }, jar: t.newJar() });
    await t.send('rememberMe is text', 'POST', '/sign-in/email', { form: { email: u.email, password: u.password, rememberMe: 'true' }, jar: null });
    await t.send('nothing given', 'POST', '/sign-in/email', { form: {}, jar: null });
    await t.send('duplicate key', 'POST', '/sign-in/email', { body: `email=nope&email=${encodeURIComponent(u.email)}&password=x`, headers: { 'content-type': 'application/x-www-form-urlencoded' }, jar: null });
    await t.send('with a charset', 'POST', '/sign-in/email', { body: `email=${encodeURIComponent(u.email)}&password=x`, headers: { 'content-type': 'application/x-www-form-urlencoded; charset=UTF-8' }, jar: null });
    await t.send('not everywhere', 'POST', '/update-user', { form: { name: 'x' } });
  });

  scenario('what wins when several things are wrong', async (t) => {
    const text = { 'content-type': 'text/plain' };
    const evil = { origin: 'https://evil.example.net' };
    const cookie = { cookie: 'a=b' };
    await t.send('type before origin', 'POST', '/update-user', { body: 'x', headers: { ...text, ...evil, ...cookie } });
    await t.send('route before type', 'POST', '/nothing', { body: 'x', headers: { ...text, ...evil, ...cookie } });
    await t.send('JSON before session', 'POST', '/update-user', { body: '{', headers: JSON_TYPE });
    await t.post('body before origin without a cookie', '/sign-in/email', {}, { headers: evil });
    await t.post('origin before body with a cookie', '/sign-in/email', {}, { headers: { ...evil, ...cookie } });
    await t.post('URL before body', '/sign-in/email', { callbackURL: 'https://evil.example.net' });
    await t.post('body before session', '/change-password', {});
    await t.post('origin before session', '/change-password', {}, { headers: { ...evil, ...cookie } });
  });

  scenario('large input', async (t) => {
    await t.post('100 kB password', '/sign-in/email', { email: t.email(), password: 'p'.repeat(100_000) });
    await t.signUp('ada', { name: 'n'.repeat(100_000) });
    await t.get('long query', `/get-session?x=${'y'.repeat(4000)}`);
  });

  scenario('rate limit: three sign-ins in ten seconds', { configuration: 'rate-limit' }, async (t) => {
    for (let i = 1; i <= 5; i++) await t.post(`attempt ${i}`, '/sign-in/email', { email: t.email(), password: 'wrong password' });
    await t.call('client', (c) => c.signIn.email({ email: t.email(), password: 'wrong password' }));
    await t.get('whatever the method', '/sign-in/email');
    await t.send('before the type', 'POST', '/sign-in/email', { body: 'x', headers: { 'content-type': 'text/plain' } });
    await t.get('the path with a slash', '/sign-in/email/');
    await t.post('another address', '/sign-in/email', {}, { headers: { 'x-forwarded-for': `172.16.${t.number >> 8}.${t.number & 255}` } });
    await t.post('another path', '/sign-up/email', {});
    await t.get('reads have their own', '/get-session');
  });

  scenario('rate limit: general, own and no rule', { configuration: 'rate-limit' }, async (t) => {
    for (let i = 1; i <= 6; i++) await t.get(`read ${i}`, '/get-session');
    for (let i = 1; i <= 6; i++) await t.get(`unknown path ${i}`, '/nothing');
    for (let i = 1; i <= 6; i++) await t.get(`exempt ${i}`, '/ok');
    await t.get('own rule 1', '/list-sessions');
    await t.get('own rule 2', '/list-sessions');
    await t.sleep(2300);
    await t.get('after its window', '/list-sessions');
    const v6 = (tail) => ({ 'x-forwarded-for': `2001:db8:${t.number}:1:${tail}` });
    await t.get('IPv6', '/list-sessions', { headers: v6(':1') });
    await t.get('IPv6, same network', '/list-sessions', { headers: v6('2:3:4:5') });
  });
};
