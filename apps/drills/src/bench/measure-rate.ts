/**
 * How many webhooks go out in a second, while that many wait: of the middle nine tenths, so that what starts up and what
 * runs dry is left out. A webhook has gone out when it has arrived and stands in its campaign's counters: whoever lets
 * the counting wait gains nothing by it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { DrillChild } from '../drill-child.ts';
import type { Received } from './receiver-process.ts';

const FROM = 0.05;
const TO = 0.95;
const POLL_MS = 20;
const STUCK_AFTER_MS = 60_000;

export interface RateOptions {
  readonly receiver: DrillChild<Received>;
  readonly webhooks: number;
  /** As the campaign's counters have it. */
  readonly counted: () => Promise<number>;
  /** Asked at both ends of what is measured. Microseconds of processor time, of whatever. */
  readonly cpuMicros: () => Promise<Readonly<Record<string, number>>>;
}

export interface Rate {
  readonly perSecond: number;
  /** For each webhook. */
  readonly cpuMicros: Readonly<Record<string, number>>;
}

/** Resolves when all are counted. Throws where for a minute none is. */
export async function measureRate(options: RateOptions): Promise<Rate> {
  const { receiver, webhooks } = options;
  const received = new Span(webhooks);
  const counted = new Span(webhooks);
  let cpu: { atCount: number; micros: Readonly<Record<string, number>> }[] = [];
  let lastCount = 0;
  let lastChangeAt = performance.now();
  while (counted.count < webhooks) {
    const atMs = performance.now();
    received.see((await receiver.ask({})).count, atMs);
    counted.see(await options.counted(), performance.now());
    if ((received.begun && cpu.length === 0) || (received.ended && cpu.length === 1))
      cpu = [...cpu, { atCount: received.count, micros: await options.cpuMicros() }];
    if (counted.count !== lastCount) {
      lastCount = counted.count;
      lastChangeAt = atMs;
    } else if (atMs - lastChangeAt > STUCK_AFTER_MS)
      throw new Error(`${counted.count} of ${webhooks} were counted, ${received.count} received, then none`);
    await sleep(POLL_MS);
  }
  const [from, to] = cpu;
  const webhooksBetween = (to?.atCount ?? 0) - (from?.atCount ?? 0);
  return {
    perSecond: Math.min(received.perSecond(), counted.perSecond()),
    cpuMicros: Object.fromEntries(
      Object.entries(to?.micros ?? {}).map(([name, micros]) => [
        name,
        (micros - (from?.micros[name] ?? 0)) / webhooksBetween,
      ]),
    ),
  };
}

/**
 * A number that grows, and when it passed the two ends of what is measured. It begins with the last look before the first
 * end, so that it lasts some time even if a single look sees it pass both.
 */
class Span {
  count = 0;
  begun = false;
  readonly #from: number;
  readonly #to: number;
  #first = { count: 0, atMs: performance.now() };
  #last: { count: number; atMs: number } | undefined;

  constructor(total: number) {
    this.#from = total * FROM;
    this.#to = total * TO;
  }

  see(count: number, atMs: number): void {
    this.count = count;
    if (count >= this.#from) this.begun = true;
    else this.#first = { count, atMs };
    if (count >= this.#to) this.#last ??= { count, atMs };
  }

  get ended(): boolean {
    return this.#last !== undefined;
  }

  perSecond(): number {
    if (this.#last === undefined) return Number.NaN;
    return ((this.#last.count - this.#first.count) / (this.#last.atMs - this.#first.atMs)) * 1_000;
  }
}
