/**
 * Which commands and scripts Redis' time goes into, by whose they are. Every command is written to the slow log, those
 * within scripts too, and taken out of it as it fills. The writing costs Redis time of its own, about a third, most of
 * it within scripts: the shares are right, and what the whole costs is measured without (redis-cost.ts).
 */
import { Redis } from 'ioredis';
import { scriptNames } from './script-names.ts';

export interface CommandCost {
  /** The connection's name: an application of ours, or the queue that one waits for. */
  readonly client: string;
  /** A script's own, where it is one. */
  readonly name: string;
  calls: number;
  /** By Redis' clock; a script's include what it calls. */
  micros: number;
  /** What a script calls. */
  readonly within: Map<string, { calls: number; micros: number }>;
}

export interface RedisProfile {
  /** What was done since the call before. */
  lap(): Promise<CommandCost[]>;
  close(): Promise<void>;
}

/** Id, time, microseconds, command with its arguments, address, connection's name. */
type Entry = [number, number, number, string[], string, string];

const OWN_NAME = 'bench-profile';
// Redis keeps so many entries until they are taken: some seconds' worth.
const ENTRIES_MAX = 2_000_000;
const TAKE_EVERY_MS = 100;

export async function openRedisProfile(url: string): Promise<RedisProfile> {
  const names = scriptNames();
  const redis = new Redis(url, { connectionName: OWN_NAME });
  await redis.config('SET', 'slowlog-max-len', ENTRIES_MAX);
  await redis.config('SET', 'slowlog-log-slower-than', 0);
  let costs = new Map<string, CommandCost>();
  const take = async () => {
    // In one step: nothing is taken twice, and no script is cut in two.
    const taken = await redis.multi().slowlog('GET', -1).slowlog('RESET').exec();
    const [, entries] = taken?.[0] ?? [];
    addUp((entries as Entry[]).toReversed(), names, costs);
  };
  let failed: Error | undefined;
  let taking: Promise<void> = Promise.resolve();
  const takeInTurn = () => {
    taking = taking.then(take).catch((error: Error) => {
      failed = error;
    });
    return taking;
  };
  const timer = setInterval(takeInTurn, TAKE_EVERY_MS);
  await takeInTurn();
  return {
    async lap() {
      await takeInTurn();
      if (failed !== undefined) throw failed;
      const lap = [...costs.values()].sort((a, b) => b.micros - a.micros);
      costs = new Map();
      return lap;
    },
    async close() {
      clearInterval(timer);
      await taking;
      redis.disconnect();
    },
  };
}

/** In the order in which they ended: what a script calls comes before it. */
function addUp(
  entries: readonly Entry[],
  names: ReadonlyMap<string, string>,
  costs: Map<string, CommandCost>,
): void {
  let within: Entry[] = [];
  for (const entry of entries) {
    const [, , micros, [command = '', script = ''], address, connection] = entry;
    // What a script calls comes from no address.
    if (address === '?:0') {
      within.push(entry);
      continue;
    }
    const inScript = within;
    within = [];
    if (connection === OWN_NAME) continue;
    const client = clientOf(connection);
    const isScript = /^eval/i.test(command);
    const name = isScript ? (names.get(script) ?? `script ${script.slice(0, 8)}`) : command.toLowerCase();
    const key = `${client} ${name}`;
    const cost = costs.get(key) ?? { client, name, calls: 0, micros: 0, within: new Map() };
    costs.set(key, cost);
    cost.calls += 1;
    cost.micros += micros;
    for (const [, , callMicros, [called = '']] of inScript) {
      const call = cost.within.get(called.toLowerCase()) ?? { calls: 0, micros: 0 };
      cost.within.set(called.toLowerCase(), call);
      call.calls += 1;
      call.micros += callMicros;
    }
  }
}

/** BullMQ names the connection that waits for a queue's jobs after the queue: its prefix, and its name in base64. */
function clientOf(connection: string): string {
  const queue = /^\{.*\}:(?<name>[A-Za-z0-9+/]+=*)$/.exec(connection)?.groups?.['name'];
  if (queue === undefined) return connection.replace(/^hookfleet-/, '');
  return `waiting for ${Buffer.from(queue, 'base64').toString()}:`;
}
