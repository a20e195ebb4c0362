import React from 'react';
import Link from '@docusaurus/Link';
import { useAuth } from '../auth/AuthProvider';
import { useEntryLinks, useLeaveWhenSignedIn } from '../auth/paths';
import { ask } from '../auth/problems';
import AccountPage from '../components/AccountPage';
import Form, { Field, type Outcome, type Values } from '../components/Form';

export default function SignIn() {
  const { client, refresh } = useAuth();
  const links = useEntryLinks();
  useLeaveWhenSignedIn();

  async function send({ email, password }: Values): Promise<Outcome> {
    // disableSignal: the session is read here, and its absence is told.
    const { problem } = await ask((options) => client.signIn.email({ email, password }, { ...options, disableSignal: true }));
    if (problem || (await refresh())) return { problem };
    return { problem: { message: 'The password is right, but this browser did not keep the session. It may block cookies of other sites.' } };
  }

  return (
    <AccountPage title="Sign in">
      <Form submit="Sign in" send={send}>
        <Field name="email" label="Email" type="email" autoComplete="email" required />
        <Field name="password" label="Password" type="password" autoComplete="current-password" required />
      </Form>
      <p className="margin-top--md">
        <Link to="/forgot-password">Forgot your password?</Link>
        <br />
        New here? <Link to={links.signUp}>Sign up</Link>
      </p>
    </AccountPage>
  );
}
