/**
 * The load of a soak: whatever the fleet can do, of everything that it does. Each campaign lasts a while and has a
 * destination of its own, so that what is kept for each campaign or destination, and never given back, shows.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { DrillChild } from '../drill-child.ts';
import type { DrillFleet } from '../drill-fleet.ts';
import type { RedisMeter } from '../redis-cost.ts';
import type { Received } from './receiver-process.ts';

export interface SoakLoad {
  /** Sends until the time has come. */
  sendUntil(atMs: number): Promise<void>;
  /** Webhooks accepted so far, by campaign. */
  readonly accepted: ReadonlyMap<string, number>;
}

export interface SoakLoadOptions {
  readonly fleet: DrillFleet;
  readonly meter: RedisMeter;
  readonly receiver: DrillChild<Received>;
  readonly campaignMs: number;
  /** Webhooks a second at most; undefined: as many as the fleet takes. */
  readonly perSecond: number | undefined;
}

const ROUND = {
  inline: 250,
  batched: 100,
  flaky: 60,
  refused: 4,
  limited: 6,
  later: 10,
  single: 10,
  events: 20,
};
const WEBHOOKS_A_ROUND = Object.values(ROUND).reduce((sum, count) => sum + count, 0) - ROUND.events;
/** Jobs that wait, of which each holds up to 25 webhooks: enough that no worker ever has nothing to do. */
const WAITING_JOBS_MAX = 60;
const TEXT = 'x'.repeat(240);
const CHANNELS = ['batched', 'flaky', 'refuses', 'limited'] as const;

export async function openSoakLoad(options: SoakLoadOptions): Promise<SoakLoad> {
  const { fleet, meter, receiver, campaignMs, perSecond } = options;
  const { url } = await receiver.ask({});
  const retry = { delaysMs: [200, 400, 800, 1_600], jitter: 0.2 };
  const settings: Record<(typeof CHANNELS)[number], object> = {
    batched: { batch: { size: 50, maxWaitMs: 500 } },
    flaky: { retry },
    refuses: {},
    limited: { rateLimit: { limit: 200, per: 'second' } },
  };
  for (const channel of CHANNELS)
    await fleet.call('PUT', `/v1/channels/${channel}`, { url: `${url}/${channel}`, ...settings[channel] });
  await fleet.call('PUT', '/v1/event-types/soak.read', { properties: { price: 'FLOAT' } });

  const accepted = new Map<string, number>();
  let campaign = { id: '', url, endsAtMs: 0 };
  let sent = 0;

  async function campaignOfNow(): Promise<typeof campaign> {
    if (performance.now() < campaign.endsAtMs) return campaign;
    const id = `soak-${accepted.size}`;
    campaign = { id, ...(await receiver.ask({ another: true })), endsAtMs: performance.now() + campaignMs };
    return campaign;
  }

  const webhooks = (campaignId: string, count: number, more: object) =>
    Array.from({ length: count }, () => {
      sent += 1;
      return {
        campaignId,
        messageId: `message-${sent % 3}`,
        userId: `u-${sent}`,
        payload: { number: sent, text: TEXT },
        ...more,
      };
    });

  async function sendRound(): Promise<void> {
    const { id, url: own } = await campaignOfNow();
    const deliverAt = new Date(Date.now() + 2_000).toISOString();
    const inline = { destination: { url: `${own}/` } };
    const calls = [
      fleet.call('POST', '/v1/webhooks/bulk', {
        webhooks: [
          ...webhooks(id, ROUND.inline, inline),
          ...webhooks(id, ROUND.batched, { channelConfigId: 'batched' }),
          ...webhooks(id, ROUND.flaky, { channelConfigId: 'flaky' }),
          ...webhooks(id, ROUND.refused, { channelConfigId: 'refuses' }),
          ...webhooks(id, ROUND.limited, { channelConfigId: 'limited' }),
          ...webhooks(id, ROUND.later, { ...inline, deliverAt }),
        ],
      }),
      ...webhooks(id, ROUND.single, inline).map((webhook) =>
        fleet.call('POST', '/v1/webhooks', { ...webhook, idempotencyKey: webhook.userId }),
      ),
      fleet.call(
        'POST',
        '/v1/events',
        Array.from({ length: ROUND.events }, (_, i) => ({
          campaignId: id,
          event: 'soak.read',
          id: `read-${sent}-${i}`,
          properties: { price: 0.05 },
        })),
      ),
    ];
    await Promise.all(calls);
    accepted.set(id, (accepted.get(id) ?? 0) + WEBHOOKS_A_ROUND);
  }

  return {
    accepted,
    async sendUntil(atMs) {
      const roundMs = perSecond === undefined ? 0 : (WEBHOOKS_A_ROUND / perSecond) * 1_000;
      let dueAtMs = performance.now();
      while (performance.now() < atMs) {
        if (performance.now() >= dueAtMs && (await meter.waitingJobs()) < WAITING_JOBS_MAX) {
          dueAtMs += roundMs;
          await sendRound();
        } else await sleep(10);
      }
    },
  };
}
