// The example site built for bearer mode and served from another site than its services: for browsers `127.0.0.1` and
// `localhost` are two.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import http from 'node:http';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { origin, required } from './reader.mjs';

// scripts/stack has copied the site there and installed its packages. Not below this folder, whose package.json would
// make Docusaurus write pages that show an error, without failing.
const source = join(required('STACK_DIR'), 'site-source');
const built = fileURLToPath(new URL('../../target/browser/bearer-site', import.meta.url));
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.xml': 'text/xml' };

export async function buildBearerSite(site) {
  const docusaurus = 'node_modules/@docusaurus/core/bin/docusaurus.mjs';
  await promisify(execFile)(process.execPath, [docusaurus, 'build', '--out-dir', join(built, 'book')], {
    cwd: source,
    env: { ...process.env, SITE_URL: site, AUTH_URL: origin, API_URL: origin, AUTH_MODE: 'bearer' },
  });
  assert.match(await readFile(join(built, 'book/sign-up/index.html'), 'utf8'), /Software background/);
}

/** Serves the built site on loopback; port 0 is any. Returns its origin and what ends it. */
export async function serveBearerSite(port) {
  const server = http.createServer(async ({ url }, response) => {
    const path = new URL(url, 'http://127.0.0.1').pathname; // without `..`
    const file = path.endsWith('/') ? `${path}index.html` : path;
    try {
      const content = await readFile(join(built, file));
      response.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'application/octet-stream' }).end(content);
    } catch {
      response.writeHead(404).end();
    }
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return { site: `http://127.0.0.1:${server.address().port}`, close };
}
