/** A sorted set is read page by page while members come and go. Takes about 2 s. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { readSortedSet, type SortedMember } from '../src/index.ts';
import { testServer } from './setup-queue.ts';

const server = testServer();
// Few scores, so that many members share one; members whose order in bytes is not that of their characters.
const MEMBERS = ['a', 'b', 'c', 'd', 'e', 'f', 'ä', 'ﬀ', '😀', '', 'aa', 'Z'];
const MEMBER = fc.record({ member: fc.constantFrom(...MEMBERS), score: fc.integer({ min: 0, max: 3 }) });

test('what stays is read once, in order, whatever comes and goes meanwhile', async () => {
  const { connection, prefix } = server;
  const key = `${prefix}:set`;
  const at = ({ member, score }: SortedMember) => `${score} ${member}`;
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(MEMBER, { selector: ({ member }) => member }),
      // After each member that is read: one that goes, one that comes.
      fc.array(fc.record({ goes: fc.constantFrom(...MEMBERS), comes: fc.option(MEMBER) }), { maxLength: 20 }),
      fc.constantFrom('ascending' as const, 'descending' as const),
      fc.integer({ min: 1, max: 4 }),
      fc.option(MEMBER, { nil: undefined }),
      fc.record({
        min: fc.option(fc.integer({ min: 0, max: 3 }), { nil: undefined }),
        below: fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined }),
      }),
      async (members, changes, order, pageSize, after, { min, below }) => {
        await connection.del(key);
        for (const { member, score } of members) await connection.zadd(key, score, member);
        const compare = (a: SortedMember, b: SortedMember) =>
          (a.score - b.score || Buffer.compare(Buffer.from(a.member), Buffer.from(b.member))) *
          (order === 'ascending' ? 1 : -1);
        const inside = ({ score }: SortedMember) => score >= (min ?? 0) && score < (below ?? 4);
        const isBehind = (one: SortedMember) =>
          after === undefined || !inside(after) || compare(after, one) < 0;
        const stay = new Set(members.filter((one) => inside(one) && isBehind(one)).map(at));
        const read: SortedMember[] = [];
        for await (const one of readSortedSet(connection, key, { order, min, below, after, pageSize })) {
          read.push(one);
          const change = changes[read.length - 1];
          if (change === undefined) continue;
          await connection.zrem(key, change.goes);
          for (const { member, score } of members)
            if (member === change.goes) stay.delete(`${score} ${member}`);
          if (change.comes === null) continue;
          await connection.zadd(key, change.comes.score, change.comes.member);
          for (const { member, score } of members)
            if (member === change.comes.member) stay.delete(`${score} ${member}`);
        }
        expect([...stay].filter((one) => !read.map(at).includes(one))).toEqual([]);
        expect(read).toEqual(read.toSorted(compare));
        expect(new Set(read.map(at)).size).toBe(read.length);
        for (const one of read) expect(inside(one) && isBehind(one)).toBe(true);
      },
    ),
    { numRuns: 150 },
  );
});
