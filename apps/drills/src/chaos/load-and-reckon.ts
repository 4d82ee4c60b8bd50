/** A fleet under load, and the promises that hold for any: its accounts are held against each other. */
import { type FleetReport, type LoadedFleet, loadFleet, type LoadOptions } from './load-fleet.ts';
import type { Destination } from './receive-load.ts';
import { idsOf, keepsPromises, type Reckoning, reckon } from './reckon.ts';

export interface LoadReport extends FleetReport {
  readonly reckoning: Reckoning;
  /** What broken promises show by. */
  readonly evidence: readonly string[];
  /** Accepted without an answer that said so. */
  readonly unanswered: number;
  readonly isKept: boolean;
}

export async function loadAndReckon(
  fleet: LoadedFleet,
  destination: Destination,
  options: LoadOptions,
): Promise<LoadReport> {
  const { accounts, audited, faults, fleetReport } = await loadFleet(fleet, destination, options);
  const { reckoning, evidence } = reckon(accounts);
  return {
    ...fleetReport,
    reckoning,
    evidence: [...fleet.uncleanEnds, ...faults, ...audited.evidence, ...evidence],
    unanswered: idsOf(accounts).size - accounts.accepted.size,
    isKept:
      keepsPromises(reckoning) &&
      audited.off === 0 &&
      faults.length === 0 &&
      fleetReport.uncleanEnds === 0 &&
      fleetReport.secretsShown === 0,
  };
}
