import { useEffect } from 'react';
import { useHistory, useLocation } from '@docusaurus/router';
import useBaseUrl from '@docusaurus/useBaseUrl';
import useIsBrowser from '@docusaurus/useIsBrowser';
import { useAuth } from './AuthProvider';

const ENTRY_PAGES = ['sign-in', 'sign-up', 'forgot-password', 'reset-password'];

/** The query of the page. Static pages have none, so there is none before hydration either. */
export function useQuery(): URLSearchParams {
  const { search } = useLocation();
  return new URLSearchParams(useIsBrowser() ? search : '');
}

/** `wanted` if it is a page of this book, else its first page: a link must not lead a signed-in reader elsewhere. */
export function ownPath(wanted: string | null, baseUrl: string, origin: string): string {
  if (!wanted || !URL.canParse(wanted, origin)) return baseUrl;
  const url = new URL(wanted, origin);
  return url.origin === origin && url.pathname.startsWith(baseUrl) ? url.pathname + url.search + url.hash : baseUrl;
}

/** Links to sign-in and sign-up that lead back to where the reader is. */
export function useEntryLinks(): { signIn: string; signUp: string } {
  const { pathname } = useLocation();
  const query = useQuery();
  const baseUrl = useBaseUrl('/');
  const page = pathname.slice(baseUrl.length).replace(/\/$/, '');
  const next = ENTRY_PAGES.includes(page) ? query.get('next') : pathname;
  const suffix = next ? `?next=${encodeURIComponent(next)}` : '';
  return { signIn: `/sign-in/${suffix}`, signUp: `/sign-up/${suffix}` };
}

/** Leaves the page as soon as somebody is signed in, for the page named by `?next=`. */
export function useLeaveWhenSignedIn(): void {
  const { user } = useAuth();
  const history = useHistory();
  const baseUrl = useBaseUrl('/');
  const next = useQuery().get('next');
  useEffect(() => {
    if (user) history.replace(ownPath(next, baseUrl, window.location.origin));
  }, [user, history, baseUrl, next]);
}
