import React, { type ReactNode } from 'react';
import AuthProvider from '@site/src/auth/AuthProvider';

/** Docusaurus puts this around every page; it is never unmounted. */
export default function Root({ children }: { children: ReactNode }) {
  return <AuthProvider>{children}</AuthProvider>;
}
