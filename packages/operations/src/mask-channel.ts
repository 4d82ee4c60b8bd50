/** A channel as it may be shown: its secrets are written, never read back. */
import { type Authentication, type Channel, MASK, maskHeaders, maskUrl, type Tls } from '@hookfleet/contract';

export function maskChannel(channel: Channel): Channel {
  const { auth, headers, signingSecrets, tls, url } = channel;
  return {
    ...channel,
    url: maskUrl(url),
    ...(auth !== undefined && { auth: maskAuth(auth) }),
    ...(headers !== undefined && { headers: maskHeaders(headers) }),
    ...(tls !== undefined && { tls: maskTls(tls) }),
    ...(signingSecrets !== undefined && {
      signingSecrets: signingSecrets.map((secret) =>
        typeof secret === 'string' ? MASK : { ...secret, secret: MASK },
      ),
    }),
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
    case 'oauth2':
      return { ...auth, tokenUrl: maskUrl(auth.tokenUrl), clientSecret: MASK };
  }
}

/** Certificates are public: they are shown, so that their end can be seen. */
function maskTls(tls: Tls): Tls {
  return { ...tls, ...(tls.key !== undefined && { key: MASK }) };
}
