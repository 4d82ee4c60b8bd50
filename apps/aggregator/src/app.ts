/** The aggregator's HTTP API, built but not listening. */
import { createApi } from '@hookfleet/http-api';
import type { DeadLetters } from '@hookfleet/queue';
import type { Logger, OpsOptions } from '@hookfleet/runtime';
import type { FastifyInstance } from 'fastify';
import type { CampaignReader } from './read-campaigns.ts';
import { addCampaignRoutes } from './routes/campaigns.ts';
import { addFailureRoutes } from './routes/failures.ts';

export interface AppOptions {
  readonly logger: Logger;
  readonly apiKeys: readonly string[];
  readonly ops: OpsOptions;
  readonly reader: CampaignReader;
  readonly deadLetters: Pick<DeadLetters, 'list'>;
  readonly isUnavailable: (error: Error) => boolean;
  readonly now: () => number;
}

export async function buildApp({ reader, deadLetters, now, ...api }: AppOptions): Promise<FastifyInstance> {
  const app = await createApi({
    ...api,
    title: 'hookfleet aggregator',
    description: "Campaigns' statistics.",
    bodyBytesMax: 64 * 1024,
    connectionsMax: 1_000,
  });
  addCampaignRoutes(app, reader, now);
  addFailureRoutes(app, deadLetters);
  return app;
}
