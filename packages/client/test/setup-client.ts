/** A producer as it runs, over a Redis of the test's own, and a client for either way. */
import { fileURLToPath } from 'node:url';
import { consumeResults, connectRedis as connectToRedis, disconnectRedis } from '@hookfleet/queue';
import type { Acceptance, ReportedEvent } from '@hookfleet/contract';
import { startProcess, startTestRedis } from '@hookfleet/testkit';
import type { Client, ClientOptions, Webhook } from '../src/index.ts';
import { connectHttp } from '../src/http.ts';
import { connectRedis } from '../src/redis.ts';

export const WAYS = ['http', 'redis'] as const;
export type Way = (typeof WAYS)[number];

export const PRODUCER = fileURLToPath(new URL('../../../apps/producer/src/main.ts', import.meta.url));

export async function startFleetEntrance(environment: Record<string, string> = {}) {
  const redis = await startTestRedis();
  const producer = startProcess(PRODUCER, { REDIS_URL: redis.url, PORT: '0', ...environment });
  const { url } = await producer.waitForLog(({ msg }) => msg === 'producer.started');
  const connection = connectToRedis({
    url: redis.url,
    name: 'test',
    temper: 'patient',
    onError: () => undefined,
  });
  const acceptances: Acceptance[] = [];
  const events: ReportedEvent[] = [];
  const results = consumeResults({
    connection,
    prefix: 'hookfleet',
    shards: 1,
    concurrency: 1,
    lockDurationMs: 30_000,
    stalledIntervalMs: 30_000,
    apply: async (results) => {
      acceptances.push(...(results.acceptances ?? []));
      events.push(...(results.events ?? []));
    },
    onError: () => undefined,
  });
  return {
    redis,
    connection,
    url: String(url),
    events,
    /** Webhooks of the campaign that its counters would be told of. */
    accepted: (campaignId: string) =>
      acceptances.filter((one) => one.campaignId === campaignId).reduce((sum, { count }) => sum + count, 0),
    connect: (way: Way, options: ClientOptions & { port?: number } = {}): Promise<Client> | Client => {
      const { port, ...rest } = options;
      const at = (address: string) =>
        port === undefined ? address : `${address.slice(0, address.lastIndexOf(':'))}:${port}`;
      return way === 'http'
        ? connectHttp({ url: at(String(url)), ...rest })
        : connectRedis({ url: at(redis.url), ...rest });
    },
    async close() {
      await results.stop();
      await producer.stop();
      disconnectRedis(connection);
      await redis.stop();
    },
  };
}

export type FleetEntrance = Awaited<ReturnType<typeof startFleetEntrance>>;

type KeyOfWebhook = Webhook extends infer One ? (One extends unknown ? keyof One : never) : never;

/** `changes` may also be what no producer takes. */
export function webhook(changes: Partial<Record<KeyOfWebhook, unknown>> = {}): Webhook {
  return {
    campaignId: 'spring-sale',
    messageId: 'welcome',
    destination: { url: 'http://127.0.0.1:9/hook' },
    payload: { hello: 'world' },
    ...changes,
  } as Webhook;
}

export function* webhooks(campaignId: string, count: number): Generator<Webhook> {
  for (let number = 0; number < count; number += 1) yield webhook({ campaignId, payload: { number } });
}
