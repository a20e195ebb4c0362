import React, { createContext, useContext, useState, type ReactNode } from 'react';
import { createBackend, type Backend } from './backend';
import { createClient, type AuthClient, type User } from './client';
import { ask, type Problem } from './problems';
import { useSettings } from './settings';

interface Session {
  user: User | null;
  /** The service could not say who is signed in. */
  failed: boolean;
}

interface Auth extends Session {
  client: AuthClient;
  backend: Backend;
  /** Nobody knows yet whether somebody is signed in: so it is in the static pages. */
  pending: boolean;
  /** Asks again who is signed in. */
  refresh(): Promise<User | null>;
  signOut(): Promise<Problem | null>;
}

const Context = createContext<Auth | null>(null);

export function useAuth(): Auth {
  const auth = useContext(Context);
  if (!auth) throw new Error('useAuth() needs <AuthProvider>');
  return auth;
}

export default function AuthProvider({ children }: { children: ReactNode }) {
  const settings = useSettings();
  const [{ client, backend }] = useState(() => {
    const client = createClient(settings);
    return { client, backend: createBackend(client, settings.apiUrl) };
  });
  const [announcement, setAnnouncement] = useState('');

  const { data, error, isPending, refetch } = client.useSession();
  // Without a session every refetch, as when the tab comes to the front, is pending again. What was known
  // stays on the page until then, or forms would lose what is typed into them.
  const [known, setKnown] = useState<Session | null>(null);
  const user = data?.user ?? null;
  const failed = error !== null && user === null;
  if (!isPending && (known?.user !== user || known.failed !== failed)) setKnown({ user, failed });

  const refresh = async () => {
    await refetch();
    return (client.$store.atoms.session.get().data?.user ?? null) as User | null;
  };
  const signOut = async () => {
    const { problem } = await ask((options) => client.signOut({ fetchOptions: options }));
    if (!problem) setAnnouncement('You are signed out.');
    return problem;
  };

  return (
    <Context value={{ client, backend, user: known?.user ?? null, failed: known?.failed ?? false, pending: !known, refresh, signOut }}>
      {children}
      <div role="status" className="visually-hidden">{user ? '' : announcement}</div>
    </Context>
  );
}
