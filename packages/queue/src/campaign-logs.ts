/**
 * Attempt logs by position, for an audit. Nothing says where a run's bundles begin, nor in which shard they are: every
 * position is looked at in every shard. So the work grows with the campaign and not with Redis, and no index has to be
 * kept for what is asked for once in a while. Measured with 25 webhooks a bundle and one shard:
 * 20 µs a webhook, of which Redis has 2.
 */
import { parseWebhookId } from '@hookfleet/contract';
import { type LoggedAttempt, parseLog } from './attempt-log.ts';
import { attemptLogKey, shardPrefix } from './keys.ts';
import { readObject } from './read-stored.ts';
import { defineScripts, runScript } from './scripts.ts';
import type { ShardOptions } from './shard-queues.ts';

// HOOKFLEET_BUNDLE_SIZE is this at most: what stands at a position began at most so many before it.
const BUNDLE_SIZE_MAX = 200;
// A script call holds up everybody: this many keys take about half a millisecond.
const KEYS_PER_CALL = 500;
// Logs that are read at once: a few hundred kilobytes.
const LOGS_AT_ONCE = 50;

/** What was done to a webhook, or to a batch. */
export interface LoggedRun {
  readonly attempts: readonly LoggedAttempt[];
  readonly isCancelled: boolean;
}

export interface LoggedWebhook extends LoggedRun {
  readonly position: number;
  /** The batch that it left in, which has a position of its own. With a master that failed, it may have left in two: the last. */
  readonly batch: LoggedRun | undefined;
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

  /** Names first: the log of a dead letter holds whole webhooks, which are not wanted here. */
  async function readFields(key: string, wanted: RegExp): Promise<Record<string, string>> {
    const fields = (await connection.hkeys(key)).filter((field) => wanted.test(field));
    if (fields.length === 0) return {};
    const values = await connection.hmget(key, ...fields);
    return Object.fromEntries(fields.map((field, i) => [field, values[i] ?? '']));
  }

  /** By id: what was done to each of the batches. */
  async function readBatches(batchIds: Iterable<string>): Promise<ReadonlyMap<string, LoggedRun>> {
    const read = [...new Set(batchIds)].map(async (id): Promise<[string, LoggedRun]> => {
      const location = parseWebhookId(id);
      if (location === undefined) return [id, NOT_LOGGED];
      const { shard, run, first, index } = location;
      const key = attemptLogKey(shardPrefix(prefix, shard), run, first);
      const { attempts, cancelled } = parseLog(await readFields(key, /^\d+\.(?:\d+|cancelled)$/));
      return [id, { attempts: attempts.get(index) ?? [], isCancelled: cancelled.has(index) }];
    });
    return new Map(await Promise.all(read));
  }

  async function readLog({ key, first }: Found): Promise<LoggedWebhook[]> {
    const texts = await readFields(key, /^(?:\d+\.(?:\d+|batch|cancelled|waits)|bundle)$/);
    const { attempts, cancelled, batched, waiting } = parseLog(texts);
    const { recipients } = readObject<{ recipients?: number }>(texts['bundle'] ?? '', hasCount) ?? {};
    const batchOf = (index: number) => texts[`${index}.batch`] ?? '';
    const batches = await readBatches([...batched].map(batchOf));
    const indexes = new Set([...attempts.keys(), ...cancelled, ...batched, ...waiting]);
    return [...indexes].map((index) => ({
      position: first + index,
      attempts: attempts.get(index) ?? [],
      isCancelled: cancelled.has(index),
      batch: batched.has(index) ? batches.get(batchOf(index)) : undefined,
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

function hasCount({ recipients = 1 }: { recipients?: number }): boolean {
  return Number.isInteger(recipients);
}

const NOT_LOGGED: LoggedRun = { attempts: [], isCancelled: false };

interface Found {
  readonly key: string;
  readonly first: number;
}
