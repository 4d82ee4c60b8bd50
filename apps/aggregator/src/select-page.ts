/** Finds, sorts and cuts a page out of many rows. Pure. */
import type { CampaignRow, CampaignSort } from './campaign-directory.ts';

export interface PageQuery {
  /** A part of the id, in any case. */
  readonly q?: string | undefined;
  readonly sort: CampaignSort;
  readonly offset: number;
  /** Of the order by ids: those behind this one, which need not be there any more. */
  readonly afterId?: string | undefined;
  readonly limit: number;
}

/** Counts and times: the most first; ids in their order. Equal ones by their ids, so that pages don't overlap. */
export function selectPage(
  rows: Iterable<CampaignRow>,
  { q, sort, offset, afterId, limit }: PageQuery,
): { page: CampaignRow[]; total: number } {
  const needle = q?.toLowerCase();
  const wanted = offset + limit;
  let total = 0;
  // The first `wanted` in order, and no more: sorting 100,000 rows for a page of 50 would hold up the process.
  const first: CampaignRow[] = [];
  for (const row of rows) {
    if (needle !== undefined && !row.campaignId.toLowerCase().includes(needle)) continue;
    total += 1;
    if (afterId !== undefined && row.campaignId <= afterId) continue;
    if (first.length === wanted && compare(first[wanted - 1] as CampaignRow, row, sort) < 0) continue;
    first.splice(placeFor(first, row, sort), 0, row);
    if (first.length > wanted) first.pop();
  }
  return { page: first.slice(offset, wanted), total };
}

function placeFor(sorted: readonly CampaignRow[], row: CampaignRow, sort: CampaignSort): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compare(sorted[middle] as CampaignRow, row, sort) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function compare(a: CampaignRow, b: CampaignRow, sort: CampaignSort): number {
  const byId = a.campaignId < b.campaignId ? -1 : a.campaignId > b.campaignId ? 1 : 0;
  switch (sort) {
    case 'id':
      return byId;
    case 'lastEvent':
      return b.activeAtMs - a.activeAtMs || byId;
    default:
      return b.counts[sort] - a.counts[sort] || byId;
  }
}
