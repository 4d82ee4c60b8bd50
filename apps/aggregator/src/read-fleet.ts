/**
 * The fleet as an operator looks at it: workers, queues, and the lanes in which webhooks wait. The queues' numbers are
 * the sampler's latest; all else is read when it is asked for: a few small hashes.
 */
import {
  ageOf,
  type Channels,
  type Circuits,
  laneOf,
  type HeldReason,
  type QueueSample,
  sumOfCounts,
  type WaitingLane,
  type WorkerReport,
} from '@hookfleet/queue';
import { circuitView } from '@hookfleet/operations';
import { type LaneOwner, ownerOf } from './campaign-status.ts';

// A page can't show more, and an answer should not be longer.
const LANES_MAX = 500;

const HOLDS: ReadonlySet<HeldReason> = new Set(['circuit', 'paused']);

/** Of a channel, a paused or limited campaign, or the origin of inline destinations. */
export interface LaneReport extends LaneOwner {
  readonly circuit: ReturnType<typeof circuitView>;
  readonly parkedWebhooks: number;
}

export interface FleetReport {
  readonly workers: readonly WorkerReport[];
  readonly inFlight: number;
  readonly concurrency: number;
  readonly attemptsPerSecond: number;
  /** When the queues were looked at; absent until they were. */
  readonly sampledAt?: string;
  readonly queues: QueueSample['queues'];
  readonly oldestSeconds: QueueSample['oldestSeconds'];
  readonly backlogSeconds: number;
  readonly parkedWebhooks: number;
  /** Those of them that wait for a failing destination, or for somebody to resume a channel or a campaign. */
  readonly heldWebhooks: number;
  /** Age of the one that waits longest for that; 0 if none does. */
  readonly heldOldestSeconds: number;
  /** All channels, then other lanes in which something waits or which are not closed: those that need a look first. */
  readonly lanes: readonly LaneReport[];
  readonly moreLanes: boolean;
}

export interface FleetReaderOptions {
  readonly listWorkers: () => Promise<readonly WorkerReport[]>;
  readonly channels: Pick<Channels, 'list'>;
  readonly circuits: Pick<Circuits, 'all'>;
  readonly readWaiting: () => Promise<ReadonlyMap<string, WaitingLane>>;
  readonly latestSample: () => { readonly sample: QueueSample; readonly atMs: number } | undefined;
}

export type FleetReader = () => Promise<FleetReport>;

export function createFleetReader(options: FleetReaderOptions): FleetReader {
  const { listWorkers, channels, circuits, readWaiting, latestSample } = options;
  return async () => {
    const [workers, known, states, waiting] = await Promise.all([
      listWorkers(),
      channels.list(),
      circuits.all(),
      readWaiting(),
    ]);
    const names = new Set([
      ...known.map(({ channelConfigId }) => laneOf(channelConfigId, '')),
      ...states.keys(),
      ...waiting.keys(),
    ]);
    const lanes = [...names].map((lane) => ({
      ...ownerOf(lane),
      circuit: circuitView(states.get(lane)),
      parkedWebhooks: waiting.get(lane)?.webhooks ?? 0,
    }));
    const latest = latestSample();
    const sum = (of: (worker: WorkerReport) => number) =>
      workers.reduce((total, worker) => total + of(worker), 0);
    return {
      workers,
      inFlight: sum(({ inFlight }) => inFlight),
      concurrency: sum(({ concurrency }) => concurrency),
      attemptsPerSecond: sum(({ attemptsPerSecond }) => attemptsPerSecond),
      ...(latest !== undefined && { sampledAt: new Date(latest.atMs).toISOString() }),
      queues: latest?.sample.queues ?? [],
      oldestSeconds: latest?.sample.oldestSeconds ?? [],
      backlogSeconds: latest?.sample.backlogSeconds ?? 0,
      parkedWebhooks: [...waiting.values()].reduce((total, { webhooks }) => total + webhooks, 0),
      heldWebhooks: lanes
        .filter(({ circuit }) => circuit.state !== 'closed')
        .reduce((total, lane) => total + lane.parkedWebhooks, 0),
      heldOldestSeconds: latest === undefined ? 0 : heldOldestSeconds(latest),
      lanes: lanes.sort(byNeed).slice(0, LANES_MAX),
      moreLanes: lanes.length > LANES_MAX,
    };
  };
}

function heldOldestSeconds({ sample: { held }, atMs }: { sample: QueueSample; atMs: number }): number {
  return ageOf(sumOfCounts([...held].flatMap(([why, of]) => (HOLDS.has(why) ? [of] : []))).sinceMs, atMs);
}

function byNeed(a: LaneReport, b: LaneReport): number {
  const rank = ({ circuit }: LaneReport) => (circuit.state === 'closed' ? 1 : 0);
  const name = (lane: LaneReport) => lane.channelConfigId ?? lane.campaignId ?? lane.origin ?? '';
  return (
    rank(a) - rank(b) ||
    b.parkedWebhooks - a.parkedWebhooks ||
    name(a).localeCompare(name(b), 'en', { numeric: true })
  );
}
