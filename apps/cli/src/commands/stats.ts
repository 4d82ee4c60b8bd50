/** `hookfleet stats`: a campaign's totals, reasons and latency, and its last 24 hours as a chart. */
import type { CampaignTotals } from '@hookfleet/contract';
import type { Command } from 'commander';
import { pathOf } from '../api.ts';
import { columnChart, largestOf } from '../column-chart.ts';
import { campaignStatusLines } from '../campaign-status-text.ts';
import { type CommandContext, type FleetOptions, openFleet, withFleetOptions } from '../command-context.ts';
import { EXIT } from '../exit-status.ts';
import { count, duration, percentage } from '../numbers-as-text.ts';
import { bad, colourOf, doubtful, faint, good, strong } from '../style.ts';
import { write } from '../terminal.ts';
import { textTable } from '../text-table.ts';

interface Series {
  readonly from: string;
  readonly points: readonly { readonly at: string; readonly counts: Readonly<Record<string, number>> }[];
}

const CHART = { height: 8, columnWidth: 2 };
const LABEL_WIDTH = 9;
const HOURS_PER_LABEL = 6;
const PARTS = [
  ['webhook.delivered', '█', good],
  ['webhook.bounced', '▒', doubtful],
  ['webhook.error', '░', bad],
] as const;

export function addStats(program: Command, { environment, end }: CommandContext): void {
  withFleetOptions(program.command('stats'))
    .description("a campaign's totals, reasons, latency, and its last 24 hours")
    .argument('<campaign>')
    .action(async (campaignId: string, options: FleetOptions) => {
      const { aggregator, json } = openFleet(options, environment);
      const path = pathOf('campaigns', campaignId);
      const [totals, series] = await Promise.all([
        aggregator.get<CampaignTotals>(path),
        aggregator.get<Series>(`${path}/series`, { step: 'hour' }),
      ]);
      if (json) write(JSON.stringify({ ...totals, series }));
      else write([...totalsLines(totals), '', ...chartLines(series)].join('\n'));
      return end(EXIT.done);
    });
}

function totalsLines({
  campaignId,
  status,
  messages,
  events,
  reasons,
  latency,
  lastEventAt,
}: CampaignTotals): string[] {
  const { accepted } = messages;
  const { p50, p95, p99 } = latency;
  const counts = (all: Readonly<Record<string, number>>) =>
    Object.entries(all)
      .sort(([, a], [, b]) => b - a)
      .map(([name, value]) => [colourOf(name)(name), right(count(value))]);
  return [
    strong(campaignId) + (lastEventAt === undefined ? '' : faint(`  last event ${lastEventAt}`)),
    ...(status === undefined ? [] : campaignStatusLines(status).map((line) => `  ${line}`)),
    '',
    ...textTable([
      ...Object.entries(messages).map(([state, value]) => [
        `messages ${state}`,
        right(count(value)),
        state === 'accepted' ? '' : faint(percentage(value, accepted).padStart(8)),
      ]),
      ...counts(events),
      ...counts(reasons).map(([name = '', value = '']) => [`  ${name}`, value]),
    ]),
    '',
    `  an attempt takes ${duration(p50)} (half of them), ${duration(p95)} (95 %), ${duration(p99)} (99 %)`,
  ];
}

function right(text: string): string {
  return text.padStart(LABEL_WIDTH);
}

function chartLines({ points }: Series): string[] {
  const parts = PARTS.map(([event, glyph, paint]) => ({
    glyph,
    paint,
    values: points.map(({ counts }) => counts[event] ?? 0),
  }));
  const rows = columnChart(parts, CHART);
  const label = (at: number) => (at === 0 ? count(largestOf(parts)) : at === rows.length - 1 ? '0' : '');
  const axis = points
    .filter((_, at) => at % HOURS_PER_LABEL === 0)
    .map(({ at }) => `${at.slice(11, 16)}`.padEnd(HOURS_PER_LABEL * CHART.columnWidth))
    .join('');
  return [
    ...rows.map((row, at) => `${right(label(at))} │${row}`),
    `${right('UTC')}  ${axis.trimEnd()}`,
    `${right('')}  ${PARTS.map(([event, glyph, paint]) => `${paint(glyph)} ${event}`).join('   ')}`,
  ];
}
