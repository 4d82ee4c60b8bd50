/** A channel is shown without any of its secrets. Takes under a second. */
import { expect, test } from '@jest/globals';
import { maskChannel } from './mask-channel.ts';

const SECRET = 'topsecret';

test('no secret of a channel is shown, in no place that can hold one', () => {
  const masked = maskChannel({
    url: `https://user:${SECRET}@example.com/hook`,
    auth: { type: 'basic', username: 'user', password: SECRET },
    headers: { 'X-Api-Key': SECRET, Authorization: SECRET, Cookie: SECRET, 'x-tenant': 'acme' },
    signingSecrets: [`whsec_${SECRET}`, { secret: `whsk_${SECRET}`, expiresAt: '2026-12-01T00:00:00Z' }],
    tls: { certificate: 'a certificate', key: SECRET, ca: 'an authority' },
  });
  expect(JSON.stringify(masked)).not.toContain(SECRET);
  expect(masked).toMatchObject({
    url: 'https://user:***@example.com/hook',
    auth: { type: 'basic', username: 'user' },
    headers: { 'x-tenant': 'acme' },
  });
  expect(masked.signingSecrets).toEqual(['***', { secret: '***', expiresAt: '2026-12-01T00:00:00Z' }]);
  expect(masked.tls).toEqual({ certificate: 'a certificate', key: '***', ca: 'an authority' });
});

test('a header that authenticates is masked', () => {
  const masked = maskChannel({
    url: 'https://example.com',
    auth: { type: 'header', name: 'x-k', value: SECRET },
  });
  expect(masked.auth).toEqual({ type: 'header', name: 'x-k', value: '***' });
});

test('a bearer token is masked too, and a channel without secrets is shown as it is', () => {
  expect(
    JSON.stringify(maskChannel({ url: 'https://example.com', auth: { type: 'bearer', token: SECRET } })),
  ).not.toContain(SECRET);
  const plain = { url: 'https://example.com/hook?x=1', method: 'PUT', timeoutMs: 500 } as const;
  expect(maskChannel(plain)).toEqual(plain);
});

test('of OAuth 2 the client secret is masked, and what its token URL hides', () => {
  const masked = maskChannel({
    url: 'https://example.com',
    auth: {
      type: 'oauth2',
      tokenUrl: `https://id.example.com/token?api_key=${SECRET}&tenant=acme`,
      clientId: 'fleet',
      clientSecret: SECRET,
    },
  });
  expect(JSON.stringify(masked)).not.toContain(SECRET);
  expect(masked.auth).toMatchObject({ clientId: 'fleet', tokenUrl: expect.stringContaining('tenant=acme') });
});

test.each([
  [`https://example.com/?token=${SECRET}&x=1`, 'https://example.com/?token=***&x=1'],
  [
    `https://example.com/?X=1&Api-Key=${SECRET}&api-key=${SECRET}`,
    'https://example.com/?X=1&Api-Key=***&api-key=***',
  ],
  [`https://example.com/?sig=${SECRET}&code=${SECRET}`, 'https://example.com/?sig=***&code=***'],
  [`https://${SECRET}@example.com/`, 'https://***@example.com/'],
])('of the URL %s no secret is shown, and the rest is', (url, shown) => {
  expect(decodeURIComponent(maskChannel({ url }).url)).toBe(shown);
});
