/**
 * hookfleet_campaign_events_total for a bounded number of campaigns: the most active are told apart, the others are
 * summed as "other". Counters must not go down, whichever campaigns are told apart, and every aggregator must tell the
 * same. So nothing is computed as "all less those that are shown", which would fall when a campaign is shown:
 *
 *     each event raises one series for good: its campaign's, where that is told apart when the event is rolled up,
 *     or else "other"
 *
 * Every few seconds one of the aggregators reads the totals of the campaigns that were active of late, and
 * roll-up-campaigns.lua adds what has grown since the last time. All it knows stands in Redis, in one slot:
 *
 *     {hookfleet}:metrics:seen        hash: campaign → its events as of the last roll-up, as JSON
 *     {hookfleet}:metrics:other       hash: event → events of campaigns that were not told apart
 *     {hookfleet}:metrics:activity    sorted set: campaigns by their events, each worth half after an hour
 *     {hookfleet}:metrics:shown       sorted set: those that are told apart
 *     {hookfleet}:metrics:rolled-at   when the last roll-up began, in milliseconds since 1970
 *     {hookfleet}:metrics:turn        held by the aggregator whose turn it is
 *
 * A campaign that is told apart shows all its events, those of before too: a series may begin anywhere, and rate() and
 * increase() look at its growth. One that makes room for another disappears, and goes on in "other". Rolling up twice,
 * or with totals that are no longer the latest, adds nothing twice: what was seen never shrinks. Where it is not known what
 * was seen, because nobody can read it, a campaign begins with what it has: nothing is added twice.
 *
 * Measured with 1,000 campaigns of four events each: a scrape takes 25 ms, of which Redis has 1.
 */
import { readFileSync } from 'node:fs';
import { createTellOnce, type OnUnreadable, readObject, type RedisConnection } from '@hookfleet/queue';
import { campaignKeys, campaignsKey } from './campaign-keys.ts';

const INTERVAL_MS = 5_000;
// A little shorter, or the same aggregator would miss every other turn of its own.
const TURN_MS = INTERVAL_MS - 500;
// A campaign is in the index before its events are counted (count-results.ts): by so much at most, unless Redis was
// away in between. What is counted later than this is rolled up with the campaign's next event.
const COUNTED_LATE_MS = 30_000;
const CAMPAIGNS_PER_CALL = 100;
const HALF_LIFE_MS = 3_600_000;
// Counters go a day earlier than their retention at the earliest (apply-results.lua); what was seen of them, after.
const FORGET_AFTER_MS = 2 * 86_400_000;

/** Stands for all campaigns that are not told apart; a campaign of this name is one of them. */
export const OTHER_CAMPAIGNS = 'other';

export interface CampaignEvents {
  readonly campaignId: string;
  readonly events: Readonly<Record<string, number>>;
}

export interface CampaignRollUp {
  /** Adds what has grown, where it is our turn. */
  rollUp(): Promise<void>;
  /** Campaigns that are told apart, and OTHER_CAMPAIGNS. Three commands, however many campaigns there are. */
  read(): Promise<CampaignEvents[]>;
}

export interface CampaignRollUpOptions {
  readonly connection: RedisConnection;
  readonly prefix: string;
  /** HOOKFLEET_METRICS_CAMPAIGNS; the same in every aggregator. */
  readonly campaignsMax: number;
  /** How long a campaign's counters outlive its last event. */
  readonly retentionMs: number;
  readonly now: () => number;
  readonly onUnreadable?: OnUnreadable | undefined;
}

type Counts = Record<string, number>;

const SCRIPT = { lua: readFileSync(new URL('roll-up-campaigns.lua', import.meta.url), 'utf8') };

