/** The aggregator's HTTP API, built but not listening. */
import { type BeginWait, createApi, type SessionStore } from '@hookfleet/http-api';
import {
  addCampaignControlRoutes,
  addChannelPauseRoutes,
  addReplayRoutes,
  type PriorityChanges,
} from '@hookfleet/operations';
import type { CampaignControlsStore, Channels, Circuits, DeadLetters, FleetEvents } from '@hookfleet/queue';
import type { Logger, OpsOptions } from '@hookfleet/runtime';
import type { FastifyInstance } from 'fastify';
import type { CampaignAudit } from './audit-campaign.ts';
import type { CampaignDirectory } from './campaign-directory.ts';
import type { LoadDashboard } from './dashboard-files.ts';
import { createLiveTopics, type Topic } from './live-topics.ts';
import type { CampaignReader } from './read-campaigns.ts';
import type { ReadCampaignStatus } from './read-campaign-status.ts';
import type { FleetReader } from './read-fleet.ts';
import type { SeriesReader } from './read-series.ts';
import { addAuditRoutes } from './routes/audit.ts';
import { addCampaignRoutes } from './routes/campaigns.ts';
import { addDashboardRoutes } from './routes/dashboard.ts';
import { addFailureRoutes } from './routes/failures.ts';
import { addFleetRoutes } from './routes/fleet.ts';
import { addSeriesRoutes } from './routes/series.ts';
import { addStreamRoute } from './routes/stream.ts';

export const OPENAPI_FILE = new URL('../openapi.json', import.meta.url);

export interface AppOptions {
  /** Collects the routes' schemas, for openapi.json. */
  readonly isDescribed?: boolean;
  readonly logger: Logger;
  readonly apiKeys: readonly string[];
  readonly ops: OpsOptions;
  readonly sessions: SessionStore;
  readonly beginWait?: BeginWait | undefined;
  readonly reader: CampaignReader;
  readonly readStatus: ReadCampaignStatus;
  readonly series: SeriesReader;
  readonly directory: CampaignDirectory;
  readonly readFleet: FleetReader;
  readonly channels: Pick<Channels, 'getForDelivery'>;
  readonly circuits: Pick<Circuits, 'get' | 'set'>;
  readonly controls: CampaignControlsStore;
  readonly priorityChanges: Pick<PriorityChanges, 'changed'>;
  readonly fleetEvents: FleetEvents;
  readonly deadLetters: Pick<DeadLetters, 'list' | 'replay' | 'replayCampaign' | 'previewReplay'>;
  readonly audit: CampaignAudit;
  /** The page at /. */
  readonly loadDashboard: LoadDashboard;
  readonly isUnavailable: (error: Error) => boolean;
  readonly onError: (error: Error) => void;
  /** Of streams: a comment, and a look whether their sessions have ended. Default: 15 s. */
  readonly heartbeatMs?: number;
  readonly now: () => number;
}

// What a page shows of the list at first.
const LIVE_CAMPAIGNS = 50;
const LIVE_EVENTS = 20;

export async function buildApp(options: AppOptions): Promise<FastifyInstance> {
  const {
    reader,
    readStatus,
    series,
    directory,
    readFleet,
    channels,
    circuits,
    controls,
    priorityChanges,
    fleetEvents,
    deadLetters,
    audit,
    loadDashboard,
    onError,
    heartbeatMs,
    now,
    ...api
  } = options;
  const app = await createApi({
    ...api,
    openApiFile: OPENAPI_FILE,
    title: 'hookfleet aggregator',
    description: "Campaigns' statistics, and the calls of the dashboard.",
    bodyBytesMax: 64 * 1024,
    connectionsMax: 1_000,
  });
  addCampaignRoutes(app, { reader, directory, series, readStatus });
  addSeriesRoutes(app, { reader, series, now });
  addFailureRoutes(app, deadLetters);
  addFleetRoutes(app, readFleet, fleetEvents);
  addStreamRoute(app, createLiveTopics({ read: readTopic, onError }), { heartbeatMs });
  // The page's own calls: its browser asks no other host.
  addCampaignControlRoutes(app, { controls, priorityChanges, events: fleetEvents, now });
  addChannelPauseRoutes(app, { channels, circuits, events: fleetEvents, now });
  addReplayRoutes(app, deadLetters);
  addAuditRoutes(app, audit);
  addDashboardRoutes(app, loadDashboard);
  return app;

  async function readTopic(topic: Topic): Promise<unknown> {
    switch (topic.name) {
      case 'campaign': {
        const stored = await reader.stored(topic.campaignId);
        return stored === undefined ? undefined : (await readStatus([stored]))[0];
      }
      case 'campaigns': {
        const { campaigns: stored, total } = await reader.list(0, LIVE_CAMPAIGNS);
        const campaigns = await readStatus(stored);
        const ids = campaigns.map(({ campaignId }) => campaignId);
        const sparks = await series.sparks(ids, '24h');
        return { campaigns: campaigns.map((campaign, i) => ({ ...campaign, spark: sparks[i] })), total };
      }
      case 'fleet': {
        const [fleet, { events }] = await Promise.all([readFleet(), fleetEvents.list(LIVE_EVENTS)]);
        return { ...fleet, events };
      }
    }
  }
}
