/** POST /v1/webhooks, POST /v1/webhooks/bulk, GET /v1/webhooks/{id}. */
import { Readable } from 'node:stream';
import {
  BULK_WEBHOOKS_MAX,
  JsonTextError,
  Problem,
  type TraceContext,
  traceFields,
  Webhook,
  WebhookStatus,
} from '@hookfleet/contract';
import { bodyTooLarge, invalidInput, jsonBytes, ProblemError, traceOfCall } from '@hookfleet/http-api';
import {
  type CallFaults,
  type Enqueued,
  readWebhook,
  refusalDetail,
  WEBHOOK_BYTES_MAX,
  type WebhookIntake,
  type WebhookText,
} from '@hookfleet/intake';
import type { WebhooksOut } from '@hookfleet/queue';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { type Static, Type } from 'typebox';
import { BodyTooLargeError, bodyChunks } from '../body-chunks.ts';
import { CallKey, callKeyOf } from '../call-key.ts';
import { BulkShapeError, bulkItems } from '../bulk-items.ts';
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
    if ('errors' in enqueued) throw invalidInput(enqueued.errors, refusalDetail(enqueued));
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
      config: { needs: 'enqueue', keepsJsonBytes: true },
      // The body is checked by the intake, once: the schema here is what the documentation shows.
      validatorCompiler: () => () => true,
      schema: {
        summary: 'Enqueue one webhook',
        headers: CallKey,
        body: Webhook,
        response: { 202: Accepted, '4xx': Problem, 503: Problem },
      },
    },
    async (request, reply) => {
      const trace = traceOfCall(request);
      const [id] = idsOf(
        await intake.enqueueOne(jsonBytes(request), trace, callKeyOf(request)),
        request,
        trace,
      );
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
          headers: CallKey,
          body: Type.Object(
            { webhooks: Type.Array(Webhook, { minItems: 1, maxItems: BULK_WEBHOOKS_MAX }) },
            { additionalProperties: false },
          ),
          response: { 202: AcceptedBulk, '4xx': Problem, 503: Problem },
        },
      },
      async (request, reply) => {
        const texts = textsOf(request);
        const trace = traceOfCall(request);
        const ids = idsOf(await intake.enqueueBulk(texts, trace, callKeyOf(request)), request, trace);
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

/** The webhooks of a call while it arrives, and what is at fault beside them. */
async function* textsOf(request: FastifyRequest): AsyncGenerator<WebhookText | CallFaults> {
  try {
    for await (const item of itemsOf(request)) yield readWebhook(item);
  } catch (error) {
    if (error instanceof BodyTooLargeError) throw bodyTooLarge(error.message);
    if (error instanceof BulkShapeError) yield { callFaults: error.errors };
    else if (error instanceof JsonTextError)
      yield { callFaults: [{ field: '', type: 'INVALID_VALUE', detail: error.message }] };
    else throw error;
  }
}

function itemsOf(request: FastifyRequest): AsyncGenerator<Buffer> {
  const { body, mediaType } = request;
  if (typeof body === 'string') throw new ProblemError(415, 'The body must be application/json or NDJSON.');
  if (!(body instanceof Readable))
    throw invalidInput([{ field: 'webhooks', type: 'REQUIRED', detail: 'is required' }]);
  return mediaType === 'application/json'
    ? bulkItems(bodyChunks(body, BULK_BYTES_MAX), { itemBytesMax: ITEM_BYTES_MAX })
    : ndjsonLines(body, { bytesMax: BULK_BYTES_MAX, lineBytesMax: ITEM_BYTES_MAX });
}
