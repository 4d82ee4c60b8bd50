/** What an upstream system sees: the same interface and types whichever way the webhooks take. */
import type { RefusedError } from './errors.ts';
import type { WebhookStatus } from './contract-types.ts';
import type { CustomEvent, OnlyEvent, OnlyWebhook, Webhook } from './input-types.ts';

export interface ClientOptions {
  /** Milliseconds that a call and all of its tries may take: 30,000 when absent. Infinity is 24 days. */
  readonly deadlineMs?: number | undefined;
}

export interface CallOptions {
  /** Ends the call: it rejects with the signal's reason. Whether it was carried out is then not known. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds that the call and all of its tries may take: else those that the client was made with. */
  readonly deadlineMs?: number | undefined;
}

export interface BulkOptions extends CallOptions {
  /** Calls under way at once, 4 when absent. Beyond them the source is not read any further. */
  readonly concurrency?: number | undefined;
  /** Items that travel in one call at most: 1,000 when absent, which is also the most. */
  readonly callItemsMax?: number | undefined;
  /** Bytes of JSON that travel in one call at most, 4 MiB when absent. An item that is larger travels alone. */
  readonly callBytesMax?: number | undefined;
  /** Milliseconds that the first item of a call waits for others, 20 when absent: for sources that are slow. */
  readonly maxWaitMs?: number | undefined;
}

/** What became of one item. Results come in the order of the items, each once. */
export type BulkResult<Item, Done> =
  | (BulkItem<Item> & { readonly refused?: undefined } & Done)
  /** This one was refused; the others of its call were not held up by it. */
  | (BulkItem<Item> & { readonly refused: RefusedError });

export interface BulkItem<Item> {
  readonly item: Item;
  /** Its place in the source, from 0. */
  readonly index: number;
}

export interface Enqueued {
  /** By it, `find` and the receiver (`webhook-id`) know the webhook. */
  readonly id: string;
}

export interface Reported {
  /**
   * Properties that are not activated for the event and were left out, as in `properties.price`. Of many events of one
   * type in a call, the first that has the property names it.
   */
  readonly ignored: readonly string[];
}

/** Sources that may be sent in bulk: an array, a generator, a stream of objects. */
export type Source<Item> = Iterable<Item> | AsyncIterable<Item>;

export interface Client {
  /** Resolves once the webhook is in Redis. Rejects with RefusedError or UnavailableError. */
  enqueue(webhook: Webhook, options?: CallOptions): Promise<Enqueued>;
  /**
   * Enqueues what the source yields, many in a call. Nothing is sent that nobody asks for: the source is read no faster
   * than results are. Ends with an error where a call ends in UnavailableError, or in a refusal that concerns no item
   * (401, say), or where the source ends with one: results that came before stand.
   */
  enqueueAll<const Item extends Webhook>(
    webhooks: Source<Item & OnlyWebhook<Item>>,
    options?: BulkOptions,
  ): AsyncGenerator<BulkResult<Item, Enqueued>, void, undefined>;
  /** Reports a custom event; resolves once it is in Redis. */
  report(event: CustomEvent, options?: CallOptions): Promise<Reported>;
  /** As enqueueAll. */
  reportAll<const Item extends CustomEvent>(
    events: Source<Item & OnlyEvent<Item>>,
    options?: BulkOptions,
  ): AsyncGenerator<BulkResult<Item, Reported>, void, undefined>;
  /** A webhook's state and attempts. Undefined where the id is unknown, or so old that it is forgotten. */
  find(id: string, options?: CallOptions): Promise<WebhookStatus | undefined>;
  /** Lets go of connections and timers. Calls that are under way end in UnavailableError, later ones in an error. */
  close(): Promise<void>;
}
