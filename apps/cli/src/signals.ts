/** How a person ends a command that would go on for ever. */

/** Resolves at the first SIGINT, SIGTERM or SIGHUP; the second one ends the process as it always does. */
export function untilSignalled(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve());
  return promise;
}
