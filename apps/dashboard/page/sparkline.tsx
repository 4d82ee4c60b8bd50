/** A campaign's last day in a row of a table: a bar an hour, its responses stacked. */
import { number } from './format.ts';
import type { Spark } from './types.ts';

const HEIGHT = 26;
const BAR = 4;
const PITCH = 5;
const EVENTS = [
  ['webhook.delivered', 'delivered'],
  ['webhook.bounced', 'bounced'],
  ['webhook.error', 'error'],
] as const;

export function Sparkline({ spark }: { spark: Spark }) {
  const steps = spark.events['webhook.delivered']?.length ?? 0;
  const countAt = (event: string, at: number) => spark.events[event]?.[at] ?? 0;
  const sums = Array.from({ length: steps }, (_, at) =>
    EVENTS.reduce((sum, [event]) => sum + countAt(event, at), 0),
  );
  const most = Math.max(1, ...sums);
  const total = sums.reduce((sum, count) => sum + count, 0);
  const width = steps * PITCH;
  return (
    <svg
      class="spark"
      role="img"
      aria-label={`${number(total)} responses in the last 24 hours`}
      viewBox={`0 0 ${width} ${HEIGHT}`}
      width={width}
      height={HEIGHT}
    >
      <line class="axis" x1="0" x2={width} y1={HEIGHT - 0.5} y2={HEIGHT - 0.5} />
      {sums.flatMap((_, at) => {
        let below = 0;
        return EVENTS.map(([event, name]) => {
          const count = countAt(event, at);
          if (count === 0) return null;
          // What happened once among thousands is still seen.
          const height = Math.max(1.5, (count / most) * (HEIGHT - 4));
          below += height;
          return (
            <rect
              key={`${at} ${name}`}
              class={name}
              x={at * PITCH}
              y={HEIGHT - 1 - below}
              width={BAR}
              height={height}
            />
          );
        });
      })}
    </svg>
  );
}
