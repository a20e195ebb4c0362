import React from 'react';
import Link from '@docusaurus/Link';
import AccountPage from '../components/AccountPage';
import ReadingProgress from '../components/ReadingProgress';
import RequireSession from '../components/RequireSession';

const CHAPTERS = [
  { slug: 'reading-a-sensor', title: 'Reading a sensor' },
  { slug: 'driving-a-motor', title: 'Driving a motor' },
];

/** A page for signed-in readers. */
export default function Reading() {
  return (
    <AccountPage title="Your reading">
      <RequireSession>
        {(user) => (
          <ul key={user.id}>
            {CHAPTERS.map(({ slug, title }) => (
              <li key={slug} className="margin-bottom--md">
                <p><Link to={`/${slug}`}>{title}</Link></p>
                <ReadingProgress slug={slug} user={user} />
              </li>
            ))}
          </ul>
        )}
      </RequireSession>
    </AccountPage>
  );
}
