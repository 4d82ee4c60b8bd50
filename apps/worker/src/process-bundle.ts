/**
 * What a worker does with a bundle, as in the picture: take it, attempt each webhook, record each outcome, be done.
 *
 *   bundle ──▶ read the log, where somebody may have been here before
 *          ──▶ for each webhook: slot ──▶ attempt ──▶ record ──▶ slot back
 *          ──▶ finished, or released with some webhooks left
 *
 * If we die here …
 *   before the attempt: the bundle runs again and nothing has happened.
 *   between attempt and record: the attempt is repeated, under the same webhook-id. At most one per slot.
 *   after the record: the next run finds it in the log and makes sure of its retry and its outcome.
 *   after the last record: the same, and the bundle is finished then.
 */
import {
  Bundle,
  type BundledWebhook,
  compileValidator,
  type Destination,
  type Outcome,
} from '@hookfleet/contract';
import {
  type BundleLog,
  type BundleRun,
  type BundleRunEnd,
  type LoggedAttempt,
  type OutcomeRecorder,
  UnreadableBundleError,
} from '@hookfleet/queue';
import type { AttemptSlots } from './attempt-slots.ts';
import type { AttemptWebhook } from './attempt-webhook.ts';
import type { ChannelCache } from './channel-cache.ts';
import { outcomeFromLog } from './outcome-from-log.ts';

export interface ProcessBundleOptions {
  readonly slots: AttemptSlots;
  readonly channels: ChannelCache;
  readonly attempt: AttemptWebhook;
  readonly recorder: Pick<OutcomeRecorder, 'record' | 'resume'>;
  /** The bundle's log; claims its webhooks for the job first where the bundle asks for it. */
  readonly readLog: (run: BundleRun, bundle: Bundle) => Promise<BundleLog>;
  readonly onRecorded: (outcome: Outcome, bundle: Bundle) => void;
}

const validateBundle = compileValidator<Bundle>(Bundle);

export function createProcessBundle(
  options: ProcessBundleOptions,
): (run: BundleRun) => Promise<BundleRunEnd> {
  const { slots, channels, attempt, recorder, readLog, onRecorded } = options;

  async function processWebhook(
    run: BundleRun,
    bundle: Bundle,
    webhook: BundledWebhook,
    destination: Destination,
  ): Promise<BundleRunEnd> {
    const release = await slots.acquire(run.signal);
    if (release === undefined) return 'released';
    try {
      const recorded = await attempt(run.shard, bundle, webhook, destination);
      await recorder.record(run.shard, bundle, webhook, recorded);
      onRecorded(recorded.outcome, bundle);
      return 'finished';
    } finally {
      release();
      run.settled(1);
    }
  }

  /** For a webhook that this bundle's attempt is recorded of: what follows a record may be missing. */
  async function resume(
    run: BundleRun,
    bundle: Bundle,
    webhook: BundledWebhook,
    logged: readonly LoggedAttempt[],
  ): Promise<BundleRunEnd> {
    const recorded = logged.find((entry) => entry.attempt === bundle.attempt) as LoggedAttempt;
    const goesOn = logged.some((entry) => entry.attempt > bundle.attempt);
    await recorder.resume(run.shard, bundle, webhook, {
      outcome: outcomeFromLog(run.shard, bundle, webhook, recorded),
      nextAttemptAtMs: goesOn ? undefined : recorded.nextAttemptAtMs,
    });
    run.settled(1);
    return 'finished';
  }

  return async (run) => {
    const bundle = readBundle(run.data);
    const destination = bundle.destination ?? (await channels.get(bundle.channelConfigId as string));
    const somebodyWasHere = run.repeated || bundle.claim === true || bundle.recheck === true;
    const log = somebodyWasHere ? await readLog(run, bundle) : undefined;
    // All are waited for, also where one throws: a bundle that is set aside must have nothing in flight.
    const ends = await Promise.allSettled(
      bundle.webhooks.map(async (webhook) => {
        const claim = log?.claims.get(webhook.index);
        if (bundle.claim && claim !== undefined && claim !== run.jobId) return 'finished';
        const logged = log?.attempts.get(webhook.index) ?? [];
        const isRecorded = logged.some((entry) => entry.attempt === bundle.attempt);
        return isRecorded
          ? resume(run, bundle, webhook, logged)
          : processWebhook(run, bundle, webhook, destination);
      }),
    );
    const failed = ends.find((end) => end.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    return ends.some((end) => end.status === 'fulfilled' && end.value === 'released')
      ? 'released'
      : 'finished';
  };
}

/** A job is only as trustworthy as whoever can write to Redis. */
function readBundle(data: unknown): Bundle {
  const checked = validateBundle(data);
  if ('errors' in checked) {
    throw new UnreadableBundleError(
      `not a bundle: ${checked.errors.map(({ field, detail }) => `${field} ${detail}`).join(', ')}`,
    );
  }
  const { channelConfigId, destination } = checked.value;
  if ((channelConfigId === undefined) === (destination === undefined)) {
    throw new UnreadableBundleError('not a bundle: exactly one of channelConfigId and destination is needed');
  }
  return checked.value;
}
