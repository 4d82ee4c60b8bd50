/** Workers that are killed while batches gather and are sent lose nothing and repeat little. Takes about 19 s. */
import { test } from '@jest/globals';
import { killWorkersWithBatches } from '../kill-workers-with-batches.ts';

test('killed workers lose no recipient, put none in two batches, and count each once', async () => {
  await killWorkersWithBatches({ kills: 5, webhooks: 4_030 });
}, 300_000);
