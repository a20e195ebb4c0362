import React from 'react';
import Link from '@docusaurus/Link';
import useBaseUrl from '@docusaurus/useBaseUrl';
import { useAuth } from '../auth/AuthProvider';
import type { UserFields } from '../auth/fields';
import { useEntryLinks, useLeaveWhenSignedIn } from '../auth/paths';
import { ask } from '../auth/problems';
import AccountPage from '../components/AccountPage';
import Form, { Field, UserFieldInputs, type Outcome, type Values } from '../components/Form';

export default function SignUp() {
  const { client, refresh } = useAuth();
  const links = useEntryLinks();
  const home = useBaseUrl('/');
  useLeaveWhenSignedIn();

  async function send({ name, email, password, ...fields }: Values): Promise<Outcome> {
    const answered = Object.fromEntries(Object.entries(fields).filter(([, value]) => value)) as UserFields;
    const { data, problem } = await ask((options) =>
      client.signUp.email(
        // The link that proves the address, if the service mails one, leads back here.
        { name, email, password, ...answered, callbackURL: window.location.origin + home },
        { ...options, disableSignal: true },
      ),
    );
    if (problem) return { problem };
    if (!data.token) return { notice: 'Almost done: if we sent you a mail, open its link. Then sign in.' };
    if (await refresh()) return {};
    return { problem: { message: 'You have an account now, but this browser did not keep the session. It may block cookies of other sites.' } };
  }

  return (
    <AccountPage title="Sign up">
      <Form submit="Sign up" send={send}>
        <Field name="name" label="Name" autoComplete="name" required />
        <Field name="email" label="Email" type="email" autoComplete="email" required />
        <Field name="password" label="Password" type="password" autoComplete="new-password" hint="At least 8 characters." required />
        <p>The book fits itself to what you know already. You can change both answers later.</p>
        <UserFieldInputs />
      </Form>
      <p className="margin-top--md">
        Have an account? <Link to={links.signIn}>Sign in</Link>
      </p>
    </AccountPage>
  );
}
