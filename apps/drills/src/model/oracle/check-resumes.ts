/**
 * Promises about what must be sent soon: after a resume, and after a limit is removed or raised. A webhook is held to them
 * if nothing else can hold it back: no other hold or limit, no cancel, no slow destination, no worker that was killed.
 */
import type { Moment, Violation } from '../history.ts';
import type { Limits, Script } from '../story.ts';
import type { Evidence, WebhookEvidence } from './evidence.ts';
import { type LimitSpan, placesOf } from './reference-model.ts';

/** A reason to wait. */
interface Wait {
  readonly name: string;
  readonly fromMs: number;
  readonly untilMs: number;
  /** What its end is called, if a promise follows from it. */
  readonly lifted?: { readonly promise: 'resume' | 'limits'; readonly what: string };
}

// Those that answer late or fail share their workers' slots with caution: nothing is promised about when.
const PROMPT: readonly Script[] = ['ok', 'reject'];

export function checkResumes(evidence: Evidence): Violation[] {
  const late = evidence.webhooks.flatMap((one) => lateOf(evidence, one));
  const groups = Map.groupBy(late, ({ name, freeMs }) => `${name} ${freeMs}`);
  return [...groups.values()].map((some) => {
    const [first] = some as [Late];
    const arrived = some.flatMap(({ arrivedMs }) => (arrivedMs === undefined ? [] : [arrivedMs]));
    const last =
      arrived.length === 0
        ? 'none at all'
        : `the last after ${Math.round(Math.max(...arrived) - first.freeMs)} ms`;
    return {
      promise: first.promise,
      text: `${first.name} ${first.what} at ${evidence.at(first.freeMs)}; ${some.length} waiting webhooks did not begin within ${evidence.slack.resumeMs} ms (${last}).`,
    };
  });
}

interface Late {
  readonly promise: 'resume' | 'limits';
  readonly name: string;
  readonly what: string;
  readonly freeMs: number;
  readonly arrivedMs: number | undefined;
}

function lateOf(evidence: Evidence, one: WebhookEvidence): Late[] {
  const { webhook, requests, lives } = one;
  if (!PROMPT.includes(webhook.script) || webhook.isFar) return [];
  if (one.reachAt(lives[0].answeredAtMs).isPossible) return [];
  const { resumeMs } = evidence.slack;
  const waits = waitsOf(evidence, one);
  const arrivedMs = requests[0]?.atMs;
  let freeMs = Math.max(webhook.answeredAtMs, webhook.deliverAtMs ?? 0);
  let last: Wait | undefined;
  for (let isMoved = true; isMoved; ) {
    isMoved = false;
    for (const wait of waits) {
      const reachesMs = freeMs + evidence.late(resumeMs, freeMs + resumeMs);
      if (wait.fromMs > reachesMs || wait.untilMs <= freeMs) continue;
      freeMs = wait.untilMs;
      last = wait;
      isMoved = true;
    }
  }
  if (last?.lifted === undefined || freeMs === Number.POSITIVE_INFINITY) return [];
  const seenMs = arrivedMs ?? evidence.history.endedAtMs;
  if (seenMs <= freeMs + evidence.late(resumeMs, seenMs)) return [];
  return [{ ...last.lifted, name: last.name, freeMs, arrivedMs }];
}

