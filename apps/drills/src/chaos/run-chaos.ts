/**
 * Promises 1 to 3, in figures: a fleet under load while its processes, its Redis, its networks and its clocks fail as a
 * plan has it. When all is mended and the fleet has drained, what is left is held against the receiver's ledger.
 */
import { startChaosFleet } from './chaos-fleet.ts';
import { FAULT_KINDS, planFaults } from './fault-plan.ts';
import { injectFaults } from './inject-faults.ts';
import { type LoadReport, loadAndReckon } from './load-and-reckon.ts';
import { startDestination } from './receive-load.ts';

export interface ChaosOptions {
  readonly seed: number;
  readonly webhooks: number;
  readonly webhooksPerSecond: number;
  readonly faults: number;
  readonly onProgress: (text: string) => void;
}

/** Each kind of fault once: less than a minute. */
export const CHAOS_SHORT = { webhooks: 3_000, webhooksPerSecond: 200, faults: FAULT_KINDS.length } as const;

/** The long form: as many faults as there is time for while the load lasts. */
export function chaosOf(webhooks: number): Pick<ChaosOptions, 'webhooks' | 'webhooksPerSecond' | 'faults'> {
  const webhooksPerSecond = 500;
  const faults = Math.ceil(webhooks / webhooksPerSecond / FAULT_EVERY_S);
  return { webhooks, webhooksPerSecond, faults };
}

// As fault-plan.ts has it on average.
const FAULT_EVERY_S = 0.75;

export async function runChaos({ seed, faults, ...options }: ChaosOptions): Promise<LoadReport> {
  const destination = await startDestination();
  try {
    const fleet = await startChaosFleet(destination.network.port);
    try {
      return await loadAndReckon(fleet, destination, {
        ...options,
        meanwhile: () =>
          injectFaults(fleet, destination.network, planFaults(seed, faults), options.onProgress),
      });
    } finally {
      await fleet.stop();
    }
  } finally {
    await destination.close();
  }
}
