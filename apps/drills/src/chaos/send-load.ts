/**
 * The upstream system: enqueues webhooks by bulk and single calls and reports custom events, at a steady pace. What has
 * a key and got no clear answer is said again, to the other producer, under the same key, later each time: a fleet that is
 * behind is not kept there. Some single webhooks have no key and are sent once: without an answer, nobody knows whether
 * they were accepted.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { API_KEY, BEARER_TOKEN, SIGNING_SECRET } from './fleet-members.ts';

/** One of several; its address changes when another process takes its place. */
interface Producer {
  url(): string;
}

export interface Load {
  readonly producers: readonly Producer[];
  readonly campaignId: string;
  readonly destinationUrl: string;
  readonly batchChannel: number;
  readonly webhooks: number;
  readonly webhooksPerSecond: number;
  /** Ends it before so many webhooks were sent. */
  readonly ended?: AbortSignal;
}

export interface Sent {
  /** Of each webhook that was accepted: its id, and its number in the load. */
  readonly accepted: ReadonlyMap<string, number>;
  /** Numbers of webhooks that may have been accepted. */
  readonly unanswered: ReadonlySet<number>;
  readonly customEvents: number;
  /** For how long, in milliseconds, no call was accepted at the worst. */
  readonly longestRefusalMs: number;
  /** How long the slowest answer 503 took, in milliseconds. */
  readonly slowestRefusalMs: number;
  /** Answers of 500 and above, but 503: what is not ours must not look like it. */
  readonly faults: readonly string[];
}

export const CUSTOM_EVENT = 'whatsapp.read';
const TURN = 50;
const SINGLES = 2;
const KEYLESS = 2;
const EVENTS = 5;
const MESSAGES = 4;
// Every so many-th goes to the channel with batches.
const BATCHED = 4;
const CALL_TIMEOUT_MS = 5_000;
const AGAIN_AFTER_MS = 100;
// A call that came to nothing has cost the fleet as much as one that was answered.
const AGAIN_AFTER_MAX_MS = 5_000;
const GIVE_UP_AFTER_MS = 120_000;
// Short, and as many as the default has: a fault of the network leaves attempts for an answer.
export const RETRY = { delaysMs: [100, 300, 500, 1_000, 1_000, 1_000, 1_000], jitter: 0.2 };

/** `why`: it isn't known whether the call was accepted. */
type Called = { readonly answer: Answer } | { readonly why: string };

type Call = (turn: number, path: string, body: unknown) => Promise<Called>;

type Answer = { readonly ids: string[] } | { readonly id: string } | { readonly accepted: number };

