/**
 * The processes of a fleet that is drilled: two producers, three workers, two aggregators, where no other numbers are
 * asked for. One that was ended is started again, as often as it takes. All of them have secrets of the drill's, and
 * whatever they say is kept, to be searched for these.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildApplication } from '@hookfleet/build';
import { makeTemporaryDirectory, type StartedProcess, startProcess } from '@hookfleet/testkit';

export type Role = 'producer' | 'worker' | 'aggregator';

/** How a process ended: by a signal that the drill sent, or by itself. */
export type Ending = 'SIGKILL' | 'SIGTERM' | 'itself';

/** How a process comes to Redis: each member has one of its own. */
export interface Way {
  readonly redisUrl: string;
  close(): Promise<void>;
}

export interface Member<W extends Way = Way> {
  readonly role: Role;
  readonly way: W;
  /** Of the process that runs now. */
  url(): string;
  /**
   * Ends the process and starts another in its place. Resolves when that one is up. `root`: of the repository that it is
   * started from, and those after it.
   */
  replace(signal: 'SIGKILL' | 'SIGTERM', root?: string): Promise<void>;
  /** From now on its clock is off by so much. */
  setClock(offsetMs: number): Promise<void>;
  end(): Promise<void>;
}

export interface FleetMembers<W extends Way = Way> {
  readonly members: Readonly<Record<Role, readonly Member<W>[]>>;
  /** Of processes, by their id, that have ended. */
  readonly endings: ReadonlyMap<number, Ending>;
  /** Processes that were asked to stop and did not exit 0, or that ended unasked. */
  readonly uncleanEnds: readonly string[];
  /** Which process has connected from the port to the destination, nearest to the time in milliseconds since 1970. */
  readConnections(): Promise<(port: number, atMs: number) => number | undefined>;
  /** How often one of the drill's secrets stands in what the processes said. */
  secretsShown(): number;
  stop(): Promise<void>;
}

/** Attempts in flight in a worker at most: what its SIGKILL may repeat. */
export const CONCURRENCY = 30;
// With Redis away a process may refuse to start; no outage of the drill is nearly as long as these tries.
const START_TRIES = 20;
const LAST_WORDS = 4;
const COUNTS = { aggregator: 2, worker: 3, producer: 2 } as const satisfies Record<Role, number>;
// Of a form that is part of nothing else.
const PLANTED = 'planted-5ecret';
export const API_KEY = `${PLANTED}-api-key`;
export const SIGNING_SECRET = `whsec_${Buffer.from(`${PLANTED}-signing-key`).toString('base64')}`;
export const BEARER_TOKEN = `${PLANTED}-token`;
/** Of its user `fleet`. */
export const REDIS_PASSWORD = `${PLANTED}-redis`;
export const SENTINEL_PASSWORD = `${PLANTED}-sentinel`;
const ENCRYPTION_KEY = Buffer.from(PLANTED.padEnd(32, 'x')).toString('base64');
const SECRETS = [PLANTED, SIGNING_SECRET, ENCRYPTION_KEY];

/** Of the repository that this drill is part of. */
export const ROOT = fileURLToPath(new URL('../../../..', import.meta.url));

export interface FleetMembersOptions {
  readonly counts?: Readonly<Record<Role, number>>;
  /** Of the repository that its processes are started from. */
  readonly root?: string;
  /** On top of the drill's own. */
  readonly environment?: Readonly<Partial<Record<Role, Readonly<Record<string, string>>>>>;
}

