/** Every webhook is in exactly one bundle, in order, with a position and trace of its own. Takes under a second. */
import { traceOf } from '@hookfleet/contract';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { packBundles, type WebhookToEnqueue } from './pack-bundles.ts';
import { createPositionAllocator } from './positions.ts';
import { createSecretBox } from './secret-box.ts';

const webhooks = fc.array(
  fc.record(
    {
      campaignId: fc.constantFrom('a', 'b'),
      messageId: fc.constantFrom('m', 'n'),
      channelConfigId: fc.constantFrom('c', 'd'),
      body: fc.nat({ max: 5 }).map((size) => 'x'.repeat(size * 60_000)),
      deliverAtMs: fc.constantFrom(undefined, 5),
      idempotencyKey: fc.option(fc.string({ minLength: 1 }), { nil: undefined }),
    },
    { requiredKeys: ['campaignId', 'messageId', 'channelConfigId', 'body'] },
  ),
  { maxLength: 60 },
);

const options = fc.record({
  bundleSize: fc.integer({ min: 1, max: 20 }),
  shards: fc.integer({ min: 1, max: 4 }),
});

function pack(
  given: readonly WebhookToEnqueue[],
  { bundleSize, shards }: { bundleSize: number; shards: number },
) {
  let turn = 0;
  return packBundles(given, {
    bundleSize,
    shards,
    positions: createPositionAllocator(),
    nowMs: 1_000,
    nextShard: () => turn++ % shards,
    secrets: createSecretBox([]),
    controlsVersion: 0,
    generationOf: () => undefined,
  });
}

test('every webhook travels in exactly one bundle, in its order, with what belongs together', () => {
  fc.assert(
    fc.property(webhooks, options, (given, size) => {
      const packed = pack(given, size);
      expect(packed.flatMap(({ members }) => members).sort((a, b) => a - b)).toEqual(
        given.map((_, at) => at),
      );
      for (const { bundle, members, shard } of packed) {
        expect(members).toEqual([...members].sort((a, b) => a - b));
        expect(members.length).toBeLessThanOrEqual(size.bundleSize);
        expect(shard).toBeLessThan(size.shards);
        const of = members.map((member) => given[member] as WebhookToEnqueue);
        for (const [i, webhook] of of.entries()) {
          const { campaignId, channelConfigId, deliverAtMs, messageId, body } = webhook;
          expect({ campaignId, channelConfigId, deliverAt: deliverAtMs }).toEqual({
            campaignId: bundle.campaignId,
            channelConfigId: bundle.channelConfigId,
            deliverAt: bundle.deliverAt,
          });
          expect(bundle.webhooks[i]).toMatchObject({ index: i, messageId, body });
        }
        const bytes = of.reduce((sum, { body }) => sum + body.length, 0);
        if (of.length > 1) expect(bytes).toBeLessThanOrEqual(512 * 1024);
        // Only what has a key may stand in two jobs, and must then be claimed.
        const keyed = of.filter(({ idempotencyKey }) => idempotencyKey !== undefined);
        expect(bundle.claim ?? false).toBe(keyed.length > 0);
      }
    }),
  );
});

test("a run's positions are dense: no two webhooks share one, and none is left out", () => {
  fc.assert(
    fc.property(webhooks, options, (given, size) => {
      const byRun = Map.groupBy(
        pack(given, size).flatMap(({ bundle }) =>
          bundle.webhooks.map(({ index }) => ({ run: bundle.run, position: bundle.first + index })),
        ),
        ({ run }) => run,
      );
      for (const positions of byRun.values()) {
        const sorted = positions.map(({ position }) => position).sort((a, b) => a - b);
        expect(sorted).toEqual(sorted.map((_, at) => at));
      }
    }),
  );
});

const traced = fc.array(
  fc.record({
    campaignId: fc.constant('a'),
    messageId: fc.constant('m'),
    channelConfigId: fc.constant('c'),
    body: fc.constant(''),
    trace: fc.constantFrom(undefined, { traceparent: 'first' }, { traceparent: 'second' }),
  }),
  { minLength: 1, maxLength: 20 },
);

test('a webhook keeps its trace: once in the bundle where all have the same, by itself where not, and no byte of it without', () => {
  fc.assert(
    fc.property(traced, options, (given, size) => {
      for (const { bundle, members } of pack(given, size)) {
        const traces = members.map((member) => given[member]?.trace);
        expect(bundle.webhooks.map((webhook) => traceOf(bundle, webhook))).toEqual(traces);
        const [first] = traces;
        const isShared = traces.every((trace) => trace?.traceparent === first?.traceparent);
        expect(bundle.webhooks.some((webhook) => 'trace' in webhook)).toBe(!isShared);
        expect('trace' in bundle).toBe(isShared && first !== undefined);
      }
    }),
  );
});

test('the same idempotency key always goes to the same shard', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), fc.integer({ min: 1, max: 16 }), (idempotencyKey, shards) => {
      const webhook = { campaignId: 'a', messageId: 'm', channelConfigId: 'c', body: '', idempotencyKey };
      const shardsUsed = [1, 2, 3].map(() => pack([webhook], { bundleSize: 5, shards })[0]?.shard);
      expect(new Set(shardsUsed).size).toBe(1);
    }),
  );
});
