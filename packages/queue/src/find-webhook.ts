/** What is known of a webhook: from its attempt log, and while it waits from its job. */
import {
  type AttemptStatus,
  type Bundle,
  causeView,
  parseWebhookId,
  recipientsOf,
  type WebhookStatus,
} from '@hookfleet/contract';
import {
  type BundleHead,
  isDeadLetter,
  type LoggedAttempt,
  readWebhookLog,
  type WebhookLog,
} from './attempt-log.ts';
import type { RedisConnection } from './connection.ts';
import { attemptLogKey, bundleName, shardPrefix } from './keys.ts';
import type { ShardQueues } from './shard-queues.ts';

export async function findWebhook(
  connection: RedisConnection,
  prefix: string,
  queues: ShardQueues,
  id: string,
): Promise<WebhookStatus | undefined> {
  const location = parseWebhookId(id);
  if (location === undefined || location.shard >= queues.all.length) return undefined;
  const { shard, run, first, index } = location;
  const key = attemptLogKey(shardPrefix(prefix, shard), run, first);
  // The job before the log: a webhook that moves on between the two look-ups is then found in the log.
  const waiting = await findInJob(queues, shard, bundleName(run, first), index);
  const log = await readWebhookLog(connection, key, index);
  if (log?.batchId !== undefined) return fromBatch(id, log, log.batchId);
  if (log !== undefined) return fromLog(id, log);
  return waiting === undefined ? undefined : fromBundle(id, waiting, index);

  async function fromBatch(memberId: string, member: WebhookLog, batchId: string): Promise<WebhookStatus> {
    const own = fromLog(memberId, member);
    const batch = await findWebhook(connection, prefix, queues, batchId);
    // Between the note and the job, or when the batch's log has expired, the member's own is all there is.
    if (batch === undefined) return { ...own, batchId };
    const { state, nextAttemptAt, attempts } = batch;
    return { ...own, state, ...(nextAttemptAt !== undefined && { nextAttemptAt }), batchId, attempts };
  }
}

async function findInJob(
  queues: ShardQueues,
  shard: number,
  jobId: string,
  index: number,
): Promise<Bundle | undefined> {
  const job = await queues.of(shard).getJob(jobId);
  const bundle = job?.data as Bundle | undefined;
  return bundle?.webhooks.some((webhook) => webhook.index === index) ? bundle : undefined;
}

type Head = Pick<BundleHead, 'campaignId' | 'acceptedAt' | 'channelConfigId' | 'deliverAt' | 'recipients'>;

function fromBundle(id: string, bundle: Bundle, index: number): WebhookStatus {
  const scheduled = bundle.deliverAt !== undefined && bundle.deliverAt > Date.now();
  const webhook = bundle.webhooks.find((one) => one.index === index);
  const recipients = webhook?.members === undefined ? {} : { recipients: recipientsOf(webhook) };
  const messageId = webhook?.messageId ?? '';
  return {
    id,
    messageId,
    ...headView({ ...bundle, ...recipients }),
    state: scheduled ? 'scheduled' : 'pending',
    attempts: [],
  };
}

function fromLog(id: string, log: WebhookLog): WebhookStatus {
  const { head, messageId, attempts, isCancelled } = log;
  const last = attempts.at(-1);
  // Without an attempt it waits in a lane.
  if (last === undefined)
    return { id, messageId, ...headView(head), state: isCancelled ? 'cancelled' : 'pending', attempts: [] };
  const state = attempts.some(({ event }) => event === 'webhook.delivered')
    ? 'delivered'
    : isDeadLetter(log)
      ? 'failed'
      : // As the counters have it: what failed for good is not cancelled, and what was cancelled before its retry is.
        isCancelled && !attempts.some(({ final }) => final)
        ? 'cancelled'
        : 'retrying';
  return {
    id,
    messageId,
    ...headView(head),
    state,
    ...(state === 'retrying' &&
      last.nextAttemptAtMs !== undefined && { nextAttemptAt: new Date(last.nextAttemptAtMs).toISOString() }),
    attempts: attempts.map(attemptView),
  };
}

function attemptView({
  messageId: _messageId,
  nextAttemptAtMs: _next,
  occurredAtMs,
  phases,
  cause,
  ...attempt
}: LoggedAttempt): AttemptStatus {
  return {
    ...attempt,
    ...(cause !== undefined && causeView(cause)),
    occurredAt: new Date(occurredAtMs).toISOString(),
    timingsMs: { ...phases, total: attempt.durationMs },
  };
}

function headView({ campaignId, acceptedAt, channelConfigId, deliverAt, recipients }: Head) {
  return {
    campaignId,
    ...(channelConfigId !== undefined && { channelConfigId }),
    acceptedAt: new Date(acceptedAt).toISOString(),
    ...(deliverAt !== undefined && { deliverAt: new Date(deliverAt).toISOString() }),
    ...(recipients !== undefined && { recipients }),
  };
}
