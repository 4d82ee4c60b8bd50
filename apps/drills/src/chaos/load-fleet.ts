/**
 * A fleet under load while something is done to it, whatever that is. When it is done and the fleet has drained, its
 * accounts are taken: what the producers have accepted, what the fleet has recorded and counted, and the receiver's ledger.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { QueueMonitor } from '@hookfleet/queue';
import { type Audited, auditLoad } from './audit-load.ts';
import { API_KEY, CONCURRENCY, type Ending, type Role, SIGNING_SECRET } from './fleet-members.ts';
import type { Destination } from './receive-load.ts';
import { type Accounts, type Counted, idsOf, type RecordedWebhook } from './reckon.ts';
import { CUSTOM_EVENT, type Load, RETRY, type Sent, sendLoad } from './send-load.ts';
import { type HttpAnswer, untilProcessAnswers, untilRedisAnswers } from './until-answered.ts';
import { withQueueMonitor } from './with-queue-monitor.ts';

/** What is asked of a fleet. */
export interface LoadedFleet {
  /** `shards`: 1 when absent. */
  readonly redis: { readonly url: string; readonly shards?: number };
  readonly members: Readonly<Record<Role, readonly { url(): string }[]>>;
  readonly endings: ReadonlyMap<number, Ending>;
  readonly uncleanEnds: readonly string[];
  readConnections(): Promise<(port: number, atMs: number) => number | undefined>;
  secretsShown(): number;
}

export interface LoadOptions extends Pick<Load, 'webhooks' | 'webhooksPerSecond' | 'ended'> {
  /** Begins with the load; the fleet is left to drain when both are over. */
  readonly meanwhile: () => Promise<void>;
  readonly onProgress: (text: string) => void;
}

/** What a drill has to tell, whatever it reckons. */
export interface FleetReport {
  /** Processes that were ended by SIGKILL, and by SIGTERM. */
  readonly killed: number;
  readonly stopped: number;
  /** Processes that were told to stop and did not exit 0, or that ended by themselves. */
  readonly uncleanEnds: number;
  readonly secretsShown: number;
}

export interface Loaded {
  readonly accounts: Accounts;
  readonly audited: Audited;
  /** For how long, in milliseconds, no call was accepted at the worst. */
  readonly longestRefusalMs: number;
  /** How long the slowest answer 503 took, in milliseconds. */
  readonly slowestRefusalMs: number;
  /** Answers that say that the fault is ours. */
  readonly faults: readonly string[];
  readonly fleetReport: FleetReport;
}

const CAMPAIGN = 'drill';
const BATCH_CHANNEL = 31;
const DRAIN_WITHIN_MS = 120_000;
// What is at rest for so long is as it will be: the leases of lanes and batches, which bring back what was left half done,
// are over (start-delivering.ts has them from the settings in fleet-members.ts).
const SETTLED_AFTER_MS = 55_000;
const LOOK_EVERY_MS = 250;
const LOOK_UPS_AT_ONCE = 50;
const AUTHORIZED = { authorization: `Bearer ${API_KEY}` };

