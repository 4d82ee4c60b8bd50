/** What the benchmark measures, in the order of a round. Each has words by which it is chosen, and names for its figures. */
import { APPLICATIONS } from '@hookfleet/build';
import { measureBacklog } from './measure-backlog.ts';
import { measureBareClient, measureEmptyQueue } from './measure-bare.ts';
import { measureCluster } from './measure-cluster.ts';
import { measureCount } from './measure-count.ts';
import { type DeliveryOptions, measureDelivery } from './measure-delivery.ts';
import { measureDistant } from './measure-distant.ts';
import { measureEnqueue } from './measure-enqueue.ts';
import { measureBareLatency, measureLatency } from './measure-latency.ts';
import { findPeer, measurePeer, PEERS, type Peer, type PeerSettings } from './measure-peers.ts';
import { measureStart } from './measure-start.ts';
import { runRedisBenchmark } from './redis-benchmark.ts';
import type { CommandCost } from './redis-profile.ts';

export interface BenchSize {
  /** Webhooks of one measurement: enqueued one by one, enqueued in bulk, delivered. */
  readonly single: number;
  readonly many: number;
  readonly delivered: number;
  readonly outcomes: number;
  readonly latencySeconds: number;
  /** For which distant receivers are measured, after the first. */
  readonly distantSeconds: number;
  /** Webhooks that wait while others are delivered. */
  readonly backlog: { readonly few: number; readonly many: number };
}

export interface Notes {
  figure(name: string, unit: string, value: number): void;
  profile(name: string, webhooks: number, costs: readonly CommandCost[]): void;
  /** What can't be measured here, and why. */
  missing(what: string): void;
}

export interface Measurement {
  /** Those that are asked for choose the measurements that have all of them. */
  readonly words: readonly string[];
  /** Only where its first word is asked for. */
  readonly onDemand?: boolean;
  /** In the first round alone. */
  readonly once?: boolean;
  run(size: BenchSize, notes: Notes): Promise<void>;
}

export const CLIENTS = ['got', 'undici'] as const;
export type Client = (typeof CLIENTS)[number];
const CALLS = ['bulk', 'single'] as const;
export type Calls = (typeof CALLS)[number];

interface DistantPlace {
  readonly slots: number;
  readonly latencyMs: number;
}

/** The default number of slots first. */
export const DISTANT_PLACES: readonly [DistantPlace, ...DistantPlace[]] = [
  { slots: 200, latencyMs: 100 },
  { slots: 200, latencyMs: 400 },
  { slots: 1_000, latencyMs: 100 },
  { slots: 1_000, latencyMs: 400 },
];

export const NAMES = {
  enqueue: (how: 'single calls' | 'bulk calls' | 'straight to Redis') => `enqueue, ${how}`,
  addBulk: 'ceiling: addBulk alone',
  bytesPerWaiting: 'memory of a waiting webhook',
  deliver: (client: Client, calls: Calls, workers: 1 | 2) =>
    `deliver, ${calls}, ${client}, ${workers === 1 ? 'one worker' : 'two workers'}`,
  redisMicros: (client: Client, calls: Calls) => `Redis CPU a webhook, ${calls}, ${client}`,
  bareClient: (client: Client) => `ceiling: bare ${client}`,
  peer: (peer: Peer, settings: PeerSettings) => `peer: ${peer.name}, ${settings.name}`,
  count: 'count, one aggregator',
  waiting: (webhooks: number) => `deliver, ${webhooks.toLocaleString('en')} waiting`,
  latency: (client: Client, percentile: 'p50' | 'p99') => `called to received, ${client}, ${percentile}`,
  distant: (client: Client, { slots, latencyMs }: DistantPlace) =>
    `deliver, ${latencyMs} ms away, ${slots.toLocaleString('en')} slots, ${client}`,
  distantShare: (client: Client, place: DistantPlace) =>
    `${NAMES.distant(client, place)}: of slots / latency`,
  bareLatency: (client: Client, percentile: 'p50' | 'p99') =>
    `ceiling: bare job and request, ${client}, ${percentile}`,
} as const;

