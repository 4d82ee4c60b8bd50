/**
 * The benchmark: every figure beside its ceiling, from the same run on the same machine. Contestants take turns, round by
 * round, so that a machine whose speed drifts drifts for all of them; medians are told, with the least and the most.
 */
import { PEERS, type Peer } from './measure-peers.ts';
import { type BenchSize, type Client, DISTANT_PLACES, type Measurement, NAMES } from './measurements.ts';
import type { CommandCost } from './redis-profile.ts';
import { PAYLOAD_BYTES, webhooksTo } from './samples.ts';

export interface BenchOptions {
  readonly rounds: number;
  readonly size: BenchSize;
  readonly measurements: readonly Measurement[];
  readonly onProgress: (what: string) => void;
}

export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export interface Profile {
  readonly name: string;
  readonly webhooks: number;
  readonly costs: readonly CommandCost[];
}

export interface BenchReport {
  readonly ratios: {
    readonly workerToBareClient: number | null;
    readonly fleetToSidekiq: { readonly got: number | null; readonly undici: number | null };
    readonly fleetToCelery: { readonly got: number | null; readonly undici: number | null };
    readonly bulkToAddBulk: number | null;
    readonly millionToThousand: number | null;
    readonly latencyP99ToBare: number | null;
    /** Of slots / latency, by the default number of slots and a receiver that is 100 ms away. */
    readonly distantToSlots: { readonly got: number | null; readonly undici: number | null };
  };
  readonly redisMicrosPerDelivery: { readonly single: number | null; readonly bulk: number | null };
  readonly bytesPerWaiting: number | null;
  readonly payloadBytes: number;
  readonly outcomesPerSecond: number | null;
  readonly figures: readonly Figure[];
  readonly profiles: readonly Profile[];
}

export async function runBench(options: BenchOptions): Promise<BenchReport> {
  const { rounds, measurements, size } = options;
  const samples = new Map<string, { unit: string; values: number[] }>();
  const profiles: Profile[] = [];
  const notes = {
    figure(name: string, unit: string, value: number) {
      const sample = samples.get(name) ?? { unit, values: [] };
      sample.values.push(value);
      samples.set(name, sample);
    },
    profile(name: string, webhooks: number, costs: readonly CommandCost[]) {
      profiles.push({ name, webhooks, costs });
    },
    missing: options.onProgress,
  };
  for (let round = 1; round <= rounds; round += 1)
    for (const measurement of measurements) {
      if (measurement.once === true && round > 1) continue;
      options.onProgress(`round ${round} of ${rounds}: ${measurement.words.join(', ')}`);
      await measurement.run(size, notes);
    }
  const figures = [...samples].map(([name, { unit, values }]) => ({ name, unit, ...spreadOf(values) }));
  return { ...toReport(figures, size), figures, profiles };
}

function spreadOf(values: readonly number[]): Pick<Figure, 'median' | 'min' | 'max'> {
  const sorted = values.toSorted((a, b) => a - b);
  const median = sorted[Math.floor((sorted.length - 1) / 2)] as number;
  return { median, min: sorted[0] as number, max: sorted.at(-1) as number };
}

function toReport(
  figures: readonly Figure[],
  { backlog }: BenchSize,
): Omit<BenchReport, 'figures' | 'profiles'> {
  const value = (name: string) => {
    const median = figures.find((figure) => figure.name === name)?.median;
    return median === undefined ? null : rounded(median);
  };
  const best = (names: readonly string[]) => {
    const values = names.map(value).filter((one) => one !== null);
    return values.length === 0 ? null : Math.max(...values);
  };
  const quotient = (a: number | null, b: number | null) => (a === null || b === null ? null : rounded(a / b));
  const ratio = (one: string, other: string) => quotient(value(one), value(other));
  // Each as it does best on this machine, with one worker process or with two.
  const fleet = (client: Client) =>
    best(([1, 2] as const).map((workers) => NAMES.deliver(client, 'bulk', workers)));
  const fleetTo = (name: Peer['name']) => {
    const peer = PEERS.find((one) => one.name === name) as Peer;
    const theirs = best(peer.settings.map((settings) => NAMES.peer(peer, settings)));
    return { got: quotient(fleet('got'), theirs), undici: quotient(fleet('undici'), theirs) };
  };
  const distantToSlots = (client: Client) => value(NAMES.distantShare(client, DISTANT_PLACES[0]));
  return {
    ratios: {
      workerToBareClient: ratio(NAMES.deliver('got', 'bulk', 1), NAMES.bareClient('got')),
      fleetToSidekiq: fleetTo('sidekiq'),
      fleetToCelery: fleetTo('celery'),
      bulkToAddBulk: ratio(NAMES.enqueue('bulk calls'), NAMES.addBulk),
      millionToThousand:
        backlog.many < 1_000_000 ? null : ratio(NAMES.waiting(backlog.many), NAMES.waiting(backlog.few)),
      latencyP99ToBare: ratio(NAMES.latency('got', 'p99'), NAMES.bareLatency('got', 'p99')),
      distantToSlots: { got: distantToSlots('got'), undici: distantToSlots('undici') },
    },
    redisMicrosPerDelivery: {
      single: value(NAMES.redisMicros('got', 'single')),
      bulk: value(NAMES.redisMicros('got', 'bulk')),
    },
    bytesPerWaiting: value(NAMES.bytesPerWaiting),
    payloadBytes: jsonBytes(),
    outcomesPerSecond: value(NAMES.count),
  };
}

/** Of a whole webhook as it is sent to the producer. */
function jsonBytes(): number {
  return Math.max(PAYLOAD_BYTES, Buffer.byteLength(JSON.stringify(webhooksTo('bench', 1)[0])));
}

function rounded(value: number): number {
  return Number(value.toPrecision(4));
}
