export default (scenario) => {
  for (const configuration of ['secure', 'cross-site', 'subdomain']) {
    scenario(`${configuration}: attributes of every cookie`, { configuration }, async (t) => {
      const u = await t.signUp('ada', { rememberMe: false });
      await t.get('session', '/get-session');
      await t.post('remembered', '/sign-in/email', { email: u.email, password: u.password });
      await t.post('update', '/update-user', { name: 'x' });
      await t.post('change password', '/change-password', { currentPassword: u.password, newPassword: 'new-password-2', revokeOtherSessions: true });
      await t.post('sign out', '/sign-out', {});
    });

    scenario(`${configuration}: which names count`, { configuration }, async (t) => {
      await t.signUp('ada');
      const value = t.jar.get('session_token');
      for (const name of ['acme.session_token', '__Secure-acme.session_token', 'better-auth.session_token', '__Secure-better-auth.session_token', '__Host-better-auth.session_token']) {
        await t.get(name, '/get-session', { headers: { cookie: `${name}=${value}` } });
      }
    });

    scenario(`${configuration}: the public origin is trusted, the inner one is not`, { configuration }, async (t) => {
      await t.signUp('ada');
      await t.post('public', '/update-user', { name: 'x' }, { headers: { origin: t.configuration.publicURL } });
      await t.post('inner', '/update-user', { name: 'x' }, { headers: { origin: t.url } });
    });
  }

  scenario("secure: an app's server reads the cache", { configuration: 'secure' }, async (t) => {
    await t.signUp('ada');
    const cache = await t.readCache(t.jar, { cookiePrefix: 'acme', isSecure: true });
    t.note('user', cache?.user ?? null);
  });
};
