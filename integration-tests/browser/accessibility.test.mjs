// Every page by axe-core in light and dark, and on a narrow screen.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { newReader, origin, reading } from './reader.mjs';

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Adds what is found to `findings`, a list of all states of a case. */
async function check(reader, state, findings) {
  const { page } = reader;
  await page.evaluate(() => Promise.all(document.getAnimations().map(({ finished }) => finished)));
  await page.evaluate(axe);
  const { passes, violations } = await page.evaluate(() => axe.run());
  await reader.picture(state);
  assert.ok(passes.some(({ id }) => id === 'color-contrast'), `${state}: contrast was not looked at`);
  for (const { id, impact, nodes } of violations) findings.push(`${state}: ${impact} ${id}: ${nodes.map(({ html }) => html).join(' ')}`);
}

async function fitsItsWidth({ page }) {
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.equal(width, page.viewportSize().width, `${page.url()} can be scrolled sideways`);
}

const OPEN_PAGES = {
  book: ['', 'heading', 'Before you begin'],
  chapter: ['reading-a-sensor/', 'link', 'sign up'],
  'sign-up': ['sign-up/', 'button', 'Sign up'],
  'sign-in': ['sign-in/', 'button', 'Sign in'],
  'forgot-password': ['forgot-password/', 'button', 'Send the link'],
  'reset-password': ['reset-password/?token=any', 'button', 'Set the password'],
  'reset-password-bad-link': ['reset-password/?error=INVALID_TOKEN', 'link', 'Ask for a new link'],
  'reading-anonymous': ['reading/', 'link', 'Sign up'],
};
const OWN_PAGES = {
  'chapter-own': ['reading-a-sensor/', 'button', 'Mark as read'],
  reading: ['reading/', 'button', 'Mark as read'],
  profile: ['profile/', 'button', 'Save'],
};

/** Goes through pages; each is there when its main part shows what is named here. */
async function* through(reader, pages) {
  for (const [state, [path, role, name]] of Object.entries(pages)) {
    await reader.visit(path);
    const mark = reader.page.getByRole('main').getByRole(role, { name, exact: true });
    await mark.and(reader.page.locator(':not(:disabled)')).first().waitFor();
    yield state;
  }
}

for (const colorScheme of ['light', 'dark']) {
  reading(`axe finds nothing on any page in ${colorScheme}`, async (reader) => {
    const findings = [];
    for await (const state of through(reader, OPEN_PAGES)) {
      await reader.isSignedOut();
      assert.equal(await reader.page.locator('html').getAttribute('data-theme'), colorScheme);
      await check(reader, `${colorScheme}-${state}`, findings);
    }
    await reader.visit('sign-up/');
    await reader.send('Sign up', { Email: 'nobody' });
    await reader.sees('Enter your name.');
    await check(reader, `${colorScheme}-sign-up-problems`, findings);

    await reader.hasAccount({ software_background: 'advanced', hardware_background: 'FPGA boards' });
    for await (const state of through(reader, OWN_PAGES)) {
      await reader.isSignedIn();
      await check(reader, `${colorScheme}-${state}`, findings);
    }
    await reader.send('Save', { 'Software background': 'Beginner' });
    await reader.sees('Your profile is saved.');
    await reader.account.hover();
    await reader.page.getByRole('button', { name: 'Sign out' }).waitFor();
    await check(reader, `${colorScheme}-profile-saved-and-menu`, findings);

    reader.expectRefusal(404, '/book/nothing/');
    await reader.visit('nothing/');
    await check(reader, `${colorScheme}-not-found`, findings);
    assert.deepEqual(findings, []);
  }, () => newReader({ colorScheme }));
}

reading('everything works on a narrow screen', async (reader) => {
  const { page } = reader;
  const findings = [];
  const menu = page.getByRole('navigation', { name: 'Main' }).locator('.navbar-sidebar');
  const openMenu = () => page.getByRole('button', { name: 'Toggle navigation bar' }).tap();

  for await (const state of through(reader, OPEN_PAGES)) {
    await fitsItsWidth(reader);
    await check(reader, `narrow-${state}`, findings);
  }
  await reader.visit('reading-a-sensor/');
  await openMenu();
  await menu.getByRole('button', { name: 'Back to main menu' }).tap(); // from the list of chapters
  await menu.getByRole('link', { name: 'Sign up' }).waitFor();
  await check(reader, 'narrow-menu-anonymous', findings);
  await menu.getByRole('link', { name: 'Sign up' }).tap();
  await reader.signUp({ software: 'Advanced' });
  await page.waitForURL(`${origin}/book/reading-a-sensor/`);
  await reader.sees(/ring buffer/, reader.forYou);

  for await (const state of through(reader, OWN_PAGES)) {
    await fitsItsWidth(reader);
    await check(reader, `narrow-${state}`, findings);
  }
  await openMenu();
  await menu.getByText(`Signed in as ${reader.name}`).waitFor();
  await check(reader, 'narrow-menu', findings);
  await menu.getByRole('button', { name: 'Sign out' }).tap();
  await menu.getByRole('link', { name: 'Sign in' }).waitFor();
  await reader.sees('This page is about you, so it needs to know who you are.');
  assert.deepEqual(findings, []);
}, () => newReader({ viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true }));
