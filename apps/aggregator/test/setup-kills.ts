/** A real aggregator behind a proxy that stops the network: what kills it between any two of its calls to Redis. */
import { fileURLToPath } from 'node:url';
import { connectRedis, disconnectRedis, type RedisConnection } from '@hookfleet/queue';
import {
  type StartedProcess,
  startProcess,
  startTcpProxy,
  startTestRedis,
  type TcpProxy,
} from '@hookfleet/testkit';

export interface KillsSetup {
  readonly proxy: TcpProxy;
  readonly connection: RedisConnection;
  /** `isProxied`: its calls go through the proxy. */
  startAggregator(prefix: string, isProxied: boolean): Promise<StartedProcess>;
  /**
   * For each of the first `calls`: an aggregator is killed when it is about to make it, with results of a campaign of its
   * own to count. Then others go on, and all must be counted once.
   */
  killBetweenCalls(prefix: string, calls: number, results: KilledResults): Promise<void>;
  close(): Promise<void>;
}

export interface KilledResults {
  readonly write: (campaignId: string) => Promise<void>;
  readonly expectCountedOnce: (campaignId: string) => Promise<void>;
}

export async function setupKills(): Promise<KillsSetup> {
  const redis = await startTestRedis();
  const proxy = await startTcpProxy(redis);
  const connection = connectRedis({
    url: redis.url,
    name: 'test',
    temper: 'patient',
    onError: () => undefined,
  });

  async function startAggregator(prefix: string, isProxied: boolean): Promise<StartedProcess> {
    const entry = fileURLToPath(new URL('../src/main.ts', import.meta.url));
    const started = startProcess(entry, {
      REDIS_URL: isProxied ? `redis://127.0.0.1:${proxy.port}` : redis.url,
      PORT: '0',
      HOOKFLEET_KEY_PREFIX: prefix,
      HOOKFLEET_LOCK_DURATION: '1s',
      HOOKFLEET_STALLED_INTERVAL: '500ms',
      LOG_LEVEL: 'debug',
    });
    await started.waitForLog(({ msg }) => msg === 'aggregator.started');
    return started;
  }

  async function killBeforeCall(prefix: string, nth: number, write: () => Promise<void>): Promise<void> {
    const aggregator = await startAggregator(prefix, true);
    const { promise: held, resolve } = Promise.withResolvers<void>();
    let sent = 0;
    proxy.onRequest(() => {
      sent += 1;
      if (sent > nth) resolve();
      return sent <= nth;
    });
    await write();
    await held;
    await aggregator.kill();
    proxy.onRequest(undefined);
    proxy.cut();
  }

  return {
    proxy,
    connection,
    startAggregator,
    async killBetweenCalls(prefix, calls, { write, expectCountedOnce }) {
      const campaigns = Array.from({ length: calls }, (_, nth) => `killed-before-${nth + 1}`);
      for (const [nth, campaignId] of campaigns.entries())
        await killBeforeCall(prefix, nth, () => write(campaignId));
      const others = await Promise.all([startAggregator(prefix, false), startAggregator(prefix, false)]);
      for (const campaignId of campaigns) await expectCountedOnce(campaignId);
      // Whatever else comes, comes after: a job that would be counted twice now, would be by the end of the next one.
      await write('afterwards');
      await expectCountedOnce('afterwards');
      for (const campaignId of campaigns) await expectCountedOnce(campaignId);
      await Promise.all(others.map((other) => other.stop()));
    },
    async close() {
      disconnectRedis(connection);
      await proxy.close();
      await redis.stop();
    },
  };
}
