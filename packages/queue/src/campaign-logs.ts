/**
 * Attempt logs by position, for an audit. Nothing says where a run's bundles begin, nor in which shard they are: every
 * position is looked at in every shard. So the work grows with the campaign and not with Redis, and no index has to be
 * kept for what is asked for once in a while. Measured with 25 webhooks a bundle and one shard:
 * 20 µs a webhook, of which Redis has 2.
 */
import { parseWebhookId } from '@hookfleet/contract';
import { type LoggedAttempt, parseLog } from './attempt-log.ts';
import { attemptLogKey, shardPrefix } from './keys.ts';
import { defineScripts, runScript } from './scripts.ts';
import type { ShardOptions } from './shard-queues.ts';

// HOOKFLEET_BUNDLE_SIZE is this at most: what stands at a position began at most so many before it.
const BUNDLE_SIZE_MAX = 200;
// A script call holds up everybody: this many keys take about half a millisecond.
const KEYS_PER_CALL = 500;
// Logs that are read at once: a few hundred kilobytes.
const LOGS_AT_ONCE = 50;

export interface LoggedWebhook {
  readonly position: number;
  readonly attempts: readonly LoggedAttempt[];
  readonly isCancelled: boolean;
  /** It left in a batch: its attempts are the batch's, which has a position of its own. */
  readonly isBatched: boolean;
  /** Of a batch: how many webhooks it holds. */
  readonly recipients: number | undefined;
}

export interface CampaignLogs {
  /** What the logs hold of the run's positions from `from` on, `count` of them. In no order. */
  read(run: string, from: number, count: number): Promise<LoggedWebhook[]>;
}

export function openCampaignLogs(options: ShardOptions): CampaignLogs {
  const { connection, prefix, shards } = options;
  defineScripts(connection);

  /** The logs whose bundles begin within the range. */
  async function find(shard: number, run: string, from: number, end: number): Promise<Found[]> {
    const found: Found[] = [];
    for (let at = from; at < end; at += KEYS_PER_CALL) {
      const firsts = Array.from({ length: Math.min(KEYS_PER_CALL, end - at) }, (_, i) => at + i);
      const keys = firsts.map((first) => attemptLogKey(shardPrefix(prefix, shard), run, first));
      const positions = (await runScript(connection, 'findKeys', keys, [])) as number[];
      found.push(...positions.map((i) => ({ key: keys[i - 1] ?? '', first: firsts[i - 1] ?? 0 })));
    }
    return found;
  }

  /** Of the ids, those of batches that were cancelled: that stands in the log of the batch alone. */
  async function findCancelledBatches(batchIds: readonly string[]): Promise<ReadonlySet<string>> {
    const ids = [...new Set(batchIds)];
    const found = await Promise.all(
      ids.map((id) => {
        const location = parseWebhookId(id);
        if (location === undefined) return 0;
        const { shard, run, first, index } = location;
        return connection.hexists(
          attemptLogKey(shardPrefix(prefix, shard), run, first),
          `${index}.cancelled`,
        );
      }),
    );
    return new Set(ids.filter((_, i) => found[i] === 1));
  }

  async function readLog({ key, first }: Found): Promise<LoggedWebhook[]> {
    // Names first: the log of a dead letter holds whole webhooks, which are not wanted here.
    const fields = (await connection.hkeys(key)).filter((field) =>
      /^(?:\d+\.(?:\d+|batch|cancelled|waits)|bundle)$/.test(field),
    );
    if (fields.length === 0) return [];
    const values = await connection.hmget(key, ...fields);
    const texts = Object.fromEntries(fields.map((field, i) => [field, values[i] ?? '']));
    const { attempts, cancelled, batched, waiting } = parseLog(texts);
    const { recipients } = JSON.parse(texts['bundle'] ?? '{}') as { recipients?: number };
    const cancelledBatches = await findCancelledBatches(
      [...batched].map((index) => texts[`${index}.batch`] ?? ''),
    );
    const indexes = new Set([...attempts.keys(), ...cancelled, ...batched, ...waiting]);
    return [...indexes].map((index) => ({
      position: first + index,
      attempts: attempts.get(index) ?? [],
      isCancelled: cancelled.has(index) || cancelledBatches.has(texts[`${index}.batch`] ?? ''),
      isBatched: batched.has(index),
      recipients,
    }));
  }

  return {
    async read(run, from, count) {
      const begin = Math.max(0, from - BUNDLE_SIZE_MAX + 1);
      const logged: LoggedWebhook[] = [];
      // One thing after the other: an audit is in no hurry, and the fleet is.
      for (let shard = 0; shard < shards; shard += 1) {
        const found = await find(shard, run, begin, from + count);
        for (let at = 0; at < found.length; at += LOGS_AT_ONCE)
          logged.push(...(await Promise.all(found.slice(at, at + LOGS_AT_ONCE).map(readLog))).flat());
      }
      return logged.filter(({ position }) => position >= from && position < from + count);
    },
  };
}

interface Found {
  readonly key: string;
  readonly first: number;
}
