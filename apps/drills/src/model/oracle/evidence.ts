/** What all checks look at: a history, the model of it, and each webhook with its requests and lives. */
import type { AcceptedWebhook, Done, History, Received } from '../history.ts';
import { type Hold, type Model, modelOf } from './reference-model.ts';
import { lagAt, type Slack } from './slack.ts';
import { type Life, type Reach, lifeAt, livesOf, reachOf } from './webhook-lives.ts';

export interface WebhookEvidence {
  readonly webhook: AcceptedWebhook;
  readonly requests: readonly Received[];
  readonly lives: readonly [Life, ...Life[]];
  reachAt(atMs: number): Reach;
}

export interface Evidence {
  readonly history: History;
  readonly model: Model;
  readonly slack: Slack;
  readonly webhooks: readonly WebhookEvidence[];
  /** By the time at which they arrived. */
  readonly received: readonly Received[];
  /** Tolerance for what arrived at a time: a constant, and by how late the receiver was. */
  late(constantMs: number, atMs: number): number;
  /** Seconds after the first operation, for sentences. */
  at(timeMs: number): string;
}

export function evidenceOf(history: History, slack: Slack): Evidence {
  const model = modelOf(history.done, history.endedAtMs);
  const received = history.received.toSorted((a, b) => a.atMs - b.atMs);
  const requestsOf = new Map<string, Received[]>();
  for (const request of received) {
    for (const id of request.webhookIds) {
      const some = requestsOf.get(id) ?? [];
      some.push(request);
      requestsOf.set(id, some);
    }
  }
  const replaysOf = Map.groupBy(model.replays, ({ operation }) =>
    'campaign' in operation ? operation.campaign : 0,
  );
  const startedAtMs = Math.min(...history.done.map(({ requestedAtMs }) => requestedAtMs));
  return {
    history,
    model,
    slack,
    received,
    webhooks: [...model.webhooks.values()].map((webhook) => {
      const requests = requestsOf.get(webhook.id) ?? [];
      const holds = model.holdsOf(`campaign ${webhook.campaign}`);
      const replays = (replaysOf.get(webhook.campaign) ?? []).filter((one) => !isVoid(one, holds));
      const lives = livesOf(webhook, requests, replays, slack.recordMs);
      return { webhook, requests, lives, reachAt: (atMs) => reachOf(lifeAt(lives, atMs), holds) };
    }),
    late: (constantMs, atMs) => constantMs + lagAt(history.lags, atMs),
    at: (timeMs) => `${((timeMs - startedAtMs) / 1_000).toFixed(2)} s`,
  };
}

/** A replay while its campaign is certainly cancelled changes nothing: its dead letters stay as they are. */
function isVoid({ requestedAtMs, answeredAtMs }: Done, holds: readonly Hold[]): boolean {
  return holds.some(
    ({ kind, from, until, isUncertain }) =>
      kind !== 'paused' &&
      isUncertain !== true &&
      from.answeredAtMs <= requestedAtMs &&
      answeredAtMs <= (until?.requestedAtMs ?? Number.POSITIVE_INFINITY),
  );
}
