/**
 * Whether a bundle is cancelled. A cancel cannot be undone, so it is decided by the latest controls: the campaign may have
 * been resumed, or its deadline moved, a moment before the bundle was enqueued, and what this worker knows be older.
 */
import type { Bundle } from '@hookfleet/contract';
import type { KnownControls } from '@hookfleet/queue';

/** To be asked when what is known is fresh. Rejects with Redis' error. */
export async function isCancelledNow(
  controls: Pick<KnownControls, 'isCancelled' | 'untilLatest'>,
  { campaignId, generation }: Pick<Bundle, 'campaignId' | 'generation'>,
): Promise<boolean> {
  if (!controls.isCancelled(campaignId, generation)) return false;
  await controls.untilLatest();
  return controls.isCancelled(campaignId, generation);
}
