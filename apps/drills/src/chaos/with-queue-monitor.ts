/** Looks into the queues of a drill's Redis, for as long as some work takes. */
import { connectRedis, createQueueMonitor, disconnectRedis, type QueueMonitor } from '@hookfleet/queue';

export async function withQueueMonitor<T>(
  { url, shards = 1 }: { readonly url: string; readonly shards?: number | undefined },
  work: (monitor: QueueMonitor) => Promise<T>,
): Promise<T> {
  const connection = connectRedis({
    url,
    name: 'hookfleet-drill',
    temper: 'patient',
    // Redis may be on its way back: that it is away is no news.
    onError: () => undefined,
  });
  const monitor = createQueueMonitor({ connection, prefix: 'hookfleet', shards });
  try {
    return await work(monitor);
  } finally {
    await monitor.close();
    disconnectRedis(connection);
  }
}
