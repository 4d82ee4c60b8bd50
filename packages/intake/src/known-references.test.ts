/**
 * A reference that is known is found whenever it is asked for, and stands for the campaign that was told last, at
 * whichever producer. Takes under a second.
 */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createKnownReferences } from './known-references.ts';

/** The references of a fleet, as its producers share them. */
function sharedStore() {
  const stored = new Map<string, string>();
  return {
    async find(references: readonly string[]) {
      return new Map([...stored].filter(([reference]) => references.includes(reference)));
    },
    async store(campaigns: ReadonlyMap<string, string>) {
      for (const [reference, campaignId] of campaigns) stored.set(reference, campaignId);
    },
  };
}

const reference = fc.constantFrom('r0', 'r1', 'r2');
const campaignId = fc.constantFrom('a', 'b');

test('a known reference is found, however the clock moves while it is looked up', () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom(0, 1, 499, 500, 999, 1_000), { minLength: 1, maxLength: 20 }),
      fc.array(fc.uniqueArray(reference, { minLength: 1 }), { minLength: 1, maxLength: 10 }),
      async (ticks, looks) => {
        let [nowMs, reads] = [0, 0];
        const now = () => {
          nowMs += ticks[reads % ticks.length] as number;
          reads += 1;
          return nowMs;
        };
        const known = createKnownReferences({
          store: sharedStore(),
          channels: { list: async () => [] },
          now,
        });
        await known.learn(new Map(['r0', 'r1', 'r2'].map((one) => [one, `of-${one}`])));
        for (const asked of looks)
          expect(await known.campaigns(new Set(asked))).toEqual(
            new Map(asked.map((one) => [one, `of-${one}`])),
          );
      },
    ),
  ));

test('of what several producers tell, in whatever order and how close together, the last one stands', () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({ at: fc.nat({ max: 1 }), reference, campaignId, afterMs: fc.constantFrom(0, 400, 1_100) }),
        { minLength: 1, maxLength: 12 },
      ),
      async (tellings) => {
        let nowMs = 0;
        const store = sharedStore();
        const options = { store, channels: { list: async () => [] }, now: () => nowMs };
        const producers = [createKnownReferences(options), createKnownReferences(options)];
        const latest = new Map<string, string>();
        for (const telling of tellings) {
          nowMs += telling.afterMs;
          await producers[telling.at]?.learn(new Map([[telling.reference, telling.campaignId]]));
          latest.set(telling.reference, telling.campaignId);
        }
        // What a producer knows may be a second old.
        nowMs += 1_000;
        for (const producer of producers)
          expect(await producer.campaigns(new Set(latest.keys()))).toEqual(latest);
      },
    ),
  ));
