import { createLocalJWKSet, jwtVerify } from 'jose';

const bearer = (token) => ({ authorization: `Bearer ${token}` });

/** Whether one of the published keys signed the token. */
async function checked(t, label, token, over = {}) {
  const { data } = await t.get(`${label}: key set`, '/jwks');
  const verdict = await jwtVerify(token ?? '', createLocalJWKSet(data), { clockTolerance: 5, ...over }).then(
    ({ payload }) => `good for ${payload.exp - payload.iat} s`,
    (error) => error.code,
  );
  t.note(`${label}: verdict`, verdict);
}

/** The session cookie as the jar has it, percent-encoded. */
const cookie = (t) => t.jar.cookies.get('better-auth.session_token');
const jwtOf = ({ headers }) => headers.find(([name]) => name === 'set-auth-jwt')?.[1];

export default (scenario) => {
  const tokens = { configuration: 'tokens' };

  scenario('a token, the key set and the client', tokens, async (t) => {
    await t.signUp('ada', { software_background: 'C' });
    const { data } = await t.call('token', (c) => c.$fetch('/token'));
    await checked(t, 'token', data.token);
    await t.call('key set', (c) => c.$fetch('/jwks'));
    await t.call('rename', (c) => c.updateUser({ name: 'Renamed', hardware_background: 'FPGA' }));
    await t.get('another', '/token');
  });

  scenario('nobody gets a token', tokens, async (t) => {
    await t.get('no cookie', '/token');
    await t.post('POST', '/token', {});
    await t.post('POST key set', '/jwks', {});
    await t.get('forged cookie', '/token', { headers: { cookie: 'better-auth.session_token=x.y' } });
    await t.signUp('ada');
    await t.call('sign out', (c) => c.signOut());
    await t.get('signed out', '/token');
  });

  scenario('get-session gives one in a header', tokens, async (t) => {
    await t.get('nobody', '/get-session');
    await t.signUp('ada');
    await checked(t, 'header', jwtOf(await t.get('somebody', '/get-session')));
    await t.get('others give none', '/list-accounts');
  });

  scenario('get-session that extends the session gives both', { configuration: 'tokens-refresh' }, async (t) => {
    await t.signUp('ada');
    await t.get('extended', '/get-session');
    await t.get('by bearer', '/get-session', { jar: t.newJar(), headers: bearer(decodeURIComponent(cookie(t))) });
  });

  scenario('with a cookie cache', { configuration: 'tokens-cache' }, async (t) => {
    const ada = await t.signUp('ada');
    await t.get('from the cache', '/get-session');
    await t.get('token from the cache', '/token');
    await t.get('by bearer, without the cache', '/get-session', { jar: t.newJar(), headers: bearer(ada.token) });
    const bob = await t.signUp('bob', {}, { jar: t.newJar() });
    await t.get('the cache of another', '/get-session', { headers: bearer(bob.token) });
  });

  scenario('algorithm, issuer, audience and lifetime', { configuration: 'tokens-strict' }, async (t) => {
    await t.signUp('ada');
    const { data } = await t.get('token', '/token');
    await checked(t, 'right', data.token, { issuer: 'https://issuer.example.test', audience: 'api' });
    await checked(t, 'wrong audience', data.token, { audience: 'other' });
    const { data: set } = await t.get('key set', '/jwks');
    t.note('members', set.keys.map((key) => Object.keys(key)));
    await t.get('no header', '/get-session');
  });

  scenario('bearer: where it comes from', tokens, async (t) => {
    const ada = await t.signUp('ada');
    await t.post('sign in', '/sign-in/email', { email: ada.email, password: ada.password }, { jar: t.newJar() });
    await t.post('sign in, not remembered', '/sign-in/email', { email: ada.email, password: ada.password, rememberMe: false }, { jar: t.newJar() });
    await t.post('change the password', '/change-password', { currentPassword: ada.password, newPassword: 'another-horse-1', revokeOtherSessions: true });
    await t.post('update', '/update-user', { name: 'A' });
    await t.post('refused', '/sign-in/email', { email: ada.email, password: 'wrong-password' }, { jar: t.newJar() });
    await t.post('sign out', '/sign-out', {});
  });

  scenario('bearer: every form', tokens, async (t) => {
    const ada = await t.signUp('ada');
    const encoded = cookie(t);
    const signed = decodeURIComponent(encoded);
    const forms = {
      plain: `Bearer ${ada.token}`,
      'small letters': `bearer ${ada.token}`,
      'more blanks': `Bearer    ${ada.token}  `,
      signed: `Bearer ${signed}`,
      encoded: `Bearer ${encoded}`,
      'without padding': `Bearer ${signed.replace('=', '')}`,
      'wrong signature': `Bearer ${ada.token}.${'A'.repeat(43)}=`,
      'two dots': `Bearer ${signed}.x`,
      nothing: 'Bearer',
      'nothing but a blank': 'Bearer ',
      'a dot': 'Bearer .',
      basic: `Basic ${ada.token}`,
      'no scheme': ada.token,
      'broken escape': `Bearer ${ada.token}%`,
      'broken escape with a dot': 'Bearer %.%',
      unknown: 'Bearer AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',
    };
    for (const [label, authorization] of Object.entries(forms)) {
      await t.get(label, '/get-session', { jar: t.newJar(), headers: { authorization } });
      await t.get(`${label}, beside the cookie`, '/get-session', { jar: t.jar.with('none'), headers: { authorization } });
    }
  });

  scenario('bearer: where a page comes from', tokens, async (t) => {
    const ada = await t.signUp('ada');
    const jar = t.newJar();
    const all = { jar, headers: { ...bearer(ada.token), origin: null } };
    await t.post('no cookie, no origin', '/update-user', { name: 'A' }, all);
    await t.post('no cookie, a strange origin', '/update-user', { name: 'B' }, { jar, headers: { ...bearer(ada.token), origin: 'https://evil.example' } });
    await t.post('a cookie, no origin', '/update-user', { name: 'C' }, { headers: all.headers });
    await t.post('sign in, no origin', '/sign-in/email', { email: ada.email, password: ada.password }, { jar: t.newJar(), headers: all.headers });
    await t.post('sign in, a strange origin', '/sign-in/email', { email: ada.email, password: ada.password }, { jar: t.newJar(), headers: { ...bearer(ada.token), origin: 'https://evil.example' } });
    await t.post('sign out by bearer', '/sign-out', {}, all);
    await t.get('gone', '/get-session');
  });

  scenario('bearer: the signed form only', { configuration: 'tokens-strict' }, async (t) => {
    const ada = await t.signUp('ada');
    await t.get('plain', '/get-session', { jar: t.newJar(), headers: bearer(ada.token) });
    await t.get('signed', '/get-session', { jar: t.newJar(), headers: bearer(decodeURIComponent(cookie(t))) });
  });

  scenario('one-time token: elsewhere, once', tokens, async (t) => {
    await t.signUp('ada');
    const { data } = await t.get('generate', '/one-time-token/generate');
    t.note('length', data.token.length);
    const jar = t.newJar();
    await t.post('spend', '/one-time-token/verify', { token: data.token }, { jar });
    await t.get('signed in there', '/get-session', { jar });
    await t.post('again', '/one-time-token/verify', { token: data.token }, { jar: t.newJar() });
  });

  scenario('one-time token: with every new session', { configuration: 'tokens-handed' }, async (t) => {
    const ada = await t.signUp('ada');
    const ott = ({ headers }) => headers.find(([name]) => name === 'set-ott')?.[1];
    const signIn = await t.post('sign in', '/sign-in/email', { email: ada.email, password: ada.password }, { jar: t.newJar() });
    await t.post('spend', '/one-time-token/verify', { token: ott(signIn) }, { jar: t.newJar() });
    await t.get('read', '/get-session');
    await t.post('refused', '/sign-in/email', { email: ada.email, password: 'wrong-password' }, { jar: t.newJar() });
    await t.post('sign out', '/sign-out', {});
  });

  scenario('one-time token: hashed, without a cookie', { configuration: 'tokens-strict' }, async (t) => {
    await t.signUp('ada');
    const { data } = await t.call('generate', (c) => c.$fetch('/one-time-token/generate'));
    await t.post('spend', '/one-time-token/verify', { token: data.token }, { jar: t.newJar() });
    const { data: second } = await t.get('generate another', '/one-time-token/generate');
    await t.post('sign out', '/sign-out', {});
    await t.post('the session is gone', '/one-time-token/verify', { token: second.token }, { jar: t.newJar() });
  });

  scenario('one-time token: refused', tokens, async (t) => {
    await t.get('nobody', '/one-time-token/generate');
    for (const [label, body] of Object.entries({ nothing: {}, number: { token: 5 }, null: { token: null }, empty: { token: '' }, unknown: { token: 'x' }, list: [] })) {
      await t.post(label, '/one-time-token/verify', body);
    }
    await t.get('GET', '/one-time-token/verify?token=x');
    await t.post('POST', '/one-time-token/generate', {});
  });
};
