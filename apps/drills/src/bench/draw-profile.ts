/** Where Redis' time goes, as a table for a terminal: by application and script, each with what it calls. Pure. */
import type { CommandCost } from './redis-profile.ts';
import type { Profile } from './run-bench.ts';

// What takes less is not worth a line.
const SHARE_MIN = 0.005;
const WITHIN_MAX = 6;

export function profileTable({ name, webhooks, costs }: Profile): string {
  const total = costs.reduce((sum, { micros }) => sum + micros, 0);
  const worth = (micros: number) => micros >= total * SHARE_MIN;
  const rows = costs
    .filter(({ micros }) => worth(micros))
    .flatMap((cost) => [
      row(`${cost.client} ${cost.name}`, cost, webhooks, total),
      ...withinOf(cost)
        .filter(([, { micros }]) => worth(micros))
        .map(([called, call]) => row(`    ${called}`, call, webhooks, total)),
    ]);
  const head = `  ${`${name}: Redis`.padEnd(LABEL)}${['calls', 'µs', 'µs a call', 'share'].map((text) => text.padStart(CELL)).join('')}   of ${webhooks} webhooks, each`;
  return [head, ...rows, row('all', { calls: callsOf(costs), micros: total }, webhooks, total)].join('\n');
}

const LABEL = 52;
const CELL = 11;

function row(
  label: string,
  cost: { calls: number; micros: number },
  webhooks: number,
  total: number,
): string {
  const { calls, micros } = cost;
  const cells = [
    (calls / webhooks).toFixed(3),
    (micros / webhooks).toFixed(2),
    (micros / calls).toFixed(1),
    `${((micros / total) * 100).toFixed(1)} %`,
  ];
  return `  ${label.padEnd(LABEL)}${cells.map((cell) => cell.padStart(CELL)).join('')}`;
}

function withinOf({ within }: CommandCost) {
  return [...within].sort(([, a], [, b]) => b.micros - a.micros).slice(0, WITHIN_MAX);
}

function callsOf(costs: readonly CommandCost[]): number {
  return costs.reduce((sum, { calls }) => sum + calls, 0);
}
