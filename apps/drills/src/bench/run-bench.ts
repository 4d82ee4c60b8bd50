/**
 * The benchmark: every figure beside its ceiling, from the same run on the same machine. Contestants take turns, round by
 * round, so that a machine whose speed drifts drifts for all of them; medians are told, with the least and the most.
 */
import { measureBareClient, measureEmptyQueue } from './measure-bare.ts';
import { measureCount } from './measure-count.ts';
import { measureDelivery } from './measure-delivery.ts';
import { measureEnqueue } from './measure-enqueue.ts';
import { measureBareLatency, measureLatency } from './measure-latency.ts';
import { PAYLOAD_BYTES, webhooksTo } from './samples.ts';

export interface BenchOptions {
  readonly rounds: number;
  /** Webhooks of one measurement. */
  readonly single: number;
  readonly many: number;
  readonly delivered: number;
  readonly outcomes: number;
  readonly latencySeconds: number;
  /** Webhooks that wait behind those that are measured; undefined: that is left out. */
  readonly backlog: number | undefined;
  readonly onProgress: (what: string) => void;
}

export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export interface BenchReport {
  readonly ratios: {
    readonly workerToBareClient: number | null;
    readonly fleetToSidekiq: { readonly got: number | null; readonly undici: number | null };
    readonly fleetToCelery: { readonly got: number | null; readonly undici: number | null };
    readonly bulkToAddBulk: number | null;
    readonly millionToThousand: number | null;
    readonly latencyP99ToBare: number | null;
  };
  readonly redisMicrosPerDelivery: { readonly single: number | null; readonly bulk: number | null };
  readonly bytesPerWaiting: number | null;
  readonly payloadBytes: number;
  readonly outcomesPerSecond: number | null;
  readonly figures: readonly Figure[];
}

const CLIENTS = ['got', 'undici'] as const;
const BUNDLE_SIZE = 25;
// What is sent in a second for the latency: about half of what a worker with got does on a small machine.
const LATENCY_PER_SECOND = 500;

export async function runBench(options: BenchOptions): Promise<BenchReport> {
  const samples = new Map<string, { unit: string; values: number[] }>();
  const note = (name: string, unit: string, value: number) => {
    const sample = samples.get(name) ?? { unit, values: [] };
    sample.values.push(value);
    samples.set(name, sample);
  };
  for (let round = 1; round <= options.rounds; round += 1) {
    const progress = (what: string) => options.onProgress(`round ${round} of ${options.rounds}: ${what}`);
    await measureRound(options, note, progress);
  }
  const figures = [...samples].map(([name, { unit, values }]) => ({ name, unit, ...spreadOf(values) }));
  return { ...toReport(figures), figures };
}