export async function sendLoad(load: Load): Promise<Sent> {
  const { producers } = load;
  const accepted = new Map<string, number>();
  const unanswered = new Set<number>();
  let customEvents = 0;
  let acceptedAt = performance.now();
  let longestRefusalMs = 0;
  let slowestRefusalMs = 0;
  const faults: string[] = [];

  const callNext: Call = async (turn, path, body) => {
    const beganAt = performance.now();
    const called = await call(producers, turn, path, body);
    if ('why' in called) {
      const { why } = called;
      if (why === '503') slowestRefusalMs = Math.max(slowestRefusalMs, performance.now() - beganAt);
      else if (/^5\d\d$/.test(why)) faults.push(`${path} was answered ${why}`);
    }
    return called;
  };

  function accept(id: string, number: number): void {
    accepted.set(id, number);
    const now = performance.now();
    longestRefusalMs = Math.max(longestRefusalMs, now - acceptedAt);
    acceptedAt = now;
  }

  async function sendKeyless(number: number, turn: number): Promise<void> {
    const called = await callNext(turn, '/v1/webhooks', webhookOf(load, number));
    if ('why' in called) unanswered.add(number);
    else accept((called.answer as { id: string }).id, number);
  }

  async function sendTurn(numbers: readonly number[], turn: number): Promise<void> {
    const keyless = numbers.slice(0, KEYLESS);
    const singles = numbers.slice(KEYLESS, KEYLESS + SINGLES);
    const bulk = numbers.slice(KEYLESS + SINGLES);
    await Promise.all([
      ...keyless.map((number) => sendKeyless(number, turn)),
      ...singles.map(async (number) => {
        const answer = await untilAccepted(callNext, turn, '/v1/webhooks', keyed(load, number));
        accept((answer as { id: string }).id, number);
      }),
      untilAccepted(callNext, turn, '/v1/webhooks/bulk', {
        webhooks: bulk.map((number) => keyed(load, number)),
      }).then((answer) => {
        for (const [i, id] of (answer as { ids: string[] }).ids.entries()) accept(id, bulk[i] as number);
      }),
      untilAccepted(callNext, turn, '/v1/events', eventsOf(load, turn)).then(() => {
        customEvents += EVENTS;
      }),
    ]);
  }

  const startedAt = performance.now();
  const turns: Promise<void>[] = [];
  for (let from = 0; from < load.webhooks && load.ended?.aborted !== true; from += TURN) {
    await sleep(Math.max(0, startedAt + (from / load.webhooksPerSecond) * 1_000 - performance.now()));
    const numbers = Array.from({ length: Math.min(TURN, load.webhooks - from) }, (_, i) => from + i);
    const turn = sendTurn(numbers, from / TURN);
    // Awaited below; until then it is no unhandled rejection.
    turn.catch(() => undefined);
    turns.push(turn);
  }
  await Promise.all(turns);
  return { accepted, unanswered, customEvents, longestRefusalMs, slowestRefusalMs, faults };
}

function webhookOf({ campaignId, destinationUrl, batchChannel }: Load, number: number) {
  return {
    campaignId,
    messageId: `m-${number % MESSAGES}`,
    ...(number % BATCHED === 1
      ? { channelConfigId: batchChannel }
      : {
          destination: {
            url: destinationUrl,
            retry: RETRY,
            auth: { type: 'bearer', token: BEARER_TOKEN },
            signingSecrets: [SIGNING_SECRET],
          },
        }),
    payload: { number },
  };
}

function keyed(load: Load, number: number) {
  return { ...webhookOf(load, number), idempotencyKey: String(number) };
}

function eventsOf({ campaignId }: Load, turn: number) {
  return Array.from({ length: EVENTS }, (_, i) => ({
    campaignId,
    messageId: 'm-0',
    event: CUSTOM_EVENT,
    id: `${turn}-${i}`,
    properties: {},
  }));
}

async function untilAccepted(callNext: Call, turn: number, path: string, body: unknown): Promise<Answer> {
  const deadline = performance.now() + GIVE_UP_AFTER_MS;
  const reasons: string[] = [];
  while (performance.now() < deadline) {
    const called = await callNext(turn + reasons.length, path, body);
    if ('answer' in called) return called.answer;
    await sleep(Math.min(AGAIN_AFTER_MS * 2 ** reasons.length, AGAIN_AFTER_MAX_MS));
    reasons.push(called.why);
  }
  throw new Error(`${path} was not accepted within ${GIVE_UP_AFTER_MS / 1_000} s: ${reasons.join(', ')}`);
}

/** Throws where it was refused. */
async function call(
  producers: readonly Producer[],
  turn: number,
  path: string,
  body: unknown,
): Promise<Called> {
  let status: number;
  let text: string;
  try {
    const response = await fetch(`${producers[turn % producers.length]?.url()}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${API_KEY}` },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
    });
    status = response.status;
    text = await response.text();
  } catch (error) {
    const { name, cause } = error as Error;
    return { why: (cause as NodeJS.ErrnoException | undefined)?.code ?? name };
  }
  if (status === 202) return { answer: JSON.parse(text) as Answer };
  if (status >= 500 || status === 429) return { why: String(status) };
  throw new Error(`${path} was refused: ${status} ${text}`);
}