const enqueue: Measurement = {
  words: ['enqueue'],
  async run({ single, many }, { figure }) {
    const figures = await measureEnqueue({ single, many });
    figure(NAMES.enqueue('single calls'), '/s', figures.single);
    figure(NAMES.enqueue('bulk calls'), '/s', figures.bulk);
    figure(NAMES.enqueue('straight to Redis'), '/s', figures.direct);
    figure(NAMES.addBulk, '/s', figures.addBulk);
    figure(NAMES.bytesPerWaiting, 'bytes', figures.bytesPerWaiting);
  },
};

function bareClient(client: Client): Measurement {
  return {
    words: ['bare', client],
    async run({ delivered }, { figure }) {
      const bare = await measureBareClient(client, delivered);
      figure(NAMES.bareClient(client), '/s', bare.perSecond);
      figure(`${NAMES.bareClient(client)}: CPU of a request`, 'µs', bare.cpuMicros);
    },
  };
}

function deliver(client: Client, calls: Calls, workers: 1 | 2): Measurement {
  return {
    words: ['deliver', client, calls, workers === 1 ? 'one' : 'two'],
    async run({ delivered }, { figure }) {
      const options: DeliveryOptions = { client, calls, workers, webhooks: delivered };
      const figures = await measureDelivery(options);
      const name = NAMES.deliver(client, calls, workers);
      figure(name, '/s', figures.perSecond);
      if (workers === 2) return;
      for (const process of ['worker', 'aggregator', 'receiver'])
        figure(`${name}: ${process} CPU`, 'µs', figures.cpuMicros[process] ?? Number.NaN);
      figure(NAMES.redisMicros(client, calls), 'µs', figures.enqueue.micros + figures.deliver.micros);
      figure(`Redis CPU of enqueueing alone, ${calls}, ${client}`, 'µs', figures.enqueue.micros);
      figure(
        `Redis commands a webhook, ${calls}, ${client}`,
        '',
        figures.enqueue.calls + figures.deliver.calls,
      );
    },
  };
}

/** Where Redis' time goes. The client makes no difference to it; the faster is through sooner. */
function profile(calls: Calls): Measurement {
  return {
    words: ['profile', calls],
    onDemand: true,
    async run(size, notes) {
      const webhooks = Math.min(size.delivered, 5_000);
      const options: DeliveryOptions = { client: 'undici', calls, workers: 1, webhooks, profile: true };
      const { enqueue: entering, deliver: leaving } = await measureDelivery(options);
      notes.profile(`enqueueing, ${calls}`, webhooks, entering.profile);
      notes.profile(`delivering and counting, ${calls}`, webhooks, leaving.profile);
    },
  };
}

function peerOf(peer: Peer): Measurement {
  return {
    words: ['peer', peer.name],
    async run({ delivered }, { figure, missing }) {
      const program = await findPeer(peer);
      if (program === undefined) return missing(`${peer.name} is not installed: it is left out`);
      for (const settings of peer.settings)
        figure(NAMES.peer(peer, settings), '/s', await measurePeer(peer, program, settings, delivered / 4));
    },
  };
}

const emptyQueue: Measurement = {
  words: ['bare', 'bullmq'],
  run: async ({ delivered }, { figure }) =>
    figure('ceiling: BullMQ, empty jobs', '/s', await measureEmptyQueue(delivered)),
};

const count: Measurement = {
  words: ['count'],
  run: async ({ outcomes }, { figure }) => figure(NAMES.count, '/s', await measureCount(outcomes)),
};

/** At half of what a worker delivers of single calls, while nothing comes in. */
function latency(client: Client): Measurement {
  return {
    words: ['latency', client],
    async run({ delivered, latencySeconds: seconds }, { figure }) {
      const { perSecond: full } = await measureDelivery({
        client,
        calls: 'single',
        workers: 1,
        webhooks: Math.min(delivered, 8_000),
      });
      const paced = { client, perSecond: Math.round(full / 2), seconds };
      figure(`half load, ${client}`, '/s', paced.perSecond);
      const [fleet, bare] = [await measureLatency(paced), await measureBareLatency(paced)];
      for (const percentile of ['p50', 'p99'] as const) {
        figure(NAMES.latency(client, percentile), 'ms', fleet[percentile]);
        figure(NAMES.bareLatency(client, percentile), 'ms', bare[percentile]);
      }
      figure(`Redis CPU a webhook, single calls at half load, ${client}`, 'µs', fleet.redisMicros);
    },
  };
}

