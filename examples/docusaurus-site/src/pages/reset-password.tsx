import React, { useState } from 'react';
import Link from '@docusaurus/Link';
import useIsBrowser from '@docusaurus/useIsBrowser';
import { useAuth } from '../auth/AuthProvider';
import { useQuery } from '../auth/paths';
import { ask } from '../auth/problems';
import AccountPage from '../components/AccountPage';
import Form, { Field, type Outcome, type Values } from '../components/Form';
import Message from '../components/Message';

/** The mailed link leads here, with `?token=`, or with `?error=` if it is not good any more. */
export default function ResetPassword() {
  const { client } = useAuth();
  const [done, setDone] = useState(false);
  const query = useQuery();
  const token = query.get('token');
  const linkIsBad = useIsBrowser() && (query.has('error') || !token);

  async function send({ password }: Values): Promise<Outcome> {
    const { problem } = await ask((options) => client.resetPassword({ newPassword: password, token: token! }, options));
    setDone(!problem);
    return { problem };
  }

  return (
    <AccountPage title="Set a new password">
      <Message kind="success">{done && 'Your new password is set.'}</Message>
      <Message kind="danger">{linkIsBad && 'This link has expired or was used already.'}</Message>
      {!done && !linkIsBad && (
        <Form submit="Set the password" send={send}>
          <Field name="password" label="New password" type="password" autoComplete="new-password" hint="At least 8 characters." required />
        </Form>
      )}
      <p className="margin-top--md">
        {done ? <Link to="/sign-in">Sign in</Link> : <Link to="/forgot-password">Ask for a new link</Link>}
      </p>
    </AccountPage>
  );
}
