/** A fleet of real processes over a Redis of its own, for programs that measure and break it. */
import { fileURLToPath } from 'node:url';
import { type StartedProcess, startProcess, startTestRedis } from '@hookfleet/testkit';

export interface DrillFleet {
  readonly redisUrl: string;
  /** Calls the producer. Throws for an answer that is no 2xx. */
  call(method: string, path: string, body?: unknown): Promise<unknown>;
  stop(): Promise<void>;
}

export async function startDrillFleet({
  workers,
  environment = {},
}: {
  workers: number;
  environment?: Readonly<Record<string, string>>;
}): Promise<DrillFleet> {
  const redis = await startTestRedis();
  const start = async (application: 'producer' | 'worker' | 'aggregator') => {
    const entry = fileURLToPath(new URL(`../../${application}/src/main.ts`, import.meta.url));
    const started = startProcess(entry, {
      REDIS_URL: redis.url,
      PORT: '0',
      LOG_LEVEL: 'warn',
      HOOKFLEET_EGRESS_ALLOW: '127.0.0.0/8',
      ...environment,
      // The line that tells the address is one of info.
      ...(application === 'producer' && { LOG_LEVEL: 'info' }),
    });
    return { application, started };
  };
  const processes: { application: string; started: StartedProcess }[] = [
    await start('aggregator'),
    ...(await Promise.all(Array.from({ length: workers }, () => start('worker')))),
  ];
  const producer = await start('producer');
  processes.push(producer);
  const url = String((await producer.started.waitForLog(({ msg }) => msg === 'producer.started'))['url']);

  return {
    redisUrl: redis.url,
    async call(method, path, body) {
      const response = await fetch(url + path, {
        method,
        ...(body !== undefined && {
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(body),
        }),
      });
      const text = await response.text();
      if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
      return text === '' ? undefined : JSON.parse(text);
    },
    async stop() {
      // At once: attempts that hang on purpose would hold a drain.
      await Promise.all(processes.map(({ started }) => started.kill()));
      await redis.stop();
    },
  };
}
