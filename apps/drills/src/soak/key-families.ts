/**
 * Every family of keys that the fleet writes to Redis, and what bounds each: a soak finds at its end no key of another
 * family, none that outlives its retention, and nothing left of what is empty at rest. The families' own descriptions are in
 * packages/queue/src/keys.ts and apps/aggregator/src/campaign-keys.ts. Pure.
 */

/** What keeps a family from growing for ever. */
export type Bound =
  /** Every key of it has a lifetime, of so many days at most. */
  | { readonly by: 'lifetime'; readonly days: number }
  /** Holds so many entries at most, whatever happens. */
  | { readonly by: 'entries'; readonly max: number }
  /** Holds something only while there is work; at rest it is not there, or holds so many entries that are not work. */
  | { readonly by: 'rest'; readonly entries: number }
  /** One entry for each campaign of HOOKFLEET_RETENTION_CAMPAIGNS, taken out after it. */
  | { readonly by: 'campaigns' }
  /** As much as operators have put there. */
  | { readonly by: 'configuration' };

export interface KeyFamily {
  readonly name: string;
  readonly pattern: RegExp;
  readonly bound: Bound;
}

const lifetime = (days: number): Bound => ({ by: 'lifetime', days });
const entries = (max: number): Bound => ({ by: 'entries', max });
const rest = (left = 0): Bound => ({ by: 'rest', entries: left });
const CAMPAIGNS: Bound = { by: 'campaigns' };
const CONFIGURATION: Bound = { by: 'configuration' };

// Retentions as they are by default (README). A campaign's runs are kept a day longer than its marks; statistics go by
// chunks, of which the longest is a month.
const DAYS = { attempts: 3, deadLetters: 30, idempotency: 1, campaigns: 731, series: 761 };

const QUEUE = String.raw`\{hookfleet:\d+\}:(?:webhooks|results)`;
const SHARD = String.raw`\{hookfleet:\d+\}`;
const FLEET = String.raw`\{hookfleet\}`;
const COUNTERS = String.raw`\{hookfleet:c:.*\}`;

const family = (name: string, pattern: string, bound: Bound): KeyFamily => ({
  name,
  pattern: new RegExp(`^${pattern}$`, 's'),
  bound,
});

export const KEY_FAMILIES: readonly KeyFamily[] = [
  family('queue: what it is', `${QUEUE}:(?:meta|id|pc|limiter|stalled-check|marker)`, entries(10)),
  family('queue: its events', `${QUEUE}:events`, entries(12_000)),
  // A marker that wakes workers may stay behind.
  family(
    'queue: jobs by state',
    `${QUEUE}:(?:wait|paused|active|prioritized|delayed|stalled|waiting-children|completed|failed)`,
    rest(),
  ),
  family('queue: a job', `${QUEUE}:[^:]+(?::(?:lock|logs|dependencies|processed))?`, rest()),
  family('attempt log', `${SHARD}:log:.*`, lifetime(DAYS.deadLetters)),
  family('dead letters', `${SHARD}:dead:.*`, lifetime(DAYS.deadLetters)),
  family('idempotency keys', `${SHARD}:idempotency:.*`, lifetime(DAYS.idempotency)),
  family('attempts that were recorded', `${SHARD}:attempts`, entries(1)),
  family('backlog by campaign', `${SHARD}:backlog`, rest()),
  family('webhooks that wait for their time', `${SHARD}:later`, rest()),
  family('lots that gather', `${SHARD}:(?:lots|lot:.*)`, rest()),
  family('calls that gathered', `${SHARD}:gathers`, lifetime(1)),
  family('webhooks in lots', `${SHARD}:gathered`, entries(1)),
  family('versions of what is stored', `${FLEET}:formats`, entries(20)),
  family('settings of the fleet', `${FLEET}:settings`, entries(20)),
  family('sessions', `${FLEET}:session:.*`, lifetime(1)),
  family('readiness checks', `(?:${FLEET}|${SHARD}):ready`, lifetime(1)),
  family('waits for replicas', `(?:${FLEET}|${SHARD}):kept:.*`, lifetime(1)),
  family('channels', `${FLEET}:channels`, CONFIGURATION),
  family('event types', `${FLEET}:event-types(?::version)?`, CONFIGURATION),
  family('campaigns’ controls', `${FLEET}:(?:controls(?::version)?|priorities)`, CONFIGURATION),
  family('changes of controls and channels', `${FLEET}:changes(?::version)?`, entries(10_000)),
  family('campaigns to sweep', `${FLEET}:sweeps`, CONFIGURATION),
  family('references of campaigns', `${FLEET}:reference:.*`, lifetime(DAYS.campaigns)),
  family('circuits that are not closed', `${FLEET}:circuits`, rest()),
  family('lanes', `${FLEET}:(?:waits|waiting(?::reasons)?)`, rest()),
  family('retries in lanes', `${FLEET}:waiting:retries`, entries(1)),
  family('a lane’s pace', `${FLEET}:waits:.*:state`, lifetime(1)),
  family('permits of a lane', `${FLEET}:waits:.*:permits`, lifetime(1)),
  family('what waits in a lane', `${FLEET}:waits:.*:(?:jobs|order|flows|released)`, rest()),
  family('events of the fleet', `${FLEET}:events`, entries(12_000)),
  family('workers', `${FLEET}:workers`, entries(1_000)),
  family('reports of workers', `${FLEET}:worker:.*`, lifetime(1)),
  family('tests of channels', `${FLEET}:test:.*`, lifetime(1)),
  family('campaigns', `${FLEET}:(?:campaigns|metrics:(?:seen|activity))`, CAMPAIGNS),
  family('campaigns with messages pending', `${FLEET}:open`, rest()),
  family('metrics of campaigns', `${FLEET}:metrics:(?:other|shown|rolled-at)`, entries(1_000)),
  family('whose turn it is', `${FLEET}:metrics:turn`, lifetime(1)),
  family('counters of a campaign by time', `${COUNTERS}:(?:minute|halfHour|day):.*`, lifetime(DAYS.series)),
  family('counters of a campaign', `${COUNTERS}:.*`, lifetime(DAYS.campaigns)),
];

/** Undefined for a key that nobody should have written. */
export function familyOf(key: string): KeyFamily | undefined {
  return KEY_FAMILIES.find(({ pattern }) => pattern.test(key));
}

export interface FoundKey {
  readonly key: string;
  /** -1: for ever. */
  readonly lifetimeMs: number;
  /** 1 for a string. */
  readonly entries: number;
}

const DAY_MS = 86_400_000;

/** What is wrong with a key that is there when the fleet is at rest; undefined: nothing. `campaigns`: that were sent. */
export function faultOf(found: FoundKey, campaigns: number): string | undefined {
  const bound = familyOf(found.key)?.bound;
  switch (bound?.by) {
    case undefined:
      return 'is of no family that is known';
    case 'lifetime':
      if (found.lifetimeMs === -1) return 'has no lifetime';
      return found.lifetimeMs > bound.days * DAY_MS ? `lives longer than ${bound.days} days` : undefined;
    case 'entries':
      return found.entries > bound.max ? `holds more than ${bound.max} entries` : undefined;
    case 'rest':
      return found.entries > bound.entries ? 'is left after the drain' : undefined;
    case 'campaigns':
      return found.entries > campaigns ? `holds more than the ${campaigns} campaigns` : undefined;
    case 'configuration':
      return undefined;
  }
}
