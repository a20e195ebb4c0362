import assert from 'node:assert/strict';
import { readdir, readFile, watch } from 'node:fs/promises';
import { join } from 'node:path';
import { required } from './reader.mjs';

const folder = join(required('STACK_MAIL'), 'new');

async function find(recipient) {
  for (const file of await readdir(folder)) {
    const mail = await readFile(join(folder, file), 'utf8');
    if (mail.includes(`\nX-RcptTo: ${recipient}\n`)) return mail;
  }
}

async function wait(recipient) {
  const patience = AbortSignal.timeout(10_000);
  const changes = watch(folder, { signal: patience });
  try {
    // Watched before it is looked at, so that no mail comes unseen between the two.
    const mail = await find(recipient);
    if (mail) return mail;
    for await (const _ of changes) {
      const mail = await find(recipient);
      if (mail) return mail;
    }
  } catch (error) {
    if (!patience.aborted) throw error;
  }
  assert.fail(`no mail to ${recipient}`);
}

/** The HTML part of the mail to `recipient`; waits until it is there. */
export async function htmlOfMailTo(recipient) {
  const mail = await wait(recipient);
  const decoded = mail.replaceAll('=\n', '').replaceAll(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
  return /<!doctype html>.*<\/html>/s.exec(decoded)[0];
}
