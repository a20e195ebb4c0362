import React, { useEffect, useState } from 'react';
import { useAuth } from '../auth/AuthProvider';
import type { User } from '../auth/client';
import Message from './Message';

/** Whether the reader has read a chapter, and a button that says so. */
export default function ReadingProgress({ slug, user }: { slug: string; user: User }) {
  const { backend } = useAuth();
  const [percent, setPercent] = useState<number>();
  const [failed, setFailed] = useState(false);

  useEffect(() => {
    const abort = new AbortController();
    backend.progress(user, slug, abort.signal).then(
      (progress) => setPercent(progress.percent),
      () => setFailed(!abort.signal.aborted),
    );
    return () => abort.abort();
  }, [backend, slug, user]);

  const read = percent === 100;
  async function toggle() {
    setFailed(false);
    try {
      setPercent((await backend.setProgress(user, slug, read ? 0 : 100)).percent);
    } catch {
      setFailed(true);
    }
  }

  return (
    <>
      <Message kind="danger">{failed && 'Your progress cannot be loaded or saved at the moment.'}</Message>
      <button
        type="button"
        className={read ? 'button button--secondary' : 'button button--primary'}
        disabled={percent === undefined && !failed}
        onClick={toggle}>
        {read ? '✓ Read (undo)' : 'Mark as read'}
      </button>
    </>
  );
}