export async function loadFleet(
  fleet: LoadedFleet,
  destination: Destination,
  { meanwhile, onProgress, ...load }: LoadOptions,
): Promise<Loaded> {
  await put(fleet, `/v1/channels/${BATCH_CHANNEL}`, {
    url: destination.url,
    batch: { size: 50, maxWaitMs: 500 },
    retry: RETRY,
    signingSecrets: [SIGNING_SECRET],
  });
  await put(fleet, `/v1/event-types/${CUSTOM_EVENT}`, { properties: {} });
  const [sent] = await Promise.all([
    sendLoad({
      ...load,
      producers: fleet.members.producer,
      campaignId: CAMPAIGN,
      destinationUrl: destination.url,
      batchChannel: BATCH_CHANNEL,
    }),
    meanwhile(),
  ]).catch((error: unknown) => {
    // A process that is gone may be why.
    throw new Error([(error as Error).message, ...fleet.uncleanEnds].join('\n    '), { cause: error });
  });
  onProgress('all is sent, and nothing more is done to the fleet');
  const counted = await withQueueMonitor(fleet.redis, (monitor) => untilDrained(fleet, monitor, sent));
  onProgress('drained');

  const audited = await auditLoad(CAMPAIGN, async (path) => {
    const { status, text } = await askAggregator(fleet, path);
    if (status !== 200) throw new Error(`${path}: ${status} ${text}`);
    return text;
  });
  const ledger = destination.ledger(await fleet.readConnections());
  // A webhook tells of its last batch alone; after a failover it may have left in two.
  const ids = new Set([...idsOf({ accepted: sent.accepted, ledger }), ...ledger.map(({ id }) => id)]);
  const { secretsShown, endings, uncleanEnds } = fleet;
  const howMany = (signal: Ending) => [...endings.values()].filter((how) => how === signal).length;
  return {
    accounts: {
      ...sent,
      ledger,
      webhooks: await lookUp(fleet, [...ids]),
      counted,
      customEvents: { [CUSTOM_EVENT]: sent.customEvents },
      endings,
      concurrency: CONCURRENCY,
    },
    audited,
    longestRefusalMs: sent.longestRefusalMs,
    slowestRefusalMs: sent.slowestRefusalMs,
    faults: sent.faults,
    fleetReport: {
      killed: howMany('SIGKILL'),
      stopped: howMany('SIGTERM'),
      uncleanEnds: uncleanEnds.length,
      secretsShown: secretsShown(),
    },
  };
}

/**
 * The counters when nothing waits any more. Or as they are when nothing moves and webhooks are pending still, or when it
 * takes too long: the reckoning will tell.
 */
async function untilDrained(fleet: LoadedFleet, monitor: QueueMonitor, sent: Sent): Promise<Counted> {
  const deadline = performance.now() + DRAIN_WITHIN_MS;
  let restlessAt = performance.now();
  for (;;) {
    const { atRest } = await untilRedisAnswers(() => monitor.sample());
    const counted = await countersOf(fleet);
    const now = performance.now();
    if (!atRest) restlessAt = now;
    const isOver = now > deadline || now - restlessAt > SETTLED_AFTER_MS;
    if (counted !== undefined && (isOver || (atRest && counted.messages.pending === 0))) return counted;
    if (now > deadline) throw new Error(`no aggregator has the counters of ${sent.accepted.size} webhooks`);
    await sleep(LOOK_EVERY_MS);
  }
}

/** Undefined for a campaign that the aggregator does not know (yet). */
async function countersOf(fleet: LoadedFleet): Promise<Counted | undefined> {
  const { status, text } = await askAggregator(fleet, `/v1/campaigns/${CAMPAIGN}`);
  return status === 200 ? (JSON.parse(text) as Counted) : undefined;
}

function askAggregator(fleet: LoadedFleet, path: string): Promise<HttpAnswer> {
  const [aggregator] = fleet.members.aggregator;
  return untilProcessAnswers(() => `${aggregator?.url()}${path}`, { headers: AUTHORIZED });
}

async function put(fleet: LoadedFleet, path: string, body: unknown): Promise<void> {
  const { status, text } = await untilProcessAnswers(() => `${fleet.members.producer[0]?.url()}${path}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json', ...AUTHORIZED },
    body: JSON.stringify(body),
  });
  if (status >= 400) throw new Error(`${path}: ${status} ${text}`);
}

/** What the fleet has on record of each. One that it doesn't know is left out, and so is lost. */
async function lookUp(fleet: LoadedFleet, ids: readonly string[]): Promise<Map<string, RecordedWebhook>> {
  const found = new Map<string, RecordedWebhook>();
  const left = ids.entries();
  await Promise.all(
    Array.from({ length: LOOK_UPS_AT_ONCE }, async () => {
      for (const [i, id] of left) {
        const { producer: producers } = fleet.members;
        const producer = producers[i % producers.length];
        const { status, text } = await untilProcessAnswers(() => `${producer?.url()}/v1/webhooks/${id}`, {
          headers: AUTHORIZED,
        });
        if (status === 200) found.set(id, JSON.parse(text) as RecordedWebhook);
        else if (status !== 404) throw new Error(`${id}: ${status} ${text}`);
      }
    }),
  );
  return found;
}
