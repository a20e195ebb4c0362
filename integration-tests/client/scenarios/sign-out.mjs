export default (scenario) => {
  scenario('ends the session', async (t) => {
    await t.signUp('ada');
    const before = t.jar.with('none');
    await t.call('sign out', (c) => c.signOut());
    await t.get('no cookie', '/get-session');
    await t.get('the old cookie', '/get-session', { jar: before });
    await t.get('the old cookie where a session is needed', '/list-accounts', { jar: before });
  });

  scenario('with nothing to end', async (t) => {
    await t.post('no cookie', '/sign-out', {});
    await t.send('no body', 'POST', '/sign-out');
    await t.post('null', '/sign-out', null);
    await t.post('list', '/sign-out', []);
    await t.post('unknown keys', '/sign-out', { x: 1 });
    await t.post('foreign cookie', '/sign-out', {}, { headers: { cookie: 'better-auth.session_token=nonsense' } });
  });

  scenario('clears every cookie the request carried', async (t) => {
    await t.signUp('ada', { rememberMe: false });
    const cookie = `${t.jar.header()}; better-auth.session_data=x; better-auth.session_data.0=y; better-auth.session_data.1=z`;
    await t.post('sign out', '/sign-out', {}, { headers: { cookie } });
  });

  scenario('with a cookie cache', { configuration: 'compact' }, async (t) => {
    await t.signUp('ada');
    await t.post('sign out', '/sign-out', {});
  });
};
