/** A channel as it may be shown: its secrets are written, never read back. */
import type { Channel } from '@hookfleet/contract';

export const MASK = '***';

// Headers whose values are secrets by their name; others are shown, for they help to find a mistake.
const SECRET_HEADER = /auth|cookie|token|secret|key|password|signature/i;

export function maskChannel(channel: Channel): Channel {
  const { auth, headers, signingSecrets, url } = channel;
  return {
    ...channel,
    url: maskUrl(url),
    ...(auth !== undefined && {
      auth: auth.type === 'basic' ? { ...auth, password: MASK } : { ...auth, token: MASK },
    }),
    ...(headers !== undefined && {
      headers: Object.fromEntries(
        Object.entries(headers).map(([name, value]) => [name, SECRET_HEADER.test(name) ? MASK : value]),
      ),
    }),
    ...(signingSecrets !== undefined && { signingSecrets: signingSecrets.map(() => MASK) }),
  };
}

function maskUrl(text: string): string {
  const url = new URL(text);
  if (url.password === '') return text;
  url.password = MASK;
  return url.href;
}
