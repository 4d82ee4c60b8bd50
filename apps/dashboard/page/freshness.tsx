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
