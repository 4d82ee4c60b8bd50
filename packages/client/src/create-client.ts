/**
 * A client over a transport: idempotency keys, retries and bulk calls, the same whichever way the webhooks take.
 * Every webhook has a key (an event: an id), the caller's or one made here, before its first try: so a try whose answer
 * was lost enqueues nothing twice.
 */
import { randomBytes } from 'node:crypto';
import type { CallOptions, Client, ClientOptions } from './client.ts';
import type { CustomEvent, Webhook } from './input-types.ts';
import { UnavailableError } from './errors.ts';
import { toText } from './json-text.ts';
import { sendAll } from './send-all.ts';
import type { Transport } from './transport.ts';
import { timeLimitMs } from './time-limit.ts';
import { withRetries } from './with-retries.ts';

const DEADLINE_MS = 30_000;

export function createClient(transport: Transport, options: ClientOptions): Client {
  const deadlineMs = timeLimitMs('deadlineMs', options.deadlineMs ?? DEADLINE_MS);
  const underWay = new Set<AbortController>();
  let isClosed = false;
  const newKey = createKeys();
  const webhookText = (webhook: Webhook) =>
    toText({ ...webhook, idempotencyKey: webhook?.idempotencyKey ?? newKey() });
  const eventText = (event: CustomEvent) => toText({ ...event, id: event?.id ?? newKey() });

  async function tried<T>(
    attempt: (signal: AbortSignal) => Promise<T>,
    { signal, ...call }: CallOptions,
  ): Promise<T> {
    if (isClosed) throw new Error('the client is closed');
    const limitMs = call.deadlineMs === undefined ? deadlineMs : timeLimitMs('deadlineMs', call.deadlineMs);
    signal?.throwIfAborted();
    const ending = new AbortController();
    const onAbort = () => ending.abort(signal?.reason);
    signal?.addEventListener('abort', onAbort, { once: true });
    underWay.add(ending);
    try {
      return await withRetries(attempt, { deadlineMs: limitMs, signal: ending.signal });
    } finally {
      underWay.delete(ending);
      signal?.removeEventListener('abort', onAbort);
    }
  }

  return {
    async enqueue(webhook, call = {}) {
      const text = webhookText(webhook);
      return { id: await tried((signal) => transport.enqueue(text, signal), call) };
    },
    enqueueAll: (webhooks, bulk = {}) =>
      sendAll(webhooks, {
        ...bulk,
        toText: webhookText,
        async call(texts, signal) {
          const ids = await tried((ending) => transport.enqueueBulk(texts, ending), { ...bulk, signal });
          return ids.map((id) => ({ id }));
        },
      }),
    async report(event, call = {}) {
      const text = eventText(event);
      return { ignored: await tried((signal) => transport.report(text, signal), call) };
    },
    reportAll: (events, bulk = {}) =>
      sendAll(events, {
        ...bulk,
        toText: eventText,
        async call(texts, signal) {
          const ignored = await tried((ending) => transport.reportBulk(texts, ending), { ...bulk, signal });
          return byEvent(ignored, texts.length);
        },
      }),
    find: (id, call = {}) => tried((signal) => transport.find(id, signal), call),
    close() {
      isClosed = true;
      for (const ending of underWay) ending.abort(new UnavailableError('the client was closed'));
      return transport.close();
    },
  };
}

/** Unique without a look at any other: a random name for the client, and a count. */
function createKeys(): () => string {
  const client = randomBytes(15).toString('base64url');
  let count = 0;
  return () => `${client}-${(count++).toString(36)}`;
}

/** Paths of a call, as in events[3].properties.price, as those of its events. */
function byEvent(paths: readonly string[], events: number): { readonly ignored: string[] }[] {
  const done = Array.from({ length: events }, () => ({ ignored: [] as string[] }));
  for (const path of paths) {
    const [, at = '', field = ''] = /^events\[(\d+)\]\.(.*)$/.exec(path) ?? [];
    done[Number(at)]?.ignored.push(field);
  }
  return done;
}
