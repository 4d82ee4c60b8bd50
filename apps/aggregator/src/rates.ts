/** Shares of a campaign's responses, from 0 to 1; null where there was no response to take a share of. */
import { OUTCOME_EVENTS, type OutcomeEvent } from '@hookfleet/contract';

export interface Rates {
  readonly delivered: number | null;
  readonly bounced: number | null;
  readonly error: number | null;
}

const NAMES: Readonly<Record<OutcomeEvent, keyof Rates>> = {
  'webhook.delivered': 'delivered',
  'webhook.bounced': 'bounced',
  'webhook.error': 'error',
};

/** Custom events are no responses. */
export function ratesOf(events: Readonly<Record<string, number>>): Rates {
  const responses = OUTCOME_EVENTS.reduce((sum, event) => sum + (events[event] ?? 0), 0);
  return Object.fromEntries(
    OUTCOME_EVENTS.map((event) => [NAMES[event], shareOf(events[event] ?? 0, responses)]),
  ) as unknown as Rates;
}

/** To four digits: a hundredth of a per cent. */
export function shareOf(part: number, whole: number): number | null {
  return whole === 0 ? null : Math.round((part / whole) * 10_000) / 10_000;
}
