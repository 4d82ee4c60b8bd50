/**
 * `demo` and `start`, as a newcomer runs them: the demo's counts agree, and a fleet keeps its data however it ends.
 * release-check/demo.test.ts runs the full short demo and three fleets.
 * Takes about 21 s.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startRedis } from '@hookfleet/embedded-redis';
import { startApplication } from './fleet-under-test.ts';

const run = promisify(execFile);
const ENTRY = fileURLToPath(new URL('../src/main.ts', import.meta.url));

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'hookfleet-cli-'));
});

afterAll(() => rm(directory, { recursive: true, force: true }));

test('demo: what the receiver answered and what the counters say agree, and it exits 0', async () => {
  const { stdout } = await run(process.execPath, [ENTRY, 'demo', '--exit', '--json', '--webhooks', '200'], {
    cwd: directory,
  });
  const result = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Record<string, unknown>;
  expect(Object.keys(result)).toEqual(['webhooks', 'seconds', 'agree', 'receiver', 'counters']);
  expect(result).toMatchObject({
    webhooks: 200,
    agree: true,
    receiver: { 'webhook.delivered': expect.any(Number) },
  });
  expect(result['receiver']).toEqual(result['counters']);
}, 120_000);

interface RunningFleet {
  readonly producer: string;
  readonly aggregator: string;
  end(signal: NodeJS.Signals): Promise<number | null>;
}

/** `hookfleet up`, until it has told its addresses. */
async function up(): Promise<RunningFleet> {
  const child = spawn(process.execPath, [ENTRY, 'up', '--workers', '1'], {
    cwd: directory,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const urls = new Map<string, string>();
  for await (const line of createInterface({ input: child.stdout })) {
    const [, name, url] = /^ {2}(\S+) +(http\S+)$/.exec(line) ?? [];
    if (name !== undefined && url !== undefined) urls.set(name, url);
    if (line.includes('Ctrl-C')) break;
  }
  child.stdout.resume();
  const exited = once(child, 'exit').then(([code]) => code as number | null);
  return {
    producer: urls.get('producer') ?? '',
    aggregator: urls.get('aggregator') ?? '',
    end(signal) {
      child.kill(signal);
      return exited;
    },
  };
}

test('start: the fleet keeps its data through SIGKILL and SIGTERM, and SIGTERM stops all of it', async () => {
  const first = await up();
  const response = await fetch(`${first.producer}/v1/webhooks`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      campaignId: 'kept',
      messageId: 'm',
      destination: { url: 'http://127.0.0.1:9/' },
      payload: {},
      deliverAt: new Date(Date.now() + 3_600_000).toISOString(),
    }),
  });
  const { id } = (await response.json()) as { id: string };
  const isKept = async (producer: string) =>
    expect(await (await fetch(`${producer}/v1/webhooks/${id}`)).json()).toMatchObject({
      id,
      state: 'scheduled',
    });
  await first.end('SIGKILL');

  const second = await up();
  await isKept(second.producer);
  expect(await second.end('SIGTERM')).toBe(0);
  for (const url of [second.producer, second.aggregator]) await expect(fetch(url)).rejects.toThrow();

  const redis = await startRedis({ directory: join(directory, '.hookfleet/redis') });
  const producer = await startApplication('producer', redis.url);
  await isKept(producer.url);
  await producer.stop();
  await redis.stop();
}, 120_000);

test('a REDIS_URL that is not a Redis URL is refused, and the error names it', async () => {
  const failed = run(process.execPath, [ENTRY, 'up'], {
    cwd: directory,
    env: { ...process.env, REDIS_URL: 'http://localhost' },
  });
  await expect(failed).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^hookfleet: .*redis:\/\//),
  });
}, 60_000);
