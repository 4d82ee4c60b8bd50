/**
 * Reads a sorted set page by page while members come and go: what stays is neither skipped nor read twice. Each page begins
 * behind the last member of the one before, by its score and then its bytes, and not at a number.
 */
import type { RedisConnection } from './connection.ts';

export interface SortedMember {
  readonly member: string;
  readonly score: number;
}

export interface ReadSortedSetOptions {
  /** `descending`: the highest score first, and of one score the members in the reverse order of their bytes. */
  readonly order: 'ascending' | 'descending';
  /** Inclusive; any when absent. */
  readonly min?: number | undefined;
  /** Exclusive; any when absent. */
  readonly below?: number | undefined;
  /** Begins behind this one, which need not be there any more. */
  readonly after?: SortedMember | undefined;
  /** How many are read at once. */
  readonly pageSize: number;
}

export async function* readSortedSet(
  connection: RedisConnection,
  key: string,
  { order, min, below, after, pageSize }: ReadSortedSetOptions,
): AsyncGenerator<SortedMember, undefined> {
  const isAscending = order === 'ascending';
  const lowest = min === undefined ? '-inf' : String(min);
  const highest = below === undefined ? '+inf' : `(${below}`;

  async function read(from: string, to: string, limit: number): Promise<SortedMember[]> {
    const page = ['WITHSCORES', 'LIMIT', 0, limit] as const;
    const flat = isAscending
      ? await connection.zrangebyscore(key, from, to, ...page)
      : await connection.zrevrangebyscore(key, to, from, ...page);
    return Array.from({ length: flat.length / 2 }, (_, i) => ({
      member: flat[2 * i] as string,
      score: Number(flat[2 * i + 1]),
    }));
  }

  /** All that have the score of the member and come behind it: as many as there are, for they can't be told apart by it. */
  async function restOfScore({ member, score }: SortedMember): Promise<SortedMember[]> {
    const all = await read(String(score), String(score), -1);
    return all.filter(
      (other) => comparesBytes(other.member, member) > 0 === isAscending && other.member !== member,
    );
  }

  const isInside = (one: SortedMember) =>
    (min === undefined || one.score >= min) && (below === undefined || one.score < below);
  let last = after !== undefined && isInside(after) ? after : undefined;
  for (;;) {
    const rest = last === undefined ? [] : await restOfScore(last);
    const behind = last === undefined ? undefined : `(${last.score}`;
    const next = isAscending
      ? await read(behind ?? lowest, highest, pageSize)
      : await read(lowest, behind ?? highest, pageSize);
    yield* rest;
    yield* next;
    // What comes behind it from now on is new.
    if (next.length < pageSize) return undefined;
    last = next.at(-1);
  }
}

/** As Redis orders members of one score. */
function comparesBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
