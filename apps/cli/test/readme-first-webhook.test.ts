/** The first webhook of the root README arrives at the README's own receiver, and is counted. Takes about 8 s. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { eventually, freePort } from '@hookfleet/testkit';
import { type FleetUnderTest, startFleet, totalsOf } from './fleet-under-test.ts';
import { startCommand } from './run-command.ts';

jest.setTimeout(120_000);

let fleet: FleetUnderTest;

beforeAll(async () => {
  // It may send to this machine, as the README's first command says.
  fleet = await startFleet();
});

afterAll(() => fleet.stop());

test('each command of it does what is said of it', async () => {
  const readme = await readFile(new URL('../../../README.md', import.meta.url), 'utf8');
  const block = [...readme.matchAll(/```sh\n([\s\S]*?)```/g)]
    .map(([, text = '']) => text)
    .find((text) => text.includes('hookfleet listen'));
  const [start, listen, ...calls] = (block ?? '').split('\n');
  expect(start).toBe('HOOKFLEET_EGRESS_ALLOW=127.0.0.0/8 npx -y pnpm start');
  expect(listen).toBe('npx -y pnpm hookfleet listen');

  const port = String(await freePort());
  const { child, ended } = startCommand(['listen', '--port', port]);
  const printed: string[] = [];
  createInterface(child.stdout as Readable).on('line', (line) => printed.push(line));
  // The address goes to standard error, beside what arrives.
  await once(createInterface(child.stderr as Readable), 'line');
  // But for where the fleet and the receiver are.
  const script = calls
    .join('\n')
    .replaceAll('localhost:8080', new URL(fleet.producer.url).host)
    .replaceAll('localhost:8081', new URL(fleet.aggregator.url).host)
    .replaceAll('8090', port);
  const { stdout } = await promisify(execFile)('bash', ['-eu', '-o', 'pipefail', '-c', script]);
  expect(stdout).toMatch(/"id":"wh_/);
  await eventually(() => expect(printed.join('\n')).toMatch(/^POST \/hook/m));
  await eventually(async () =>
    expect(await totalsOf(fleet.aggregator, 'spring-sale')).toMatchObject({
      messages: { accepted: 1, delivered: 1 },
      events: { 'whatsapp.read': 1 },
    }),
  );
  child.kill('SIGINT');
  await ended;
});
