import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { bindProblems, createApiKeyCheck } from './api-keys.ts';

test('exactly the keys are let in, as bearer tokens', () => {
  const key = fc.stringMatching(/^[!-~]{16,40}$/);
  fc.assert(
    fc.property(fc.array(key, { minLength: 1, maxLength: 4 }), key, (keys, other) => {
      const isAllowed = createApiKeyCheck(keys);
      for (const one of keys)
        expect([isAllowed(`Bearer ${one}`), isAllowed(`bearer ${one}`)]).toEqual([true, true]);
      expect(isAllowed(`Bearer ${other}`)).toBe(keys.includes(other));
      for (const wrong of [undefined, '', 'Bearer ', `Basic ${keys[0]}`, keys[0]])
        expect(isAllowed(wrong)).toBe(false);
    }),
  );
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
