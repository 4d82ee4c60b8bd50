/** Where a campaign stands: a word, and until when; and what holds it back. */
import { duration, time } from './format.ts';
import { useNow } from './live.ts';
import type { CampaignStatus } from './types.ts';
import { labelOf, REASON_WORDS, STATE_WORDS } from './words.ts';

const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;

export function CampaignState({ status, isShort = false }: { status: CampaignStatus; isShort?: boolean }) {
  const { state, since, until } = status;
  const { label, meaning } = STATE_WORDS[state];
  const when =
    state === 'scheduled' && until !== undefined
      ? `until ${time(until, ZONE)}`
      : since === undefined
        ? ''
        : `since ${time(since, ZONE)}`;
  return (
    <span class={`state ${state}`} title={isShort && when !== '' ? `${meaning} ${label} ${when}.` : meaning}>
      {label}
      {!isShort && when !== '' && <span class="when">{when}</span>}
    </span>
  );
}

/** Nothing for a campaign that nothing holds back. */
export function HeldBy({ status }: { status: CampaignStatus }) {
  const now = useNow(1_000);
  const { heldBy = [] } = status;
  if (heldBy.length === 0) return null;
  return (
    <section class="panel held" aria-labelledby="held">
      <h2 id="held">Held back</h2>
      <ul>
        {heldBy.map(({ channelConfigId, origin = '', state, why, since, until }) => (
          <li key={channelConfigId ?? origin}>
            <strong>{channelConfigId === undefined ? origin : `Channel ${channelConfigId}`}</strong>{' '}
            {state === 'open' ? 'fails' : 'is paused'} (
            {why === 'operator' ? 'by an operator' : labelOf(REASON_WORDS, why)}) since {time(since, ZONE)}.{' '}
            {state === 'paused' || until === undefined
              ? 'Its webhooks wait until it is resumed.'
              : `Its webhooks wait. ${nextProbe(Date.parse(until) - now)}`}
          </li>
        ))}
      </ul>
      <p class="muted small">
        <a href="#/fleet">Fleet</a> has the channels. Webhooks of other channels are sent.
      </p>
    </section>
  );
}

function nextProbe(inMs: number): string {
  return inMs < 1_000 ? 'It is probed now.' : `The next probe is in ${duration(inMs / 1_000)}.`;
}
