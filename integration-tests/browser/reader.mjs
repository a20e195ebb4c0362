// A person with a browser before the example site. Whatever a case is about, it fails if a page writes an error or a
// warning to the console, throws, or asks another host for anything.
//
// In the root of the repository, with Chromium at /usr/bin/chromium or where CHROMIUM says:
//
//   npm ci --prefix integration-tests/browser
//   scripts/stack run TRUSTED_PROXY=127.0.0.1 BETTER_AUTH_TRUSTED_ORIGINS=http://127.0.0.1:18461 \
//     npm test --prefix integration-tests/browser
//
// Pictures of the states go to target/browser; that of a failed case begins with `failed`.
import assert from 'node:assert/strict';
import { randomInt, randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

/** A variable of scripts/stack. */
export function required(name) {
  assert.ok(process.env[name], `${name} is not set: run it by scripts/stack run`);
  return process.env[name];
}

export const origin = required('STACK_URL');
const pictures = fileURLToPath(new URL('../../target/browser/', import.meta.url));
const PASSWORD = 'correct-horse-1';
const PATIENCE = 10_000; // milliseconds for any one condition

export const chromiumOptions = {
  executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
  args: [
    '--no-sandbox', // of no use to root, who runs this in containers
    '--disable-gpu',
    '--disable-quic',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ],
};

// Each reader has an address of their own, as in life: the rate limit, which is on, counts by it.
const network = `10.${randomInt(256)}.${randomInt(256)}`;
let readers = 0;

export class Reader {
  #noise = [];
  #expected = [];
  #foreign = new Set();

  constructor(context, page, { name = 'Ada Lovelace', site = origin } = {}) {
    Object.assign(this, { context, page, name, site, email: `reader-${randomUUID()}@example.com`, password: PASSWORD });
    context.setDefaultTimeout(PATIENCE);
    context.on('console', (message) => {
      if (!['error', 'warning'].includes(message.type())) return;
      const refused = /^Failed to load resource: .* status of (\d+)/.exec(message.text());
      this.#noise.push(refused ? `${refused[1]} ${new URL(message.location().url).pathname}` : message.text());
    });
    context.on('weberror', (error) => this.#noise.push(error.error().stack));
    context.on('request', (request) => {
      const url = new URL(request.url());
      if (/^(http|ws)/.test(url.protocol) && ![site, origin].includes(url.origin)) this.#foreign.add(url.href);
    });
  }

  /** A refusal that the case is about: Chromium writes it to the console, and it must be there. */
  expectRefusal(status, path) {
    this.#expected.push(`${status} ${path}`);
  }

  /** The same for other lines of the console. Returns those that were there. */
  takeNoise(pattern) {
    const taken = this.#noise.filter((line) => pattern.test(line));
    this.#noise = this.#noise.filter((line) => !pattern.test(line));
    return taken;
  }

  async leave() {
    await this.context.close();
    const seen = { console: this.#noise.sort(), otherHosts: [...this.#foreign] };
    assert.deepEqual(seen, { console: this.#expected.sort(), otherHosts: [] });
  }

  async visit(path) {
    await this.page.goto(`${this.site}/book/${path}`);
    await this.page.locator('html[data-has-hydrated=true]').waitFor();
  }

  /** Full page, into target/browser. */
  async picture(state) {
    await this.page.screenshot({ path: `${pictures}${state}.png`, fullPage: true, animations: 'disabled' });
  }

  // -- what is on the page

  get navbar() {
    return this.page.getByRole('navigation', { name: 'Main' });
  }

  /** The navbar's item that bears the reader's name. */
  get account() {
    return this.navbar.getByRole('button', { name: this.name });
  }

  get forYou() {
    return this.page.getByRole('region', { name: 'For you' });
  }

  async sees(text, within = this.page) {
    await within.getByText(text).first().waitFor();
  }

  async isSignedIn() {
    await this.account.waitFor();
  }

  async isSignedOut() {
    await this.navbar.getByRole('link', { name: 'Sign in' }).waitFor();
    assert.equal(await this.account.count(), 0);
  }

  /** The problem stands at the input, is read out with it, and the focus is there. */
  async seesProblemAt(label, problem) {
    await this.page.getByText(problem, { exact: true }).waitFor();
    const input = this.page.getByLabel(label, { exact: true });
    const state = await input.evaluate((element) => ({
      focused: element === document.activeElement,
      invalid: element.getAttribute('aria-invalid'),
      described: (element.getAttribute('aria-describedby') ?? '').split(' ').map((id) => document.getElementById(id)?.textContent),
    }));
    assert.ok(state.focused, `the focus is at ${label}`);
    assert.equal(state.invalid, 'true');
    assert.ok(state.described.includes(problem), `${label} is described by ${JSON.stringify(state.described)}`);
  }

  // -- what a reader does

  /** Fills in the inputs named by their labels and sends the form. */
  async send(button, values) {
    for (const [label, value] of Object.entries(values)) {
      const input = this.page.getByLabel(label, { exact: true });
      if (await input.evaluate((element) => element instanceof HTMLSelectElement)) await input.selectOption({ label: value });
      else await input.fill(value);
    }
    // Waits for hydration, before which it is disabled.
    await this.page.getByRole('button', { name: button, exact: true }).click();
  }

  async signUp({ software = 'Beginner', hardware = 'an Arduino Uno' } = {}) {
    const { name, email, password } = this;
    await this.send('Sign up', {
      Name: name,
      Email: email,
      Password: password,
      'Software background': software,
      'Hardware background': hardware,
    });
  }

  async signIn(password = this.password) {
    await this.send('Sign in', { Email: this.email, Password: password });
  }

  async signOut() {
    await this.account.click();
    await this.page.getByRole('button', { name: 'Sign out' }).click();
  }

  /** Makes the account without the form, for cases that are about something else. The browser has the session then. */
  async hasAccount(fields = {}) {
    const { name, email, password } = this;
    const response = await this.context.request.post(`${origin}/api/auth/sign-up/email`, {
      headers: { origin },
      data: { name, email, password, ...fields },
    });
    assert.notEqual(response.status(), 429, 'all readers have one address: start the stack with TRUSTED_PROXY=127.0.0.1');
    assert.equal(response.status(), 200, await response.text());
  }

  /** The reader has an account, and the browser knows nothing of it. */
  async forgetSession() {
    await this.context.clearCookies();
  }
}

let browser;
before(async () => {
  await mkdir(pictures, { recursive: true });
  browser = await chromium.launch(chromiumOptions);
});
after(() => browser?.close());

export async function newReader({ name, site, ...options } = {}) {
  readers += 1;
  const context = await browser.newContext({
    viewport: { width: 1280, height: 900 },
    extraHTTPHeaders: { 'x-forwarded-for': `${network}.${readers}` },
    ...options,
  });
  return new Reader(context, await context.newPage(), { name, site });
}

/** A case with a reader, who leaves at its end. `open` gives the reader. */
export function reading(title, body, open = newReader) {
  test(title, { timeout: 60_000 }, async () => {
    const reader = await open();
    try {
      await body(reader);
    } catch (error) {
      await reader.picture(`failed: ${title}`.replaceAll(/\W+/g, '-')).catch(() => {});
      await reader.leave().catch((noise) => { error.message += `\n${noise.message}`; });
      throw error;
    }
    await reader.leave();
  });
}
