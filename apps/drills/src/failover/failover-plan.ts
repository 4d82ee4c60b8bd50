/** How the master fails, in which order and when: all of it from one number, as fault-plan.ts has it. */
import { randomOf } from '../chaos/fault-plan.ts';

export const FAILOVER_KINDS = [
  // It dies, and comes back when another has taken its place.
  'killed',
  // It hangs, and goes on then, not knowing of the other.
  'frozen',
  // Replica and sentinels don't reach it; the fleet's connections to it stand.
  'isolated',
  // It is well: an operator has the sentinels exchange it.
  'exchanged',
] as const;

export interface Failover {
  readonly kind: (typeof FAILOVER_KINDS)[number];
  /** Of load, with both nodes well, before it. */
  readonly waitMs: number;
  /** For so long before it the replica gets nothing: what a slow one, or a slow network, would lack. */
  readonly lagMs: number;
}

const WAIT_MIN_MS = 500;
const WAIT_SPAN_MS = 1_500;
const LAG_MAX_MS = 1_000;

/** Each kind once, in an order of the seed's, then each once again, and so on. About every other time the replica lags. */
export function planFailovers(seed: number, count: number): Failover[] {
  const random = randomOf(seed);
  let left: Failover['kind'][] = [];
  return Array.from({ length: count }, () => {
    if (left.length === 0) left = [...FAILOVER_KINDS];
    const [kind] = left.splice(Math.floor(random() * left.length), 1) as [Failover['kind']];
    return {
      kind,
      waitMs: Math.round(WAIT_MIN_MS + random() * WAIT_SPAN_MS),
      lagMs: random() < 0.5 ? 0 : Math.round(random() * LAG_MAX_MS),
    };
  });
}
