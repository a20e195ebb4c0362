// Raw HTTP/1.1 and a cookie jar. `fetch` would add headers, tidy paths and fold Set-Cookie lines.
import http from 'node:http';

const TIMEOUT = 15_000;

/**
 * One request on a connection of its own, with exactly these headers.
 * Answers `{ status, reason, headers: [[lower-case name, value], …] in wire order, body: text }`.
 */
export function send({ url, path, method, headers, body }) {
  const { hostname, port } = new URL(url);
  const all = { ...headers };
  const payload = body === undefined ? undefined : Buffer.from(body);
  if (payload) all['content-length'] = payload.length;
  else if (!['GET', 'HEAD', 'OPTIONS'].includes(method)) all['content-length'] = 0;
  return new Promise((resolve, reject) => {
    const req = http.request({ hostname, port, path, method, headers: all, agent: false }, (res) => {
      const chunks = [];
      res.on('data', (chunk) => chunks.push(chunk));
      res.once('error', reject);
      res.once('end', () => {
        const pairs = [];
        for (let i = 0; i < res.rawHeaders.length; i += 2) pairs.push([res.rawHeaders[i].toLowerCase(), res.rawHeaders[i + 1]]);
        resolve({ status: res.statusCode, reason: res.statusMessage, headers: pairs, body: Buffer.concat(chunks).toString() });
      });
    });
    req.setTimeout(TIMEOUT, () => req.destroy(new Error(`no answer within ${TIMEOUT} ms`)));
    req.once('error', reject);
    req.end(payload);
  });
}

export const setCookies = (response) => response.headers.filter(([name]) => name === 'set-cookie').map(([, value]) => value);

/** Keeps cookies as a browser does, as far as one origin goes. */
export class Jar {
  constructor(cookies = []) {
    this.cookies = new Map(cookies);
  }

  store(response) {
    for (const line of setCookies(response)) {
      const [pair, ...attributes] = line.split(';').map((part) => part.trim());
      const name = pair.slice(0, pair.indexOf('='));
      if (attributes.some((attribute) => /^max-age=0$/i.test(attribute))) this.cookies.delete(name);
      else this.cookies.set(name, pair.slice(name.length + 1));
    }
  }

  header() {
    return [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  }

  /** The full name of the first cookie whose name ends so. */
  name(suffix) {
    return [...this.cookies.keys()].find((name) => name.endsWith(suffix));
  }

  get(suffix) {
    return this.cookies.get(this.name(suffix));
  }

  /** A copy with one cookie changed, or removed when `value` is undefined. */
  with(suffix, value) {
    const copy = new Jar(this.cookies);
    const name = copy.name(suffix) ?? suffix;
    if (value === undefined) copy.cookies.delete(name);
    else copy.cookies.set(name, value);
    return copy;
  }
}
