/**
 * Carries a plan of faults out. They overlap, but what is broken already is broken again only when it has been mended;
 * a process that was ended comes back while the plan goes on.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { TcpProxy } from '@hookfleet/testkit';
import { Redis } from 'ioredis';
import type { ChaosFleet } from './chaos-fleet.ts';
import type { Fault } from './fault-plan.ts';
import type { Role } from './fleet-members.ts';
import { untilRedisAnswers } from './until-answered.ts';

// Queues are worked with scripts: a reply that is lost to one of them leaves its command done and unknown.
const SCRIPT_CALL = 'evalsha';
const REQUEST = 'POST ';
const DELAY_MAX_MS = 150;
const ROLES = ['producer', 'worker', 'aggregator'] as const;

/** Resolves when everything is mended and every process is back. */
export async function injectFaults(
  fleet: ChaosFleet,
  toDestinations: TcpProxy,
  plan: readonly Fault[],
  onFault: (text: string) => void,
): Promise<void> {
  const turns = new Map<object, Promise<void>>();
  for (const fault of plan) {
    await sleep(fault.waitMs);
    onFault(fault.kind);
    const { broken, breakIt } = breakageOf(fault, fleet, toDestinations);
    const turn = (turns.get(broken) ?? Promise.resolve()).then(breakIt);
    // Looked at in the end; until then it is no unhandled rejection.
    turn.catch(() => undefined);
    turns.set(broken, turn);
  }
  await Promise.all(turns.values());
}

interface Breakage {
  /** What is broken: one thing at a time. */
  readonly broken: object;
  /** Breaks it, and mends it when its time is over. */
  readonly breakIt: () => Promise<void>;
}

function breakageOf(
  { kind, holdMs, target, clockMs }: Fault,
  { redis, members }: ChaosFleet,
  toDestinations: TcpProxy,
): Breakage {
  const memberOf = (roles: readonly Role[]) => {
    const some = roles.flatMap((role) => members[role]);
    return some[Math.floor(target * some.length)] as (typeof some)[number];
  };
  const ending = (role: Role, signal: 'SIGKILL' | 'SIGTERM'): Breakage => {
    const member = memberOf([role]);
    return { broken: member, breakIt: () => member.replace(signal) };
  };
  const holding = (broken: object, begin: () => unknown, end: () => unknown): Breakage => ({
    broken,
    async breakIt() {
      await begin();
      await sleep(holdMs);
      await end();
    },
  });
  const network = (proxy: TcpProxy) => ({
    cut: (): Breakage => ({ broken: proxy, breakIt: async () => proxy.cut() }),
    stall: (): Breakage => ({ broken: proxy, breakIt: async () => until(proxy.stall()) }),
    halfOpen: (): Breakage => ({ broken: proxy, breakIt: async () => until(proxy.halfOpen()) }),
    delay: () =>
      holding(
        proxy,
        () => proxy.delay(Math.ceil(target * DELAY_MAX_MS)),
        () => proxy.delay(0),
      ),
    loseReply: (after: string): Breakage => ({
      broken: proxy,
      breakIt: async () => void proxy.loseReplyAfter(after),
    }),
  });
  const until = async (mend: () => void) => {
    await sleep(holdMs);
    mend();
  };
  const anyone = memberOf(ROLES);
  switch (kind) {
    case 'worker-kill':
      return ending('worker', 'SIGKILL');
    case 'worker-term':
      return ending('worker', 'SIGTERM');
    case 'aggregator-kill':
      return ending('aggregator', 'SIGKILL');
    case 'aggregator-term':
      return ending('aggregator', 'SIGTERM');
    case 'producer-kill':
      return ending('producer', 'SIGKILL');
    case 'producer-term':
      return ending('producer', 'SIGTERM');
    case 'clock-jump':
      return holding(
        anyone,
        () => anyone.setClock(clockMs),
        () => anyone.setClock(0),
      );
    case 'redis-kill':
      return holding(redis, redis.kill, redis.restart);
    case 'redis-freeze':
      return holding(redis, redis.suspend, redis.resume);
    case 'redis-full':
      return { broken: redis, breakIt: () => refuseWrites(redis.url, holdMs) };
    case 'redis-cut':
      return network(anyone.way.network).cut();
    case 'redis-stall':
      return network(anyone.way.network).stall();
    case 'redis-delay':
      return network(anyone.way.network).delay();
    case 'redis-half-open':
      return network(anyone.way.network).halfOpen();
    case 'redis-reply-lost':
      return network(anyone.way.network).loseReply(SCRIPT_CALL);
    case 'destination-cut':
      return network(toDestinations).cut();
    case 'destination-stall':
      return network(toDestinations).stall();
    case 'destination-delay':
      return network(toDestinations).delay();
    case 'destination-half-open':
      return network(toDestinations).halfOpen();
    case 'destination-reply-lost':
      return network(toDestinations).loseReply(REQUEST);
  }
}

/** As a full Redis does that evicts nothing. */
async function refuseWrites(url: string, holdMs: number): Promise<void> {
  const admin = new Redis(url);
  admin.on('error', () => undefined);
  try {
    await untilRedisAnswers(() => admin.config('SET', 'maxmemory', '1'));
    await sleep(holdMs);
    await untilRedisAnswers(() => admin.config('SET', 'maxmemory', '0'));
  } finally {
    admin.disconnect();
  }
}
