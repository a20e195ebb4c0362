import React, { useEffect, useState } from 'react';
import Link from '@docusaurus/Link';
import { useAuth } from '../auth/AuthProvider';
import type { Chapter } from '../auth/backend';
import type { User } from '../auth/client';
import { useEntryLinks } from '../auth/paths';
import Message from './Message';
import ReadingProgress from './ReadingProgress';
import styles from './ChapterForYou.module.css';

function Invitation({ user }: { user: User | null }) {
  const links = useEntryLinks();
  if (user) {
    return <p>Tell us in your <Link to="/profile">profile</Link> what you know already, and this part will fit you.</p>;
  }
  return <p><Link to={links.signIn}>Sign in</Link> or <Link to={links.signUp}>sign up</Link>, and this part will fit what you know already.</p>;
}

function Content({ slug, user }: { slug: string; user: User | null }) {
  const { backend } = useAuth();
  const [chapter, setChapter] = useState<Chapter>();
  const [failed, setFailed] = useState(false);
  const [attempt, setAttempt] = useState(0);

  useEffect(() => {
    const abort = new AbortController();
    setFailed(false);
    backend.chapter(user, slug, abort.signal).then(setChapter, () => setFailed(!abort.signal.aborted));
    return () => abort.abort();
  }, [backend, slug, user, attempt]);

  if (failed) {
    return (
      <>
        <Message kind="danger">This part of the chapter cannot be loaded.</Message>
        <button type="button" className="button button--secondary" onClick={() => setAttempt(attempt + 1)}>Try again</button>
      </>
    );
  }
  if (!chapter) return <p>Loading…</p>;
  return (
    <>
      {chapter.level && <p><span className="badge badge--secondary">{chapter.level}</span></p>}
      {chapter.paragraphs.map((paragraph) => <p key={paragraph}>{paragraph}</p>)}
      {chapter.hardware_note && <p className={styles.note}>{chapter.hardware_note}</p>}
      {!chapter.personalized && <Invitation user={user} />}
      {user && <ReadingProgress slug={slug} user={user} />}
    </>
  );
}

/** The part of a chapter that the backend writes for its reader. */
export default function ChapterForYou({ slug }: { slug: string }) {
  const { user, pending } = useAuth();
  return (
    <section className={styles.box} aria-label="For you">
      <h2 className={styles.title}>For you</h2>
      {/* A new reader must not see the last one's text, not even while the new one loads. */}
      {pending ? <p>Loading…</p> : <Content key={user?.id} slug={slug} user={user} />}
    </section>
  );
}
