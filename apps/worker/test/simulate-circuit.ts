/**
 * A fleet and one destination in virtual time, for the circuit breaker: webhooks come at a steady rate, workers share the
 * circuit through compare-and-swap and learn of each other's changes once a second, as lane-scheduler.ts does it.
 * No queue, no Redis and no slots: what is simulated is who may send, not how.
 */
import type { Circuit } from '@hookfleet/queue';
import {
  circuitAfter,
  type Evidence,
  evidenceAfter,
  type OpenCircuit,
  probing,
} from '../src/circuit-breaker.ts';

export interface SimulatedFleet {
  readonly workers: number;
  readonly perSecond: number;
  readonly seconds: number;
  readonly latencyMs: number;
  /** From 0 up to 1. */
  readonly random: () => number;
  /** Does the destination answer this attempt? */
  readonly answers: (webhook: SimulatedWebhook, nowMs: number) => boolean;
  readonly retryAfterMs?: number;
}

export interface SimulatedWebhook {
  readonly number: number;
  attempt: number;
}

export interface Simulated {
  /** From 0 to 1: how much of the time the circuit was open. */
  readonly shareHeld: number;
  readonly openedAtMs: readonly number[];
  readonly closedAtMs: readonly number[];
  readonly probes: readonly { readonly atMs: number; readonly attempt: number }[];
  readonly delivered: number;
}

const LOOK_EVERY_MS = 1_000;
const RETRY_DELAYS_MS = [2_000, 10_000, 60_000, 300_000, 1_800_000];

interface Worker {
  /** The circuit as this worker saw it last. */
  known: OpenCircuit | undefined;
  evidence: Evidence | undefined;
}

export function simulateCircuit(fleet: SimulatedFleet): Simulated {
  const { latencyMs, random, answers, retryAfterMs } = fleet;
  const agenda = createAgenda();
  let stored: OpenCircuit | undefined;
  let heldMs = 0;
  let delivered = 0;
  const openedAtMs: number[] = [];
  const closedAtMs: number[] = [];
  const probes: { atMs: number; attempt: number }[] = [];
  const lane = { first: [] as SimulatedWebhook[], retries: [] as SimulatedWebhook[] };
  const workers = Array.from(
    { length: fleet.workers },
    (): Worker => ({ known: undefined, evidence: undefined }),
  );
  const endMs = fleet.seconds * 1_000;

  function see(worker: Worker, circuit: OpenCircuit | undefined): void {
    // Evidence is gathered anew after each open circuit.
    if (circuit !== undefined) worker.evidence = undefined;
    worker.known = circuit;
  }

  /** As Redis holds texts: what is equal is the same. */
  function swap(worker: Worker, next: OpenCircuit | undefined): boolean {
    if (JSON.stringify(stored) !== JSON.stringify(worker.known)) {
      see(worker, stored);
      return false;
    }
    if (stored === undefined && next !== undefined) openedAtMs.push(agenda.nowMs());
    if (stored !== undefined && next === undefined) {
      closedAtMs.push(agenda.nowMs());
      heldMs += agenda.nowMs() - stored.sinceMs;
    }
    stored = next;
    see(worker, next);
    return true;
  }

  function come(webhook: SimulatedWebhook): void {
    const worker = workers[Math.floor(random() * workers.length)] as Worker;
    if (worker.known === undefined) send(worker, webhook, false);
    else (webhook.attempt === 1 ? lane.first : lane.retries).push(webhook);
  }

  function send(worker: Worker, webhook: SimulatedWebhook, wasProbe: boolean): void {
    const failed = !answers(webhook, agenda.nowMs());
    agenda.in(latencyMs, () => end(worker, webhook, failed, wasProbe));
  }

  function end(worker: Worker, webhook: SimulatedWebhook, failed: boolean, wasProbe: boolean): void {
    const nowMs = agenda.nowMs();
    const outcome = {
      failed,
      wasProbe,
      isFirstAttempt: webhook.attempt === 1,
      retryAfterMs: failed ? retryAfterMs : undefined,
      why: 'http_5xx',
    };
    if (worker.known === undefined) worker.evidence = evidenceAfter(worker.evidence, outcome, nowMs);
    for (let tries = 0; tries < 3; tries += 1) {
      const next = circuitAfter(worker.known, outcome, worker.evidence, nowMs);
      if (next === 'unchanged' || swap(worker, next)) break;
    }
    if (stored === undefined && wasProbe) release();
    const delayMs = RETRY_DELAYS_MS[webhook.attempt - 1];
    if (!failed) delivered += 1;
    else if (delayMs !== undefined) {
      webhook.attempt += 1;
      agenda.in(delayMs, () => come(webhook));
    }
  }

  function release(): void {
    for (const webhook of [...lane.first.splice(0), ...lane.retries.splice(0)]) come(webhook);
  }

  function probe(worker: Worker): void {
    const circuit = worker.known;
    if (circuit === undefined || lane.first.length + lane.retries.length === 0) return;
    if (agenda.nowMs() < circuit.probeAtMs) return;
    if (!swap(worker, probing(circuit, agenda.nowMs()))) return;
    const webhook = (lane.first.shift() ?? lane.retries.shift()) as SimulatedWebhook;
    probes.push({ atMs: agenda.nowMs(), attempt: webhook.attempt });
    send(worker, webhook, true);
  }

  function look(worker: Worker): void {
    see(worker, stored);
    if (stored === undefined) release();
    else
      agenda.in(Math.max(0, Math.min(stored.probeAtMs - agenda.nowMs(), LOOK_EVERY_MS)), () => probe(worker));
    agenda.in(LOOK_EVERY_MS, () => look(worker));
  }

  function arrive(number: number): void {
    come({ number, attempt: 1 });
    agenda.in(1_000 / fleet.perSecond, () => arrive(number + 1));
  }

  for (const worker of workers) agenda.in(random() * LOOK_EVERY_MS, () => look(worker));
  agenda.in(0, () => arrive(0));
  agenda.runUntil(endMs);
  if (stored !== undefined) heldMs += endMs - (stored as Circuit).sinceMs;
  return { shareHeld: heldMs / endMs, openedAtMs, closedAtMs, probes, delivered };
}

