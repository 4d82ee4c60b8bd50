/**
 * One try of each call, over HTTP or straight to Redis. Webhooks and events come as the text of their JSON: what is
 * checked is then what was written, whichever way it takes. Throws RefusedError, or UnavailableError where another try
 * may work; anything else is a fault of ours. `signal` ends the waiting, not always the work.
 */
import type { WebhookStatus } from './contract-types.ts';

export interface Transport {
  enqueue(webhook: string, signal: AbortSignal): Promise<string>;
  /** Ids in the webhooks' order. All of them are enqueued, or none. */
  enqueueBulk(webhooks: readonly string[], signal: AbortSignal): Promise<readonly string[]>;
  /** Properties that were left out. */
  report(event: string, signal: AbortSignal): Promise<readonly string[]>;
  /** The same, by their paths in the call: events[3].properties.price. */
  reportBulk(events: readonly string[], signal: AbortSignal): Promise<readonly string[]>;
  find(id: string, signal: AbortSignal): Promise<WebhookStatus | undefined>;
  close(): Promise<void>;
}
