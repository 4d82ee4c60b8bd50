/** A failed call is retried with jitter until its deadline, its Retry-After, or its caller ends it. Takes under a second. */
import { expect, test } from '@jest/globals';
import { RefusedError, UnavailableError } from './errors.ts';
import { jitterMs, withRetries } from './with-retries.ts';

const away = (retryAfterMs?: number) => new UnavailableError('away', { retryAfterMs });

test('a call is tried until it works', async () => {
  let tries = 0;
  const attempt = async () => {
    tries += 1;
    if (tries < 4) throw away();
    return tries;
  };
  expect(await withRetries(attempt, { deadlineMs: 10_000, random: () => 0 })).toBe(4);
});

test('the delay is a random share of one that doubles, up to five seconds', () => {
  const delays = (share: number) => Array.from({ length: 8 }, (_, i) => jitterMs(i + 1, () => share));
  expect(delays(1)).toEqual([100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
  expect(delays(0.5)).toEqual([50, 100, 200, 400, 800, 1_600, 2_500, 2_500]);
});

test('a call that is given up tells why, and how often it was tried', async () => {
  let tries = 0;
  const attempt = async () => {
    tries += 1;
    throw away();
  };
  const failed = await withRetries(attempt, { deadlineMs: 300, random: () => 0.999 }).catch(String);
  expect(failed).toContain(`hookfleet was not available: away (tries: ${tries}, within 300 ms)`);
});

test('a retry waits for Retry-After; if that passes the deadline, the call fails without waiting', async () => {
  const slept: number[] = [];
  const sleep = async (delayMs: number) => void slept.push(delayMs);
  let tries = 0;
  const attempt = async () => {
    tries += 1;
    if (tries === 1) throw away(8_000);
    return slept.slice();
  };
  expect(await withRetries(attempt, { deadlineMs: 60_000, random: () => 0, sleep })).toEqual([8_000]);
  const late = withRetries(async () => Promise.reject(away(3_600_000)), { deadlineMs: 60_000, sleep });
  await expect(late).rejects.toMatchObject({ name: 'UnavailableError', retryAfterMs: 3_600_000 });
  expect(slept).toEqual([8_000]);
});

test('what another try would not mend is thrown as it is', async () => {
  const refused = new RefusedError({ type: 'about:blank', title: 'Bad Request', status: 400 });
  for (const error of [refused, new RangeError('ours')])
    await expect(withRetries(() => Promise.reject(error), { deadlineMs: 1_000 })).rejects.toBe(error);
});

/** Ends with its signal alone. */
const silent = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(away()), { once: true });
  });

test('the deadline ends a try that is under way', async () => {
  await expect(withRetries(silent, { deadlineMs: 20 })).rejects.toBeInstanceOf(UnavailableError);
});

test("the caller's signal ends it with its reason: before it, in a try, and between two", async () => {
  const reason = new Error('enough');
  await expect(
    withRetries(async () => 1, { deadlineMs: 1_000, signal: AbortSignal.abort(reason) }),
  ).rejects.toBe(reason);
  const ending = new AbortController();
  const trying = withRetries(silent, { deadlineMs: 60_000, signal: ending.signal });
  ending.abort(reason);
  await expect(trying).rejects.toBe(reason);
  const waiting = new AbortController();
  const failing = async () => {
    setImmediate(() => waiting.abort(reason));
    throw away(30_000);
  };
  await expect(withRetries(failing, { deadlineMs: 60_000, signal: waiting.signal })).rejects.toBe(reason);
});
