/**
 * The closed sets of words that callers may choose from. Apart from the schemas, and importing nothing, so that a
 * command line that offers them starts without loading those: `@hookfleet/contract/vocabulary`.
 */

export const OUTCOME_EVENTS = ['webhook.delivered', 'webhook.bounced', 'webhook.error'] as const;

export const OUTCOME_REASONS = [
  'http_5xx',
  'dns',
  'connection',
  'tls',
  'timeout',
  // No token was to be had for the destination: its token endpoint failed or refused.
  'auth',
  'http_4xx',
  'gone',
  'redirect',
  'blocked',
  // Nobody can send it: its channel's record is gone, its request can't be built, or its workers died of it.
  'unsendable',
] as const;

/** In the order in which they are served. */
export const CAMPAIGN_PRIORITIES = ['high', 'normal', 'low'] as const;
