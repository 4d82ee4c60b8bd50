/** Tells of counters that held no number and began anew, each once: an audit tells what they lack. */
import { createTellOnce, type OnUnreadable } from '@hookfleet/queue';

export function createTellOfCounters(
  onUnreadable: OnUnreadable | undefined,
): (counters: readonly string[], context: Record<string, unknown>) => void {
  const tell = createTellOnce('a counter', onUnreadable);
  return (counters, context) => {
    for (const counter of counters) tell(counter, context);
  };
}
