import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { bindProblems, createApiKeyCheck } from './api-keys.ts';

test('exactly the keys are let in, as bearer tokens', () => {
  const key = fc.stringMatching(/^[!-~]{16,40}$/).filter((text) => !text.startsWith('read:'));
  fc.assert(
    fc.property(fc.array(key, { minLength: 1, maxLength: 4 }), key, (keys, other) => {
      const isAllowed = createApiKeyCheck(keys);
      for (const one of keys)
        expect([isAllowed(`Bearer ${one}`), isAllowed(`bearer ${one}`)]).toEqual(['operate', 'operate']);
      expect(isAllowed(`Bearer ${other}`)).toBe(keys.includes(other) ? 'operate' : undefined);
      for (const wrong of [undefined, '', 'Bearer ', `Basic ${keys[0]}`, keys[0]])
        expect(isAllowed(wrong)).toBeUndefined();
    }),
  );
});

test('a key that begins with read: may look, and its prefix is no part of it', () => {
  const roleOf = createApiKeyCheck([
    'read:a-key-of-a-viewer',
    'a-key-of-an-operator',
    'read:a-key-of-both',
    'a-key-of-both',
  ]);
  expect(roleOf('Bearer a-key-of-a-viewer')).toBe('read');
  expect(roleOf('Bearer a-key-of-an-operator')).toBe('operate');
  expect(roleOf('Bearer a-key-of-both')).toBe('operate');
  expect(roleOf('Bearer read:a-key-of-a-viewer')).toBeUndefined();
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
