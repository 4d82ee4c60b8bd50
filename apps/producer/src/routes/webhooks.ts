/** POST /v1/webhooks, POST /v1/webhooks/bulk, GET /v1/webhooks/{id}. */
import { Readable } from 'node:stream';
import {
  BULK_WEBHOOKS_MAX,
  Problem,
  type TraceContext,
  traceFields,
  Webhook,
  WebhookStatus,
} from '@hookfleet/contract';
import { invalidInput, ProblemError, traceOfCall } from '@hookfleet/http-api';
import { type Enqueued, WEBHOOK_BYTES_MAX, type WebhookIntake } from '@hookfleet/intake';
import type { WebhooksOut } from '@hookfleet/queue';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { type Static, Type } from 'typebox';
import { BodyTooLargeError, bodyChunks } from '../body-chunks.ts';
import { BulkShapeError, BulkSyntaxError, bulkItems } from '../bulk-items.ts';
import { ndjsonLines } from '../ndjson.ts';

/** Of a bulk call's body. */
export const BULK_BYTES_MAX = 32 * 1024 * 1024;
// A webhook's envelope around its 1 MiB body, and what JSON's escapes may add to it.
const SINGLE_BYTES_MAX = WEBHOOK_BYTES_MAX + 128 * 1024;
// Of a line, or an item of a list.
const ITEM_BYTES_MAX = 2 * SINGLE_BYTES_MAX;

const Accepted = Type.Object({ id: Type.String() });
const AcceptedBulk = Type.Object({ ids: Type.Array(Type.String()) });

const WebhookParams = Type.Object({ id: Type.String({ minLength: 1, maxLength: 64 }) });

export interface WebhookRoutesOptions {
  readonly intake: WebhookIntake;
  readonly webhooks: Pick<WebhooksOut, 'find'>;
  readonly onEnqueued: (count: number) => void;
}

export function addWebhookRoutes(
  app: FastifyInstance,
  { intake, webhooks, onEnqueued }: WebhookRoutesOptions,
): void {
  /** The ids of what was enqueued; throws what is at fault. */
  function idsOf(enqueued: Enqueued, { log }: FastifyRequest, trace: TraceContext | undefined): string[] {
    if ('errors' in enqueued) throw invalidInput(enqueued.errors);
    const { ids, webhooks: accepted } = enqueued;
    onEnqueued(ids.length);
    const campaignIds = [...new Set(accepted.map(({ campaignId }) => campaignId))].slice(0, 10);
    log.info(
      {
        webhooks: ids.length,
        campaignIds,
        ...(ids.length === 1 && { webhookId: ids[0] }),
        ...traceFields(trace),
      },
      'webhooks.enqueued',
    );
    return ids;
  }

  app.post(
    '/v1/webhooks',
    {
      bodyLimit: SINGLE_BYTES_MAX,
      // A payload may be any JSON. What its values take in memory is charged (load-shedding.ts).
      config: { needs: 'enqueue', jsonValuesMax: Number.POSITIVE_INFINITY },
      // The body is checked by the intake, once: the schema here is what the documentation shows.
      validatorCompiler: () => () => true,
      schema: {
        summary: 'Enqueue one webhook',
        body: Webhook,
        response: { 202: Accepted, '4xx': Problem, 503: Problem },
      },
    },
    async (request, reply) => {
      const trace = traceOfCall(request);
      const [id] = idsOf(await intake.enqueueOne(request.body, trace), request, trace);
      return reply.code(202).send({ id });
    },
  );

  app.register(async (bulk) => {
    // Both forms are read while they arrive.
    bulk.removeContentTypeParser('application/json');
    bulk.addContentTypeParser(
      ['application/json', 'application/x-ndjson', 'application/ndjson', 'application/jsonl'],
      (_request, payload, done) => done(null, payload),
    );
    bulk.post(
      '/v1/webhooks/bulk',
      {
        bodyLimit: BULK_BYTES_MAX,
        config: { needs: 'enqueue' },
        validatorCompiler: () => () => true,
        schema: {
          summary: 'Enqueue up to 5,000 webhooks, all or none; also as NDJSON, one webhook a line',
          body: Type.Object(
            { webhooks: Type.Array(Webhook, { minItems: 1, maxItems: BULK_WEBHOOKS_MAX }) },
            { additionalProperties: false },
          ),
          response: { 202: AcceptedBulk, '4xx': Problem, 503: Problem },
        },
      },
      async (request, reply) => {
        const items = itemsOf(request);
        const trace = traceOfCall(request);
        const ids = idsOf(await intake.enqueueBulk(items, trace), request, trace);
        return reply.code(202).send({ ids });
      },
    );
  });

  app.get<{ Params: Static<typeof WebhookParams> }>(
    '/v1/webhooks/:id',
    {
      schema: {
        summary: "A webhook's state and attempts",
        params: WebhookParams,
        response: { 200: WebhookStatus, 404: Problem, 503: Problem },
      },
    },
    async ({ params }) => {
      const found = await webhooks.find(params.id);
      if (found === undefined)
        throw new ProblemError(
          404,
          `There is no webhook ${params.id}, or it ended so long ago that it is forgotten.`,
        );
      return found;
    },
  );
}

async function* itemsOf({ body, mediaType }: FastifyRequest): AsyncGenerator<unknown> {
  if (!(body instanceof Readable))
    throw invalidInput([{ field: 'webhooks', type: 'REQUIRED', detail: 'is required' }]);
  try {
    if (mediaType === 'application/json') {
      const chunks = bodyChunks(body, BULK_BYTES_MAX);
      for await (const item of bulkItems(chunks, { itemBytesMax: ITEM_BYTES_MAX }))
        yield parsed(item.toString('utf8'));
    } else {
      const limits = { bytesMax: BULK_BYTES_MAX, lineBytesMax: ITEM_BYTES_MAX };
      for await (const line of ndjsonLines(body, limits)) yield parsed(line);
    }
  } catch (error) {
    if (error instanceof BodyTooLargeError) throw new ProblemError(413, error.message);
    if (error instanceof BulkSyntaxError) throw new ProblemError(400, error.message);
    if (error instanceof BulkShapeError) throw invalidInput(error.errors);
    throw error;
  }
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    return error;
  }
}
