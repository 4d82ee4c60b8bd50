/**
 * Ends webhooks that nobody can send: their channel's record is gone, nobody can read their destination, or they took too many workers down with them. They
 * become dead letters that say why, and can be replayed when that is put right. What only this worker cannot do is no reason:
 * such a bundle comes back later, as often as it takes.
 */
import {
  type Bundle,
  type BundledWebhook,
  formatWebhookId,
  type Outcome,
  traceOf,
} from '@hookfleet/contract';
import { eventIdOf, type OutcomeRecorder, recipientsAndMembers } from '@hookfleet/queue';

export interface GiveUpOptions {
  readonly recorder: Pick<OutcomeRecorder, 'record'>;
  readonly workerId: string;
  readonly onRecorded: (outcome: Outcome, bundle: Bundle, trace: ReturnType<typeof traceOf>) => void;
  readonly now: () => number;
}

/** Resolves when the dead letters are on record and reported. */
export type GiveUp = (
  shard: number,
  bundle: Bundle,
  webhooks: readonly BundledWebhook[],
  why: string,
) => Promise<void>;

export function createGiveUp({ recorder, workerId, onRecorded, now }: GiveUpOptions): GiveUp {
  return async (shard, bundle, webhooks, why) => {
    const { run, first, attempt, campaignId, channelConfigId } = bundle;
    await Promise.all(
      webhooks.map(async (webhook) => {
        const webhookId = formatWebhookId({ shard, run, first, index: webhook.index });
        const trace = traceOf(bundle, webhook);
        const outcome: Outcome = {
          eventId: eventIdOf(webhookId, attempt),
          event: 'webhook.error',
          reason: 'unsendable',
          webhookId,
          campaignId,
          messageId: webhook.messageId,
          ...(channelConfigId !== undefined && { channelConfigId }),
          attempt,
          final: true,
          durationMs: 0,
          ...recipientsAndMembers(webhook),
          occurredAt: new Date(now()).toISOString(),
          workerId,
          responseBody: why,
        };
        const { reported } = await recorder.record(shard, bundle, webhook, {
          outcome,
          nextAttemptAtMs: undefined,
          trace,
        });
        onRecorded(outcome, bundle, trace);
        await reported;
      }),
    );
  };
}
