/** How fast one aggregator counts: outcomes wait in the results queue, fifty a job as workers write them. */
import { setTimeout as sleep } from 'node:timers/promises';
import { formatWebhookId, type Outcome } from '@hookfleet/contract';
import { connectRedis, disconnectRedis, openResultsOut } from '@hookfleet/queue';
import { startDrillFleet } from '../drill-fleet.ts';
import { openRedisMeter } from '../redis-cost.ts';

const PER_JOB = 50;
const RUN = 'beefbeefbeef';

/** Outcomes a second. */
export async function measureCount(outcomes: number): Promise<number> {
  const fleet = await startDrillFleet({ workers: 0, aggregators: 0 });
  const meter = await openRedisMeter(fleet.redisUrl);
  const connection = connectRedis({
    url: fleet.redisUrl,
    name: 'bench',
    temper: 'patient',
    onError: () => undefined,
  });
  const results = openResultsOut({ connection, prefix: 'hookfleet', shards: 1 });
  try {
    for (let first = 0; first < outcomes; first += PER_JOB * 20)
      await Promise.all(
        Array.from({ length: 20 }, (_, job) =>
          results.add(0, { outcomes: outcomesFrom(first + job * PER_JOB) }),
        ),
      );
    await fleet.startAggregator();
    // The last look before a twentieth is counted: so the time is never nought, even if one look sees all of it counted.
    let from = { count: 0, atMs: performance.now() };
    for (;;) {
      const count = await meter.delivered('bench');
      const atMs = performance.now();
      if (count < outcomes * 0.05) from = { count, atMs };
      if (count >= outcomes * 0.95) return ((count - from.count) / (atMs - from.atMs)) * 1_000;
      await sleep(10);
    }
  } finally {
    await results.close();
    disconnectRedis(connection);
    meter.close();
    await fleet.stop();
  }
}

function outcomesFrom(first: number): Outcome[] {
  return Array.from({ length: PER_JOB }, (_, index): Outcome => {
    const webhookId = formatWebhookId({ shard: 0, run: RUN, first: first + index, index: 0 });
    return {
      eventId: `ev_${webhookId}_1`,
      event: 'webhook.delivered',
      webhookId,
      campaignId: 'bench',
      messageId: 'welcome',
      channelConfigId: 'bench',
      attempt: 1,
      final: true,
      statusCode: 200,
      durationMs: 10 + (index % 30),
      recipients: 1,
      occurredAt: new Date().toISOString(),
      workerId: 'bench:1',
    };
  });
}
