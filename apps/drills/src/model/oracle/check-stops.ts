/** Promises about what must not be sent: after a pause, a cancel or a deadline, and before `deliverAt`. */
import type { Promised, Received, Violation } from '../history.ts';
import type { Evidence, WebhookEvidence } from './evidence.ts';
import { type Hold, placesOf } from './reference-model.ts';

interface Stray {
  readonly promise: Promised;
  readonly hold: Hold;
  readonly request: Received;
  readonly lateMs: number;
}

/** One violation for each promise and hold: the request that came last, and how many others. */
export function checkStops(evidence: Evidence): Violation[] {
  const strays = evidence.webhooks.flatMap((one) => straysOf(evidence, one));
  const groups = Map.groupBy(
    strays,
    ({ promise, hold }) => `${promise} ${hold.name} ${hold.from.answeredAtMs}`,
  );
  return [...groups.values()].map((some) => {
    const [first] = some as [Stray];
    const requests = new Set(some.map(({ request }) => request));
    const latest = some.reduce((one, other) => (other.lateMs > one.lateMs ? other : one));
    const what = `${first.hold.name} was ${HELD[first.hold.kind]} at ${evidence.at(first.hold.from.answeredAtMs)}`;
    const began = `${requests.size} of its requests began later than ${evidence.slack.stopMs} ms after that, the last ${Math.round(latest.lateMs)} ms after`;
    const when =
      first.promise === 'cancel'
        ? `though these webhooks were accepted before the ${first.hold.kind === 'deadline' ? 'deadline was changed' : 'resume'}, so they must never be sent`
        : 'while it was still held';
    return { promise: first.promise, text: `${what}; ${began}, ${when}.` };
  });
}

const HELD = { paused: 'paused', cancelled: 'cancelled', deadline: 'past its deadline' } as const;

function straysOf(evidence: Evidence, { webhook, requests, reachAt }: WebhookEvidence): Stray[] {
  const holds = placesOf(webhook).flatMap((place) => evidence.model.holdsOf(place));
  return requests.flatMap((request) => {
    const { atMs } = request;
    const tolerance = evidence.late(evidence.slack.stopMs, atMs);
    const held = holds.find(
      ({ from, until, isUncertain }) =>
        isUncertain !== true &&
        atMs > from.answeredAtMs + tolerance &&
        atMs < (until?.requestedAtMs ?? Number.POSITIVE_INFINITY),
    );
    if (held !== undefined)
      return { promise: 'stop' as const, hold: held, request, lateMs: atMs - held.from.answeredAtMs };
    const { certainFromMs, hold } = reachAt(atMs);
    if (certainFromMs === undefined || hold === undefined || atMs <= certainFromMs + tolerance) return [];
    // Between the request and the answer of a resume.
    if (hold.until === undefined || atMs < hold.until.requestedAtMs) return [];
    return { promise: 'cancel' as const, hold, request, lateMs: atMs - certainFromMs };
  });
}

export function checkDeliverAt({ webhooks, slack }: Evidence): Violation[] {
  const early = webhooks.flatMap(({ webhook: { id, deliverAtMs }, requests: [first] }) =>
    deliverAtMs !== undefined && first !== undefined && first.atMs < deliverAtMs - slack.clockMs
      ? [{ id, earlyMs: deliverAtMs - first.atMs }]
      : [],
  );
  if (early.length === 0) return [];
  const most = Math.round(Math.max(...early.map(({ earlyMs }) => earlyMs)));
  return [
    {
      promise: 'deliver-at',
      text: `${early.length} webhooks arrived before their deliverAt, by up to ${most} ms (${early[0]?.id}).`,
    },
  ];
}
