/** Workers that are killed while batches gather and are sent lose nothing and repeat little. Takes about 8 s. */
import { test } from '@jest/globals';
import { killWorkersWithBatches } from './kill-workers-with-batches.ts';

test('killed workers lose no recipient, put none in two batches, and count each once', async () => {
  await killWorkersWithBatches({ kills: 2, webhooks: 1_830 });
}, 300_000);