/** One worker. With many slots, the machine's processors are the bound and not the slots. */
function distant(client: Client): Measurement {
  return {
    words: ['distant', client],
    async run({ distantSeconds: seconds }, { figure }) {
      for (const place of DISTANT_PLACES) {
        const { perSecond, share } = await measureDistant({ client, ...place, seconds });
        figure(NAMES.distant(client, place), '/s', perSecond);
        figure(NAMES.distantShare(client, place), '', share);
      }
    },
  };
}

/** Once: filling it takes longer than measuring. */
const million: Measurement = {
  words: ['million'],
  once: true,
  async run({ delivered, backlog: { few, many } }, { figure }) {
    const figures = await measureBacklog({ few, many, webhooks: delivered, client: 'undici' });
    figure(NAMES.waiting(few), '/s', figures.perSecond.few);
    figure(NAMES.waiting(many), '/s', figures.perSecond.many);
    for (const [application, bytes] of Object.entries(figures.residentBytes)) {
      figure(`memory of the ${application}, ${few.toLocaleString('en')} waiting`, 'MB', bytes.few / 1e6);
      figure(`memory of the ${application}, ${many.toLocaleString('en')} waiting`, 'MB', bytes.many / 1e6);
    }
  },
};

const redisAlone: Measurement = {
  words: ['bare', 'redis'],
  async run({ many }, { figure, missing }) {
    const alone = await runRedisBenchmark(many);
    if (alone === undefined) return missing('redis-benchmark is not installed: it is left out');
    figure('ceiling: redis-benchmark, LPUSH', '/s', alone.oneAtATime);
    figure('ceiling: redis-benchmark, LPUSH, 16 in a pipeline', '/s', alone.pipelined);
  },
};

// Twelve shards of it are half of what two cores deliver beside three masters.
const PACED_PER_SECOND_AND_SHARD = 150;
const PACED_SECONDS = 10;

/** On demand: clusters take a while to form. `paced`: a load that grows with the shards. */
function cluster(shards: number, isPaced: boolean): Measurement {
  return {
    words: ['cluster', String(shards), isPaced ? 'paced' : 'backlog'],
    onDemand: true,
    async run({ delivered }, { figure }) {
      const perSecondAndShard = PACED_PER_SECOND_AND_SHARD;
      const figures = await measureCluster(
        shards,
        isPaced
          ? { webhooks: perSecondAndShard * shards * PACED_SECONDS, perSecondAndShard }
          : { webhooks: delivered },
      );
      const load = isPaced ? `, ${perSecondAndShard} a second each` : '';
      const name = `three masters, ${shards} shards${load}`;
      figure(`${name}: Redis CPU a webhook`, 'µs', figures.redisMicros);
      figure(`${name}: Redis commands a webhook`, '', figures.redisCalls);
      if (!isPaced) figure(`${name}: the fullest master's part, where even is 1`, '', figures.busiest);
    },
  };
}

const start: Measurement = {
  words: ['start'],
  async run(_size, { figure }) {
    for (const application of APPLICATIONS) {
      const { cpuMs, wallMs, residentMb } = await measureStart(application);
      figure(`start of a ${application}: CPU`, 'ms', cpuMs);
      figure(`start of a ${application}: until it is ready`, 'ms', wallMs);
      figure(`memory of a ${application} at rest`, 'MB', residentMb);
    }
  },
};

export const MEASUREMENTS: readonly Measurement[] = [
  start,
  enqueue,
  ...CLIENTS.flatMap((client) => [
    bareClient(client),
    ...CALLS.flatMap((calls) => [deliver(client, calls, 1), deliver(client, calls, 2)]),
  ]),
  emptyQueue,
  redisAlone,
  ...PEERS.map(peerOf),
  count,
  ...CLIENTS.map(latency),
  ...CLIENTS.map(distant),
  million,
  ...[false, true].flatMap((isPaced) => [1, 3, 6, 12].map((shards) => cluster(shards, isPaced))),
  ...CALLS.map(profile),
];

/** Those that have all words of one of the wishes; with no wish, all but those on demand. */
export function chosenBy(wishes: readonly (readonly string[])[]): Measurement[] {
  return MEASUREMENTS.filter(({ words, onDemand = false }) => {
    if (wishes.length === 0) return !onDemand;
    return wishes.some(
      (wish) =>
        wish.every((word) => words.includes(word)) && (!onDemand || wish.includes(words[0] as string)),
    );
  });
}
