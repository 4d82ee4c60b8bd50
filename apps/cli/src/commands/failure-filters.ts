/** Which of a campaign's failures: the same flags for looking at them and for replaying them. */
import { OUTCOME_EVENTS, OUTCOME_REASONS } from '@hookfleet/contract/vocabulary';
import { type Command, Option } from 'commander';
import { parseTime } from './flag-values.ts';

export interface FailureFilters {
  readonly event?: string;
  readonly reason?: string;
  readonly channel?: string;
  readonly from?: string;
  readonly to?: string;
}

export function withFailureFilters(command: Command): Command {
  return command
    .addOption(new Option('--event <event>', 'that ended with it').choices(OUTCOME_EVENTS))
    .addOption(new Option('--reason <reason>', 'and for it').choices(OUTCOME_REASONS))
    .option('--channel <id>', 'of that channel')
    .option('--from <time>', 'ended from then on: 2026-11-24T10:00:00Z, or 30m ago as 30m', parseTime)
    .option('--to <time>', 'ended before', parseTime);
}

/** As the API has them; nothing for a flag that wasn't given. */
export function filterFields({ event, reason, channel, from, to }: FailureFilters): Record<string, string> {
  const fields = { event, reason, channelConfigId: channel, from, to };
  return Object.fromEntries(
    Object.entries(fields).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}
