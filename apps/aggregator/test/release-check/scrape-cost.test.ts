/**
 * What a scrape of Prometheus costs an aggregator with 1,000 campaigns. A measurement: on a machine that is not busy.
 * Takes about 3 s.
 */
import { randomUUID } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { connectRedis, disconnectRedis } from '@hookfleet/queue';
import { createMetricsRegistry } from '@hookfleet/runtime';
import { startTestRedis } from '@hookfleet/testkit';
import { campaignKeys, campaignsKey } from '../../src/campaign-keys.ts';
import { createCampaignRollUp } from '../../src/campaign-roll-up.ts';
import { createAggregatorMetrics } from '../../src/metrics.ts';
import { range } from '../results-of.ts';

test('a scrape with 1,000 campaigns takes less than 100 ms of processor time', async () => {
  const redis = await startTestRedis();
  const onError = () => undefined;
  const connection = connectRedis({ url: redis.url, name: 'test', temper: 'patient', onError });
  const prefix = `test-${randomUUID()}`;
  const events = ['webhook.delivered', 'webhook.bounced', 'webhook.error', 'whatsapp.read'];
  const counts = events.flatMap((event) => [`e:${event}`, '7']);
  await Promise.all(
    range(0, 1_200).flatMap((i) => [
      connection.zadd(campaignsKey(prefix), Date.now(), `campaign-${i}`),
      connection.hset(campaignKeys(prefix, `campaign-${i}`).totals, ...counts),
    ]),
  );
  const options = { connection, prefix, campaignsMax: 1_000, retentionMs: 1e12, now: Date.now };
  const campaigns = createCampaignRollUp(options);
  await campaigns.rollUp();
  const registry = createMetricsRegistry();
  let nowMs = 0;
  createAggregatorMetrics({
    registry,
    campaigns,
    onError: (error) => {
      throw error;
    },
    // Each scrape reads anew.
    now: () => (nowMs += 60_000),
  });
  const durationsMs: number[] = [];
  for (const _ of range(0, 5)) {
    const before = process.cpuUsage();
    const text = await registry.metrics();
    const { user, system } = process.cpuUsage(before);
    durationsMs.push((user + system) / 1_000);
    expect(text).toContain('campaign_id="campaign-');
  }
  // The best of five: the machine's other work is not what is measured.
  expect(Math.min(...durationsMs)).toBeLessThan(100);
  disconnectRedis(connection);
  await redis.stop();
});
