import crypto from 'node:crypto';

const NEW = 'new-password-2';
const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A token of our making, signed with `secret`. */
function forge(header, claims, secret) {
  const signed = `${part(header)}.${part(claims)}`;
  return `${signed}.${secret ? crypto.createHmac('sha256', secret).update(signed).digest('base64url') : ''}`;
}

/** Signs ada up and proves her address: three steps and more. */
async function proven(t, local = 'ada') {
  const user = await t.signUp(local);
  await t.post('ask for a proof', '/send-verification-email', { email: user.email, callbackURL: '/proven' });
  await t.follow('prove', await t.mail('the proof', local));
  return user;
}

export default (scenario) => {
  scenario('required proof: sign-up, sign-in, link', { configuration: 'verify' }, async (t) => {
    const u = t.user('ada', { callbackURL: '/welcome?x=1#y' });
    await t.call('sign up', (c) => c.signUp.email(u));
    const first = await t.mail('mail of the sign-up');
    await t.get('no session', '/get-session');
    await t.post('wrong password', '/sign-in/email', { email: u.email, password: 'wrong password' }, { jar: null });
    // Two tokens of one second are the same.
    await t.sleep(1100);
    await t.call('sign in', (c) => c.signIn.email({ email: u.email, password: u.password, callbackURL: '/inside' }));
    const second = await t.mail('mail of the sign-in');
    await t.follow('follow', second);
    await t.get('signed in', '/get-session');
    await t.follow('follow the first, elsewhere', first, { jar: t.newJar() });
    await t.follow('follow again', second);
    await t.post('sign in after all', '/sign-in/email', { email: u.email, password: u.password }, { jar: t.newJar() });
    await t.get('sessions', '/list-sessions', { sort: 'createdAt' });
  });

  scenario('required proof: a taken address', { configuration: 'verify' }, async (t) => {
    const u = await t.signUp('ada', { software_background: 'go' }, { jar: null });
    const mail = await t.mail('mail of the sign-up');
    await t.signUp('ada', { name: 'Eve', password: 'another password', hardware_background: 'none' }, { jar: null });
    await t.post('in another case', '/sign-up/email', { ...t.user('ada'), email: u.email.toUpperCase() }, { jar: null });
    await t.follow('the next mail is of the first', mail, { jar: null });
    await t.post('the password of the second', '/sign-in/email', { email: u.email, password: 'another password' }, { jar: null });
    await t.post('the password of the first', '/sign-in/email', { email: u.email, password: u.password }, { jar: null });
  });

  scenario('required proof: links without callback, in other sessions', { configuration: 'verify' }, async (t) => {
    await t.signUp('ada', { callbackURL: '' }, { jar: null });
    const ada = await t.mail('to ada');
    await t.signUp('bob', {}, { jar: null });
    const bob = await t.mail('to bob', 'bob');
    const jar = t.newJar();
    await t.get('bob, without callback', `/verify-email?token=${bob.token}`, { jar });
    await t.get('bob again', `/verify-email?token=${bob.token}`, { jar });
    await t.get('ada in bob\'s browser', `/verify-email?token=${ada.token}&callbackURL=/`, { jar });
    await t.get('whose it is now', '/get-session', { jar });
    await t.call('through the client', (c) => c.verifyEmail({ query: { token: ada.token } }));
  });

  scenario('required proof: no mail on sign-up', { configuration: 'verify-silent' }, async (t) => {
    const u = await t.signUp('ada');
    await t.post('sign in', '/sign-in/email', { email: u.email, password: u.password });
    await t.call('ask', (c) => c.sendVerificationEmail({ email: u.email, callbackURL: '/in' }));
    await t.follow('the first mail is the one asked for', await t.mail('asked for'));
    await t.get('no session', '/get-session');
    await t.post('sign in now', '/sign-in/email', { email: u.email, password: u.password });
  });

  scenario('proofs that are none', { configuration: 'mail' }, async (t) => {
    const u = await t.signUp('ada');
    await t.post('ask', '/send-verification-email', { email: u.email });
    const { token } = await t.mail('the proof');
    const { secret } = t.configuration;
    const now = Math.floor(Date.now() / 1000);
    const good = { email: u.email, userId: u.id, iat: now, exp: now + 3600 };
    const bad = {
      'alg none': forge({ alg: 'none' }, good),
      'another secret': forge({ alg: 'HS256' }, good, 'another secret'),
      'RS256 by HMAC': forge({ alg: 'RS256' }, good, secret),
      'HS384 by HS256': forge({ alg: 'HS384' }, good, secret),
      expired: forge({ alg: 'HS256' }, { ...good, exp: now - 10 }, secret),
      'not yet': forge({ alg: 'HS256' }, { ...good, nbf: now + 600 }, secret),
      'somebody else': forge({ alg: 'HS256' }, { ...good, userId: 'somebody' }, secret),
      'of nobody': forge({ alg: 'HS256' }, { ...good, email: t.email('nobody') }, secret),
      'without address': forge({ alg: 'HS256' }, { userId: u.id, exp: now + 3600 }, secret),
      'with no address': forge({ alg: 'HS256' }, { ...good, email: 'nope' }, secret),
      cut: token.slice(0, -1),
      empty: '',
      'no form': 'x.y.z',
    };
    for (const [what, forged] of Object.entries(bad)) {
      t.trace.mailed.set(forged || '\0', `<${what}>`);
      await t.get(what, `/verify-email?token=${forged}`, { jar: null });
      await t.get(`${what}, with callback`, `/verify-email?token=${forged}&callbackURL=${encodeURIComponent('/a?b=1#c')}`, { jar: null });
    }
    await t.get('unchanged', '/get-session');
    await t.get('a good one', `/verify-email?token=${token}`);
    await t.get('changed', '/get-session');
    await t.post('ask again', '/send-verification-email', { email: u.email });
    await t.post('ask for somebody else', '/send-verification-email', { email: t.email('bob') });
    await t.get('no token', '/verify-email');
    await t.get('an evil page', `/verify-email?token=${token}&callbackURL=https://evil.example.test`);
  });

  scenario('reset: request, link, new password', { configuration: 'mail' }, async (t) => {
    const u = await t.signUp('ada');
    await t.call('request', (c) => c.requestPasswordReset({ email: u.email.toUpperCase(), redirectTo: '/new?x=1#y' }), t.newJar());
    const mail = await t.mail('the mail');
    await t.follow('follow', mail, { jar: null });
    await t.follow('follow again', mail, { jar: null });
    await t.get('to another page', `/reset-password/${mail.token}?callbackURL=${encodeURIComponent('http://app.example.test/p?token=old&q=1')}`, { jar: null });
    await t.get('to an evil page', `/reset-password/${mail.token}?callbackURL=https://evil.example.test`, { jar: null });
    await t.get('to none', `/reset-password/${mail.token}`, { jar: null });
    await t.get('to an empty one', `/reset-password/${mail.token}?callbackURL=`, { jar: null });
    t.trace.mailed.set(mail.token.slice(1), '<cut>');
    await t.get('cut', `/reset-password/${mail.token.slice(1)}?callbackURL=/x`, { jar: null });
    await t.post('too short', '/reset-password', { newPassword: 'short', token: mail.token }, { jar: null });
    await t.call('reset', (c) => c.resetPassword({ newPassword: NEW, token: mail.token }), t.newJar());
    await t.call('reset again', (c) => c.resetPassword({ newPassword: NEW, token: mail.token }), t.newJar());
    await t.get('sessions are gone', '/get-session');
    await t.post('old password', '/sign-in/email', { email: u.email, password: u.password }, { jar: null });
    await t.post('new password', '/sign-in/email', { email: u.email, password: NEW }, { jar: null });
    await t.follow('follow a used link', mail, { jar: null });
  });

  scenario('reset: token in the query, unknown address, no page', { configuration: 'mail' }, async (t) => {
    const u = await t.signUp('ada', {}, { jar: null });
    await t.post('of nobody', '/request-password-reset', { email: t.email('nobody') }, { jar: null });
    await t.post('request', '/request-password-reset', { email: u.email }, { jar: null });
    const mail = await t.mail('the mail');
    await t.follow('follow', mail, { jar: null });
    await t.post('the body wins', `/reset-password?token=${mail.token}`, { newPassword: NEW, token: 'unknown' }, { jar: null });
    await t.post('by query', `/reset-password?token=${mail.token}`, { newPassword: NEW }, { jar: null });
    for (const body of [{}, { newPassword: NEW }, { newPassword: NEW, token: '' }, { newPassword: NEW, token: null }, { newPassword: 1, token: 'x' }]) {
      await t.post(JSON.stringify(body), '/reset-password', body, { jar: null });
    }
    for (const body of [{}, { email: 'nope' }, { email: u.email, redirectTo: 'https://evil.example.test' }, { email: u.email, redirectTo: 1 }]) {
      await t.post(`request ${JSON.stringify(body).replace(u.email, 'ada')}`, '/request-password-reset', body, { jar: null });
    }
  });

  scenario('reset: a second link', { configuration: 'mail' }, async (t) => {
    const u = await t.signUp('ada', {}, { jar: null });
    const tokens = [];
    for (const n of [1, 2]) {
      await t.post(`request ${n}`, '/request-password-reset', { email: u.email }, { jar: null });
      tokens.push((await t.mail(`mail ${n}`)).token);
    }
    await t.post('the second works', '/reset-password', { newPassword: NEW, token: tokens[1] }, { jar: null });
    await t.post('the first afterwards', '/reset-password', { newPassword: 'new-password-3', token: tokens[0] }, { jar: null });
  });

  scenario('change of address with approval', { configuration: 'mail' }, async (t) => {
    const u = await proven(t);
    await t.call('ask', (c) => c.changeEmail({ newEmail: t.email('Augusta'), callbackURL: '/changed' }));
    const approval = await t.mail('to the old address');
    const jar = t.newJar();
    await t.signUp('bob', {}, { jar });
    await t.follow('approve as somebody else', approval, { jar });
    await t.follow('approve', approval);
    const proof = await t.mail('to the new address', 'augusta');
    await t.get('unchanged', '/get-session');
    await t.follow('prove as somebody else', proof, { jar });
    await t.follow('prove', proof);
    await t.get('changed', '/get-session');
    await t.follow('prove again', proof);
    await t.follow('approve again', approval);
    await t.post('old address', '/sign-in/email', { email: u.email, password: u.password }, { jar: null });
    await t.post('new address', '/sign-in/email', { email: t.email('augusta'), password: u.password }, { jar: null });
  });

  scenario('change of address: without callback and session', { configuration: 'mail' }, async (t) => {
    await proven(t);
    await t.post('ask', '/change-email', { newEmail: t.email('augusta') });
    const approval = await t.mail('to the old address');
    await t.get('approve', `/verify-email?token=${approval.token}`, { jar: null });
    const proof = await t.mail('to the new address', 'augusta');
    await t.get('prove', `/verify-email?token=${proof.token}`, { jar: null });
    await t.get('changed', '/get-session');
  });

  scenario('change of address: of an unproven one', { configuration: 'mail' }, async (t) => {
    const u = await t.signUp('ada');
    for (const body of [{}, { newEmail: 'nope' }, { newEmail: u.email.toUpperCase() }, { newEmail: t.email('x'), callbackURL: 'https://evil.example.test' }]) {
      await t.post(JSON.stringify(Object.keys(body)) + (body.newEmail ?? '').slice(0, 4), '/change-email', body);
    }
    await t.post('nobody', '/change-email', { newEmail: t.email('x') }, { jar: null });
    await t.signUp('bob', {}, { jar: null });
    await t.post('taken', '/change-email', { newEmail: t.email('bob') });
    await t.post('ask', '/change-email', { newEmail: t.email('augusta') });
    await t.follow('prove', await t.mail('to the new address', 'augusta'));
    await t.get('changed', '/get-session');
  });

  scenario('change of address: a token of an older release', { configuration: 'mail' }, async (t) => {
    const u = await t.signUp('ada');
    const exp = Math.floor(Date.now() / 1000) + 3600;
    const { secret } = t.configuration;
    const tokens = {
      'without user': forge({ alg: 'HS256' }, { email: u.email, updateTo: t.email('augusta'), exp }, secret),
      good: forge({ alg: 'HS256' }, { email: u.email, updateTo: t.email('augusta'), userId: u.id, exp }, secret),
    };
    for (const [what, token] of Object.entries(tokens)) {
      t.trace.mailed.set(token, `<${what}>`);
      await t.get(what, `/verify-email?token=${token}`);
    }
    await t.follow('prove', await t.mail('to the new address', 'augusta'));
    await t.get('changed', '/get-session');
  });

  scenario('change of address at once', { configuration: 'mail-at-once' }, async (t) => {
    const u = await t.signUp('ada', { rememberMe: false, callbackURL: '/up' });
    const first = await t.mail('of the sign-up');
    await t.call('change', (c) => c.changeEmail({ newEmail: t.email('augusta'), callbackURL: '/changed' }));
    await t.get('changed', '/get-session');
    await t.follow('a proof of the old address', first);
    await t.follow('prove', await t.mail('to the new address', 'augusta'));
    await t.get('proven', '/get-session');
    await t.post('from now on by mail', '/change-email', { newEmail: t.email('lovelace') });
    await t.follow('prove', await t.mail('to the newest address', 'lovelace'));
    await t.get('changed again', '/get-session');
    await t.post('sign in', '/sign-in/email', { email: u.email, password: u.password }, { jar: null });
  });

  scenario('proof and change with a cookie cache', { configuration: 'mail-cache' }, async (t) => {
    const u = await t.signUp('ada');
    await t.post('ask', '/send-verification-email', { email: u.email });
    await t.follow('prove', await t.mail('the proof'));
    await t.get('cached', '/get-session');
    await t.post('change', '/change-email', { newEmail: t.email('augusta') });
    await t.follow('prove the new one', await t.mail('to the new address', 'augusta'));
    await t.get('cached anew', '/get-session');
  });

  scenario('deletion by link', { configuration: 'delete-mail' }, async (t) => {
    const u = await t.signUp('ada');
    await t.call('ask', (c) => c.deleteUser({ callbackURL: '/bye?x=1' }));
    const mail = await t.mail('the mail');
    await t.post('wrong password', '/delete-user', { password: 'wrong password' });
    await t.follow('nobody', mail, { jar: null });
    await t.get('unknown', '/delete-user/callback?token=unknown&callbackURL=/x');
    await t.get('evil page', `/delete-user/callback?token=${mail.token}&callbackURL=https://evil.example.test`);
    await t.get('no token', '/delete-user/callback');
    await t.follow('follow', mail);
    await t.get('gone', '/get-session');
    await t.follow('follow again', mail);
    await t.post('sign in', '/sign-in/email', { email: u.email, password: u.password }, { jar: null });
  });

  scenario('deletion by link: password, old session, posted token, somebody else', { configuration: 'delete-mail' }, async (t) => {
    const u = await t.signUp('ada');
    await t.sleep(1100);
    await t.post('right password', '/delete-user', { password: u.password });
    const first = await t.mail('mail 1');
    await t.post('old session', '/delete-user', {});
    const second = await t.mail('mail 2');
    const jar = t.newJar();
    await t.signUp('bob', {}, { jar });
    await t.follow('somebody else', first, { jar });
    await t.follow('it is spent', first);
    await t.get('without callback', `/delete-user/callback?token=${second.token}`);
    await t.post('ask as bob', '/delete-user', {}, { jar });
    const { token } = await t.mail('to bob', 'bob');
    await t.post('post it', '/delete-user', { token }, { jar });
    await t.get('gone', '/get-session', { jar });
  });

  scenario('links that are too old', { configuration: 'mail-short' }, async (t) => {
    const u = await t.signUp('ada');
    await t.post('reset', '/request-password-reset', { email: u.email, redirectTo: '/new' });
    const reset = await t.mail('of the reset');
    await t.post('proof', '/send-verification-email', { email: u.email, callbackURL: '/in' });
    const proof = await t.mail('of the proof');
    await t.post('deletion', '/delete-user', {});
    const deletion = await t.mail('of the deletion');
    await t.sleep(2100);
    await t.follow('to reset', reset);
    await t.post('reset it', '/reset-password', { newPassword: NEW, token: reset.token });
    await t.follow('to prove', proof);
    await t.get('to prove, without callback', `/verify-email?token=${proof.token}`);
    await t.follow('to delete', deletion);
    await t.get('unchanged', '/get-session');
    await t.post('same password', '/sign-in/email', { email: u.email, password: u.password }, { jar: null });
  });
};
