/** Promises about limits: never more than a rate or a concurrency limit allows, and a raised limit lets waiting webhooks flow. */
import type { Received, Violation } from '../history.ts';
import type { Evidence } from './evidence.ts';
import { type LimitSpan, type Place, placesOf } from './reference-model.ts';
import type { RateLimit } from '../story.ts';

export function checkLimits(evidence: Evidence): Violation[] {
  const requestsOf = new Map<Place, Set<Received>>();
  for (const { webhook, requests } of evidence.webhooks)
    for (const place of placesOf(webhook)) {
      const some = requestsOf.get(place) ?? new Set();
      for (const request of requests) some.add(request);
      requestsOf.set(place, some);
    }
  return [...requestsOf].flatMap(([place, some]) => {
    const requests = [...some].toSorted((a, b) => a.atMs - b.atMs);
    return evidence.model
      .limitsOf(place)
      .flatMap((span) => [
        ...rateViolations(evidence, span, requests),
        ...concurrencyViolations(evidence, span, requests),
      ]);
  });
}

/** Those that arrived while the limit was certainly known to every worker. */
function under(evidence: Evidence, span: LimitSpan, requests: readonly Received[]): Received[] {
  const fromMs = span.isFirst
    ? span.from.requestedAtMs
    : span.from.answeredAtMs + evidence.slack.limitGraceMs;
  const untilMs = span.until?.requestedAtMs ?? Number.POSITIVE_INFINITY;
  return requests.filter(({ atMs }) => atMs >= fromMs && atMs < untilMs);
}

export function burstOf({ limit, burst = limit }: RateLimit): number {
  return burst;
}

function rateViolations(evidence: Evidence, span: LimitSpan, all: readonly Received[]): Violation[] {
  const { rateLimit } = span.limits;
  if (rateLimit === undefined) return [];
  const requests = under(evidence, span, all);
  let worst: { count: number; allowed: number; windowMs: number; atMs: number } | undefined;
  for (const [i, first] of requests.entries()) {
    for (const [j, last] of requests.entries()) {
      if (j < i) continue;
      const windowMs = last.atMs - first.atMs;
      const tolerance = evidence.late(evidence.slack.rateMs, last.atMs);
      const allowed = burstOf(rateLimit) + (rateLimit.limit * (windowMs + tolerance)) / 1_000;
      const count = j - i + 1;
      if (count > allowed && count - allowed > (worst === undefined ? 0 : worst.count - worst.allowed))
        worst = { count, allowed, windowMs, atMs: first.atMs };
    }
  }
  if (worst === undefined) return [];
  const { count, allowed, windowMs, atMs } = worst;
  const limit = `${rateLimit.limit}/s and a burst of ${burstOf(rateLimit)}`;
  return [
    {
      promise: 'limits',
      text: `${span.name} has a rate of ${limit}; ${count} requests arrived within ${Math.round(windowMs)} ms from ${evidence.at(atMs)}, where ${Math.floor(allowed)} may.`,
    },
  ];
}

function concurrencyViolations(evidence: Evidence, span: LimitSpan, all: readonly Received[]): Violation[] {
  const { concurrencyLimit } = span.limits;
  if (concurrencyLimit === undefined) return [];
  const over = under(evidence, span, all).filter(({ inFlight }) => inFlight > concurrencyLimit);
  if (over.length === 0) return [];
  const worst = over.reduce((one, other) => (other.inFlight > one.inFlight ? other : one));
  return [
    {
      promise: 'limits',
      text: `${span.name} has a concurrency limit of ${concurrencyLimit}; ${worst.inFlight} requests were in flight at ${evidence.at(worst.atMs)}.`,
    },
  ];
}
