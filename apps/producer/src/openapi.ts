/** The API's description needs the routes, but neither Redis nor a port. */
import { createLogger, createMetricsRegistry } from '@hookfleet/runtime';
import type { FastifyInstance } from 'fastify';
import { buildApp } from './app.ts';
import { createProducerMetrics } from './metrics.ts';

export function buildAppForDescription(): Promise<FastifyInstance> {
  const unused = () => Promise.reject(new Error('only described, never called'));
  const registry = createMetricsRegistry();
  return buildApp({
    isDescribed: true,
    logger: createLogger({ app: 'producer', level: 'silent' }),
    apiKeys: [],
    answerInTime: (work) => work(),
    ops: { registry, healthy: {}, ready: {} },
    webhooks: { enqueue: unused, find: unused, close: unused },
    channels: {
      put: unused,
      get: unused,
      getForDelivery: unused,
      list: unused,
      delete: unused,
      exists: unused,
    },
    channelTests: { run: unused, close: unused },
    circuits: { all: unused, get: unused, change: unused, set: unused },
    controls: { get: unused, controlsOf: unused, set: unused, pause: unused, resume: unused, cancel: unused },
    priorityChanges: { changed: () => undefined },
    fleetEvents: { add: unused },
    deadLetters: {
      list: unused,
      replay: unused,
      replayCampaign: unused,
      previewReplay: unused,
      close: unused,
    },
    events: { report: unused, close: unused },
    eventTypes: { put: unused, get: unused, delete: unused, version: unused, all: unused },
    knownEventTypes: { of: () => undefined, refresh: unused, stop: unused },
    references: { find: unused, store: unused },
    metrics: createProducerMetrics(registry),
    requestsMax: 1,
    bodyBytesHeldMax: 1,
    isUnavailable: () => false,
    now: Date.now,
  });
}
