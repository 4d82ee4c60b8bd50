/**
 * Fetches the programs that tests start and the system lacks: Redis, Prometheus and promtool. The gate runs it in its
 * install step (`node packages/testkit/src/fetch-programs.ts`), so that no test needs the network. It prints the paths.
 */
import { locateRedis } from '@hookfleet/embedded-redis';
import { locatePrometheus } from './locate-prometheus.ts';

const [redis, { prometheus, promtool }] = await Promise.all([locateRedis(), locatePrometheus()]);
for (const path of [redis.path, prometheus, promtool]) process.stdout.write(`${path}\n`);
