/** `hookfleet replay`: deliver again what ended undelivered. It says what it will do, asks, and does it. */
import type { Command } from 'commander';
import { type Api, pathOf } from '../api.ts';
import { type CommandContext, type FleetOptions, openFleet, withFleetOptions } from '../command-context.ts';
import { confirm } from '../confirm.ts';
import { EXIT, UsageError } from '../exit-status.ts';
import { count, duration } from '../numbers-as-text.ts';
import { write, writeNote } from '../terminal.ts';
import { type FailureFilters, filterFields, withFailureFilters } from './failure-filters.ts';
import { parsePositiveInteger } from './flag-values.ts';

interface ReplayOptions extends FleetOptions, FailureFilters {
  readonly campaign?: string;
  readonly limit?: number;
  readonly perSecond?: number;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

interface Preview {
  readonly webhooks: number;
  readonly more: boolean;
  /** Absent in answers of earlier versions. */
  readonly deadLetters?: number;
  readonly channels: readonly { readonly channelConfigId?: string; readonly webhooks: number }[];
  readonly perSecond: number;
  readonly seconds: number;
}

export function addReplay(program: Command, { environment, end }: CommandContext): void {
  withFailureFilters(withFleetOptions(program.command('replay')))
    .description('deliver again: one webhook, or those of a campaign that failed')
    .argument('[webhook]', 'its id; or --campaign')
    .option('--campaign <id>', 'all that failed of it, or those that fit the filters')
    .option(
      '--limit <n>',
      'so many at most, the latest first: up to 5,000; 1,000 when absent',
      parsePositiveInteger,
    )
    .option('--per-second <n>', 'spread over time: up to 1,000; 50 when absent', parsePositiveInteger)
    .option('--dry-run', 'say what would be done, and do nothing')
    .option('--yes', 'do not ask')
    .action(async (webhookId: string | undefined, options: ReplayOptions) => {
      const { producer, json } = openFleet(options, environment);
      const { campaign } = options;
      if ((webhookId === undefined) === (campaign === undefined))
        throw new UsageError('either the id of a webhook or --campaign is needed');
      if (webhookId !== undefined) return end(await replayOne(producer, webhookId, options, json));
      return end(await replayCampaign(producer, campaign as string, options, json));
    });
}

async function replayOne(producer: Api, id: string, options: ReplayOptions, json: boolean): Promise<number> {
  if (Object.keys(filterFields(options)).length > 0)
    throw new UsageError('filters go with --campaign: one webhook needs none');
  const found = await producer.get<{ state: string; attempts: unknown[] }>(pathOf('webhooks', id));
  writeNote(`Replays webhook ${id}: ${found.state} after ${found.attempts.length} attempts.`);
  if (options.dryRun) {
    if (json) write(JSON.stringify(found));
    return EXIT.done;
  }
  if (!(await confirm('Go on?', options.yes))) return EXIT.failed;
  const done = await producer.post<object>(pathOf('webhooks', id, 'replay'));
  write(json ? JSON.stringify(done) : `${id} is attempted again.`);
  return EXIT.done;
}

async function replayCampaign(
  producer: Api,
  campaignId: string,
  options: ReplayOptions,
  json: boolean,
): Promise<number> {
  const path = pathOf('campaigns', campaignId, 'replay');
  const { limit, perSecond } = options;
  const preview = await producer.get<Preview>(path, { ...filterFields(options), limit, perSecond });
  for (const line of previewLines(campaignId, preview)) writeNote(line);
  if (options.dryRun) {
    if (json) write(JSON.stringify(preview));
    return EXIT.done;
  }
  if (preview.webhooks === 0) {
    if (json) write(JSON.stringify({ replayed: 0, more: false }));
    return EXIT.done;
  }
  if (!(await confirm('Go on?', options.yes))) return EXIT.failed;
  const wanted = limit ?? preview.webhooks;
  const done = { replayed: 0, more: true };
  let cursor: string | undefined;
  // One call looks at some thousands, and passes over those that are attempted again already.
  do {
    const page = await producer.post<{ replayed: number; more: boolean; cursor?: string }>(path, {
      ...filterFields(options),
      limit: wanted - done.replayed,
      ...(perSecond !== undefined && { perSecond }),
      ...(cursor !== undefined && { cursor }),
    });
    done.replayed += page.replayed;
    done.more = page.more;
    cursor = page.cursor;
  } while (done.more && done.replayed < wanted && cursor !== undefined);
  if (json) write(JSON.stringify(done));
  else {
    write(`${count(done.replayed)} webhooks are attempted again.`);
    if (done.more) writeNote('There are more: the same command goes on.');
  }
  return EXIT.done;
}

function previewLines(
  campaignId: string,
  { webhooks, more, deadLetters, channels, perSecond, seconds }: Preview,
): string[] {
  if (webhooks === 0) return [`Nothing of campaign ${campaignId} is to be replayed, or nothing that fits.`];
  const all = deadLetters === undefined ? '' : `: ${count(deadLetters)} failed in all`;
  return [
    `Replays ${count(webhooks)} webhooks of campaign ${campaignId}${more ? `; there are more${all}` : ''}:`,
    ...channels.map(({ channelConfigId, webhooks: ofChannel }) =>
      channelConfigId === undefined
        ? `  ${count(ofChannel)} to destinations of their own`
        : `  ${count(ofChannel)} to channel ${channelConfigId}`,
    ),
    `  ${count(perSecond)} a second, for ${duration(seconds * 1_000)}`,
  ];
}
