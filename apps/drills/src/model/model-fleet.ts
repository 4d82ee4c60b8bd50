/**
 * The fleet under the model: one Redis or a Redis Cluster, one producer, one aggregator, and three places for workers, of
 * which two are taken when a story begins. Stories run one after the other on the same processes.
 */
import { buildApplication } from '@hookfleet/build';
import {
  parsePrometheus,
  type StartedProcess,
  startProcess,
  startTestCluster,
  startTestRedis,
} from '@hookfleet/testkit';

export interface FleetOptions {
  readonly client: 'got' | 'undici';
  readonly redis: 'single' | 'cluster';
}

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

export interface ModelFleet {
  /** 599 if there is no answer. */
  call(application: 'producer' | 'aggregator', method: string, path: string, body?: unknown): Promise<Answer>;
  /** Resolves when it runs; at once if it does. */
  startWorker(place: number): Promise<void>;
  /** Resolves to its exit code when it is gone; at once if there is none. */
  endWorker(place: number, signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null | undefined>;
  /** The first two run, and no other. */
  resetWorkers(): Promise<void>;
  /** Values of a metric of the aggregator, with their labels. */
  metric(name: string): Promise<{ labels: Readonly<Record<string, string>>; value: number }[]>;
  stop(): Promise<void>;
}

const PLACES_AT_FIRST = [1, 2];
const CLUSTER_SHARDS = 6;
// Short, so that what a killed worker held comes back soon; long enough for a busy machine.
const RECOVERY = {
  HOOKFLEET_ATTEMPT_TIMEOUT: '2s',
  HOOKFLEET_LOCK_DURATION: '4s',
  HOOKFLEET_STALLED_INTERVAL: '500ms',
  HOOKFLEET_SHUTDOWN_TIMEOUT: '10s',
};

export async function startModelFleet({ client, redis }: FleetOptions): Promise<ModelFleet> {
  const server = await (redis === 'cluster' ? startTestCluster() : startTestRedis());
  const shared = {
    REDIS_URL: server.url,
    PORT: '0',
    LOG_LEVEL: 'info',
    ...(redis === 'cluster' && { HOOKFLEET_SHARDS: String(CLUSTER_SHARDS) }),
  };
  const recovery = { HOOKFLEET_LOCK_DURATION: '4s', HOOKFLEET_STALLED_INTERVAL: '500ms' };
  const workers = new Map<number, Promise<StartedProcess>>();

  async function start(application: 'producer' | 'worker' | 'aggregator', own: Record<string, string> = {}) {
    const started = startProcess(await buildApplication(application), { ...shared, ...own });
    const log = await started.waitForLog(({ msg }) => msg === `${application}.started`);
    return { started, url: String(log['url']) };
  }

  async function startWorker(place: number): Promise<void> {
    const starting =
      workers.get(place) ??
      start('worker', {
        ...RECOVERY,
        HOOKFLEET_EGRESS_ALLOW: '127.0.0.0/8',
        HOOKFLEET_HTTP_CLIENT: client,
      }).then(({ started }) => started);
    workers.set(place, starting);
    await starting;
  }

  async function endWorker(place: number, signal: 'SIGKILL' | 'SIGTERM') {
    const worker = await workers.get(place);
    if (worker === undefined) return undefined;
    workers.delete(place);
    worker.signal(signal);
    return (await worker.exited).code;
  }

  const [aggregator, producer] = await Promise.all([
    start('aggregator', recovery),
    start('producer'),
    ...PLACES_AT_FIRST.map((place) => startWorker(place)),
  ]);
  const urls = { producer: producer.url, aggregator: aggregator.url };

  return {
    async call(application, method, path, body) {
      const init = body === undefined ? {} : { body: JSON.stringify(body), headers: JSON_HEADERS };
      try {
        const response = await fetch(urls[application] + path, { method, ...init });
        const text = await response.text();
        return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
      } catch (error) {
        return { status: 599, body: String(error) };
      }
    },
    startWorker,
    endWorker,
    async resetWorkers() {
      await Promise.all([
        ...PLACES_AT_FIRST.map((place) => startWorker(place)),
        ...[...workers.keys()]
          .filter((place) => !PLACES_AT_FIRST.includes(place))
          .map((place) => endWorker(place, 'SIGTERM')),
      ]);
    },
    async metric(name) {
      const families = parsePrometheus(await (await fetch(`${urls.aggregator}/metrics`)).text());
      return [...families.values()]
        .flatMap(({ samples }) => samples)
        .filter((sample) => sample.name === name)
        .map(({ labels, value }) => ({ labels, value }));
    },
    async stop() {
      const running = await Promise.all(workers.values());
      await Promise.all([...running, producer.started, aggregator.started].map((one) => one.kill()));
      await server.stop();
    },
  };
}

const JSON_HEADERS = { 'content-type': 'application/json' };
