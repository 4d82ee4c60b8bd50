/** Results for tests: outcomes and acceptances of webhooks, by position. */
import {
  type Acceptance,
  type Cancellation,
  formatWebhookId,
  type Outcome,
  type Results,
} from '@hookfleet/contract';

export const RUN = 'aaaaaaaaaaaa';
export const OTHER_RUN = 'bbbbbbbbbbbb';
/** Of the webhooks that travel in batches. */
export const MEMBERS_RUN = 'cccccccccccc';

export interface OutcomeFacts {
  readonly campaignId: string;
  readonly run?: string;
  readonly position: number;
  readonly attempt?: number;
  readonly event?: Outcome['event'];
  readonly reason?: Outcome['reason'];
  readonly final?: boolean;
  readonly recipients?: number;
  readonly members?: Outcome['members'] | undefined;
  readonly durationMs?: number;
  readonly occurredAtMs?: number;
}

export function outcomeOf(facts: OutcomeFacts): Outcome {
  const { campaignId, run = RUN, position, attempt = 1, event = 'webhook.delivered', recipients = 1 } = facts;
  const webhookId = formatWebhookId({ shard: 0, run, first: position, index: 0 });
  return {
    eventId: `${webhookId}.${attempt}`,
    event,
    ...(facts.reason !== undefined && { reason: facts.reason }),
    webhookId,
    campaignId,
    messageId: `message-${position}`,
    attempt,
    final: facts.final ?? event === 'webhook.delivered',
    durationMs: facts.durationMs ?? 12,
    recipients,
    ...(facts.members !== undefined && { members: facts.members }),
    occurredAt: new Date(facts.occurredAtMs ?? Date.now()).toISOString(),
    workerId: 'test',
  };
}

export function acceptanceOf(
  campaignId: string,
  from: number,
  count: number,
  run = RUN,
  deliverAt?: number,
): Acceptance {
  return {
    campaignId,
    run,
    from,
    count,
    acceptedAt: Date.now(),
    ...(deliverAt !== undefined && { deliverAt }),
  };
}

export function resultsOf(
  outcomes: Outcome[],
  acceptances: Acceptance[] = [],
  cancellations: Cancellation[] = [],
): Results {
  return { version: 1, outcomes, acceptances, cancellations };
}

export function range(from: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => from + i);
}
