export default (scenario) => {
  const origins = [
    'http://app.example.test', 'http://app.example.test/', 'http://APP.example.test', 'https://app.example.test', 'http://app.example.test:80', 'http://app.example.test:81', 'http://app.example.test.evil.net',
    'https://a.trusted.example.test', 'https://a.b.trusted.example.test', 'https://trusted.example.test', 'https://a.trusted.example.test:444', 'http://a.trusted.example.test', 'https://evil.net/.trusted.example.test',
    'myapp://', 'myapp://x/y', 'other://', 'null', '', 'garbage', '/', 'https://evil.example.net',
  ];

  scenario('with a cookie the origin must be trusted', async (t) => {
    await t.signUp('ada');
    for (const origin of origins) await t.post(`origin <${origin}>`, '/update-user', { name: 'x' }, { headers: { origin } });
    await t.post('none', '/update-user', { name: 'x' }, { headers: { origin: null } });
    await t.post('referer instead', '/update-user', { name: 'x' }, { headers: { origin: null, referer: 'http://app.example.test/page?x=1' } });
    await t.post('foreign referer', '/update-user', { name: 'x' }, { headers: { origin: null, referer: 'https://evil.example.net/page' } });
    await t.post('the origin counts, not the referer', '/update-user', { name: 'x' }, { headers: { origin: 'https://evil.example.net', referer: 'http://app.example.test/' } });
    await t.post('null, same-origin', '/update-user', { name: 'x' }, { headers: { origin: 'null', 'sec-fetch-site': 'same-origin' } });
    await t.post('null, cross-site', '/update-user', { name: 'x' }, { headers: { origin: 'null', 'sec-fetch-site': 'cross-site' } });
    await t.get('reads are free', '/get-session', { headers: { origin: 'https://evil.example.net' } });
  });

  scenario('any cookie turns the check on', async (t) => {
    const evil = { origin: 'https://evil.example.net' };
    await t.post('no cookie', '/sign-out', {}, { headers: evil });
    await t.post('an unrelated one', '/sign-out', {}, { headers: { ...evil, cookie: 'a=b' } });
    await t.post('an empty one', '/sign-out', {}, { headers: { ...evil, cookie: '' } });
  });

  scenario('the own origin', async (t) => {
    await t.signUp('ada');
    await t.post('as it listens', '/update-user', { name: 'x' }, { headers: { origin: t.url } });
    await t.post('another port', '/update-user', { name: 'x' }, { headers: { origin: 'http://127.0.0.1:1' } });
  });

  scenario('forms from elsewhere', async (t) => {
    const u = await t.signUp('ada', {}, { jar: null });
    const sign = (what, headers) => t.post(what, '/sign-in/email', { email: u.email, password: u.password }, { jar: null, headers });
    const none = { origin: null };
    await sign('no hints at all', none);
    await sign('foreign origin', { origin: 'https://evil.example.net' });
    await sign('foreign referer', { ...none, referer: 'https://evil.example.net/' });
    await sign('null origin', { origin: 'null' });
    await sign('fetch without an origin', { ...none, 'sec-fetch-mode': 'cors' });
    await sign('fetch with one', { 'sec-fetch-mode': 'cors', 'sec-fetch-site': 'cross-site', 'sec-fetch-dest': 'empty' });
    await sign('cross-site navigation', { 'sec-fetch-mode': 'navigate', 'sec-fetch-site': 'cross-site', 'sec-fetch-dest': 'document' });
    await sign('same-site navigation', { 'sec-fetch-mode': 'navigate', 'sec-fetch-site': 'same-site' });
    await sign('blank hints', { ...none, 'sec-fetch-mode': ' ', 'sec-fetch-site': '' });
    await sign('cross-site navigation with a cookie', { 'sec-fetch-mode': 'navigate', 'sec-fetch-site': 'cross-site', cookie: 'a=b' });
    await t.post('sign-up too', '/sign-up/email', t.user('eve'), { jar: null, headers: { 'sec-fetch-mode': 'navigate', 'sec-fetch-site': 'cross-site' } });
  });

  scenario('addresses to go to', async (t) => {
    const u = await t.signUp('ada', {}, { jar: null });
    const urls = [
      '/dash', '/dash?x=1#y', '/a/../b', '/a//b', '/a b', '/@evil', '/a?u=//evil.com', '/a?x=%2f', 'dash', '//evil.com', '/\\evil.com', '/%2fevil', '/%5cevil', '/a%2Fb?x', '/\tx', '\\\\evil', 'javascript:alert(1)',
      'http://app.example.test/x', 'http://APP.example.test/x', 'http://user@app.example.test/', 'http://app.example.test.evil.com', 'https://app.example.test/x', 'https://a.trusted.example.test/y', 'myapp://done', 'https://evil.example.net/',
      `${t.url}/inside`,
    ];
    for (const callbackURL of urls) {
      await t.post(`callbackURL <${callbackURL === `${t.url}/inside` ? 'own' : callbackURL}>`, '/sign-in/email', { email: u.email, password: 'wrong password', callbackURL }, { jar: null });
    }
    for (const key of ['redirectTo', 'errorCallbackURL', 'newUserCallbackURL']) {
      await t.post(`${key}, foreign`, '/sign-out', { [key]: 'https://evil.example.net' });
      await t.post(`${key}, no text`, '/sign-out', { [key]: 5 });
      await t.post(`${key}, empty`, '/sign-out', { [key]: '' });
    }
    await t.post('in the query', '/sign-out?callbackURL=https://evil.example.net', {});
    await t.post('no text', '/sign-up/email', { ...t.user('x'), callbackURL: {} }, { jar: null });
  });
};
