/** No secret of a destination is shown, in whatever form the destination sends it back. Takes about 2 s. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createMask, maskEchoesOf } from './mask-echoes.ts';
import { excerptOf } from './response-excerpt.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');
const toAscii = (json: string) =>
  json.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
const inHtml = (text: string) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;').replaceAll("'", '&#x27;');
const everyByte = (text: string) =>
  [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
const everyUnit = (text: string) =>
  text
    .split('')
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('');

const FORMS: Record<string, (secret: string) => string> = {
  'as it is': (secret) => secret,
  'in JSON': (secret) => JSON.stringify(secret).slice(1, -1),
  'in ASCII JSON': (secret) => toAscii(JSON.stringify(secret).slice(1, -1)),
  "in PHP's JSON": (secret) => JSON.stringify(secret).slice(1, -1).replaceAll('/', '\\/'),
  'in JSON within JSON': (secret) => JSON.stringify(JSON.stringify(secret)).slice(3, -3),
  'in JSON, each a number': everyUnit,
  'in HTML': inHtml,
  'in a URL': encodeURIComponent,
  'in a URL, each a number': everyByte,
  'in a form': (secret) => new URLSearchParams([['', secret]]).toString().slice(1),
  'in a form within JSON': (secret) =>
    JSON.stringify(new URLSearchParams([['', secret]]).toString().slice(1)).slice(1, -1),
};

// Without what stands around it in the texts below.
const secretText = fc
  .oneof(
    fc.string({ unit: 'grapheme-ascii', minLength: 6, maxLength: 60 }),
    fc.string({ unit: 'grapheme', minLength: 6, maxLength: 60 }),
    fc.string({
      unit: fc.constantFrom('"', '\\', '/', '+', '%', '&', '=', 'u', 'ü', '😀', ' '),
      minLength: 6,
      maxLength: 20,
    }),
    fc.string({ unit: 'grapheme-ascii', minLength: 60, maxLength: 400 }),
  )
  .filter((text) => !/[<>]/.test(text));

function masked(secrets: string[], text: string): string {
  return createMask(secrets)(Buffer.from(text)).toString();
}

test.each(Object.entries(FORMS))('a secret is masked %s, and what stands around it stays', (_, form) => {
  fc.assert(
    fc.property(secretText, (secret) => {
      const shown = masked([secret], `{"before": "<${form(secret)}>", "after": 1}`);
      expect(shown).toBe('{"before": "<***>", "after": 1}');
    }),
  );
});

test('a secret is masked in base64 too, alone or within more', () => {
  const around = fc.string({ maxLength: 12 });
  fc.assert(
    fc.property(secretText, around, around, (secret, before, after) => {
      for (const coded of [
        base64(before + secret + after),
        Buffer.from(before + secret + after).toString('base64url'),
      ]) {
        const shown = masked([secret], `seen: ${coded}.`);
        const kept = shown.replace(/^seen: |\.$/g, '').split('***');
        expect(kept.length).toBeGreaterThan(1);
        // What is left decodes to what stood around it, and not to a character of the secret.
        expect(Buffer.byteLength(before)).toBeGreaterThanOrEqual(
          Math.floor(((kept[0] ?? '').length * 6) / 8),
        );
      }
    }),
  );
});

test('a text without secrets stays as it is', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const bytes = Buffer.from(text);
      expect(createMask(['never-in-there-1234'])(bytes).equals(bytes)).toBe(true);
    }),
  );
});

test('a secret with angle brackets is masked in HTML', () => {
  expect(masked(['<b>&"secret"'], '<p>&lt;b&gt;&amp;&quot;secret&#34;</p>')).toBe('<p>***</p>');
});

test('a short secret is masked as a word, and not within others', () => {
  expect(masked(['pw'], 'pw=pw; user:pw, a pwd, spw')).toBe('***=***; user:***, a pwd, spw');
  expect(masked(['', 'x'], 'x marks it')).toBe('x marks it');
});

test('a secret at the end of an excerpt is masked, whole or cut', async () => {
  const secret = 'planted-secret-of-some-length';
  for (let before = 990; before <= 1_024; before += 1) {
    const body = Buffer.from(`${'.'.repeat(before)}${secret} and more`);
    const shown = (await excerptOf(body, {}, createMask([secret]))) ?? '';
    expect(shown).not.toContain('plant');
    expect(Buffer.byteLength(shown)).toBeLessThanOrEqual(1_024);
  }
  expect(masked([secret], `cut by the destination: ${secret.slice(0, 12)}`)).toBe(
    'cut by the destination: ***',
  );
});

test('each secret of a destination is known, wherever it stands', () => {
  const key = Buffer.from('a signing secret of 32 bytes ...').toString('base64');
  const mask = maskEchoesOf(
    {
      url: 'https://example.com/hook?api_key=in%20query%2Fraw',
      headers: { authorization: 'Bearer oauth-access-token', 'x-api-key': 'in-header', accept: 'text/plain' },
    },
    {
      url: 'https://us%65r:p%40ssw0rd@example.com/hook?token=in-the-url&x=shown',
      headers: { cookie: 'session=in-cookie; theme=dark1234' },
      auth: { type: 'header', name: 'X-Tenant', value: 'in-own-header' },
      signingSecrets: [
        `whsec_${key}`,
        { secret: 'whsec_cm90YXRlZC1zZWNyZXQ=', expiresAt: '2130-01-01T00:00:00Z' },
      ],
    },
  );
  const hidden = [
    'in%20query%2Fraw',
    'in query/raw',
    'in+query%2fraw',
    'oauth-access-token',
    'in-header',
    'p@ssw0rd',
    'p%40ssw0rd',
    base64('user:p@ssw0rd'),
    'in-the-url',
    'in-cookie',
    'in-own-header',
    key,
    'a signing secret of 32 bytes ...',
    'cm90YXRlZC1zZWNyZXQ',
    'rotated-secret',
  ];
  for (const secret of hidden) expect(mask(Buffer.from(`got <${secret}>`)).toString()).toBe('got <***>');
  for (const shown of ['text/plain', 'shown', 'example.com', 'Bearer'])
    expect(mask(Buffer.from(shown)).toString()).toBe(shown);
});
