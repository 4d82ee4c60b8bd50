/** The producer's HTTP API, built but not listening. */
import { type BeginWait, createApi } from '@hookfleet/http-api';
import {
  createEventIntake,
  createKnownChannels,
  createKnownReferences,
  createWebhookIntake,
  type KnownEventTypes,
} from '@hookfleet/intake';
import { addCampaignControlRoutes, addReplayRoutes, type PriorityChanges } from '@hookfleet/operations';
import type {
  AnswerInTime,
  CampaignControlsStore,
  CampaignReferences,
  Channels,
  ChannelTestsOut,
  Circuits,
  DeadLetters,
  EventsOut,
  EventTypes,
  FleetEvents,
  WebhooksOut,
} from '@hookfleet/queue';
import type { Logger, OpsOptions } from '@hookfleet/runtime';
import type { Tracing } from '@hookfleet/tracing';
import type { FastifyInstance } from 'fastify';
import { addLoadShedding, type LoadShedding } from './load-shedding.ts';
import type { ProducerMetrics } from './metrics.ts';
import { addChannelTestRoute } from './routes/channel-test.ts';
import { addChannelRoutes } from './routes/channels.ts';
import { addEventTypeRoutes } from './routes/event-types.ts';
import { addEventRoutes } from './routes/events.ts';
import { addWebhookRoutes } from './routes/webhooks.ts';

export const OPENAPI_FILE = new URL('../openapi.json', import.meta.url);

export interface AppOptions {
  /** Collects the routes' schemas, for openapi.json. */
  readonly isDescribed?: boolean;
  readonly logger: Logger;
  readonly apiKeys: readonly string[];
  readonly tracing?: Tracing | undefined;
  readonly ops: OpsOptions;
  readonly beginWait?: BeginWait | undefined;
  /** Of calls that bring something in. */
  readonly answerInTime: AnswerInTime;
  readonly webhooks: WebhooksOut;
  readonly channels: Channels;
  readonly channelTests: ChannelTestsOut;
  /** How long a worker may take until it begins a channel's test. */
  readonly channelTestPickupMs?: number | undefined;
  readonly circuits: Circuits;
  readonly controls: CampaignControlsStore;
  readonly priorityChanges: Pick<PriorityChanges, 'changed'>;
  readonly fleetEvents: Pick<FleetEvents, 'add'>;
  readonly deadLetters: DeadLetters;
  readonly events: EventsOut;
  readonly eventTypes: EventTypes;
  readonly knownEventTypes: KnownEventTypes;
  readonly references: CampaignReferences;
  readonly metrics: ProducerMetrics;
  readonly requestsMax: number;
  readonly bodyBytesHeldMax: number;
  readonly isUnavailable: (error: Error) => boolean;
  readonly now: () => number;
}

export async function buildApp(options: AppOptions): Promise<FastifyInstance> {
  const {
    webhooks,
    answerInTime,
    channels,
    channelTests,
    circuits,
    controls,
    priorityChanges,
    fleetEvents,
    deadLetters,
    events,
    eventTypes,
    knownEventTypes,
    references,
    metrics,
    requestsMax,
    bodyBytesHeldMax,
    now,
    ...api
  } = options;
  let shedding: LoadShedding | undefined;
  const app = await createApi({
    ...api,
    onJsonValues: (request, values) => shedding?.charge(request, values),
    openApiFile: OPENAPI_FILE,
    title: 'hookfleet producer',
    description: 'Takes webhooks and custom events in, and manages channels.',
    bodyBytesMax: 64 * 1024,
    // Each connection may hold a request, and some idle.
    connectionsMax: requestsMax * 2,
  });
  metrics.observe(app);
  shedding = addLoadShedding(app, { requestsMax, bodyBytesHeldMax });
  const known = createKnownChannels(channels, now);
  addWebhookRoutes(app, {
    intake: createWebhookIntake({ webhooks, channels: known, answerInTime, now }),
    webhooks,
    onEnqueued: metrics.enqueued,
  });
  addChannelRoutes(app, { channels, circuits, events: fleetEvents, known, now });
  addChannelTestRoute(app, { channels, channelTests, pickupMs: options.channelTestPickupMs });
  addCampaignControlRoutes(app, { controls, priorityChanges, events: fleetEvents, now });
  addReplayRoutes(app, deadLetters);
  addEventTypeRoutes(app, { eventTypes, known: knownEventTypes });
  const eventIntake = createEventIntake({
    events,
    eventTypes: knownEventTypes,
    references: createKnownReferences({ store: references, channels, now }),
    answerInTime,
    now,
  });
  addEventRoutes(app, {
    intake: eventIntake,
    onReceived: metrics.eventsReceived,
    onValues: shedding.charge,
  });
  return app;
}
