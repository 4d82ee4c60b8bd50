/** Asks the fleet for an audit of a campaign: its counters beside what its attempt logs add up to. */

export interface Audited {
  /** How far the counters are from the logs, summed over all of them. */
  readonly off: number;
  /** Webhooks and batches whose attempts are counted and not logged. */
  readonly unlogged: number;
  readonly evidence: readonly string[];
}

interface AuditPart {
  readonly differences?: readonly { counter: string; counted: number; recomputed: number }[];
  readonly webhooks: { readonly missing: number };
  /** It goes on. */
  readonly cursor?: string;
}

/** `get` resolves to the body of an answer 200. */
export async function auditLoad(
  campaignId: string,
  get: (path: string) => Promise<string>,
): Promise<Audited> {
  for (let cursor: string | undefined; ; ) {
    const query = cursor === undefined ? '' : `?${new URLSearchParams({ cursor })}`;
    const part = JSON.parse(await get(`/v1/campaigns/${campaignId}/audit${query}`)) as AuditPart;
    ({ cursor } = part);
    if (cursor !== undefined) continue;
    const { differences = [], webhooks } = part;
    return {
      off: differences.reduce((sum, { counted, recomputed }) => sum + Math.abs(counted - recomputed), 0),
      unlogged: webhooks.missing,
      evidence: differences.map(
        ({ counter, counted, recomputed }) => `counted ${counted} of ${counter}, the logs say ${recomputed}`,
      ),
    };
  }
}