async function measureRound(
  options: BenchOptions,
  note: (name: string, unit: string, value: number) => void,
  progress: (what: string) => void,
): Promise<void> {
  const { single, many, delivered, backlog } = options;
  progress('enqueueing');
  const enqueue = await measureEnqueue({ single, many });
  note('enqueue, single calls', '/s', enqueue.single);
  note('enqueue, bulk calls', '/s', enqueue.bulk);
  note('enqueue, straight to Redis', '/s', enqueue.direct);
  note('ceiling: addBulk alone', '/s', enqueue.addBulk);
  note('Redis CPU, enqueue by single calls', 'µs', enqueue.redisMicrosSingle);
  note('Redis CPU, enqueue by bulk calls', 'µs', enqueue.redisMicrosBulk);
  note('memory of a waiting webhook', 'bytes', enqueue.bytesPerWaiting);

  for (const client of CLIENTS) {
    progress(`delivering with ${client}`);
    const bare = await measureBareClient(client, delivered);
    note(`ceiling: bare ${client}`, '/s', bare.perSecond);
    note(`CPU of a request, bare ${client}`, 'µs', bare.cpuMicros);
    const one = { workers: 1, client, webhooks: delivered, bundleSize: BUNDLE_SIZE };
    const worker = await measureDelivery(one);
    note(`deliver, one worker, ${client}`, '/s', worker.perSecond);
    note(`worker CPU a webhook, ${client}`, 'µs', worker.workerMicros);
    note(`Redis CPU a webhook, bulk, ${client}`, 'µs', worker.redisMicros);
    note(`Redis commands a webhook, bulk, ${client}`, '', worker.redisCalls);
    note(`deliver, two workers, ${client}`, '/s', (await measureDelivery({ ...one, workers: 2 })).perSecond);
    const alone = await measureDelivery({ ...one, bundleSize: 1 });
    note(`deliver, one a job, ${client}`, '/s', alone.perSecond);
    note(`Redis CPU a webhook, one a job, ${client}`, 'µs', alone.redisMicros);
    // Once: what waits is Redis' and the queue's matter, not the client's.
    if (backlog !== undefined && client === CLIENTS[0]) {
      progress(`delivering with ${backlog} waiting`);
      note(
        `deliver, ${backlog} waiting, ${client}`,
        '/s',
        (await measureDelivery({ ...one, backlog })).perSecond,
      );
    }
  }
  note('ceiling: BullMQ, empty jobs', '/s', await measureEmptyQueue(delivered));

  progress('counting');
  note('count, one aggregator', '/s', await measureCount(options.outcomes));

  progress('latency');
  const paced = { perSecond: LATENCY_PER_SECOND, seconds: options.latencySeconds };
  const [latency, bareLatency] = [await measureLatency(paced), await measureBareLatency(paced)];
  note('accepted to received, p50', 'ms', latency.p50);
  note('accepted to received, p99', 'ms', latency.p99);
  note('ceiling: bare job and request, p50', 'ms', bareLatency.p50);
  note('ceiling: bare job and request, p99', 'ms', bareLatency.p99);
}

function spreadOf(values: readonly number[]): Pick<Figure, 'median' | 'min' | 'max'> {
  const sorted = values.toSorted((a, b) => a - b);
  const median = sorted[Math.floor((sorted.length - 1) / 2)] as number;
  return { median, min: sorted[0] as number, max: sorted.at(-1) as number };
}

function toReport(figures: readonly Figure[]): Omit<BenchReport, 'figures'> {
  const medianOf = (name: string) => figures.find((figure) => figure.name.startsWith(name))?.median;
  const ratio = (one: string, other: string) => {
    const [a, b] = [medianOf(one), medianOf(other)];
    return a === undefined || b === undefined ? null : rounded(a / b);
  };
  const value = (name: string) => {
    const median = medianOf(name);
    return median === undefined ? null : rounded(median);
  };
  const backlogged = figures.find(({ name }) => / waiting, got$/.test(name));
  return {
    ratios: {
      workerToBareClient: ratio('deliver, one worker, got', 'ceiling: bare got'),
      // No peer is measured yet.
      fleetToSidekiq: { got: null, undici: null },
      fleetToCelery: { got: null, undici: null },
      bulkToAddBulk: ratio('enqueue, bulk calls', 'ceiling: addBulk alone'),
      millionToThousand: backlogged === undefined ? null : ratio(backlogged.name, 'deliver, one worker, got'),
      latencyP99ToBare: ratio('accepted to received, p99', 'ceiling: bare job and request, p99'),
    },
    redisMicrosPerDelivery: {
      single: value('Redis CPU a webhook, one a job, got'),
      bulk: value('Redis CPU a webhook, bulk, got'),
    },
    bytesPerWaiting: value('memory of a waiting webhook'),
    payloadBytes: jsonBytes(),
    outcomesPerSecond: value('count, one aggregator'),
  };
}

/** Of a whole webhook as it is sent to the producer. */
function jsonBytes(): number {
  return Math.max(PAYLOAD_BYTES, Buffer.byteLength(JSON.stringify(webhooksTo('bench', 1)[0])));
}

function rounded(value: number): number {
  return Number(value.toPrecision(4));
}
