/** Where a campaign stands, in words. Pure. */
import type { CampaignStatus } from '@hookfleet/contract';
import { colourOf } from './style.ts';
import { printable } from './text-table.ts';

const WORDS: Readonly<Record<CampaignStatus['state'], string>> = {
  scheduled: 'scheduled',
  running: 'running',
  heldBack: 'held back',
  paused: 'paused',
  completed: 'completed',
  cancelled: 'cancelled',
  expired: 'expired',
};

/** The state, then a line for each of what holds the campaign back. */
export function campaignStatusLines({ state, since, until, heldBy = [] }: CampaignStatus): string[] {
  const time =
    state === 'scheduled' && until !== undefined
      ? ` until ${until}`
      : since === undefined
        ? ''
        : ` since ${since}`;
  return [
    colourOf(state)(WORDS[state]) + time,
    ...heldBy.map(({ channelConfigId, origin = '', state, why, until: probeAt }) => {
      const owner =
        channelConfigId === undefined ? printable(origin, 60) : `channel ${printable(channelConfigId, 50)}`;
      const what = state === 'open' ? 'fails' : 'is paused';
      const end = probeAt === undefined ? 'until it is resumed' : `next probe ${probeAt}`;
      return `by ${owner}, which ${what} (${printable(why, 20)}): ${end}`;
    }),
  ];
}
