/**
 * A webhook's lives: the first begins when it is accepted, a further one with each replay after it has failed. Which
 * request belongs to which life, how each ended by the receiver's answers, and which cancels reach it.
 */
import type { AcceptedWebhook, Done, Moment, Received } from '../history.ts';
import type { Hold } from './reference-model.ts';

export const ATTEMPTS_MAX = 3;

export interface Life extends Moment {
  readonly requests: readonly Received[];
  /** By the receiver's answers; undefined if it isn't over. */
  readonly end?: { readonly state: 'delivered' | 'failed'; readonly atMs: number };
  /** False for a replay that came so soon after the failure that the fleet may not have recorded it yet. */
  readonly isCertain: boolean;
}

export interface Reach {
  /** From when on no request of it may begin. Undefined if no cancel certainly reaches it. */
  readonly certainFromMs?: number;
  readonly hold?: Hold;
  readonly isPossible: boolean;
}

/** `requests`: those with the webhook, in the order of their arrival. `replays`: of its campaign that were accepted. */
export function livesOf(
  webhook: AcceptedWebhook,
  requests: readonly Received[],
  replays: readonly Done[],
  recordMs: number,
): [Life, ...Life[]] {
  let life: Life = { ...momentOf(webhook), requests: [], isCertain: true };
  const earlier: Life[] = [];
  const left = [...replays];

  function replayUntil(atMs: number): void {
    while (left[0] !== undefined && left[0].requestedAtMs < atMs) {
      const replay = left.shift() as Done;
      if (life.end?.state !== 'failed' || life.end.atMs >= replay.answeredAtMs) continue;
      earlier.push(life);
      const isCertain = life.end.atMs + recordMs < replay.requestedAtMs;
      life = { ...momentOf(replay), requests: [], isCertain };
    }
  }

  for (const request of requests) {
    replayUntil(request.atMs);
    life = { ...life, requests: [...life.requests, request] };
    const { end: _end, ...others } = life;
    const state = endAfter(life.requests);
    life = state === undefined ? others : { ...others, end: { state, atMs: request.endedAtMs } };
  }
  replayUntil(Number.POSITIVE_INFINITY);
  const [first = life, ...later] = [...earlier, life];
  return [first, ...later];
}

function endAfter(requests: readonly Received[]): 'delivered' | 'failed' | undefined {
  if (requests.some(({ status = 0 }) => status >= 200 && status < 300)) return 'delivered';
  if (requests.some(({ status = 0 }) => status === 422)) return 'failed';
  return requests.filter(({ status }) => status === 503).length >= ATTEMPTS_MAX ? 'failed' : undefined;
}

/** The life that a request belongs to: the last that had begun. */
export function lifeAt(lives: readonly [Life, ...Life[]], atMs: number): Life {
  return lives.findLast(({ requestedAtMs }) => requestedAtMs <= atMs) ?? lives[0];
}

/** Of the campaign's holds, the cancels and passed deadlines that reach a life. */
export function reachOf(life: Life, holds: readonly Hold[]): Reach {
  let isPossible = false;
  let certain: { atMs: number; hold: Hold } | undefined;
  for (const hold of holds) {
    if (hold.kind === 'paused') continue;
    const { from, until } = hold;
    if (until !== undefined && life.requestedAtMs >= until.answeredAtMs) continue;
    if (life.end !== undefined && life.end.atMs <= from.requestedAtMs) continue;
    isPossible = true;
    if (hold.isUncertain === true) continue;
    if (until !== undefined && life.answeredAtMs > until.requestedAtMs) continue;
    const atMs = Math.max(from.answeredAtMs, life.answeredAtMs);
    if (certain === undefined || atMs < certain.atMs) certain = { atMs, hold };
  }
  return { isPossible, ...(certain && { certainFromMs: certain.atMs, hold: certain.hold }) };
}

function momentOf({ requestedAtMs, answeredAtMs }: Moment): Moment {
  return { requestedAtMs, answeredAtMs };
}
