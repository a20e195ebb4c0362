import React from 'react';
import { useAuth } from '../auth/AuthProvider';
import type { User } from '../auth/client';
import type { UserFields } from '../auth/fields';
import { ask } from '../auth/problems';
import AccountPage from '../components/AccountPage';
import Form, { Field, UserFieldInputs, userFieldNames, type Outcome, type Values } from '../components/Form';
import RequireSession from '../components/RequireSession';

function ProfileForm({ user }: { user: User }) {
  const { client } = useAuth();

  async function send({ name, ...fields }: Values): Promise<Outcome> {
    // Only what changed: a value from before a rule was made must not stand in the way of the rest.
    const changes: Partial<UserFields> & { name?: string } = Object.fromEntries(
      userFieldNames.filter((field) => fields[field] !== (user[field] ?? '')).map((field) => [field, fields[field] || null]),
    );
    if (name !== user.name) changes.name = name;
    if (Object.keys(changes).length === 0) return { notice: 'Nothing was changed.' };
    const { problem } = await ask((options) => client.updateUser(changes, options));
    return problem ? { problem } : { notice: 'Your profile is saved.' };
  }

  return (
    <Form submit="Save" send={send}>
      <p>You sign in as <strong>{user.email}</strong>.</p>
      <Field name="name" label="Name" autoComplete="name" defaultValue={user.name} required />
      <UserFieldInputs values={user} />
    </Form>
  );
}

export default function Profile() {
  return (
    <AccountPage title="Profile">
      <RequireSession>{(user) => <ProfileForm key={user.id} user={user} />}</RequireSession>
    </AccountPage>
  );
}
