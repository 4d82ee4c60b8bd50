/** A fleet of real processes over a Redis of its own, for programs that measure and break it. */
import { buildApplication } from '@hookfleet/build';
import type { CampaignTotals } from '@hookfleet/contract';
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
  /** `environment`: of these workers, beside the fleet's. */
  startWorkers(workers: number, environment?: Readonly<Record<string, string>>): Promise<void>;
  /** As SIGTERM does: what they have in hand is finished. */
  stopWorkers(): Promise<void>;
  startAggregator(): Promise<void>;
  /** Those that were started, in the order of their start. */
  readonly processes: readonly FleetProcess[];
  /** Of a campaign, as the aggregator tells. */
  totalsOf(campaignId: string): Promise<CampaignTotals>;
  /** Seconds of processor time that all processes of the application have taken so far. */
  cpuSeconds(application: Application): Promise<number>;
  /** Memory that they hold, in bytes. */
  residentBytes(application: Application): Promise<number>;
  stop(): Promise<void>;
}

export interface FleetProcess {
  readonly application: Application;
  readonly started: StartedProcess;
  readonly url: string;
}

export type Application = 'producer' | 'worker' | 'aggregator';

export async function startDrillFleet({
  workers,
  aggregators = 1,
  environment = {},
  redis = startTestRedis(),
}: {
  workers: number;
  aggregators?: number;
  environment?: Readonly<Record<string, string>>;
  /** One of its own where none is given; stopped with the fleet. */
  redis?: Promise<{ readonly url: string; stop(): Promise<void> }>;
}): Promise<DrillFleet> {
  const server = await redis;
  const start = async (application: Application, more: Readonly<Record<string, string>> = {}) => {
    const started = startProcess(await buildApplication(application), {
      REDIS_URL: server.url,
      PORT: '0',
      // The line that tells the address is one of info.
      LOG_LEVEL: 'info',
      HOOKFLEET_EGRESS_ALLOW: '127.0.0.0/8',
      ...environment,
      ...more,
    });
    const log = await started.waitForLog(({ msg }) => msg === `${application}.started`);
    return { application, started, url: String(log['url']) };
  };
  const processes: FleetProcess[] = [
    ...(await Promise.all(Array.from({ length: aggregators }, () => start('aggregator')))),
    ...(await Promise.all(Array.from({ length: workers }, () => start('worker')))),
  ];
  const producer = await start('producer');
  processes.push(producer);
  const { url } = producer;

  async function sumOf(application: Application, metric: string): Promise<number> {
    const values = processes
      .filter((one) => one.application === application)
      .map(async (one) => {
        const families = parsePrometheus(await (await fetch(`${one.url}/metrics`)).text());
        return sampleValue(families, metric) ?? 0;
      });
    return (await Promise.all(values)).reduce((sum, value) => sum + value, 0);
  }

  return {
    redisUrl: server.url,
    producerUrl: url,
    processes,
    async totalsOf(campaignId) {
      const aggregator = processes.find(({ application }) => application === 'aggregator');
      const response = await fetch(`${aggregator?.url}/v1/campaigns/${campaignId}`);
      if (!response.ok) throw new Error(`${campaignId}: ${response.status} ${await response.text()}`);
      return (await response.json()) as CampaignTotals;
    },
    async startWorkers(more, own) {
      processes.push(...(await Promise.all(Array.from({ length: more }, () => start('worker', own)))));
    },
    async startAggregator() {
      processes.push(await start('aggregator'));
    },
    async stopWorkers() {
      const workers = processes.filter(({ application }) => application === 'worker');
      await Promise.all(workers.map(({ started }) => started.stop()));
      processes.splice(0, processes.length, ...processes.filter((one) => !workers.includes(one)));
    },
    cpuSeconds: (application) => sumOf(application, 'process_cpu_seconds_total'),
    residentBytes: (application) => sumOf(application, 'process_resident_memory_bytes'),
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
      await server.stop();
    },
  };
}
