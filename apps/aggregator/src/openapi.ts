/** The API's description needs the routes, but neither Redis nor a port. */
import { createLogger, createMetricsRegistry } from '@hookfleet/runtime';
import type { FastifyInstance } from 'fastify';
import { buildApp } from './app.ts';

export const OPENAPI_FILE = new URL('../openapi.json', import.meta.url);

export function buildAppForDescription(): Promise<FastifyInstance> {
  const unused = () => Promise.reject(new Error('only described, never called'));
  return buildApp({
    logger: createLogger({ app: 'aggregator', level: 'silent' }),
    apiKeys: [],
    ops: { registry: createMetricsRegistry(), healthy: {}, ready: {} },
    reader: {
      totals: unused,
      exists: unused,
      list: unused,
      series: unused,
      pendingMessages: unused,
    },
    deadLetters: { list: unused },
    isUnavailable: () => false,
    now: Date.now,
  });
}
