/** A call to a Redis that is away is answered, whatever it still waits for; one that is large goes on. Takes about 7 s. */
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
      answerInTime(() => Promise.reject(new Error('Connection is closed.')), false).catch(() => undefined),
  ],
  [
    'the connection is lost',
    async () => {
      const ready = new Promise((resolve) => connection.once('ready', resolve));
      proxy.cut();
      await ready;
    },
  ],
])('what is large and waits for ever is given up if %s', async (_what, happens) => {
  const answerInTime = createAnswerInTime(connection);
  const waiting = answerInTime(never, true).catch((error: Error) => error);
  await happens(answerInTime);
  const error = (await waiting) as Error;
  expect(isRedisUnavailable(error)).toBe(true);
});

test('what is large goes on, also beside a call that is refused for its own fault', async () => {
  const answerInTime = createAnswerInTime(server.connection);
  const { promise, resolve } = Promise.withResolvers<string>();
  const slow = answerInTime(() => promise, true);
  await answerInTime(() => Promise.reject(new Error('no such campaign')), true).catch(() => undefined);
  // Of another Redis, as it were: given up when the slow one has been looked at.
  const beside = createAnswerInTime(connection)(never, true).catch(() => 'given up');
  proxy.cut();
  expect(await beside).toBe('given up');
  resolve('done');
  expect(await slow).toBe('done');
});

test('what is small and waits for ever is given up, though nothing tells that Redis is away', async () => {
  const error = (await createAnswerInTime(connection)(never, false).catch(
    (caught: Error) => caught,
  )) as Error;
  expect(isRedisUnavailable(error)).toBe(true);
});

test('what Redis has answered while we were late is an answer', async () => {
  // Without the proxy, which would be late with us.
  const answer = createAnswerInTime(server.connection)(async () => {
    const read = server.connection.ping();
    // Until after the call would be given up.
    const until = performance.now() + 2_500;
    while (performance.now() < until);
    return read;
  }, false);
  expect(await answer).toBe('PONG');
});
