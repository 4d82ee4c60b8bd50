/** The aggregator's API over what setup-counting.ts counts, as main.ts puts them together. */
import {
  createListWorkers,
  createSecretBox,
  isRedisUnavailable,
  openCampaignControls,
  openChannels,
  openCircuits,
  openDeadLetters,
  openFleetEvents,
  openSessionStore,
  readWaiting,
  openKnownControls,
} from '@hookfleet/queue';
import { createLogger, createMetricsRegistry } from '@hookfleet/runtime';
import type { FastifyInstance } from 'fastify';
import { type AppOptions, buildApp } from '../src/app.ts';
import { createCampaignDirectory } from '../src/campaign-directory.ts';
import { createReadCampaignStatus } from '../src/read-campaign-status.ts';
import { createFleetReader } from '../src/read-fleet.ts';
import { type CountingSetup, RETENTION } from './setup-counting.ts';

export function setupApp(
  { connection, prefix, reader, series, audit }: CountingSetup,
  {
    now = Date.now,
    latestSample = () => undefined,
    ...options
  }: Partial<AppOptions> & { latestSample?: Parameters<typeof createFleetReader>[0]['latestSample'] } = {},
): Promise<FastifyInstance> {
  const own = { connection, prefix };
  const channels = openChannels({ ...own, secrets: createSecretBox([]) });
  const circuits = openCircuits(own);
  const controls = openCampaignControls(own);
  return buildApp({
    logger: createLogger({ app: 'aggregator', level: 'silent' }),
    apiKeys: [],
    sessions: openSessionStore(own),
    ops: { registry: createMetricsRegistry(), healthy: {}, ready: {} },
    reader,
    readStatus: createReadCampaignStatus({ ...own, controls, circuits, now }),
    series,
    directory: createCampaignDirectory({ ...own, retentionMs: RETENTION.campaignMs, now }),
    readFleet: createFleetReader({
      listWorkers: createListWorkers(own),
      channels,
      circuits,
      readWaiting: () => readWaiting(connection, prefix),
      latestSample,
    }),
    channels,
    circuits,
    controls,
    priorityChanges: { changed: () => undefined },
    fleetEvents: openFleetEvents(own),
    deadLetters: openDeadLetters({
      ...own,
      shards: 1,
      controls: openKnownControls({ ...own, onError: () => undefined }),
    }),
    audit,
    isUnavailable: isRedisUnavailable,
    loadDashboard: () => Promise.resolve(new Map()),
    onError: () => undefined,
    now,
    ...options,
  });
}
