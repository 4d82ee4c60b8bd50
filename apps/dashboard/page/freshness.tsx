/** Whether the numbers are of now. */
import type { Live } from './live.ts';

const TEXTS: Readonly<Record<Live<unknown>['freshness'], string>> = {
  connecting: 'Connecting …',
  live: 'Live',
  stale: 'Not connected: the numbers may be old',
};

export function Freshness({ freshness }: Pick<Live<unknown>, 'freshness'>) {
  return (
    <span class={`freshness ${freshness}`} role="status">
      {TEXTS[freshness]}
    </span>
  );
}

/** In place of what is not there yet. */
export function NotYet({ freshness }: Pick<Live<unknown>, 'freshness'>) {
  if (freshness !== 'stale') return <p class="muted">Loading …</p>;
  return (
    <p class="panel" role="alert">
      Nothing can be shown now: the aggregator, or its Redis, does not answer. This page goes on by itself
      when it does.
    </p>
  );
}
