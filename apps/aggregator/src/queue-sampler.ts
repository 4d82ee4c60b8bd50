/**
 * Looks at the queues every few seconds, for the metrics and the health check: neither asks Redis by itself, so a
 * scrape or a probe costs nothing, and an outage of Redis is not taken for ours.
 */
import { type QueueMonitor, type QueueSample, type WaitingWebhooks, whereAllWait } from '@hookfleet/queue';
import type { CampaignReader } from './read-campaigns.ts';

const SAMPLE_INTERVAL_MS = 5_000;

export interface QueueSampler {
  /** Since when every sample found results waiting. Undefined where none wait, or Redis is away. */
  resultsWaitSinceMs(): number | undefined;
  /** Undefined before the first. */
  latest(): { readonly sample: QueueSample; readonly atMs: number } | undefined;
  /** Samples no more. */
  stop(): Promise<void>;
}

export interface QueueSamplerOptions {
  readonly monitor: Pick<QueueMonitor, 'sample'>;
  readonly reader: Pick<CampaignReader, 'pendingMessages'>;
  /** With where all pending webhooks wait. */
  readonly onSample: (sample: QueueSample, waiting: readonly WaitingWebhooks[]) => void;
  /** Messages pending though the queues are empty: no webhook in flight explains them. */
  readonly onUnaccounted: (messages: number) => void;
  readonly onError: (error: Error) => void;
  readonly now: () => number;
}

export function startQueueSampler(options: QueueSamplerOptions): QueueSampler {
  const { monitor, reader, onSample, onUnaccounted, onError, now } = options;
  let resultsWaitSinceMs: number | undefined;
  let latest: { sample: QueueSample; atMs: number } | undefined;

  async function sampleOnce(): Promise<void> {
    const [sample, pending] = await Promise.all([monitor.sample(), reader.pendingMessages()]);
    const queuedSeconds = sample.oldestSeconds.find(({ queue }) => queue === 'webhooks')?.seconds ?? 0;
    onSample(sample, whereAllWait(sample.held, pending, queuedSeconds, now()));
    latest = { sample, atMs: now() };
    resultsWaitSinceMs = resultsWait(sample) ? (resultsWaitSinceMs ?? now()) : undefined;
    if (!sample.atRest) return;
    // What is pending may have been read before the last were counted, and something may have been accepted since: only what
    // was at rest all the while tells.
    const stillPending = await reader.pendingMessages();
    if ((await monitor.sample()).atRest) onUnaccounted(stillPending);
  }

  let sampling: Promise<void> | undefined;
  function sampleAgain(): void {
    // While Redis is slow, one sample at a time.
    sampling ??= sampleOnce()
      .catch((error: Error) => {
        resultsWaitSinceMs = undefined;
        onError(error);
      })
      .finally(() => {
        sampling = undefined;
      });
  }
  sampleAgain();
  const timer = setInterval(sampleAgain, SAMPLE_INTERVAL_MS);

  return {
    resultsWaitSinceMs: () => resultsWaitSinceMs,
    latest: () => latest,
    async stop() {
      clearInterval(timer);
      await sampling;
    },
  };
}

function resultsWait({ queues }: QueueSample): boolean {
  return queues.some(({ queue, state, jobs }) => queue === 'results' && state === 'waiting' && jobs > 0);
}
