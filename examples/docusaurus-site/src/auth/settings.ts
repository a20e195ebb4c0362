import useDocusaurusContext from '@docusaurus/useDocusaurusContext';

/** The `customFields` of docusaurus.config.ts. */
export interface Settings {
  /** Origin of auth-sidecar; empty: the origin of the site. */
  authUrl: string;
  /** Origin of the backend; empty: the origin of the site. */
  apiUrl: string;
  /** How the session travels: as a cookie, or as a token that the site keeps. */
  authMode: 'cookie' | 'bearer';
}

export function useSettings(): Settings {
  return useDocusaurusContext().siteConfig.customFields as unknown as Settings;
}
