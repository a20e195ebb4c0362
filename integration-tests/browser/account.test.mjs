// Signing up, in and out, and what is said when something is wrong.
import assert from 'node:assert/strict';
import { htmlOfMailTo } from './mail.mjs';
import { origin, reading } from './reader.mjs';

const WRONG = 'The email address or the password is wrong.';

reading('who signs up with both fields is greeted by name and reads a chapter that fits', async (reader) => {
  await reader.visit('reading-a-sensor/');
  await reader.isSignedOut();
  await reader.sees(/turns something in the world into a number/, reader.forYou);
  assert.equal(await reader.forYou.getByText('ring buffer').count(), 0);
  await reader.picture('chapter-for-anybody');

  await reader.navbar.getByRole('link', { name: 'Sign up' }).click();
  await reader.page.waitForURL('**/book/sign-up/?next=*');
  await reader.picture('sign-up');
  await reader.signUp({ software: 'Advanced', hardware: 'FPGA boards' });

  await reader.page.waitForURL(`${origin}/book/reading-a-sensor/`);
  await reader.isSignedIn();
  await reader.sees(/from an interrupt into a ring buffer/, reader.forYou);
  await reader.sees('You wrote “FPGA boards” about your hardware.', reader.forYou);
  await reader.picture('chapter-for-advanced');
  assert.equal(await reader.page.evaluate(() => document.cookie), '', 'scripts cannot read the session');
});

reading('an edited profile changes the chapter', async (reader) => {
  await reader.hasAccount({ software_background: 'beginner', hardware_background: 'none yet' });
  await reader.visit('driving-a-motor/');
  await reader.sees(/one ready-made function/, reader.forYou);

  await reader.account.click();
  await reader.page.getByRole('link', { name: 'Profile' }).click();
  reader.name = 'Ada King';
  await reader.send('Save', { Name: reader.name, 'Software background': 'Intermediate', 'Hardware background': '' });
  await reader.sees('Your profile is saved.');
  await reader.isSignedIn();
  await reader.picture('profile-saved');

  await reader.page.goBack();
  await reader.sees(/We write set_speed ourselves/, reader.forYou);
  assert.equal(await reader.forYou.getByText('about your hardware').count(), 0);
  assert.equal(await reader.forYou.getByText('one ready-made function').count(), 0);
  await reader.picture('chapter-after-the-edit');
});

reading('a reload and a new tab keep the session', async (reader) => {
  await reader.hasAccount({ software_background: 'advanced' });
  await reader.visit('reading-a-sensor/');
  await reader.isSignedIn();
  await reader.page.reload();
  await reader.isSignedIn();
  await reader.sees(/ring buffer/, reader.forYou);
  reader.page = await reader.context.newPage();
  await reader.visit('profile/');
  await reader.isSignedIn();
  assert.equal(await reader.page.getByLabel('Software background').inputValue(), 'advanced');
});

reading('a second tab follows sign-out and sign-in', async (reader) => {
  await reader.hasAccount({ software_background: 'advanced' });
  const [first, second] = [reader.page, await reader.context.newPage()];
  for (reader.page of [first, second]) {
    await reader.visit('reading-a-sensor/');
    await reader.sees(/ring buffer/, reader.forYou);
  }
  reader.page = first;
  await first.bringToFront(); // else it hardly draws, and Playwright waits for that
  await reader.signOut();
  for (reader.page of [first, second]) {
    await reader.isSignedOut();
    await reader.sees('and this part will fit what you know already', reader.forYou);
    assert.equal(await reader.forYou.getByText('ring buffer').count(), 0);
  }
  await reader.picture('second-tab-after-sign-out');

  reader.page = first;
  await first.bringToFront();
  await reader.navbar.getByRole('link', { name: 'Sign in' }).click();
  await reader.signIn();
  await reader.isSignedIn();
  // The client asks again when a tab comes to the front. Playwright keeps all its tabs there, so this one is told.
  reader.page = second;
  await second.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
  await reader.isSignedIn();
  await reader.sees(/ring buffer/, reader.forYou);
});

reading('a wrong password is told at the field, and again and again leads to a pause', async (reader) => {
  await reader.hasAccount();
  await reader.forgetSession();
  await reader.visit('sign-in/');
  for (let attempt = 0; attempt < 3; attempt += 1) {
    reader.expectRefusal(401, '/api/auth/sign-in/email');
    await reader.signIn(`not-the-password-${attempt}`);
    await reader.seesProblemAt('Password', WRONG);
    if (attempt === 0) await reader.picture('wrong-password');
    // What is being corrected is no longer wrong.
    await reader.page.getByLabel('Password').fill('');
    await reader.page.getByText(WRONG).waitFor({ state: 'detached' });
  }
  reader.expectRefusal(429, '/api/auth/sign-in/email');
  await reader.signIn();
  await reader.sees(/^Too many attempts\. Try again in \d+ seconds\.$/, reader.page.getByRole('alert'));
  await reader.isSignedOut();
  await reader.picture('too-many-attempts');
});

reading('an address that is taken is told at the field, whatever its case', async (reader) => {
  await reader.hasAccount();
  await reader.forgetSession();
  await reader.visit('sign-up/');
  reader.email = reader.email.toUpperCase();
  reader.expectRefusal(422, '/api/auth/sign-up/email');
  await reader.signUp();
  await reader.seesProblemAt('Email', 'This address has an account already. Sign in, or use another address.');
  await reader.isSignedOut();
  await reader.picture('address-taken');
});

