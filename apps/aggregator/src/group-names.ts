/**
 * The numbers of a campaign's messages and channels, as name-groups.lua gives them: asked for once, then remembered.
 * A number never changes while any count under it is kept, so that what is remembered is true in every process, unless a
 * master that took over lacks it.
 */
import { readFileSync } from 'node:fs';
import type { Outcome } from '@hookfleet/contract';
import { createLossCheck, type RedisConnection } from '@hookfleet/queue';
import { campaignKeys } from './campaign-keys.ts';
import { GROUP_KINDS, GROUPS_MAX, type GroupKind, type GroupOf, OTHERS } from './series-groups.ts';

// Far below any retention of the names: asking again prolongs it.
const REMEMBERED_MS = 3_600_000;
// Campaigns: 100 ids each at most, a few megabytes.
const REMEMBERED_MAX = 1_000;
// Script calls hold up everybody.
const IDS_PER_CALL_MAX = 100;

export interface GroupNames {
  /** Resolves to a lookup that knows every message and channel of the outcomes. */
  resolve(outcomes: readonly Outcome[]): Promise<GroupOf>;
}

interface Remembered {
  readonly numbers: Map<string, number>;
  /** All numbers are given away: an unknown id is one of the others. */
  isFull: boolean;
  readonly untilMs: number;
}

const SCRIPT = { numberOfKeys: 1, lua: readFileSync(new URL('name-groups.lua', import.meta.url), 'utf8') };

export function createGroupNames(options: {
  readonly connection: RedisConnection;
  readonly prefix: string;
  readonly keepMs: number;
  readonly now: () => number;
}): GroupNames {
  const { connection, prefix, keepMs, now } = options;
  connection.defineCommand('nameGroups', SCRIPT);
  const { nameGroups } = connection as unknown as {
    nameGroups(key: string, ...args: (string | number)[]): Promise<number[]>;
  };
  const remembered = new Map<string, Remembered>();
  const wasLost = createLossCheck(connection);

  function of(key: string): Remembered {
    let names = remembered.get(key);
    if (names === undefined || names.untilMs < now()) {
      if (remembered.size >= REMEMBERED_MAX) remembered.clear();
      names = { numbers: new Map(), isFull: false, untilMs: now() + REMEMBERED_MS };
      remembered.set(key, names);
    }
    return names;
  }

  async function ask(key: string, names: Remembered, ids: readonly string[]): Promise<void> {
    for (let i = 0; i < ids.length && !names.isFull; i += IDS_PER_CALL_MAX) {
      const some = ids.slice(i, i + IDS_PER_CALL_MAX);
      const numbers = await nameGroups.call(connection, key, GROUPS_MAX, keepMs, ...some);
      for (const [at, id] of some.entries()) {
        const number = numbers[at] ?? OTHERS;
        if (number === OTHERS) names.isFull = true;
        else names.numbers.set(id, number);
      }
    }
  }

  return {
    async resolve(outcomes) {
      if (wasLost()) remembered.clear();
      const known = new Map<string, Remembered>();
      const asked: Promise<void>[] = [];
      for (const [campaignId, its] of Map.groupBy(outcomes, (outcome) => outcome.campaignId)) {
        for (const kind of GROUP_KINDS) {
          const ids = new Set(its.flatMap((outcome) => idOf(kind, outcome) ?? []));
          if (ids.size === 0) continue;
          const key = campaignKeys(prefix, campaignId).groupNames(kind);
          const names = of(key);
          known.set(`${kind} ${campaignId}`, names);
          const unknown = [...ids].filter((id) => !names.numbers.has(id));
          if (unknown.length > 0 && !names.isFull) asked.push(ask(key, names, unknown));
        }
      }
      await Promise.all(asked);
      return (kind, campaignId, id) => known.get(`${kind} ${campaignId}`)?.numbers.get(id) ?? OTHERS;
    },
  };
}

function idOf(kind: GroupKind, { messageId, channelConfigId }: Outcome): string | undefined {
  return kind === 'message' ? messageId : channelConfigId;
}
