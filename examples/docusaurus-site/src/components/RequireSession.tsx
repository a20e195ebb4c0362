import React, { type ReactNode } from 'react';
import Link from '@docusaurus/Link';
import { useAuth } from '../auth/AuthProvider';
import type { User } from '../auth/client';
import { useEntryLinks } from '../auth/paths';
import Message from './Message';

/**
 * Shows its children to signed-in readers. This hides no secret, for static pages are public: what is private
 * comes from the backend, which asks for a token.
 */
export default function RequireSession({ children }: { children: (user: User) => ReactNode }) {
  const { user, pending, failed, refresh } = useAuth();
  const links = useEntryLinks();
  if (user) return children(user);
  if (pending) return <p role="status">Loading…</p>;
  if (failed) {
    return (
      <>
        <Message kind="danger">The sign-in service cannot be reached.</Message>
        <button type="button" className="button button--secondary" onClick={refresh}>Try again</button>
      </>
    );
  }
  return (
    <>
      <p>This page is about you, so it needs to know who you are.</p>
      <p>
        <Link className="button button--primary margin-right--sm" to={links.signIn}>Sign in</Link>
        <Link className="button button--secondary" to={links.signUp}>Sign up</Link>
      </p>
    </>
  );
}
