/**
 * A log line that can't be written kills nothing; an error is logged with its message and causes, and without what
 * libraries hang on it. Takes about 2 s.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { expect, test } from '@jest/globals';
import { describeError } from './logger.ts';

const SECRET = 'planted-5ecret';

test('a process whose log is on a full disk goes on, and does not keep what it cannot write', async () => {
  const script = `
    import { createLogger } from ${JSON.stringify(new URL('logger.ts', import.meta.url).href)};
    const logger = createLogger({ app: 'test', level: 'info' });
    const before = process.memoryUsage().rss;
    for (let i = 0; i < 100; i += 1) {
      for (let j = 0; j < 1_000; j += 1) logger.info({ text: 'x'.repeat(1_000) }, 'a line');
      await new Promise((resolve) => setImmediate(resolve));
    }
    logger.flush();
    process.stderr.write(JSON.stringify({ grownMiB: (process.memoryUsage().rss - before) / 2 ** 20 }));`;
  const full = openSync('/dev/full', 'w');
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', full, 'pipe'],
  });
  const [told, [status]] = await Promise.all([text(child.stderr as never), once(child, 'exit')]);
  expect(status).toBe(0);
  // 100 MB were logged.
  expect((JSON.parse(told) as { grownMiB: number }).grownMiB).toBeLessThan(50);
});

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
