/** What the outcomes' names mean, in words: a "bounced" webhook is tried again, which its name doesn't tell. */
import type { CampaignStatus } from './types.ts';

export interface Word {
  readonly label: string;
  readonly meaning: string;
}

export const EVENT_WORDS: Readonly<Record<string, Word>> = {
  'webhook.delivered': { label: 'Delivered', meaning: '2xx: the destination took it.' },
  'webhook.bounced': {
    label: 'Bounced',
    meaning: '5xx or no answer. It is tried again, for up to nine hours.',
  },
  'webhook.error': {
    label: 'Error',
    meaning: '4xx, a redirect or a forbidden address. Not tried again, but for 408, 425 and 429.',
  },
};

export const REASON_WORDS: Readonly<Record<string, Word>> = {
  http_5xx: { label: '5xx answers', meaning: 'The destination failed.' },
  timeout: { label: 'No answer in time', meaning: 'It took longer than the attempt may.' },
  connection: { label: 'Connection failed', meaning: 'Refused, or reset before the answer.' },
  dns: { label: 'Name not found', meaning: "The destination's name has no address." },
  tls: { label: 'TLS failed', meaning: 'Its certificate or protocol is not acceptable.' },
  auth: { label: 'No token', meaning: 'Its token endpoint gave none.' },
  http_4xx: { label: '4xx answers', meaning: 'The destination refused it.' },
  gone: { label: '410 Gone', meaning: 'The destination is gone, and its channel paused.' },
  redirect: { label: 'Redirects', meaning: 'Redirects are not followed.' },
  blocked: { label: 'Forbidden address', meaning: 'Webhooks may not be sent there.' },
  unsendable: { label: 'Cannot be sent', meaning: 'Its channel is gone, or no request can be made of it.' },
};

export const MESSAGE_WORDS: Readonly<Record<string, Word>> = {
  accepted: { label: 'Accepted', meaning: "Recipients' messages that came in." },
  delivered: { label: 'Delivered', meaning: 'Messages that got a 2xx in the end.' },
  failed: { label: 'Failed', meaning: 'Messages that are not tried any more. They can be replayed.' },
  pending: { label: 'Pending', meaning: 'Messages that wait for their first or next attempt.' },
  cancelled: { label: 'Cancelled', meaning: 'Messages of a campaign that was cancelled.' },
};

export const STATE_WORDS: Readonly<Record<CampaignStatus['state'], Word>> = {
  scheduled: { label: 'Scheduled', meaning: 'Its first webhook is not due yet.' },
  running: { label: 'Running', meaning: 'Webhooks are sent, or wait for their turn.' },
  heldBack: {
    label: 'Held back',
    meaning: 'Webhooks wait for a destination that fails, or for a channel that is paused.',
  },
  paused: { label: 'Paused', meaning: 'Nothing is sent until the campaign is resumed.' },
  completed: { label: 'Completed', meaning: 'Every accepted message has ended.' },
  cancelled: { label: 'Cancelled', meaning: 'What waits, and what still comes, is not sent.' },
  expired: { label: 'Expired', meaning: 'Its deadline has passed. What was not sent by then is cancelled.' },
};

export const FLEET_EVENT_WORDS: Readonly<Record<string, Word>> = {
  'circuit closed': { label: 'Sending again', meaning: 'Its destination answers.' },
  'circuit open': { label: 'Failing', meaning: 'Its destination fails, and is probed now and then.' },
  'circuit paused': { label: 'Paused', meaning: 'Nothing is sent until it is resumed.' },
  'channel.paused': { label: 'Paused by an operator', meaning: 'Nothing is sent until it is resumed.' },
  'channel.resumed': { label: 'Resumed by an operator', meaning: 'What waits is sent.' },
  'campaign.paused': { label: 'Paused by an operator', meaning: 'Nothing is sent until it is resumed.' },
  'campaign.resumed': { label: 'Resumed by an operator', meaning: 'What waits is sent.' },
  'campaign.cancelled': { label: 'Cancelled by an operator', meaning: 'What waits is not sent.' },
  'campaign.completed': { label: 'Completed', meaning: 'Its last message has ended.' },
};

const ERRORS = new Set(['http_4xx', 'gone', 'redirect', 'blocked', 'unsendable']);

/** The event that the reason is one of. */
export function eventOf(reason: string): 'webhook.bounced' | 'webhook.error' {
  return ERRORS.has(reason) ? 'webhook.error' : 'webhook.bounced';
}

/** Custom events and unknown names stand for themselves. */
export function labelOf(words: Readonly<Record<string, Word>>, name: string): string {
  return Object.hasOwn(words, name) ? (words[name] as Word).label : name;
}

export function meaningOf(words: Readonly<Record<string, Word>>, name: string): string {
  return Object.hasOwn(words, name) ? (words[name] as Word).meaning : 'A custom event of this campaign.';
}
