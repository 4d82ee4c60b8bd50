/** Workers that are killed while webhooks wait in lanes lose nothing and repeat little. Takes about 53 s. */
import { test } from '@jest/globals';
import { killWorkersWithLanes } from '../kill-workers-with-lanes.ts';

test('killed workers lose nothing that waits in lanes, count nothing twice, and repeat at most what was in flight', async () => {
  await killWorkersWithLanes({
    kills: 6,
    webhooks: 600,
    hanging: 60,
    hangingTimeoutMs: 1_000,
    requestsPerKill: 120,
  });
}, 300_000);
