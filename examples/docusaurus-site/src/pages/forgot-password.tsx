import React from 'react';
import Link from '@docusaurus/Link';
import useBaseUrl from '@docusaurus/useBaseUrl';
import { useAuth } from '../auth/AuthProvider';
import { useEntryLinks } from '../auth/paths';
import { ask } from '../auth/problems';
import AccountPage from '../components/AccountPage';
import Form, { Field, type Outcome, type Values } from '../components/Form';

export default function ForgotPassword() {
  const { client } = useAuth();
  const links = useEntryLinks();
  const resetPage = useBaseUrl('/reset-password/');

  async function send({ email }: Values): Promise<Outcome> {
    // Absolute: the mailed link leads to the service first, which may be on another origin.
    const redirectTo = window.location.origin + resetPage;
    const { problem } = await ask((options) => client.requestPasswordReset({ email, redirectTo }, options));
    return problem ? { problem } : { notice: 'If this address has an account, a mail with a link is on its way.' };
  }

  return (
    <AccountPage title="Forgot your password?">
      <p>We send you a link to set a new one.</p>
      <Form submit="Send the link" send={send}>
        <Field name="email" label="Email" type="email" autoComplete="email" required />
      </Form>
      <p className="margin-top--md">
        <Link to={links.signIn}>Back to sign-in</Link>
      </p>
    </AccountPage>
  );
}
