/**
 * Tests of channels on their way to a worker and back. The producer doesn't send: only workers stand where webhooks go
 * out, with their proxy and the ranges that they may reach. So a test is a job at the front of the webhooks queue, and
 * its result a key that lives as long as somebody may ask for it.
 *
 *   producer ──job, at the front──▶ [webhooks queue] ──▶ worker ──▶ key ──polled──▶ producer
 *
 * A second key says that the test is wanted: whoever takes it away makes the attempt. So a test that nobody waits for
 * any more is not made, nor is one whose worker died made again.
 */
import { randomBytes } from 'node:crypto';
import { type ChannelTest, type ChannelTestResult, WEBHOOKS_QUEUE } from '@hookfleet/contract';
import type { RedisConnection } from './connection.ts';
import { channelTestKey } from './keys.ts';
import { openShardQueues, type ShardOptions } from './shard-queues.ts';

/** The name of its job. All others are named after their campaign, whose id holds no space. */
export const CHANNEL_TEST_JOB = 'channel test';

const POLL_MS = 50;
const RESULT_KEPT_MS = 60_000;

/** The producer's side. */
export interface ChannelTestsOut {
  /** Resolves with what a worker saw, or undefined where none has answered in time, or before `signal` aborts. */
  run(
    test: Omit<ChannelTest, 'id'>,
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<ChannelTestResult | undefined>;
  close(): Promise<void>;
}

/** A worker's side. */
export interface ChannelTestsIn {
  /** True once: whoever gets it makes the attempt. */
  claim(test: ChannelTest): Promise<boolean>;
  answer(test: ChannelTest, result: ChannelTestResult): Promise<void>;
}

export function openChannelTestsOut(options: ShardOptions): ChannelTestsOut {
  const { connection, prefix, shards } = options;
  const queues = openShardQueues(WEBHOOKS_QUEUE, options);
  let turn = 0;
  return {
    async run(asked, timeoutMs, signal) {
      const test: ChannelTest = { ...asked, id: randomBytes(9).toString('base64url') };
      const queue = queues.of(turn++ % shards);
      const jobId = `test_${test.id}`;
      const wanted = channelTestKey(prefix, test.id, 'wanted');
      const key = channelTestKey(prefix, test.id, 'result');
      const endsAt = performance.now() + timeoutMs;
      await connection.set(wanted, '1', 'PX', timeoutMs);
      await queue.add(CHANNEL_TEST_JOB, test, { jobId, lifo: true, attempts: 1, removeOnComplete: true });
      while (performance.now() < endsAt && signal?.aborted !== true) {
        const text = await connection.get(key);
        if (text !== null) {
          await connection.del(key);
          return JSON.parse(text) as ChannelTestResult;
        }
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      }
      await connection.del(wanted);
      // Where a worker has it, it can't be removed, and ends by itself.
      await queue.remove(jobId).catch(() => undefined);
      return undefined;
    },
    close: queues.close,
  };
}

export function openChannelTestsIn({
  connection,
  prefix,
}: {
  connection: RedisConnection;
  prefix: string;
}): ChannelTestsIn {
  return {
    async claim({ id }) {
      return (await connection.del(channelTestKey(prefix, id, 'wanted'))) === 1;
    },
    async answer({ id }, result) {
      await connection.set(
        channelTestKey(prefix, id, 'result'),
        JSON.stringify(result),
        'PX',
        RESULT_KEPT_MS,
      );
    },
  };
}
