// Verifies tokens with the npm package jose. Reads jobs from standard input and writes answers, one JSON document a line:
// {token, alg, issuer, audience} with `keys` (a list of JWKs), `secret` (a text) or `url` (of a key set, kept between jobs).
import { createRequire } from 'node:module';
import readline from 'node:readline';
import { pathToFileURL } from 'node:url';

const require = createRequire(new URL('../client/package.json', import.meta.url));
const jose = await import(pathToFileURL(require.resolve('jose')));

const remote = new Map();

function keyOf({ keys, secret, url }) {
  if (secret !== undefined) return new TextEncoder().encode(secret);
  if (keys) return jose.createLocalJWKSet({ keys });
  // Without the pause of 30 seconds between fetches: the tests rotate keys sooner after one.
  if (!remote.has(url)) remote.set(url, jose.createRemoteJWKSet(new URL(url), { cooldownDuration: 0 }));
  return remote.get(url);
}

for await (const line of readline.createInterface({ input: process.stdin })) {
  const job = JSON.parse(line);
  let answer;
  try {
    const options = { algorithms: [job.alg], issuer: job.issuer, audience: job.audience, requiredClaims: ['exp', 'sub'] };
    answer = { claims: (await jose.jwtVerify(job.token, keyOf(job), options)).payload };
  } catch (error) {
    if (!(error instanceof jose.errors.JOSEError)) throw error;
    answer = { error: [error.code, error.claim].filter(Boolean).join(' ') };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
