/** Only configured API keys are accepted, each with the rights that its prefix gives. Takes under a second. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { bindProblems, createApiKeyCheck, fingerprintOf, parseApiKey, ROLES } from './api-keys.ts';

test('exactly the keys are let in, as bearer tokens', () => {
  const key = fc.stringMatching(/^[!-~]{16,40}$/).filter((text) => !text.includes(':'));
  fc.assert(
    fc.property(fc.array(key, { minLength: 1, maxLength: 4 }), key, (keys, other) => {
      const callerOf = createApiKeyCheck(keys);
      for (const one of keys)
        for (const scheme of ['Bearer', 'bearer'])
          expect(callerOf(`${scheme} ${one}`)).toEqual({ fingerprint: fingerprintOf(one), roles: ROLES });
      expect(callerOf(`Bearer ${other}`) !== undefined).toBe(keys.includes(other));
      for (const wrong of [undefined, '', 'Bearer ', `Basic ${keys[0]}`, keys[0]])
        expect(callerOf(wrong)).toBeUndefined();
    }),
  );
});

test('a prefix says what a key may do, and is no part of it', () => {
  const callerOf = createApiKeyCheck([
    'enqueue:a-key-of-an-upstream',
    'read:a-key-of-a-viewer',
    'operate:a-key-of-an-operator',
    'a-key-of-everything',
    'read:a-key-of-both-roles',
    'enqueue:a-key-of-both-roles',
  ]);
  const rolesOf = (key: string) => callerOf(`Bearer ${key}`)?.roles;
  expect(rolesOf('a-key-of-an-upstream')).toEqual(['enqueue']);
  expect(rolesOf('a-key-of-a-viewer')).toEqual(['read']);
  expect(rolesOf('a-key-of-an-operator')).toEqual(['read', 'operate']);
  expect(rolesOf('a-key-of-everything')).toEqual(['enqueue', 'read', 'operate']);
  expect(rolesOf('a-key-of-both-roles')).toEqual(['enqueue', 'read']);
  for (const role of ROLES) expect(rolesOf(`${role}:a-key-of-a-viewer`)).toBeUndefined();
  expect(parseApiKey('read:with:colons:in:the:key').key).toBe('with:colons:in:the:key');
});

test.each([
  'Read:a-key-of-a-viewer',
  'viewer:a-key-of-a-viewer',
  ' read:a-key-of-a-viewer',
  ':a-key-of-nobody-knows',
  'constructor:a-key-of-an-object',
  'enqueue\uff1aa-key-of-an-upstream',
  'a-key-with-a:colon-in-it',
  'a key with spaces in it',
  'a-key-of-\u0435verything',
  'read:too-short',
  '',
])('%j is refused, and not shown', (entry) => {
  expect(() => parseApiKey(entry)).toThrow(TypeError);
  if (entry !== '') expect(() => parseApiKey(entry)).not.toThrow(entry);
});

test('a fingerprint tells keys apart and gives none away', () => {
  const keys = Array.from({ length: 100 }, (_, i) => `a-key-of-the-fleet-${i}`);
  expect(new Set(keys.map(fingerprintOf)).size).toBe(keys.length);
  for (const key of keys) expect(fingerprintOf(key)).toMatch(/^[0-9a-f]{8}$/);
});

test.each(['127.0.0.1', '127.8.9.10', 'localhost', '::1'])(
  '%s is reached from this machine alone: no key is needed',
  (host) => {
    expect(bindProblems(host, [])).toEqual([]);
  },
);

test.each(['0.0.0.0', '::', '10.0.0.1', '127.evil.example'])('%s needs a key', (host) => {
  expect(bindProblems(host, [])).toHaveLength(1);
  expect(bindProblems(host, ['key'])).toEqual([]);
});
