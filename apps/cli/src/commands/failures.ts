/** `hookfleet failures`: a campaign's webhooks that ended undelivered, the latest first, and why. */
import type { Command } from 'commander';
import { type Api, pathOf, type Query } from '../api.ts';
import { type CommandContext, type FleetOptions, openFleet, withFleetOptions } from '../command-context.ts';
import { EXIT } from '../exit-status.ts';
import { colourOf, faint } from '../style.ts';
import { write, writeNote } from '../terminal.ts';
import { printable, textTable } from '../text-table.ts';
import { type FailureFilters, filterFields, withFailureFilters } from './failure-filters.ts';
import { parsePositiveInteger } from './flag-values.ts';

interface FailuresOptions extends FleetOptions, FailureFilters {
  readonly limit: number;
}

interface Failure {
  readonly webhookId: string;
  readonly messageId: string;
  readonly channelConfigId?: string;
  readonly event: string;
  readonly reason?: string;
  /** What exactly went wrong, in words. */
  readonly detail?: string;
  readonly statusCode?: number;
  readonly attempts: number;
  readonly endedAt: string;
  readonly responseBody?: string;
}

const LIMIT = 50;
const PAGE_MAX = 200;
// As long as the words of a cause may be.
const ANSWER_SHOWN = 110;

export function addFailures(program: Command, { environment, end }: CommandContext): void {
  withFailureFilters(withFleetOptions(program.command('failures')))
    .description("a campaign's webhooks that ended undelivered, the latest first; as JSON one a line")
    .argument('<campaign>')
    .option('--limit <n>', 'so many at most', parsePositiveInteger, LIMIT)
    .action(async (campaignId: string, options: FailuresOptions) => {
      const { aggregator, json } = openFleet(options, environment);
      let shown = 0;
      for await (const page of pages(aggregator, campaignId, filterFields(options), options.limit)) {
        shown += page.length;
        for (const line of json ? page.map((failure) => JSON.stringify(failure)) : textTable(page.map(rowOf)))
          write(line);
      }
      if (!json && shown === 0) writeNote('No webhook of it ended undelivered, or none that fits.');
      if (!json && shown === options.limit) writeNote('There may be more: --limit shows so many.');
      return end(EXIT.done);
    });
}

async function* pages(
  aggregator: Api,
  campaignId: string,
  filters: Query,
  limit: number,
): AsyncGenerator<readonly Failure[]> {
  let left = limit;
  let cursor: string | undefined;
  do {
    const page = await aggregator.get<{ failures: Failure[]; cursor?: string }>(
      pathOf('campaigns', campaignId, 'failures'),
      { ...filters, limit: Math.min(left, PAGE_MAX), cursor },
    );
    yield page.failures;
    left -= page.failures.length;
    cursor = page.cursor;
  } while (cursor !== undefined && left > 0);
}

function rowOf(failure: Failure): string[] {
  const { webhookId, messageId, channelConfigId, event, reason, statusCode, attempts, endedAt } = failure;
  return [
    faint(endedAt),
    webhookId,
    printable(messageId, 30),
    printable(channelConfigId ?? '–', 30),
    colourOf(event)(statusCode === undefined ? (reason ?? event) : String(statusCode)),
    `${attempts} ${attempts === 1 ? 'attempt' : 'attempts'}`,
    printable(failure.responseBody ?? failure.detail ?? '', ANSWER_SHOWN),
  ];
}