/** By the share of first attempts that succeed: how much of the time the circuit holds webhooks back. */
export function heldByShare(
  shares: readonly number[],
  fleet: Omit<SimulatedFleet, 'answers'>,
): readonly { readonly p: number; readonly shareHeld: number; readonly opened: number }[] {
  return shares.map((p) => {
    // A third of what fails will never succeed, however often it is retried.
    const fates = new Map<number, boolean>();
    const answers = ({ number, attempt }: SimulatedWebhook) => {
      if (attempt > 1 && fates.get(number) === true) return false;
      const succeeds = fleet.random() < p;
      if (attempt === 1 && !succeeds) fates.set(number, fleet.random() < 1 / 3);
      return succeeds;
    };
    const { shareHeld, openedAtMs } = simulateCircuit({ ...fleet, answers });
    return { p, shareHeld, opened: openedAtMs.length };
  });
}

export function heldTable(rows: ReturnType<typeof heldByShare>): string {
  const line = (cells: readonly string[]) => cells.map((cell) => cell.padStart(9)).join('');
  return [
    line(['succeed', 'held', 'opened']),
    ...rows.map(({ p, shareHeld, opened }) =>
      line([`${Math.round(p * 100)} %`, `${(shareHeld * 100).toFixed(1)} %`, String(opened)]),
    ),
  ].join('\n');
}

/** Mulberry32: small, and the same numbers for the same seed everywhere. */
export function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What happens when, in virtual time: a binary heap of what is still to come. */
function createAgenda() {
  const heap: { atMs: number; order: number; run: () => void }[] = [];
  let nowMs = 0;
  let orders = 0;
  const isBefore = (a: number, b: number) => {
    const [one, other] = [heap[a], heap[b]] as [(typeof heap)[0], (typeof heap)[0]];
    return one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order);
  };
  const exchange = (a: number, b: number) => {
    [heap[a], heap[b]] = [heap[b] as (typeof heap)[0], heap[a] as (typeof heap)[0]];
  };
  function sink(): void {
    let at = 0;
    for (;;) {
      const [left, right] = [2 * at + 1, 2 * at + 2];
      let least = at;
      if (left < heap.length && isBefore(left, least)) least = left;
      if (right < heap.length && isBefore(right, least)) least = right;
      if (least === at) return;
      exchange(at, least);
      at = least;
    }
  }
  return {
    nowMs: () => nowMs,
    in(delayMs: number, run: () => void): void {
      heap.push({ atMs: nowMs + Math.round(delayMs), order: orders++, run });
      for (let at = heap.length - 1; at > 0; ) {
        const parent = (at - 1) >> 1;
        if (!isBefore(at, parent)) break;
        exchange(at, parent);
        at = parent;
      }
    },
    runUntil(endMs: number): void {
      while (heap.length > 0 && (heap[0] as (typeof heap)[0]).atMs < endMs) {
        const { atMs, run } = heap[0] as (typeof heap)[0];
        exchange(0, heap.length - 1);
        heap.pop();
        sink();
        nowMs = atMs;
        run();
      }
      nowMs = endMs;
    },
  };
}
