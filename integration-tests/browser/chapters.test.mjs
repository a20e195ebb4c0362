// What the FastAPI backend knows of its readers: whom it trusts, and what it keeps in its own table.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { newReader, origin, reading, required } from './reader.mjs';

/** Rows of the backend's table for the user with this address, as psql prints them. */
async function progressInDatabase(email) {
  const query = `SELECT slug, percent FROM reading_progress JOIN users ON users.id = user_id WHERE email = '${email}' ORDER BY slug`;
  const { stdout } = await promisify(execFile)('psql', ['-XAtc', query, required('STACK_DATABASE_URL')]);
  return stdout.split('\n').filter(Boolean);
}

reading('progress is kept for each reader in the table of the backend', async (ada) => {
  await ada.hasAccount({ software_background: 'advanced' });
  await ada.visit('reading-a-sensor/');
  await ada.forYou.getByRole('button', { name: 'Mark as read' }).click();
  await ada.forYou.getByRole('button', { name: '✓ Read (undo)' }).waitFor();
  assert.deepEqual(await progressInDatabase(ada.email), ['reading-a-sensor|100']);
  await ada.visit('reading/');
  const rows = ada.page.getByRole('main').getByRole('listitem');
  await rows.filter({ hasText: 'Reading a sensor' }).getByRole('button', { name: '✓ Read (undo)' }).waitFor();
  await rows.filter({ hasText: 'Driving a motor' }).getByRole('button', { name: 'Mark as read', disabled: false }).waitFor();
  await ada.picture('reading-of-one');

  const grace = await newReader({ name: 'Grace Hopper' });
  try {
    await grace.hasAccount();
    await grace.visit('reading/');
    for (const name of ['Reading a sensor', 'Driving a motor']) {
      const row = grace.page.getByRole('main').getByRole('listitem').filter({ hasText: name });
      await row.getByRole('button', { name: 'Mark as read', disabled: false }).waitFor();
    }
    assert.deepEqual(await progressInDatabase(grace.email), []);
    await grace.picture('reading-of-another');
  } finally {
    await grace.leave();
  }

  await rows.filter({ hasText: 'Reading a sensor' }).getByRole('button').click();
  await rows.filter({ hasText: 'Reading a sensor' }).getByRole('button', { name: 'Mark as read' }).waitFor();
  assert.deepEqual(await progressInDatabase(ada.email), ['reading-a-sensor|0']);
});

reading('the next reader at the same browser sees nothing of the last one', async (reader) => {
  await reader.hasAccount({ software_background: 'advanced', hardware_background: 'FPGA boards' });
  await reader.visit('reading-a-sensor/');
  await reader.forYou.getByRole('button', { name: 'Mark as read' }).click();
  await reader.forYou.getByRole('button', { name: '✓ Read (undo)' }).waitFor();
  await reader.signOut();
  await reader.isSignedOut();
  await reader.navbar.getByRole('link', { name: 'Sign up' }).click();
  Object.assign(reader, { name: 'Grace Hopper', email: `next-${reader.email}` });
  await reader.signUp({ software: 'Beginner', hardware: '' });
  await reader.page.waitForURL(`${origin}/book/reading-a-sensor/`);
  await reader.sees(/a list of steps/, reader.forYou);
  await reader.forYou.getByRole('button', { name: 'Mark as read', disabled: false }).waitFor();
  assert.equal(await reader.forYou.getByText(/ring buffer|FPGA/).count(), 0);
});

reading('who has told nothing is asked for it, and the text fits as soon as it is told', async (reader) => {
  await reader.hasAccount();
  await reader.visit('driving-a-motor/');
  await reader.sees('Tell us in your profile what you know already', reader.forYou);
  await reader.picture('chapter-for-who-told-nothing');
  await reader.forYou.getByRole('link', { name: 'profile' }).click();
  await reader.send('Save', { 'Software background': 'Advanced' });
  await reader.sees('Your profile is saved.');
  await reader.page.goBack();
  await reader.sees(/a PID controller/, reader.forYou);
});

reading('one token serves the parts of a page', async (reader) => {
  await reader.hasAccount({ software_background: 'advanced' });
  const asked = [];
  reader.page.on('request', (request) => {
    const { pathname } = new URL(request.url());
    if (pathname.startsWith('/api/')) asked.push(pathname);
  });
  await reader.visit('reading-a-sensor/');
  await reader.forYou.getByRole('button', { name: 'Mark as read', disabled: false }).waitFor();
  assert.deepEqual(asked.sort(), [
    '/api/auth/get-session',
    '/api/auth/token',
    '/api/chapters/reading-a-sensor',
    '/api/progress/reading-a-sensor',
  ]);
});
