import { expect, test } from '@jest/globals';
import { maskChannel } from './mask-channel.ts';

const SECRET = 'topsecret';

test('no secret of a channel is shown, in no place that can hold one', () => {
  const masked = maskChannel({
    url: `https://user:${SECRET}@example.com/hook`,
    auth: { type: 'basic', username: 'user', password: SECRET },
    headers: { 'X-Api-Key': SECRET, Authorization: SECRET, Cookie: SECRET, 'x-tenant': 'acme' },
    signingSecrets: [`whsec_${SECRET}`],
  });
  expect(JSON.stringify(masked)).not.toContain(SECRET);
  expect(masked).toMatchObject({
    url: 'https://user:***@example.com/hook',
    auth: { type: 'basic', username: 'user' },
    headers: { 'x-tenant': 'acme' },
  });
  expect(masked.signingSecrets).toHaveLength(1);
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
