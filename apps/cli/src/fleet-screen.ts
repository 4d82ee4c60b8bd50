/** The fleet as a screen of text: workers, queues, and the lanes in which webhooks wait. Pure. */
import type { WorkerEgress } from '@hookfleet/queue';
import { count, duration, percentage } from './numbers-as-text.ts';
import { progressBar } from './progress-bar.ts';
import { colourOf, doubtful, faint, strong } from './style.ts';
import { printable, textTable } from './text-table.ts';

/** Of GET /v1/fleet, what is shown. */
export interface FleetView {
  readonly workers: readonly {
    readonly workerId: string;
    readonly clockAheadMs?: number;
    /** Absent of earlier versions. */
    readonly egress?: WorkerEgress;
    readonly concurrency: number;
    readonly inFlight: number;
    readonly attemptsPerSecond: number;
  }[];
  readonly inFlight: number;
  readonly concurrency: number;
  readonly attemptsPerSecond: number;
  readonly queues: readonly { readonly queue: string; readonly state: string; readonly jobs: number }[];
  readonly oldestSeconds: readonly { readonly queue: string; readonly seconds: number }[];
  readonly backlogSeconds: number;
  readonly parkedWebhooks: number;
  /** Absent in answers of earlier versions. */
  readonly heldWebhooks?: number;
  readonly heldOldestSeconds?: number;
  readonly lanes: readonly {
    readonly channelConfigId?: string;
    readonly campaignId?: string;
    readonly origin?: string;
    readonly circuit: { readonly state: string; readonly since?: string; readonly why?: string };
    readonly parkedWebhooks: number;
  }[];
}

const LOAD_WIDTH = 20;

/** As many lines as fit; lanes come last, those that need a look first. */
export function fleetScreen(fleet: FleetView, linesMax: number): string[] {
  const {
    inFlight,
    concurrency,
    attemptsPerSecond,
    backlogSeconds,
    parkedWebhooks,
    heldWebhooks = 0,
  } = fleet;
  const lines = [
    `${strong(`${count(attemptsPerSecond)} attempts a second`)}   in flight ${count(inFlight)} of ${count(concurrency)} (${percentage(inFlight, concurrency)})   backlog ${duration(backlogSeconds * 1_000)}   parked ${count(parkedWebhooks)}${heldWebhooks === 0 ? '' : doubtful(`   held back ${count(heldWebhooks)}`)}`,
    '',
    ...workerLines(fleet),
    '',
    ...queueLines(fleet),
    '',
    ...laneLines(fleet),
  ];
  return lines.slice(0, linesMax);
}

function workerLines({ workers }: FleetView): string[] {
  if (workers.length === 0) return [doubtful('  No worker has reported within ten seconds.')];
  return textTable([
    [faint('worker'), faint('load'), faint('in flight'), faint('a second')],
    ...workers.map(({ workerId, inFlight, concurrency, attemptsPerSecond }) => [
      printable(workerId, 40),
      progressBar(concurrency === 0 ? 0 : inFlight / concurrency, LOAD_WIDTH),
      inFlight,
      attemptsPerSecond,
    ]),
  ]);
}

function queueLines({ queues, oldestSeconds }: FleetView): string[] {
  if (queues.length === 0) return [faint('  The queues are looked at every five seconds.')];
  const names = [...new Set(queues.map(({ queue }) => queue))];
  const states = [...new Set(queues.map(({ state }) => state))];
  const jobsOf = (queue: string, state: string) =>
    queues
      .filter((one) => one.queue === queue && one.state === state)
      .reduce((sum, { jobs }) => sum + jobs, 0);
  return textTable([
    [faint('jobs of'), ...states.map(faint), faint('oldest')],
    ...names.map((name) => {
      const oldest = oldestSeconds.find(({ queue }) => queue === name)?.seconds ?? 0;
      return [name, ...states.map((state) => jobsOf(name, state)), duration(oldest * 1_000)];
    }),
  ]);
}

function laneLines({ lanes }: FleetView): string[] {
  if (lanes.length === 0) return [faint('  No channels, and nothing waits in lanes.')];
  return textTable([
    [faint('lane'), faint('state'), faint('parked')],
    ...lanes.map(({ channelConfigId, campaignId, origin, circuit: { state, why }, parkedWebhooks }) => [
      laneName(channelConfigId, campaignId, origin),
      colourOf(state)(state) + (why === undefined ? '' : ` (${printable(why, 20)})`),
      parkedWebhooks,
    ]),
  ]);
}

export function laneName(channelConfigId?: string, campaignId?: string, origin?: string): string {
  if (channelConfigId !== undefined) return `channel ${printable(channelConfigId, 50)}`;
  if (campaignId !== undefined) return `campaign ${printable(campaignId, 50)}`;
  return printable(origin ?? '', 60);
}
