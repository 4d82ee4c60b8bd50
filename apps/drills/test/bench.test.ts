/**
 * The benchmark's report has every figure that others read: a number if it was measured, null if it was not.
 * Takes about 14 s.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));

test('the last line has every promised figure, a number if it was measured and null if not', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'hookfleet-bench-'));
  try {
    const args = [
      MAIN,
      'bench',
      '--short',
      '--json',
      '--only',
      'deliver,undici,bulk,one',
      'profile,bulk',
      'count',
    ];
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: directory });
    expect(JSON.parse(stdout.trim().split('\n').at(-1) ?? '')).toEqual({
      ratios: {
        workerToBareClient: null,
        fleetToSidekiq: { got: null, undici: null },
        fleetToCelery: { got: null, undici: null },
        bulkToAddBulk: null,
        millionToThousand: null,
        latencyP99ToBare: null,
        distantToSlots: { got: null, undici: null },
      },
      redisMicrosPerDelivery: { single: null, bulk: null },
      bytesPerWaiting: null,
      payloadBytes: expect.any(Number),
      outcomesPerSecond: expect.any(Number),
    });
    // The profile names scripts of ours and of BullMQ.
    expect(stdout).toMatch(/aggregator apply-results +\d/);
    expect(stdout).toMatch(/producer bullmq add\w+Job +\d/);
    const { figures } = JSON.parse(await readFile(join(directory, '.hookfleet/bench/bench.json'), 'utf8'));
    const rate = figures.find(({ name }: { name: string }) => name === 'deliver, bulk, undici, one worker');
    expect(rate).toMatchObject({ unit: '/s', median: expect.any(Number) });
    expect(rate.median).toBeGreaterThan(0);
    expect(await readFile(join(directory, '.hookfleet/bench/bench.svg'), 'utf8')).toMatch(/^<svg .*<rect/);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}, 300_000);
