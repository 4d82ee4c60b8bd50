/** What the graph's colours stand for, in words and with the range's sums: the graph in text. */
import { colourVariable } from './colours.ts';
import type { Drawn } from './chart-data.ts';
import { number, share } from './format.ts';
import type { Series } from './types.ts';
import { EVENT_WORDS, labelOf, meaningOf, REASON_WORDS } from './words.ts';

const RATE_NAMES: Readonly<Record<string, 'delivered' | 'bounced' | 'error'>> = {
  'webhook.delivered': 'delivered',
  'webhook.bounced': 'bounced',
  'webhook.error': 'error',
};

export function Legend({ series, drawn, asRates }: { series: Series; drawn: Drawn; asRates: boolean }) {
  const { groupBy, rates } = series;
  const words = groupBy === 'event' ? EVENT_WORDS : groupBy === 'reason' ? REASON_WORDS : {};
  const explains = groupBy === 'event' || groupBy === 'reason';
  return (
    <ul class="legend">
      {drawn.names.map((name, i) => {
        const sum = (drawn.values[i] ?? []).reduce<number>((total, value) => total + (value ?? 0), 0);
        const rateName = RATE_NAMES[name];
        const rate = rateName === undefined ? null : (rates?.[rateName] ?? null);
        return (
          <li key={name}>
            <svg class="swatch" viewBox="0 0 10 10" aria-hidden="true">
              <rect width="10" height="10" rx="2" class={colourVariable(name, i)} />
            </svg>
            <span>
              <strong>{labelOf(words, name)}</strong> {asRates ? share(rate) : number(sum)}
              {!asRates && rate !== null && <span class="muted"> {share(rate)}</span>}
              {explains && <span class="muted small meaning"> {meaningOf(words, name)}</span>}
            </span>
          </li>
        );
      })}
    </ul>
  );
}