export async function startFleetMembers<W extends Way>(
  destinationPort: number,
  openWay: () => Promise<W>,
  { counts = COUNTS, root: firstRoot = ROOT, environment = {} }: FleetMembersOptions = {},
): Promise<FleetMembers<W>> {
  const temporary = await makeTemporaryDirectory('drill');
  const directory = temporary.path;
  const members: Record<Role, Member<W>[]> = { producer: [], worker: [], aggregator: [] };
  const started: StartedProcess[] = [];
  const endings = new Map<number, Ending>();
  const uncleanEnds: string[] = [];
  const preload = new URL('./process-preload.ts', import.meta.url);
  preload.search = new URLSearchParams({ directory, destinationPort: String(destinationPort) }).toString();

  async function stop(): Promise<void> {
    await Promise.all(Object.values(members).flatMap((some) => some.map((member) => member.end())));
    await temporary.remove();
  }

  async function startMember(role: Role): Promise<Member<W>> {
    const way = await openWay();
    let root = firstRoot;
    let running: StartedProcess | undefined;
    let url = '';
    let isEnding = false;

    async function launch(): Promise<StartedProcess> {
      // An earlier version is run from its sources: it may not know how to be built.
      const isOurs = root === ROOT;
      const entry = isOurs ? await buildApplication(role) : join(root, `apps/${role}/src/main.ts`);
      const one = startProcess(entry, {
        ...ENVIRONMENT[role],
        ...environment[role],
        REDIS_URL: way.redisUrl,
        NODE_OPTIONS: `--import=${preload.href}`,
      });
      started.push(one);
      return one;
    }

    async function start(): Promise<void> {
      for (let tries = 1; !isEnding; tries += 1) {
        const one = await launch();
        running = one;
        try {
          url = String((await one.waitForLog(({ msg }) => msg === `${role}.started`))['url']);
          void one.exited.then(({ code, signal }) => {
            if (endings.has(one.pid) || isEnding) return;
            endings.set(one.pid, 'itself');
            uncleanEnds.push(`${role} ended by itself with ${signal ?? code}: ${lastWords(one)}`);
          });
          return;
        } catch (error) {
          if (tries === START_TRIES) throw error;
        }
      }
    }

    await start();
    return {
      role,
      way,
      url: () => url,
      async replace(signal, nextRoot = root) {
        root = nextRoot;
        const ended = running as StartedProcess;
        if (!endings.has(ended.pid)) {
          endings.set(ended.pid, signal);
          ended.signal(signal);
        }
        const how = await ended.exited;
        if (signal === 'SIGTERM' && how.code !== 0)
          uncleanEnds.push(`${role} ended at SIGTERM with ${how.signal ?? how.code}: ${lastWords(ended)}`);
        await start();
      },
      async setClock(offsetMs) {
        const { pid, signal } = running as StartedProcess;
        await writeFile(join(directory, `${pid}.clock`), String(offsetMs));
        if (!endings.has(pid)) signal('SIGUSR2');
      },
      async end() {
        isEnding = true;
        await running?.kill();
        await way.close();
      },
    };
  }

  try {
    for (const role of ['aggregator', 'worker', 'producer'] as const)
      members[role].push(
        ...(await Promise.all(Array.from({ length: counts[role] }, () => startMember(role)))),
      );
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    members,
    endings,
    uncleanEnds,
    readConnections: async () => findOwners(await readFile(join(directory, 'connections'), 'utf8')),
    secretsShown() {
      const said = started.flatMap(({ logs, lines }) => [
        ...logs.map((log) => JSON.stringify(log)),
        ...lines,
      ]);
      return said.filter((line) => SECRETS.some((secret) => line.includes(secret))).length;
    },
    stop,
  };
}

const COMMON = { PORT: '0', HOOKFLEET_API_KEYS: API_KEY, HOOKFLEET_ENCRYPTION_KEYS: ENCRYPTION_KEY };
// Two thirds of it must outlast all outages that follow each other: a lock that runs out repeats what is in flight.
const RECOVERY = { HOOKFLEET_LOCK_DURATION: '20s', HOOKFLEET_STALLED_INTERVAL: '500ms' };

const ENVIRONMENT: Readonly<Record<Role, Record<string, string>>> = {
  producer: COMMON,
  aggregator: { ...COMMON, ...RECOVERY },
  worker: {
    ...COMMON,
    ...RECOVERY,
    HOOKFLEET_ATTEMPT_TIMEOUT: '5s',
    HOOKFLEET_EGRESS_ALLOW: '127.0.0.0/8',
    HOOKFLEET_CONCURRENCY: String(CONCURRENCY),
  },
};

function lastWords({ logs, lines }: StartedProcess): string {
  return [...logs.map((log) => JSON.stringify(log)), ...lines].slice(-LAST_WORDS).join('\n    ');
}

/** A port is used again, by somebody else, much later. */
function findOwners(text: string): (port: number, atMs: number) => number | undefined {
  const byPort = new Map<number, { pid: number; atMs: number }[]>();
  for (const line of text.trimEnd().split('\n')) {
    const [pid = 0, port = 0, atMs = 0] = line.split(' ').map(Number);
    const uses = byPort.get(port) ?? [];
    uses.push({ pid, atMs });
    byPort.set(port, uses);
  }
  return (port, atMs) =>
    byPort.get(port)?.toSorted((a, b) => Math.abs(a.atMs - atMs) - Math.abs(b.atMs - atMs))[0]?.pid;
}
