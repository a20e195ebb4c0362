// Catches the mail of one side: both post what they have to tell to it as JSON.
import http from 'node:http';

/** How long a mail may take, in ms, before a scenario stops. */
const PATIENCE = 15_000;

/** `{ url, next, close }`; `next(address)` answers the next mail to that address. */
export async function openMailbox() {
  const waiting = new Map();
  const came = new Map();
  const queue = (map, to) => map.get(to) ?? map.set(to, []).get(to);
  const deliver = (mail) => {
    const taker = queue(waiting, mail.to).shift();
    if (taker) taker(mail);
    else queue(came, mail.to).push(mail);
  };
  const server = http.createServer((req, res) => {
    let text = '';
    req.on('data', (chunk) => (text += chunk));
    req.on('end', () => {
      deliver(JSON.parse(text));
      res.writeHead(204).end();
    });
  });
  await new Promise((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  const next = (to) => {
    const mail = queue(came, to).shift();
    if (mail) return Promise.resolve(mail);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no mail to ${to}`)), PATIENCE);
      queue(waiting, to).push((found) => {
        clearTimeout(timer);
        resolve(found);
      });
    });
  };
  return { url: `http://127.0.0.1:${server.address().port}/`, next, close: () => server.close() };
}