export function createCampaignRollUp(options: CampaignRollUpOptions): CampaignRollUp {
  const { connection, prefix, campaignsMax, retentionMs, now, onUnreadable } = options;
  const keyOf = (name: string) => `{${prefix}}:metrics:${name}`;
  const keys = ['seen', 'other', 'activity', 'shown'].map(keyOf);
  const [seen = '', other = '', , shown = ''] = keys;
  connection.defineCommand('rollUpCampaigns', SCRIPT);
  const { rollUpCampaigns } = connection as unknown as {
    rollUpCampaigns(keysCount: number, ...keysAndArguments: string[]): Promise<string[]>;
  };
  const tellOfCount = createTellOnce("a campaign's count", onUnreadable);
  const tellOfSeen = createTellOnce("what was seen of a campaign's events", onUnreadable);
  const tellOfOther = createTellOnce("a count of all other campaigns' events", onUnreadable);

  async function eventsOf(campaignId: string): Promise<string> {
    const fields = Object.entries(await connection.hgetall(campaignKeys(prefix, campaignId).totals));
    const events = fields
      .filter(([field]) => field.startsWith('e:'))
      .map(([field, count]) => [field.slice('e:'.length), count] as const);
    return JSON.stringify(readCounts(events, (event) => tellOfCount(`${campaignId} ${event}`)));
  }

  /** Empty if nobody can read it. */
  function readSeen(campaignId: string, text: string): Counts {
    const counts = readObject<Counts>(text, (found) => Object.values(found).every(Number.isFinite));
    if (counts === undefined) tellOfSeen(campaignId);
    return counts ?? {};
  }

  return {
    async rollUp() {
      const startedAtMs = now();
      const [turn, rolledAtMs] = await Promise.all([
        connection.set(keyOf('turn'), '1', 'PX', TURN_MS, 'NX'),
        connection.get(keyOf('rolled-at')),
      ]);
      if (turn === null) return;
      const rolledAt = Number(rolledAtMs ?? 0);
      // What is no time, or none of the past, somebody else wrote: all campaigns are looked at.
      const sinceMs = rolledAt <= startedAtMs ? rolledAt - COUNTED_LATE_MS : 0;
      const active = await connection.zrangebyscore(campaignsKey(prefix), sinceMs, '+inf');
      for (let at = 0; at < active.length || at === 0; at += CAMPAIGNS_PER_CALL) {
        const ids = active.slice(at, at + CAMPAIGNS_PER_CALL);
        const totals = await Promise.all(ids.map(eventsOf));
        const replaced = await rollUpCampaigns.call(
          connection,
          keys.length,
          ...keys,
          String(campaignsMax),
          String(startedAtMs / HALF_LIFE_MS),
          String((startedAtMs - retentionMs - FORGET_AFTER_MS) / HALF_LIFE_MS),
          OTHER_CAMPAIGNS,
          at + CAMPAIGNS_PER_CALL >= active.length ? '1' : '0',
          ...ids.flatMap((id, i) => [id, totals[i] ?? '{}']),
        );
        for (let i = 0; i < replaced.length; i += 2)
          (replaced[i] === 'seen' ? tellOfSeen : tellOfOther)(replaced[i + 1] as string);
      }
      await connection.set(keyOf('rolled-at'), startedAtMs);
    },
    async read() {
      const [ids, rest] = await Promise.all([connection.zrange(shown, 0, '-1'), connection.hgetall(other)]);
      const texts = ids.length === 0 ? [] : await connection.hmget(seen, ...ids);
      const told = ids.map((campaignId, i) => ({
        campaignId,
        events: readSeen(campaignId, texts[i] ?? '{}'),
      }));
      const events = readCounts(Object.entries(rest), tellOfOther);
      return [...told, { campaignId: OTHER_CAMPAIGNS, events }];
    },
  };
}

function readCounts(
  fields: readonly (readonly [event: string, count: string])[],
  tell: (event: string) => void,
): Counts {
  const counts: [string, number][] = [];
  for (const [event, text] of fields) {
    if (/^\d{1,15}$/.test(text)) counts.push([event, Number(text)]);
    else tell(event);
  }
  return Object.fromEntries(counts);
}

export function startRollingUp({
  rollUp,
  onError,
}: {
  rollUp: CampaignRollUp['rollUp'];
  onError: (error: Error) => void;
}): { stop(): Promise<void> } {
  let rolling: Promise<void> | undefined;
  function rollAgain(): void {
    // While Redis is slow, one at a time.
    rolling ??= rollUp()
      .catch(onError)
      .finally(() => {
        rolling = undefined;
      });
  }
  const timer = setInterval(rollAgain, INTERVAL_MS);
  return {
    async stop() {
      clearInterval(timer);
      await rolling;
    },
  };
}
