/**
 * How fast webhooks go out: a fleet with everything it does (signing, recording, counting), from webhooks that wait to
 * their counters, and what that costs Redis and the processes.
 */
import { startDrillFleet } from '../drill-fleet.ts';
import { openRedisMeter } from '../redis-cost.ts';
import { measureRate } from './measure-rate.ts';
import { openProducerCalls } from './producer-calls.ts';
import { type CommandCost, openRedisProfile } from './redis-profile.ts';
import { SIGNING_SECRET } from './samples.ts';
import { startReceiver } from './start-receiver.ts';

export interface DeliveryOptions {
  readonly workers: number;
  readonly client: 'got' | 'undici';
  readonly webhooks: number;
  /** How they were enqueued: one a call, or many. */
  readonly calls: 'single' | 'bulk';
  /** Makes Redis slower: nothing else of the same run is of use. */
  readonly profile?: boolean;
}

export interface DeliveryFigures {
  readonly perSecond: number;
  /** Of Redis, for each webhook: to enqueue it, and from there to its counters. */
  readonly enqueue: RedisFigures;
  readonly deliver: RedisFigures;
  /** Processor time a webhook, of all processes of the kind. */
  readonly cpuMicros: Readonly<Record<string, number>>;
}

export interface RedisFigures {
  readonly micros: number;
  readonly calls: number;
  /** Empty where no profile was asked for. */
  readonly profile: readonly CommandCost[];
}

export async function measureDelivery(options: DeliveryOptions): Promise<DeliveryFigures> {
  const { workers, client, webhooks } = options;
  const { receiver, url } = await startReceiver();
  const fleet = await startDrillFleet({ workers: 0, environment: { HOOKFLEET_HTTP_CLIENT: client } });
  const calls = openProducerCalls(fleet.producerUrl);
  const meter = await openRedisMeter(fleet.redisUrl);
  const profile = options.profile === true ? await openRedisProfile(fleet.redisUrl) : undefined;
  const lap = async (): Promise<RedisFigures> => {
    const cost = await meter.lap();
    return {
      micros: cost.cpuMicros / webhooks,
      calls: cost.calls / webhooks,
      profile: (await profile?.lap()) ?? [],
    };
  };
  try {
    await fleet.call('PUT', '/v1/channels/bench', { url, signingSecrets: [SIGNING_SECRET] });
    await lap();
    await calls[options.calls](webhooks);
    const enqueue = await lap();
    await fleet.startWorkers(workers);
    const { perSecond, cpuMicros } = await measureRate({
      receiver,
      webhooks,
      counted: () => meter.delivered('bench'),
      cpuMicros: async () => ({
        worker: (await fleet.cpuSeconds('worker')) * 1e6,
        aggregator: (await fleet.cpuSeconds('aggregator')) * 1e6,
        receiver: (await receiver.ask({})).cpuMicros,
      }),
    });
    return { perSecond, cpuMicros, enqueue, deliver: await lap() };
  } finally {
    await profile?.close();
    await calls.close();
    meter.close();
    await fleet.stop();
    await receiver.stop();
  }
}
