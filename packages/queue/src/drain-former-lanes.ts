/**
 * Puts what an earlier version of hookfleet parked in its lanes back into the queue, where this version takes it and lets it
 * wait as anything else. Costs one read when there is nothing. May be run by several workers, and beside an earlier version.
 */
import { type Bundle, WEBHOOKS_QUEUE } from '@hookfleet/contract';
import { formerLaneKeys, formerParkedKey } from './keys.ts';
import { createReadStored, type OnUnreadable } from './read-stored.ts';
import { defineScripts, runScript } from './scripts.ts';
import { openShardQueues, type ShardOptions } from './shard-queues.ts';

// A few milliseconds of Redis' time.
const JOBS_AT_ONCE = 100;

interface FormerPiece {
  readonly shard: number;
  readonly bundle: Bundle;
}

/** Resolves to the number of jobs that are back in the queue. */
export async function drainFormerLanes(
  options: ShardOptions & { readonly onError: OnUnreadable },
): Promise<number> {
  const { connection, prefix, shards, onError } = options;
  // By lane: how many are parked, and lanes whose last jobs were released have no count, but are due.
  const lanes = new Set([
    ...(await connection.hkeys(formerParkedKey(prefix))),
    ...(await connection.zrange(formerLaneKeys(prefix, '').due, 0, '-1')),
  ]);
  if (lanes.size === 0) return 0;
  defineScripts(connection);
  const queues = openShardQueues(WEBHOOKS_QUEUE, options);
  const read = createReadStored<FormerPiece>(
    'a piece of a lane',
    onError,
    ({ shard, bundle }) =>
      Number.isInteger(shard) && Number(shard) < shards && Array.isArray(bundle?.webhooks),
  );

  async function drain(lane: string): Promise<number> {
    const { due, parked, data, order, state, leases, flows, aside } = formerLaneKeys(prefix, lane);
    let drained = 0;
    for (let done: string[] = []; ; ) {
      const flat = (await runScript(
        connection,
        'drainFormerLane',
        [due, parked, data, order, state, leases, flows],
        [lane, JOBS_AT_ONCE, ...done],
      )) as string[];
      if (flat.length === 0) return drained;
      done = flat.filter((_, i) => i % 2 === 0);
      await Promise.all(
        done.map(async (jobId, i) => {
          const piece = read(jobId, flat[2 * i + 1] as string);
          if (piece === undefined)
            return void (await connection.hset(aside, jobId, flat[2 * i + 1] as string));
          const { lane: _lane, probe: _probe, ...bundle } = piece.bundle as Bundle & Record<string, unknown>;
          await queues
            .of(piece.shard)
            .add(
              bundle.campaignId,
              { ...bundle, recheck: true },
              { jobId, removeOnComplete: true, attempts: 1 },
            );
        }),
      );
      drained += done.length;
    }
  }

  try {
    let drained = 0;
    for (const lane of lanes) drained += await drain(lane);
    return drained;
  } finally {
    await queues.close();
  }
}
