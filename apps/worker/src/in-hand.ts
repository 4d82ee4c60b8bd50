/**
 * The bundles that this worker has in hand, so that those of a campaign or destination whose controls have changed are looked
 * at again while they wait for a slot: a cancelled webhook is not to wait for a destination that hangs.
 */
import type { LanePair } from '@hookfleet/queue';

export interface HeldBundle {
  /** Aborts when something has changed; another one from then on. */
  readonly changed: () => AbortSignal;
  readonly end: () => void;
}

export interface InHand {
  add(lanes: LanePair): HeldBundle;
  /** The lane has changed; undefined: any may have. */
  changed(lane: string | undefined): void;
}

export function createInHand(): InHand {
  const held = new Map<string, Set<() => void>>();

  return {
    add({ campaign, destination }) {
      let controller = new AbortController();
      const onChanged = () => {
        controller.abort();
        controller = new AbortController();
      };
      const lanes = [campaign, destination];
      for (const lane of lanes) {
        const others = held.get(lane) ?? new Set();
        held.set(lane, others.add(onChanged));
      }
      return {
        changed: () => controller.signal,
        end() {
          for (const lane of lanes) {
            const others = held.get(lane);
            others?.delete(onChanged);
            if (others?.size === 0) held.delete(lane);
          }
        },
      };
    },
    changed(lane) {
      const affected = lane === undefined ? [...held.values()] : [held.get(lane) ?? new Set<() => void>()];
      for (const onChanged of new Set(affected.flatMap((others) => [...others]))) onChanged();
    },
  };
}
