/**
 * The worst requests within the limits on bodies hold the producer's event loop for a moment only, and many of them at
 * once fit into the memory of the shipped container. A measurement: on a machine that is not busy.
 * Takes about 230 s.
 */
import { resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import {
  createLoopHeld,
  LOOP_METER,
  type StartedProcess,
  startProcess,
  startTestRedis,
} from '@hookfleet/testkit';
import { WORST_REQUESTS, type WorstRequest } from '../worst-requests.ts';
import { openMemoryCgroup, type MemoryCgroup } from './memory-cgroup.ts';

const LOOP_HELD_MAX_MS = 50;
const LOOP_HELD_LONG_MAX_MS = 150;
// compose.yaml and kubernetes/base/producer.yaml.
const CONTAINER_BYTES = 1024 ** 3;

let redis: Awaited<ReturnType<typeof startTestRedis>>;
let producer: StartedProcess;
let url: string;
let loopHeldMs: () => Promise<number>;
let cgroup: MemoryCgroup | undefined;

beforeAll(async () => {
  redis = await startTestRedis();
});

beforeEach(async () => {
  cgroup = await openMemoryCgroup(CONTAINER_BYTES);
  await cgroup?.join();
  producer = startProcess(resolve(import.meta.dirname, '../../src/main.ts'), {
    REDIS_URL: redis.url,
    PORT: '0',
    // As Node.js chooses it in a container of 1 GiB, where there is no cgroup to tell it.
    NODE_OPTIONS: `--max-old-space-size=512 ${LOOP_METER}`,
  });
  await cgroup?.leave();
  loopHeldMs = createLoopHeld(producer);
  url = String((await producer.waitForLog(({ msg }) => msg === 'producer.started'))['url']);
  await fetch(`${url}/v1/event-types/worst.event`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: '{"properties":{"a":{"type":"ARRAY","items":"STRING"}}}',
  });
});

afterEach(async () => {
  await producer.stop();
  await cgroup?.remove();
});

afterAll(() => redis.stop());

async function send({ method, path, contentType }: WorstRequest, body: Buffer): Promise<number> {
  const response = await fetch(url + path, { method, headers: { 'content-type': contentType }, body });
  await response.text();
  return response.status;
}

test.each(WORST_REQUESTS.map((request) => [request.name, request] as const))(
  '%s does not hold the event loop',
  async (_name, request) => {
    const body = Buffer.from(request.body());
    const held: number[] = [];
    let status = 0;
    // The least of three: to compile a schema, and what V8 compiles, is not the request's.
    for (let i = 0; i < 3; i += 1) {
      await loopHeldMs();
      status = await send(request, body);
      held.push(await loopHeldMs());
    }
    process.stderr.write(`${request.name}: ${status}, ${held.join(', ')} ms\n`);
    expect(Math.min(...held)).toBeLessThan(
      request.heldLongBy === undefined ? LOOP_HELD_MAX_MS : LOOP_HELD_LONG_MAX_MS,
    );
  },
);

test.each(WORST_REQUESTS.map((request) => [request.name, request] as const))(
  '%s, 8 at once, fit into the memory of the container',
  async (_name, request) => {
    const body = Buffer.from(request.body());
    const statuses = await Promise.all(Array.from({ length: 8 }, () => send(request, body).catch(() => 0)));
    const peakMib = Math.round(((await cgroup?.peakBytes()) ?? 0) / 1024 ** 2);
    process.stderr.write(`${request.name} × 8: ${statuses.join(' ')}; ${peakMib} MiB\n`);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
  },
);
