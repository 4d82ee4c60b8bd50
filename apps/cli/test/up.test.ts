/** `hookfleet up`: it ends with its own Redis, and with its terminal, and leaves nothing behind. Takes about 12 s. */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { eventually, makeTemporaryDirectory, type TemporaryDirectory } from '@hookfleet/testkit';
import { startCommand } from './run-command.ts';

jest.setTimeout(120_000);

let directory: TemporaryDirectory;

beforeEach(async () => {
  directory = await makeTemporaryDirectory('up');
});

afterEach(() => directory.remove());

async function startUp() {
  const command = startCommand(['up', '--workers', '1', '--directory', directory.path], {
    environment: { REDIS_URL: '' },
  });
  const lines = createInterface(command.child.stdout as NodeJS.ReadableStream);
  const said: string[] = [];
  for await (const line of lines) {
    said.push(line);
    if (line.includes('Ctrl-C')) break;
  }
  const redisPid = Number(await readFile(join(directory.path, 'redis', 'redis.pid'), 'utf8'));
  return { ...command, redisPid, said };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test('it says that its Redis ended, and ends without waiting for what could not be recorded', async () => {
  const { child, redisPid } = await startUp();
  process.kill(redisPid, 'SIGKILL');
  const [status] = await once(child, 'exit');
  expect(status).toBe(1);
});

test('a terminal that is closed drains and stops it', async () => {
  const { child, ended, redisPid } = await startUp();
  // Nobody reads to its end what it writes.
  ended.catch(() => undefined);
  (child.stdout as unknown as { destroy(): void }).destroy();
  child.kill('SIGHUP');
  const [status] = await once(child, 'exit');
  expect(status).toBe(0);
  await eventually(() => expect(isAlive(redisPid)).toBe(false));
});

test('when a port is in use it says so, where it listens instead, and what other commands need', async () => {
  const other = createServer();
  // It may be in use already, by something else on this machine.
  other.on('error', () => undefined);
  other.listen(8080, '127.0.0.1');
  await Promise.race([once(other, 'listening'), once(other, 'error')]);
  const { child, said } = await startUp();
  const url = said.join('\n').match(/producer +(http:\S+) \(port 8080 is in use\)/)?.[1];
  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  expect(said.join('\n')).toContain(`HOOKFLEET_PRODUCER_URL=${url}`);
  child.kill('SIGTERM');
  expect((await once(child, 'exit'))[0]).toBe(0);
  other.close();
});
