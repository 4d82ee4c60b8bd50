/** The API's description needs the routes, but neither Redis nor a port. */
import { createLogger, createMetricsRegistry } from '@hookfleet/runtime';
import type { FastifyInstance } from 'fastify';
import { buildApp } from './app.ts';

export function buildAppForDescription(): Promise<FastifyInstance> {
  const unused = () => Promise.reject(new Error('only described, never called'));
  return buildApp({
    isDescribed: true,
    logger: createLogger({ app: 'aggregator', level: 'silent' }),
    apiKeys: [],
    sessions: { put: unused, get: unused, remove: unused },
    ops: { registry: createMetricsRegistry(), healthy: {}, ready: {} },
    reader: {
      totals: unused,
      stored: unused,
      exists: unused,
      list: unused,
      pendingMessages: unused,
      closeUnlessPending: unused,
    },
    readStatus: unused,
    series: { series: unused, sparks: unused },
    directory: { rows: unused },
    readFleet: unused,
    channels: { getForDelivery: unused },
    circuits: { get: unused, set: unused },
    controls: { get: unused, controlsOf: unused, set: unused, pause: unused, resume: unused, cancel: unused },
    priorityChanges: { changed: () => undefined },
    fleetEvents: { add: unused, list: unused },
    deadLetters: { list: unused, replay: unused, replayCampaign: unused, previewReplay: unused },
    audit: { audit: unused },
    loadDashboard: () => Promise.resolve(new Map()),
    onError: () => undefined,
    isUnavailable: () => false,
    now: Date.now,
  });
}
