import type { AuthClient, User } from './client';

export interface Chapter {
  slug: string;
  title: string;
  personalized: boolean;
  level: string | null;
  paragraphs: string[];
  hardware_note: string | null;
}

export interface Progress {
  percent: number;
}

export type Backend = ReturnType<typeof createBackend>;

/** How long before its end a token is no longer used, in seconds. */
const MARGIN = 60;

/** Seconds a token may be used. A difference of its own times, for the reader's clock may be wrong. */
function lifetime(token: string): number {
  const payload = token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/');
  const { exp, iat } = JSON.parse(atob(payload)) as { exp: number; iat: number };
  return exp - iat - MARGIN;
}

/** The FastAPI backend. It knows the reader by the JWT of auth-sidecar, which is kept in memory alone. */
export function createBackend(client: AuthClient, apiUrl: string) {
  let held: { owner: string; until: number; token: Promise<string> } | undefined;

  async function fetchToken(): Promise<string> {
    const { data, error } = await client.token();
    if (error) throw new Error(`no token: ${error.status}`);
    return data.token;
  }

  /** One token for everything that asks at once. It carries the fields, so another one is due when they change. */
  function tokenFor(user: User): Promise<string> {
    const owner = JSON.stringify(user);
    if (held?.owner === owner && Date.now() < held.until) return held.token;
    const next = { owner, until: Infinity, token: fetchToken() };
    held = next;
    next.token.then(
      (token) => { next.until = Date.now() + lifetime(token) * 1000; },
      () => { if (held === next) held = undefined; },
    );
    return next.token;
  }

  async function call<T>(user: User | null, path: string, init: RequestInit = {}): Promise<T> {
    const send = async () =>
      fetch(`${apiUrl}${path}`, {
        ...init,
        headers: { ...init.headers, ...(user && { Authorization: `Bearer ${await tokenFor(user)}` }) },
      });
    let response = await send();
    if (response.status === 401 && user) {
      // The key of the token may have been withdrawn: once, with a new token.
      held = undefined;
      response = await send();
    }
    if (!response.ok) throw new Error(`${path}: ${response.status}`);
    return response.json();
  }

  const progressPath = (slug: string) => `/api/progress/${encodeURIComponent(slug)}`;
  return {
    chapter: (user: User | null, slug: string, signal: AbortSignal) =>
      call<Chapter>(user, `/api/chapters/${encodeURIComponent(slug)}`, { signal }),
    progress: (user: User, slug: string, signal: AbortSignal) => call<Progress>(user, progressPath(slug), { signal }),
    setProgress: (user: User, slug: string, percent: number) =>
      call<Progress>(user, progressPath(slug), {
        method: 'PUT',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ percent }),
      }),
  };
}
