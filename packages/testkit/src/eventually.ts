const PAUSE_MAX_MS = 2_000;

/**
 * Waits for something to become true without guessing how long that takes. The timeout is only a guard against hanging: a
 * loaded machine takes many times as long as an idle one.
 *
 * It looks for a quarter of the time at most. What it waits for often happens in the same process, and a look that asks
 * for hundreds of webhooks would leave it nothing of a loaded machine.
 */
export async function eventually<T>(
  assertion: () => T | Promise<T>,
  { timeoutMs = 60_000, intervalMs = 20 }: { timeoutMs?: number; intervalMs?: number } = {},
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const lookedAt = performance.now();
    try {
      return await assertion();
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
    const pauseMs = Math.max(intervalMs, Math.min(3 * (performance.now() - lookedAt), PAUSE_MAX_MS));
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}
