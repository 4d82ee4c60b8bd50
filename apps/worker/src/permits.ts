/** Permits of lanes whose concurrency is limited: given back together, for those that end together cost one call. */
import type { Lanes } from '@hookfleet/queue';

export interface Permits {
  /** Resolves when the permit is given back. If that fails it ends by itself: never rejects. */
  giveBack(lane: string, permit: string): Promise<void>;
}

export interface PermitsOptions {
  readonly lanes: Pick<Lanes, 'giveBack'>;
  /** Something waits in the lane for what was given back. */
  readonly onWanted: (lane: string) => void;
  readonly onError: (error: Error, context: Record<string, unknown>) => void;
}

export function createPermits({ lanes, onWanted, onError }: PermitsOptions): Permits {
  const groups = new Map<string, { readonly permits: string[]; readonly given: Promise<void> }>();

  async function give(lane: string, permits: readonly string[]): Promise<void> {
    try {
      if (await lanes.giveBack(lane, permits)) onWanted(lane);
    } catch (error) {
      onError(error as Error, { doing: 'give permits back', lane });
    }
  }

  return {
    giveBack(lane, permit) {
      const group = groups.get(lane);
      if (group !== undefined) {
        group.permits.push(permit);
        return group.given;
      }
      const permits = [permit];
      const given = new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
        groups.delete(lane);
        return give(lane, permits);
      });
      groups.set(lane, { permits, given });
      return given;
    },
  };
}
