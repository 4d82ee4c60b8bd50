/** The producer's HTTP API, built but not listening. */
import { createApi } from '@hookfleet/http-api';
import type {
  CampaignControlsStore,
  Channels,
  ChannelTestsOut,
  Circuits,
  DeadLetters,
  WebhooksOut,
} from '@hookfleet/queue';
import type { Logger, OpsOptions } from '@hookfleet/runtime';
import type { FastifyInstance } from 'fastify';
import { createKnownChannels } from './known-channels.ts';
import { addLoadShedding } from './load-shedding.ts';
import type { ProducerMetrics } from './metrics.ts';
import { addCampaignRoutes } from './routes/campaigns.ts';
import { addChannelTestRoute } from './routes/channel-test.ts';
import { addChannelRoutes } from './routes/channels.ts';
import { addReplayRoutes } from './routes/replay.ts';
import { addWebhookRoutes, BULK_BYTES_MAX } from './routes/webhooks.ts';

export interface AppOptions {
  readonly logger: Logger;
  readonly apiKeys: readonly string[];
  readonly ops: OpsOptions;
  readonly webhooks: WebhooksOut;
  readonly channels: Channels;
  readonly channelTests: ChannelTestsOut;
  readonly circuits: Circuits;
  readonly controls: CampaignControlsStore;
  readonly deadLetters: DeadLetters;
  readonly metrics: ProducerMetrics;
  readonly requestsMax: number;
  readonly bodyBytesHeldMax: number;
  readonly isUnavailable: (error: Error) => boolean;
  readonly now: () => number;
}

export async function buildApp(options: AppOptions): Promise<FastifyInstance> {
  const {
    webhooks,
    channels,
    channelTests,
    circuits,
    controls,
    deadLetters,
    metrics,
    requestsMax,
    bodyBytesHeldMax,
    now,
    ...api
  } = options;
  const app = await createApi({
    ...api,
    title: 'hookfleet producer',
    description: 'Takes webhooks in, and manages channels.',
    bodyBytesMax: 64 * 1024,
    // Each connection may hold a request, and some idle.
    connectionsMax: requestsMax * 2,
  });
  metrics.observe(app);
  addLoadShedding(app, { requestsMax, bodyBytesHeldMax, unknownBodyBytes: BULK_BYTES_MAX });
  const known = createKnownChannels(channels, now);
  addWebhookRoutes(app, { webhooks, channels: known, onEnqueued: metrics.enqueued, now });
  addChannelRoutes(app, { channels, circuits, known, now });
  addChannelTestRoute(app, { channels, channelTests });
  addCampaignRoutes(app, { controls, circuits, now });
  addReplayRoutes(app, deadLetters);
  return app;
}
