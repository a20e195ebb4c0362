import React, { useState } from 'react';
import Link from '@docusaurus/Link';
import DropdownNavbarItem from '@theme/NavbarItem/DropdownNavbarItem';
import clsx from 'clsx';
import { useAuth } from '../auth/AuthProvider';
import { useEntryLinks } from '../auth/paths';
import styles from './AccountNavbarItem.module.css';

interface Props {
  /** True in the menu of narrow screens. */
  mobile?: boolean;
  onClick?: () => void;
}

export function SignOutNavbarItem({ mobile }: Props) {
  const { signOut } = useAuth();
  const [failed, setFailed] = useState(false);
  return (
    <li className={clsx(mobile && 'menu__list-item')}>
      <button
        type="button"
        className={clsx('clean-btn', styles.signOut, mobile ? ['menu__link', styles.mobileSignOut] : 'dropdown__link')}
        onClick={async () => setFailed((await signOut()) !== null)}>
        Sign out
      </button>
      {failed && <p role="alert" className={styles.failed}>You are still signed in: the sign-in service did not answer. Try again.</p>}
    </li>
  );
}

/** Follows the session: ways in, or the reader's name with what belongs to it. */
export default function AccountNavbarItem({ mobile, onClick }: Props) {
  const { user, pending } = useAuth();
  const links = useEntryLinks();

  if (mobile) {
    if (pending) return null;
    const link = (to: string, label: string) => (
      <li className="menu__list-item">
        <Link className="menu__link" to={to} onClick={onClick}>{label}</Link>
      </li>
    );
    if (!user) return <>{link(links.signIn, 'Sign in')}{link(links.signUp, 'Sign up')}</>;
    return (
      <>
        <li className={clsx('menu__list-item', styles.mobileName)}>Signed in as {user.name}</li>
        {link('/profile', 'Profile')}
        <SignOutNavbarItem mobile />
      </>
    );
  }

  // The place is kept while the session is pending, so that nothing beside it moves.
  return (
    <div className={styles.account}>
      {!pending && !user && (
        <>
          <Link className="navbar__item navbar__link" to={links.signIn}>Sign in</Link>
          <Link className="button button--primary button--sm" to={links.signUp}>Sign up</Link>
        </>
      )}
      {user && (
        <DropdownNavbarItem
          position="right"
          label={<span className={styles.name}>{user.name}</span>}
          items={[{ to: '/profile', label: 'Profile' }, { type: 'custom-sign-out' }] as never}
        />
      )}
    </div>
  );
}
