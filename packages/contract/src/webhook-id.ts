/**
 * A webhook's id says where the webhook is, so that no index is needed to find it:
 *
 *     wh_<shard>_<run>_<first>_<index>        numbers in base 36
 *
 * `run` is a random token of the producer's process for one campaign. Within a run, positions are dense: a bundle
 * begins at `first` and a webhook stands `index` behind it. (run, first + index) is the webhook's position in its
 * campaign, the bit that "counted once" is marked at; (shard, run, first) names the bundle's job and attempt log.
 */
import { type Static, Type } from 'typebox';

/** The positions of a run from `from` on, `count` of them. */
export const PositionRange = Type.Object({
  run: Type.String(),
  from: Type.Integer({ minimum: 0 }),
  count: Type.Integer({ minimum: 1 }),
});

export type PositionRange = Static<typeof PositionRange>;

export interface WebhookLocation {
  readonly shard: number;
  readonly run: string;
  readonly first: number;
  readonly index: number;
}

const PATTERN = /^wh_([0-9a-z]{1,3})_([0-9a-f]{12})_([0-9a-z]{1,7})_([0-9a-z]{1,4})$/;

export function formatWebhookId({ shard, run, first, index }: WebhookLocation): string {
  return `wh_${shard.toString(36)}_${run}_${first.toString(36)}_${index.toString(36)}`;
}

/** Undefined where the text is no webhook id. */
export function parseWebhookId(id: string): WebhookLocation | undefined {
  const match = PATTERN.exec(id);
  if (match === null) return undefined;
  const [, shard = '', run = '', first = '', index = ''] = match;
  return {
    shard: Number.parseInt(shard, 36),
    run,
    first: Number.parseInt(first, 36),
    index: Number.parseInt(index, 36),
  };
}

/** The webhook's position among its run's: dense, from 0. */
export function positionOf({ first, index }: WebhookLocation): number {
  return first + index;
}

/** Positions, in their order, as ranges: those in a row make one. */
export function toPositionRanges(positions: Iterable<{ run: string; position: number }>): PositionRange[] {
  const ranges: PositionRange[] = [];
  for (const { run, position } of positions) {
    const last = ranges.at(-1);
    if (last !== undefined && last.run === run && last.from + last.count === position) last.count += 1;
    else ranges.push({ run, from: position, count: 1 });
  }
  return ranges;
}
