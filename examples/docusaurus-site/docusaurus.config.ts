import type { Config } from '@docusaurus/types';
import type * as Preset from '@docusaurus/preset-classic';
import type { Settings } from './src/auth/settings';

/** What depends on where the site and its services live. Read here, at build time: browsers have no environment. */
function settings(environment: NodeJS.ProcessEnv): Settings {
  const development = environment.NODE_ENV === 'development';
  const origin = (name: string, whenDeveloping: string): string => {
    const value = environment[name] ?? (development ? whenDeveloping : '');
    if (value && (!URL.canParse(value) || new URL(value).origin !== value.replace(/\/$/, ''))) {
      throw new Error(`${name} must be an origin such as https://auth.example.com, or empty; it is "${value}"`);
    }
    return value.replace(/\/$/, '');
  };
  const authMode = environment.AUTH_MODE || 'cookie';
  if (authMode !== 'cookie' && authMode !== 'bearer') {
    throw new Error(`AUTH_MODE must be cookie or bearer; it is "${authMode}"`);
  }
  return {
    authUrl: origin('AUTH_URL', 'http://localhost:4000'),
    apiUrl: origin('API_URL', 'http://localhost:8000'),
    authMode,
  };
}

const config: Config = {
  title: 'Robots, step by step',
  tagline: 'A small book that fits its reader',
  favicon: 'img/favicon.svg',
  url: process.env.SITE_URL || 'http://localhost:3000',
  baseUrl: '/book/',
  // Every static host serves directories without a redirect.
  trailingSlash: true,
  onBrokenLinks: 'throw',
  onBrokenAnchors: 'throw',
  future: { v4: true },
  customFields: { ...settings(process.env) },
  presets: [
    [
      'classic',
      {
        docs: { path: 'chapters', routeBasePath: '/' },
        blog: false,
        theme: { customCss: './src/css/custom.css' },
      } satisfies Preset.Options,
    ],
  ],
  themeConfig: {
    colorMode: { respectPrefersColorScheme: true },
    navbar: {
      title: 'Robots, step by step',
      items: [
        { to: '/reading', label: 'Your reading', position: 'left' },
        { type: 'custom-account', position: 'right' },
      ],
    },
  } satisfies Preset.ThemeConfig,
};

export default config;
