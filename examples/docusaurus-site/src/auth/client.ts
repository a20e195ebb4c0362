import { createStorageSlot } from '@docusaurus/theme-common';
import { inferAdditionalFields, jwtClient } from 'better-auth/client/plugins';
import { createAuthClient } from 'better-auth/react';
import { userFields } from './fields';
import type { Settings } from './settings';

/** Where bearer mode keeps the session's token between visits. */
const storedToken = createStorageSlot('auth-token');

const bearer = {
  // Else a browser that does keep the cookie would have two sessions at once.
  credentials: 'omit',
  auth: { type: 'Bearer', token: () => storedToken.get() ?? undefined },
  onSuccess({ data, request, response }: { data: unknown; request: { url: string | URL; headers: Headers }; response: Response }) {
    const path = new URL(request.url).pathname;
    const isOver = path.endsWith('/sign-out') || (path.endsWith('/get-session') && data === null);
    const token = response.headers.get('set-auth-token');
    if (token) {
      storedToken.set(token);
    } else if (isOver && request.headers.get('authorization') === `Bearer ${storedToken.get()}`) {
      // Only the token that was asked about: meanwhile a sign-in may have brought another.
      storedToken.del();
    }
  },
} as const;

/** Runs while the static pages are built, too, where there is no `window` and nothing is fetched. */
export function createClient({ authUrl, authMode }: Settings) {
  return createAuthClient({
    // Always absolute: the client throws on "/api/auth", and without one it takes BASE_URL and the like from the
    // environment of the build.
    baseURL: authUrl || (typeof window === 'undefined' ? 'http://localhost' : window.location.origin),
    plugins: [inferAdditionalFields({ user: userFields }), jwtClient()],
    fetchOptions: authMode === 'bearer' ? bearer : {},
  });
}

export type AuthClient = ReturnType<typeof createClient>;
export type User = AuthClient['$Infer']['Session']['user'];
