/**
 * A connection to Redis that is half open: the other side is gone and has not said so. What broke: nothing noticed, and
 * a producer answered 503, a worker took no job, until TCP gave up a quarter of an hour later.
 * Takes about 5 s.
 */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { eventually, startTcpProxy, startTestRedis, type TcpProxy } from '@hookfleet/testkit';
import {
  type ConnectOptions,
  connectRedis,
  disconnectRedis,
  type RedisConnection,
} from '../src/connection.ts';

let redis: Awaited<ReturnType<typeof startTestRedis>>;
let proxy: TcpProxy;
let connection: RedisConnection;

beforeEach(async () => {
  redis = await startTestRedis();
  proxy = await startTcpProxy(redis);
});

afterEach(async () => {
  disconnectRedis(connection);
  await proxy.close();
  await redis.stop();
});

async function open(temper: ConnectOptions['temper'], silenceMaxMs?: number): Promise<RedisConnection> {
  connection = connectRedis({
    url: `redis://127.0.0.1:${proxy.port}`,
    name: 'half-open',
    temper,
    ...(silenceMaxMs !== undefined && { silenceMaxMs }),
    onError: () => undefined,
  });
  await eventually(() => connection.ping());
  return connection;
}

test('is given up by a producer within seconds', async () => {
  await open('failFast');
  proxy.halfOpen();
  await expect(connection.ping()).rejects.toThrow(/timed out|closed/);
  expect(await eventually(() => connection.ping(), { timeoutMs: 60_000 })).toBe('PONG');
});

test('is given up by a worker, and what was not answered is sent again', async () => {
  await open('patient', 1_000);
  proxy.halfOpen();
  // Without an end to its patience this is never answered.
  await connection.set('written', 'after all');
  expect(await connection.get('written')).toBe('after all');
});
