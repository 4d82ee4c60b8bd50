/**
 * How much of its slots a worker uses when its destination is far away: every request is answered after a fixed time, so
 * slots / latency is what one worker can deliver in a second at most. The first second is left out, in which a lane grows
 * into its slots.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { startDrillFleet } from '../drill-fleet.ts';
import { openRedisMeter } from '../redis-cost.ts';
import type { BareClient } from './bare-client.ts';
import { openProducerCalls } from './producer-calls.ts';
import { SIGNING_SECRET } from './samples.ts';
import { startReceiver } from './start-receiver.ts';

export interface DistantOptions {
  readonly client: BareClient;
  readonly slots: number;
  readonly latencyMs: number;
  readonly seconds: number;
}

export interface DistantFigures {
  readonly perSecond: number;
  /** Of slots / latency. */
  readonly share: number;
}

const GROWING_MS = 1_000;
// Of what was enqueued: while less is left, the worker runs dry.
const LAST = 0.95;
// No worker delivers more on a small machine, whatever its slots: more webhooks would only wait.
const PER_SECOND_MAX = 5_000;
const POLL_MS = 20;
const STUCK_AFTER_MS = 60_000;

export async function measureDistant({
  client,
  slots,
  latencyMs,
  seconds,
}: DistantOptions): Promise<DistantFigures> {
  const ceiling = (slots / latencyMs) * 1_000;
  const webhooks = Math.ceil(Math.min(ceiling, PER_SECOND_MAX) * (seconds + GROWING_MS / 1_000));
  const { receiver, url } = await startReceiver({ answerAfterMs: latencyMs });
  const fleet = await startDrillFleet({
    workers: 0,
    environment: { HOOKFLEET_HTTP_CLIENT: client, HOOKFLEET_CONCURRENCY: String(slots) },
  });
  const calls = openProducerCalls(fleet.producerUrl);
  const meter = await openRedisMeter(fleet.redisUrl);
  try {
    await fleet.call('PUT', '/v1/channels/bench', { url, signingSecrets: [SIGNING_SECRET] });
    await calls.bulk(webhooks);
    await fleet.startWorkers(1);
    const growth = new Growth(webhooks * LAST);
    const deadline = performance.now() + seconds * 1_000 + STUCK_AFTER_MS;
    while ((await meter.delivered('bench')) < webhooks) {
      growth.see((await receiver.ask({})).count, performance.now());
      if (performance.now() > deadline) throw new Error(`not all of ${webhooks} webhooks were delivered`);
      await sleep(POLL_MS);
    }
    const perSecond = growth.perSecond();
    return { perSecond, share: perSecond / ceiling };
  } finally {
    await calls.close();
    meter.close();
    await fleet.stop();
    await receiver.stop();
  }
}

/** A count that grows, measured from a second after its begin until it is near its end. */
export class Growth {
  readonly #until: number;
  #beganAtMs: number | undefined;
  #first: { count: number; atMs: number } | undefined;
  #last: { count: number; atMs: number } | undefined;

  constructor(until: number) {
    this.#until = until;
  }

  see(count: number, atMs: number): void {
    if (count === 0) return;
    this.#beganAtMs ??= atMs;
    if (atMs - this.#beganAtMs < GROWING_MS) return;
    this.#first ??= { count, atMs };
    if (count <= this.#until) this.#last = { count, atMs };
  }

  /** NaN if it was over within the second. */
  perSecond(): number {
    if (this.#first === undefined || this.#last === undefined) return Number.NaN;
    return ((this.#last.count - this.#first.count) / (this.#last.atMs - this.#first.atMs)) * 1_000;
  }
}
