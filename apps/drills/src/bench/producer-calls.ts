/** Calls of a producer, many at a time, over connections that are kept: as an upstream system makes them. */
import { Agent, request } from 'undici';
import { webhooksTo } from './samples.ts';

export interface ProducerCalls {
  /** Seconds that it took to enqueue so many, one a call. */
  single(webhooks: number): Promise<number>;
  /** The same, `BULK` a call. */
  bulk(webhooks: number): Promise<number>;
  post(path: string, body: string): Promise<void>;
  close(): Promise<void>;
}

/** As many as a call may hold. */
export const BULK = 5_000;
const SINGLES_AT_ONCE = 50;
export const BULKS_AT_ONCE = 4;

/** All to the channel `bench`. */
export function openProducerCalls(url: string): ProducerCalls {
  const dispatcher = new Agent({ connections: SINGLES_AT_ONCE });
  const headers = { 'content-type': 'application/json' };
  const one = JSON.stringify(webhooksTo('bench', 1)[0]);
  const full = JSON.stringify({ webhooks: webhooksTo('bench', BULK) });
  const post = async (path: string, body: string) => {
    const response = await request(url + path, { method: 'POST', headers, body, dispatcher });
    await response.body.dump();
    if (response.statusCode !== 202) throw new Error(`${path} answered ${response.statusCode}`);
  };
  return {
    post,
    single: (webhooks) => atOnce(SINGLES_AT_ONCE, webhooks, () => post('/v1/webhooks', one)),
    async bulk(webhooks) {
      const rest = webhooks % BULK;
      const seconds = await atOnce(BULKS_AT_ONCE, Math.floor(webhooks / BULK), () =>
        post('/v1/webhooks/bulk', full),
      );
      if (rest === 0) return seconds;
      const last = JSON.stringify({ webhooks: webhooksTo('bench', rest) });
      return seconds + (await atOnce(1, 1, () => post('/v1/webhooks/bulk', last)));
    },
    close: () => dispatcher.close(),
  };
}

/** Seconds that so many calls took, so many at a time. */
export async function atOnce(parallel: number, calls: number, call: () => Promise<void>): Promise<number> {
  let left = calls;
  const startedAt = performance.now();
  const loop = async () => {
    while (left > 0) {
      left -= 1;
      await call();
    }
  };
  await Promise.all(Array.from({ length: parallel }, loop));
  return (performance.now() - startedAt) / 1_000;
}