reading('a value that the service does not allow is told at the field, and can be corrected', async (reader) => {
  await reader.visit('sign-up/');
  await reader.page.locator('option[value=beginner]').evaluate((option) => { option.value = 'wizard'; });
  reader.expectRefusal(400, '/api/auth/sign-up/email');
  await reader.signUp({ software: 'Beginner' });
  await reader.seesProblemAt('Software background', 'Software background must be one of: beginner, intermediate, advanced');
  await reader.isSignedOut();
  await reader.picture('field-value-refused');
  await reader.send('Sign up', { 'Software background': 'Intermediate' });
  await reader.isSignedIn();
});

reading('what the form itself can tell is told at the first field, and nothing is sent', async (reader) => {
  await reader.visit('sign-up/');
  await reader.send('Sign up', { Email: 'nobody' });
  await reader.sees('Enter your password.');
  await reader.sees('This is not an email address.');
  await reader.seesProblemAt('Name', 'Enter your name.');
  await reader.picture('sign-up-incomplete');
  reader.password = 'short';
  reader.expectRefusal(400, '/api/auth/sign-up/email');
  await reader.signUp();
  await reader.seesProblemAt('Password', 'The password is too short.');
});

reading('a forgotten password is set anew through the mailed link, once', async (reader) => {
  await reader.hasAccount();
  await reader.forgetSession();
  await reader.visit('sign-in/');
  await reader.page.getByRole('link', { name: 'Forgot your password?' }).click();
  await reader.send('Send the link', { Email: reader.email });
  await reader.sees('If this address has an account, a mail with a link is on its way.', reader.page.getByRole('status'));
  await reader.picture('reset-asked-for');

  const mail = await htmlOfMailTo(reader.email);
  reader.page = await reader.context.newPage();
  await reader.page.setContent(mail);
  await reader.picture('reset-mail');
  await reader.page.getByRole('link', { name: 'Set a new password' }).click();
  await reader.page.waitForURL('**/book/reset-password/?token=*');
  await reader.picture('reset-password');
  await reader.send('Set the password', { 'New password': 'another-horse-2' });
  await reader.sees('Your new password is set.');
  await reader.picture('reset-done');

  await reader.page.getByRole('main').getByRole('link', { name: 'Sign in' }).click();
  reader.expectRefusal(401, '/api/auth/sign-in/email');
  await reader.signIn();
  await reader.seesProblemAt('Password', WRONG);
  await reader.signIn('another-horse-2');
  await reader.isSignedIn();

  reader.page = await reader.context.newPage();
  await reader.page.setContent(mail);
  await reader.page.getByRole('link', { name: 'Set a new password' }).click();
  await reader.sees('This link has expired or was used already.', reader.page.getByRole('alert'));
  assert.equal(await reader.page.getByLabel('New password').count(), 0);
  await reader.picture('reset-link-used');
});

reading('a page for signed-in readers asks to sign in and comes back', async (reader) => {
  await reader.hasAccount();
  await reader.forgetSession();
  await reader.visit('reading/');
  await reader.sees('This page is about you, so it needs to know who you are.');
  await reader.picture('protected-page');
  await reader.page.getByRole('main').getByRole('link', { name: 'Sign in' }).click();
  await reader.signIn();
  await reader.page.waitForURL(`${origin}/book/reading/`);
  await reader.isSignedIn();
  await reader.page.getByRole('main').getByRole('link', { name: 'Driving a motor' }).waitFor();
});

reading('a link to sign-in cannot lead to another site', async (reader) => {
  await reader.hasAccount();
  for (const next of ['https://example.net/book/', '//example.net/book/', '/api/auth/sign-out', 'javascript:alert(1)']) {
    await reader.visit(`sign-in/?next=${encodeURIComponent(next)}`);
    await reader.page.waitForURL(`${origin}/book/`);
  }
});

reading('the keyboard is enough to sign in and out', async (reader) => {
  const { page } = reader;
  await reader.hasAccount();
  await reader.forgetSession();
  await reader.visit('');
  await reader.isSignedOut();

  /** Goes on until the focus is where it should be; each stop must be visible. */
  async function tabTo(target) {
    for (let presses = 0; presses < 30; presses += 1) {
      await page.keyboard.press('Tab');
      const seen = await page.evaluate(() => {
        const { outlineStyle, boxShadow } = getComputedStyle(document.activeElement);
        return outlineStyle !== 'none' || boxShadow !== 'none' ? '' : document.activeElement.outerHTML;
      });
      assert.equal(seen, '', 'an element does not show that it has the focus');
      if (await target.evaluate((element) => element === document.activeElement)) return;
    }
    assert.fail(`Tab does not reach ${target}`);
  }

  await tabTo(reader.navbar.getByRole('link', { name: 'Sign in' }));
  await reader.picture('keyboard-focus');
  await page.keyboard.press('Enter');
  await page.locator('button[type=submit]:enabled').waitFor();
  await tabTo(page.getByLabel('Email'));
  await page.keyboard.type(reader.email);
  await tabTo(page.getByLabel('Password'));
  await page.keyboard.type(reader.password);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Before you begin' }).waitFor();
  await reader.isSignedIn();

  await tabTo(reader.account);
  await page.keyboard.press('Enter');
  // The menu comes up slowly: until then Tab passes it by.
  await page.getByRole('button', { name: 'Sign out' }).waitFor();
  await tabTo(page.getByRole('button', { name: 'Sign out' }));
  await reader.picture('keyboard-account-menu');
  await page.keyboard.press('Enter');
  await reader.isSignedOut();
  await reader.sees('You are signed out.', page.getByRole('status'));
});
