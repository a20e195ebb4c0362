/** What went wrong, in words for the user, and the input it is about, if there is one. */
export interface Problem {
  field?: string;
  message: string;
}

interface ClientError {
  status: number;
  code?: string;
  message?: string;
}

const KNOWN: Record<string, Problem> = {
  INVALID_EMAIL: { field: 'email', message: 'This is not an email address.' },
  INVALID_EMAIL_OR_PASSWORD: { field: 'password', message: 'The email address or the password is wrong.' },
  USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL: { field: 'email', message: 'This address has an account already. Sign in, or use another address.' },
  PASSWORD_TOO_SHORT: { field: 'password', message: 'The password is too short.' },
  PASSWORD_TOO_LONG: { field: 'password', message: 'The password is too long.' },
  INVALID_TOKEN: { message: 'This link has expired or was used already. Ask for a new one.' },
  EMAIL_NOT_VERIFIED: { message: 'Prove your address first: open the link in the mail we sent you.' },
};

/** `software_background` as a reader sees it. */
export function labelOf(field: string): string {
  const words = field.replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function explain({ status, code = '', message = '' }: ClientError, retryAfter: number): Problem {
  if (status === 429) {
    const wait = retryAfter > 90 ? `${Math.ceil(retryAfter / 60)} minutes` : retryAfter > 0 ? `${retryAfter} seconds` : 'a while';
    return { message: `Too many attempts. Try again in ${wait}.` };
  }
  if (status >= 500) return { message: 'The sign-in service has a fault at the moment. Try again in a while.' };
  if (code in KNOWN) return KNOWN[code];
  if (code === 'VALIDATION_ERROR' || code === 'MISSING_FIELD') {
    // "software_background must be one of: …"; the npm server writes "[body.email] Invalid …".
    const [, field, rest] = /^(?:\[body\.)?(\w+)\]? (.+)$/s.exec(message) ?? [];
    if (field) return { field, message: `${labelOf(field)} ${rest}` };
  }
  return { message: message || `The sign-in service refused this (${status}).` };
}

interface RequestOptions {
  onError(context: { response: Response }): void;
}

/** Calls the auth client; what fails, the network included, comes back as a problem. */
export async function ask<T>(
  call: (options: RequestOptions) => Promise<{ data: T; error: null } | { data: null; error: ClientError }>,
): Promise<{ data: NonNullable<T>; problem: null } | { data: null; problem: Problem }> {
  let retryAfter = 0;
  try {
    const { data, error } = await call({
      onError: ({ response }) => {
        retryAfter = Number(response.headers.get('x-retry-after'));
      },
    });
    return error ? { data: null, problem: explain(error, retryAfter) } : { data: data as NonNullable<T>, problem: null };
  } catch (error) {
    // What fetch throws if there is no answer.
    if (!(error instanceof TypeError)) throw error;
    return { data: null, problem: { message: 'The sign-in service cannot be reached. Check your connection and try again.' } };
  }
}
