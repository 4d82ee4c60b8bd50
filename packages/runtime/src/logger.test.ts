/** A log line that can't be written kills nothing. Takes about 2 s. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { expect, test } from '@jest/globals';

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
