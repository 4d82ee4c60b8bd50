/** A fleet of real processes over a Redis of its own, for programs that measure and break it. */
import { fileURLToPath } from 'node:url';
import {
  parsePrometheus,
  type StartedProcess,
  sampleValue,
  startProcess,
  startTestRedis,
} from '@hookfleet/testkit';

export interface DrillFleet {
  readonly redisUrl: string;
  readonly producerUrl: string;
  /** Calls the producer. Throws for an answer that is no 2xx. */
  call(method: string, path: string, body?: unknown): Promise<unknown>;
  startWorkers(workers: number): Promise<void>;
  startAggregator(): Promise<void>;
  /** Seconds of processor time that all processes of the application have taken so far. */
  cpuSeconds(application: Application): Promise<number>;
  stop(): Promise<void>;
}

export type Application = 'producer' | 'worker' | 'aggregator';

export async function startDrillFleet({
  workers,
  aggregators = 1,
  environment = {},
}: {
  workers: number;
  aggregators?: number;
  environment?: Readonly<Record<string, string>>;
}): Promise<DrillFleet> {
  const redis = await startTestRedis();
  const start = async (application: Application) => {
    const entry = fileURLToPath(new URL(`../../${application}/src/main.ts`, import.meta.url));
    const started = startProcess(entry, {
      REDIS_URL: redis.url,
      PORT: '0',
      // The line that tells the address is one of info.
      LOG_LEVEL: 'info',
      HOOKFLEET_EGRESS_ALLOW: '127.0.0.0/8',
      ...environment,
    });
    const log = await started.waitForLog(({ msg }) => msg === `${application}.started`);
    return { application, started, url: String(log['url']) };
  };
  const processes: { application: Application; started: StartedProcess; url: string }[] = [
    ...(await Promise.all(Array.from({ length: aggregators }, () => start('aggregator')))),
    ...(await Promise.all(Array.from({ length: workers }, () => start('worker')))),
  ];
  const producer = await start('producer');
  processes.push(producer);
  const { url } = producer;

  return {
    redisUrl: redis.url,
    producerUrl: url,
    async startWorkers(more) {
      processes.push(...(await Promise.all(Array.from({ length: more }, () => start('worker')))));
    },
    async startAggregator() {
      processes.push(await start('aggregator'));
    },
    async cpuSeconds(application) {
      const ofOne = async (one: (typeof processes)[0]) => {
        const families = parsePrometheus(await (await fetch(`${one.url}/metrics`)).text());
        return sampleValue(families, 'process_cpu_seconds_total') ?? 0;
      };
      const all = await Promise.all(processes.filter((one) => one.application === application).map(ofOne));
      return all.reduce((sum, seconds) => sum + seconds, 0);
    },
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
