/** A channel as it may be shown: its secrets are written, never read back. */
import type { Authentication, Channel } from '@hookfleet/contract';

export const MASK = '***';

// Headers whose values are secrets by their name; others are shown, for they help to find a mistake.
const SECRET_HEADER = /auth|cookie|token|secret|key|password|signature/i;

export function maskChannel(channel: Channel): Channel {
  const { auth, headers, signingSecrets, url } = channel;
  return {
    ...channel,
    url: maskUrl(url),
    ...(auth !== undefined && {
      auth: maskAuth(auth),
    }),
    ...(headers !== undefined && {
      headers: Object.fromEntries(
        Object.entries(headers).map(([name, value]) => [name, SECRET_HEADER.test(name) ? MASK : value]),
      ),
    }),
    ...(signingSecrets !== undefined && { signingSecrets: signingSecrets.map(() => MASK) }),
  };
}

function maskAuth(auth: Authentication): Authentication {
  switch (auth.type) {
    case 'basic':
      return { ...auth, password: MASK };
    case 'bearer':
      return { ...auth, token: MASK };
    case 'header':
      return { ...auth, value: MASK };
  }
}

function maskUrl(text: string): string {
  const url = new URL(text);
  if (url.password === '') return text;
  url.password = MASK;
  return url.href;
}
