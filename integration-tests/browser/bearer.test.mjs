// Bearer mode: the site and its services on different sites, in a browser that keeps no cookie of the services.
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { chromium } from 'playwright-core';
import { buildBearerSite, serveBearerSite } from './bearer-site.mjs';
import { chromiumOptions, origin, Reader, reading } from './reader.mjs';

const TRUSTED = process.env.BEARER_SITE || 'http://127.0.0.1:18461';

const closing = [];
let untrusted;
before(async () => {
  const { headers } = await fetch(`${origin}/api/auth/get-session`, { headers: { origin: TRUSTED } });
  assert.equal(headers.get('access-control-allow-origin'), TRUSTED, `start the stack with BETTER_AUTH_TRUSTED_ORIGINS=${TRUSTED}`);
  await buildBearerSite(TRUSTED);
  closing.push((await serveBearerSite(Number(new URL(TRUSTED).port))).close);
  const other = await serveBearerSite(0);
  untrusted = other.site;
  closing.push(other.close);
});
after(() => Promise.all(closing.map((close) => close())));

/** A reader whose browser refuses all cookies of the services' host, as a setting of Chromium. */
async function readerWithoutCookies(site) {
  const profile = await mkdtemp(join(tmpdir(), 'auth-sidecar-browser.'));
  closing.push(() => rm(profile, { recursive: true, force: true }));
  await mkdir(join(profile, 'Default'));
  const cookies = { [`http://${new URL(origin).hostname},*`]: { setting: 2 } };
  const preferences = { profile: { content_settings: { exceptions: { cookies } } } };
  await writeFile(join(profile, 'Default/Preferences'), JSON.stringify(preferences));
  const context = await chromium.launchPersistentContext(profile, { ...chromiumOptions, viewport: { width: 1280, height: 900 } });
  return new Reader(context, context.pages()[0], { site });
}

/** Docusaurus puts a name of the site behind the key. */
const storedToken = (reader) => reader.page.evaluate(() => Object.entries(localStorage).find(([key]) => key.startsWith('auth-token'))?.[1]);

reading('by token a reader signs up, is known after a reload, reads a chapter that fits, and signs out', async (reader) => {
  const { page } = reader;
  const requests = [];
  page.on('request', (request) => requests.push(request));
  await reader.visit('reading-a-sensor/');
  await reader.isSignedOut();
  await reader.navbar.getByRole('link', { name: 'Sign up' }).click();
  await reader.signUp({ software: 'Advanced', hardware: 'FPGA boards' });
  await page.waitForURL(`${TRUSTED}/book/reading-a-sensor/`);
  await reader.isSignedIn();
  await reader.sees(/ring buffer/, reader.forYou);

  await page.reload();
  await reader.isSignedIn();
  await reader.sees('You wrote “FPGA boards” about your hardware.', reader.forYou);
  await reader.forYou.getByRole('button', { name: 'Mark as read' }).click();
  await reader.forYou.getByRole('button', { name: '✓ Read (undo)' }).waitFor();
  await reader.picture('bearer-chapter');

  await reader.visit('profile/');
  await reader.send('Save', { 'Software background': 'Beginner' });
  await reader.sees('Your profile is saved.');
  await reader.visit('reading-a-sensor/');
  await reader.sees(/a list of steps/, reader.forYou);

  const token = await storedToken(reader);
  assert.ok(token, 'the token is kept');
  const sessionOf = async () => (await fetch(`${origin}/api/auth/get-session`, { headers: { authorization: `Bearer ${token}` } })).json();
  assert.equal((await sessionOf()).user.email, reader.email);
  await reader.signOut();
  await reader.isSignedOut();
  await reader.sees('and this part will fit what you know already', reader.forYou);
  assert.equal(await storedToken(reader), undefined);
  assert.equal(await sessionOf(), null, 'the token is worth nothing any more');
  await reader.picture('bearer-signed-out');

  await reader.navbar.getByRole('link', { name: 'Sign in' }).click();
  await reader.signIn();
  await reader.isSignedIn();
  assert.deepEqual(await reader.context.cookies(), []);
  const heads = await Promise.all(requests.map((request) => request.allHeaders()));
  assert.ok(heads.some(({ authorization }) => authorization === `Bearer ${token}`), 'heads are as they were sent');
  assert.ok(heads.every(({ cookie }) => cookie === undefined), 'a cookie was sent');
}, () => readerWithoutCookies(TRUSTED));

reading('by token a second tab follows sign-out', async (reader) => {
  await reader.visit('sign-up/');
  await reader.signUp({ software: 'Advanced' });
  await reader.isSignedIn();
  const [first, second] = [reader.page, await reader.context.newPage()];
  reader.page = second;
  await reader.visit('reading-a-sensor/');
  await reader.sees(/ring buffer/, reader.forYou);
  reader.page = first;
  await first.bringToFront();
  await reader.signOut();
  reader.page = second;
  await reader.isSignedOut();
  await reader.sees('and this part will fit what you know already', reader.forYou);
}, () => readerWithoutCookies(TRUSTED));

reading('by cookie such a browser is told that it did not keep the session', async (reader) => {
  await reader.visit('sign-up/');
  await reader.signUp();
  await reader.sees('this browser did not keep the session', reader.page.getByRole('alert'));
  await reader.isSignedOut();
  await reader.picture('cookies-refused');
  assert.notEqual(reader.takeNoise(/^Docusaurus browser storage is not available/).length, 0);
}, () => readerWithoutCookies(origin));

reading('a site that is not trusted cannot make an account', async (reader) => {
  await reader.visit('sign-up/');
  await reader.signUp();
  await reader.sees('The sign-in service cannot be reached.', reader.page.getByRole('alert'));
  await reader.isSignedOut();
  await reader.picture('untrusted-site');
  const refused = reader.takeNoise(/blocked by CORS policy|net::ERR_FAILED/);
  assert.ok(refused.some((line) => line.includes(`'${origin}/api/auth/sign-up/email' from origin '${untrusted}'`)), refused.join('\n'));
  const signIn = await fetch(`${origin}/api/auth/sign-in/email`, {
    method: 'POST',
    headers: { origin, 'content-type': 'application/json' },
    body: JSON.stringify({ email: reader.email, password: reader.password }),
  });
  assert.equal(signIn.status, 401, 'there is no account');
}, () => readerWithoutCookies(untrusted));
