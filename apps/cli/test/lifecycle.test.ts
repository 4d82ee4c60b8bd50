/**
 * Each process: SIGTERM drains and exits 0, a second signal leaves at once, a wrong configuration stops the start.
 * Takes about 7 s.
 */
import { execFile } from 'node:child_process';
import { connect } from 'node:net';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { VERSION } from '@hookfleet/runtime';
import { eventually, startProcess, startReceiver, startTestRedis } from '@hookfleet/testkit';
import { fileURLToPath } from 'node:url';
import { accepted, enqueue, startApplication, webhooksTo } from './fleet-under-test.ts';

jest.setTimeout(120_000);

let redis: Awaited<ReturnType<typeof startTestRedis>>;

beforeAll(async () => {
  redis = await startTestRedis();
});

afterAll(() => redis.stop());

const began = ({ msg }: Record<string, unknown>) => msg === 'shutdown.began';

const entryOf = (application: string) =>
  fileURLToPath(new URL(`../../${application}/src/main.ts`, import.meta.url));

describe.each(['producer', 'worker', 'aggregator'] as const)('%s', (application) => {
  test('is healthy and ready, and exits 0 on SIGTERM', async () => {
    const started = await startApplication(application, redis.url);
    // A check that Redis did not answer in time says no: on a busy machine the next one says yes.
    for (const path of ['/healthz', '/readyz'])
      await eventually(async () => {
        const answer = await fetch(started.url + path);
        expect(answer.status).toBe(200);
        expect(await answer.json()).toMatchObject({ version: VERSION });
      });
    expect(await started.stop()).toEqual({ code: 0, signal: null });
    expect(started.lines).toEqual([]);
    expect(started.logs.filter(({ level }) => level !== 'info')).toEqual([]);
  });

  test('tells its version, also where nothing is configured', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [entryOf(application), '--version']);
    expect(stdout).toBe(`${VERSION}\n`);
  });

  test('tells a wrong configuration in one line that names the variable, and exits 1', async () => {
    const started = startProcess(entryOf(application), { REDIS_URL: redis.url, HOOKFLEET_SHARDS: 'many' });
    expect(await started.exited).toEqual({ code: 1, signal: null });
    expect(started.lines).toEqual([expect.stringMatching(/HOOKFLEET_SHARDS: .*1 to 1024.*"many"/)]);
    expect(started.logs).toEqual([]);
  });
});

test('a worker that knows fewer shards than a producer begins anew, and leaves nothing behind', async () => {
  const prefix = { HOOKFLEET_KEY_PREFIX: 'shards' };
  const receiver = await startReceiver();
  const first = await startApplication('worker', redis.url, prefix);
  const producer = await startApplication('producer', redis.url, { ...prefix, HOOKFLEET_SHARDS: '6' });
  const keyed = webhooksTo(receiver.url, 'spread', 60).map((webhook, i) => ({
    ...webhook,
    idempotencyKey: String(i),
  }));
  await accepted(await enqueue(producer, keyed));
  await first.waitForLog(({ msg }) => msg === 'fleet.more_shards');
  expect(await first.exited).toEqual({ code: 0, signal: null });
  const second = await startApplication('worker', redis.url, prefix);
  await second.waitForLog(({ msg, shards }) => msg === 'fleet.shards_followed' && shards === 6);
  await receiver.received(60);
  await Promise.all([second.stop(), producer.stop()]);
  await receiver.close();
});

test('a worker with an attempt in flight drains on SIGTERM; a second signal leaves at once', async () => {
  const receiver = await startReceiver(() => 'hang');
  const [producer, worker] = await Promise.all([
    startApplication('producer', redis.url),
    startApplication('worker', redis.url, {
      HOOKFLEET_ATTEMPT_TIMEOUT: '30s',
      HOOKFLEET_LOCK_DURATION: '40s',
      HOOKFLEET_SHUTDOWN_TIMEOUT: '40s',
    }),
  ]);
  await accepted(await enqueue(producer, webhooksTo(receiver.url, 'hangs', 1)));
  await receiver.received(1);
  worker.signal('SIGTERM');
  await worker.waitForLog(began);
  expect((await fetch(`${worker.url}/readyz`).catch(() => undefined))?.ok ?? false).toBe(false);
  worker.signal('SIGTERM');
  expect(await worker.exited).toEqual({ code: 143, signal: null });
  await producer.stop();
  await receiver.close();
});

test('a producer with a request in flight leaves at a second signal, and at the end of its time with status 1', async () => {
  const producers = await Promise.all(
    ['40s', '1s'].map((timeout) =>
      startApplication('producer', redis.url, { HOOKFLEET_SHUTDOWN_TIMEOUT: timeout }),
    ),
  );
  const sockets = await Promise.all(
    producers.map(async ({ url }) => {
      const socket = connect(Number(new URL(url).port), '127.0.0.1');
      await once(socket, 'connect');
      socket.on('error', () => undefined);
      socket.write(
        'POST /v1/webhooks HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n',
      );
      // It has read the headers, and waits for a body that does not come.
      const [answer] = await once(socket, 'data');
      expect(String(answer)).toContain('100 Continue');
      return socket;
    }),
  );
  for (const producer of producers) {
    producer.signal('SIGTERM');
    await producer.waitForLog(began);
  }
  producers[0]?.signal('SIGINT');
  expect(await producers[0]?.exited).toEqual({ code: 130, signal: null });
  expect(await producers[1]?.exited).toEqual({ code: 1, signal: null });
  expect(producers[1]?.logs.at(-1)).toMatchObject({ msg: 'shutdown.timed_out', closing: 'server' });
  for (const socket of sockets) socket.destroy();
});
