/** A call to a Redis that is away is answered, whatever it still waits for; one that is only slow goes on. Takes about 5 s. */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { startTcpProxy, type TcpProxy } from '@hookfleet/testkit';
import {
  createAnswerInTime,
  disconnectRedis,
  isRedisUnavailable,
  type RedisConnection,
} from '../src/index.ts';
import { connect, testServer } from './setup-queue.ts';

const server = testServer();
let proxy: TcpProxy;
let connection: RedisConnection;

beforeEach(async () => {
  proxy = await startTcpProxy(server.redis);
  connection = connect(`redis://127.0.0.1:${proxy.port}`);
  await connection.ping();
});

afterEach(async () => {
  disconnectRedis(connection);
  await proxy.close();
});

const never = () => new Promise<never>(() => undefined);

test.each<[string, (answerInTime: ReturnType<typeof createAnswerInTime>) => Promise<unknown>]>([
  [
    'another call fails',
    (answerInTime) =>
      answerInTime(() => Promise.reject(new Error('Connection is closed.'))).catch(() => undefined),
  ],
  [
    'the connection is lost',
    async () => {
      const ready = new Promise((resolve) => connection.once('ready', resolve));
      proxy.cut();
      await ready;
    },
  ],
])('what waits for ever is given up if %s', async (_what, happens) => {
  const answerInTime = createAnswerInTime(connection);
  const waiting = answerInTime(never).catch((error: Error) => error);
  await happens(answerInTime);
  const error = (await waiting) as Error;
  expect(isRedisUnavailable(error)).toBe(true);
});

test('what is slow goes on, also beside a call that is refused for its own fault', async () => {
  const answerInTime = createAnswerInTime(server.connection);
  const { promise, resolve } = Promise.withResolvers<string>();
  const slow = answerInTime(() => promise);
  await answerInTime(() => Promise.reject(new Error('no such campaign'))).catch(() => undefined);
  // Of another Redis, as it were: given up when the slow one has been looked at.
  const beside = createAnswerInTime(connection)(never).catch(() => 'given up');
  proxy.cut();
  expect(await beside).toBe('given up');
  resolve('done');
  expect(await slow).toBe('done');
});
