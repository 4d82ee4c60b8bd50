/**
 * A client over a transport: idempotency keys, retries and bulk calls, the same whichever way the webhooks take.
 * Every webhook has a key (an event: an id), the caller's or one made here, before its first try: so a try whose answer
 * was lost enqueues nothing twice.
 */
import { randomBytes } from 'node:crypto';
import type { CallOptions, Client, ClientOptions } from './client.ts';
import type { CustomEvent, Webhook } from './contract-types.ts';
import { RefusedError } from './errors.ts';
import { sendAll } from './send-all.ts';
import type { Transport } from './transport.ts';
import { withRetries } from './with-retries.ts';

const DEADLINE_MS = 30_000;

export function createClient(transport: Transport, options: ClientOptions): Client {
  const deadlineMs = options.deadlineMs ?? DEADLINE_MS;
  if (!(deadlineMs > 0)) throw new TypeError('deadlineMs must be a number above 0');
  const newKey = createKeys();
  const webhookText = (webhook: Webhook) =>
    toText({ ...webhook, idempotencyKey: webhook?.idempotencyKey ?? newKey() });
  const eventText = (event: CustomEvent) => toText({ ...event, id: event?.id ?? newKey() });

  const tried = <T>(attempt: (signal: AbortSignal) => Promise<T>, call: CallOptions) =>
    withRetries(attempt, { deadlineMs: call.deadlineMs ?? deadlineMs, signal: call.signal });

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
    close: () => transport.close(),
  };
}

/** Unique without a look at any other: a random name for the client, and a count. */
function createKeys(): () => string {
  const client = randomBytes(15).toString('base64url');
  let count = 0;
  return () => `${client}-${(count++).toString(36)}`;
}

function toText(value: object): string {
  try {
    return JSON.stringify(value);
  } catch (error) {
    throw new RefusedError({
      type: 'about:blank',
      title: 'Bad Request',
      status: 400,
      detail: 'Some fields are at fault.',
      errors: [{ field: '', type: 'INVALID_VALUE', detail: `is no JSON: ${(error as Error).message}` }],
    });
  }
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
