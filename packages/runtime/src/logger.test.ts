/** An error is logged with its message and causes, and without what libraries hang on it. Takes under a second. */
import { expect, test } from '@jest/globals';
import { describeError } from './logger.ts';

const SECRET = 'planted-5ecret';

test("a command's arguments, an invalid URL, and users of URLs are not logged", () => {
  const ofRedis = Object.assign(new Error('WRONGPASS invalid username-password pair or user is disabled.'), {
    command: { name: 'auth', args: ['user', SECRET] },
  });
  expect(describeError(ofRedis)).toMatchObject({ message: ofRedis.message, command: 'auth' });
  const errors: Error[] = [
    ofRedis,
    new Error('cannot enqueue', { cause: ofRedis }),
    new AggregateError([ofRedis], 'all failed'),
    Object.assign(new Error('getaddrinfo ENOTFOUND'), { config: { auth: SECRET } }),
    new Error(`fetch of http://user:${SECRET}@host/path failed`),
  ];
  try {
    new URL(`http://user:${SECRET}@`);
  } catch (error) {
    errors.push(error as Error);
  }
  expect(errors.length).toBe(6);
  for (const error of errors) expect(JSON.stringify(describeError(error))).not.toContain(SECRET);
});

test('what is needed to find a fault is logged: type, code, stack and causes', () => {
  const cause = Object.assign(new TypeError('no answer'), { code: 'ETIMEDOUT' });
  expect(describeError(new Error('failed', { cause }))).toMatchObject({
    type: 'Error',
    message: 'failed',
    stack: expect.stringContaining('logger.test.ts'),
    cause: { type: 'TypeError', message: 'no answer', code: 'ETIMEDOUT' },
  });
});

test('an error that is its own cause is logged', () => {
  const error = new Error('turns round');
  error.cause = error;
  expect(JSON.stringify(describeError(error)).match(/turns round/g)?.length).toBeGreaterThan(1);
});
