import React, { type ReactNode } from 'react';
import clsx from 'clsx';

interface Props {
  kind: 'danger' | 'success';
  children: ReactNode;
}

/** The region is there before its text, or screen readers would not read the text out. */
export default function Message({ kind, children }: Props) {
  return (
    <div role={kind === 'danger' ? 'alert' : 'status'}>
      {children && <div className={clsx('alert', `alert--${kind}`, 'margin-bottom--md')}>{children}</div>}
    </div>
  );
}