/** All reasons to wait that a webhook may have had, from when they may have begun. */
function waitsOf({ model, slack }: Evidence, { webhook }: WebhookEvidence): Wait[] {
  const end = (until: Moment | undefined) => until?.answeredAtMs ?? Number.POSITIVE_INFINITY;
  const places = placesOf(webhook);
  const holds = places
    .flatMap((place) => model.holdsOf(place))
    .map(({ name, kind, from, until }) => ({
      name,
      fromMs: from.requestedAtMs,
      untilMs: end(until),
      ...(kind !== 'deadline' && { lifted: { promise: 'resume' as const, what: 'was resumed' } }),
    }));
  const limits = places
    .flatMap((place) => model.limitsOf(place))
    .filter(({ limits: own }) => isLimited(own))
    .map(({ name, from, until, limits: own }) => ({
      name,
      fromMs: from.requestedAtMs,
      // A batch that gathers leaves when its first webhook has waited so long, also if the channel batches no more.
      untilMs: end(until) + (own.batch?.maxWaitMs ?? 0),
      ...(own.batch === undefined && { lifted: { promise: 'limits' as const, what: 'lost its limit' } }),
    }));
  const troubles = model.disturbances.map(({ kind, fromMs, untilMs }) => ({
    name: 'a worker',
    // What a worker had taken before it was killed comes back when its lock has run out.
    fromMs,
    untilMs: untilMs + (kind === 'killed' ? slack.recoveryMs : slack.resumeMs),
  }));
  return [...holds, ...limits, ...troubles];
}

function isLimited({ rateLimit, concurrencyLimit, batch }: Limits): boolean {
  return rateLimit !== undefined || concurrencyLimit !== undefined || batch !== undefined;
}

/** After a limit was raised, at least one of those that wait begins. */
export function checkRaises(evidence: Evidence): Violation[] {
  const places = new Set(evidence.webhooks.flatMap(({ webhook }) => placesOf(webhook)));
  return [...places].flatMap((place) => {
    const spans = evidence.model.limitsOf(place);
    const those = evidence.webhooks.filter(({ webhook }) => placesOf(webhook).includes(place));
    return spans.flatMap((span, i) => {
      const before = spans[i - 1];
      if (before === undefined || !isRaised(before.limits, span.limits)) return [];
      return raiseViolations(evidence, span, those);
    });
  });
}

function raiseViolations(
  evidence: Evidence,
  { name, from, until }: LimitSpan,
  those: readonly WebhookEvidence[],
): Violation[] {
  const fromMs = from.answeredAtMs;
  const untilMs = fromMs + evidence.late(evidence.slack.resumeMs, fromMs + evidence.slack.resumeMs);
  if ((until?.requestedAtMs ?? Number.POSITIVE_INFINITY) < untilMs) return [];
  const waiting = those.filter((one) => {
    const { webhook, requests } = one;
    const isDue = Math.max(webhook.answeredAtMs, webhook.deliverAtMs ?? 0) < from.requestedAtMs;
    const isFree = waitsOf(evidence, one).every(
      (wait) => wait.name === name || wait.untilMs <= fromMs || wait.fromMs >= untilMs,
    );
    const isHeld = evidence.model
      .holdsOf(name)
      .some((hold) => (hold.until?.answeredAtMs ?? Number.POSITIVE_INFINITY) > fromMs);
    const isWaiting = requests[0] === undefined || requests[0].atMs > fromMs;
    return isDue && isFree && !isHeld && isWaiting && !one.reachAt(webhook.answeredAtMs).isPossible;
  });
  const flows = those.some(({ requests }) =>
    requests.some(({ atMs }) => atMs >= from.requestedAtMs && atMs <= untilMs),
  );
  if (waiting.length === 0 || flows) return [];
  return [
    {
      promise: 'limits',
      text: `the limit of ${name} was raised at ${evidence.at(fromMs)}; of ${waiting.length} waiting webhooks none began within ${evidence.slack.resumeMs} ms.`,
    },
  ];
}

function isRaised(before: Limits, after: Limits): boolean {
  if (before.batch !== undefined || after.batch !== undefined) return false;
  const rates = [
    before.rateLimit?.limit ?? Number.POSITIVE_INFINITY,
    after.rateLimit?.limit ?? Number.POSITIVE_INFINITY,
  ] as const;
  const counts = [
    before.concurrencyLimit ?? Number.POSITIVE_INFINITY,
    after.concurrencyLimit ?? Number.POSITIVE_INFINITY,
  ] as const;
  const isLower = after.rateLimit?.burst !== undefined;
  return (
    !isLower &&
    rates[1] >= rates[0] &&
    counts[1] >= counts[0] &&
    (rates[1] > rates[0] || counts[1] > counts[0]) &&
    isLimited(after)
  );
}
