/** POST /v1/webhooks, POST /v1/webhooks/bulk, GET /v1/webhooks/{id}. */
import { Readable } from 'node:stream';
import {
  BULK_WEBHOOKS_MAX,
  type FieldError,
  OUTCOME_EVENTS,
  OUTCOME_REASONS,
  Problem,
  TimingsMs,
  Webhook,
} from '@hookfleet/contract';
import { invalidInput, ProblemError } from '@hookfleet/http-api';
import { WEBHOOK_STATES, type WebhooksOut, type WebhookToEnqueue } from '@hookfleet/queue';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { type Static, Type } from 'typebox';
import type { KnownChannels } from '../known-channels.ts';
import { NdjsonTooLargeError, ndjsonLines } from '../ndjson.ts';
import { toEnqueue, WEBHOOK_BYTES_MAX } from '../to-enqueue.ts';

/** Of a bulk call's body. */
export const BULK_BYTES_MAX = 32 * 1024 * 1024;
// A webhook's envelope around its 1 MiB body, and what JSON's escapes may add to it.
const SINGLE_BYTES_MAX = WEBHOOK_BYTES_MAX + 128 * 1024;
const NDJSON_LINE_BYTES_MAX = 2 * SINGLE_BYTES_MAX;
// Beyond so many faults, a bulk call is not read any further.
const FAULTS_MAX = 100;

const Accepted = Type.Object({ id: Type.String() });
const AcceptedBulk = Type.Object({ ids: Type.Array(Type.String()) });

const WebhookStatus = Type.Object({
  id: Type.String(),
  campaignId: Type.String(),
  messageId: Type.String(),
  channelConfigId: Type.Optional(Type.String()),
  state: Type.Enum([...WEBHOOK_STATES]),
  acceptedAt: Type.String({ format: 'date-time' }),
  deliverAt: Type.Optional(Type.String({ format: 'date-time' })),
  nextAttemptAt: Type.Optional(Type.String({ format: 'date-time' })),
  batchId: Type.Optional(
    Type.String({ description: "The batch that it was sent in: its attempts are the batch's." }),
  ),
  recipients: Type.Optional(Type.Integer({ description: 'Of a batch.' })),
  attempts: Type.Array(
    Type.Object({
      attempt: Type.Integer(),
      event: Type.Enum([...OUTCOME_EVENTS]),
      reason: Type.Optional(Type.Enum([...OUTCOME_REASONS])),
      statusCode: Type.Optional(Type.Integer()),
      durationMs: Type.Number(),
      occurredAt: Type.String({ format: 'date-time' }),
      workerId: Type.String(),
      final: Type.Boolean(),
      responseBody: Type.Optional(Type.String()),
      timingsMs: TimingsMs,
    }),
  ),
});

const WebhookParams = Type.Object({ id: Type.String({ minLength: 1, maxLength: 64 }) });

export interface WebhookRoutesOptions {
  readonly webhooks: WebhooksOut;
  readonly channels: KnownChannels;
  readonly onEnqueued: (count: number) => void;
  readonly now: () => number;
}

export function addWebhookRoutes(
  app: FastifyInstance,
  { webhooks, channels, onEnqueued, now }: WebhookRoutesOptions,
): void {
  async function enqueue(
    request: FastifyRequest,
    accepted: readonly WebhookToEnqueue[],
    pathOf: (at: number) => string,
  ): Promise<string[]> {
    const errors = await channels.check(accepted, pathOf);
    if (errors.length > 0) throw invalidInput(errors);
    const ids = await webhooks.enqueue(accepted);
    onEnqueued(ids.length);
    const campaignIds = [...new Set(accepted.map(({ campaignId }) => campaignId))].slice(0, 10);
    request.log.info(
      { webhooks: ids.length, campaignIds, ...(ids.length === 1 && { webhookId: ids[0] }) },
      'webhooks.enqueued',
    );
    return ids;
  }

  app.post(
    '/v1/webhooks',
    {
      bodyLimit: SINGLE_BYTES_MAX,
      config: { needs: 'enqueue' },
      // The body is checked by toEnqueue, once: the schema here is what the documentation shows.
      validatorCompiler: () => () => true,
      schema: {
        summary: 'Enqueue one webhook',
        body: Webhook,
        response: { 202: Accepted, '4xx': Problem, 503: Problem },
      },
    },
    async (request, reply) => {
      const checked = toEnqueue(request.body, '', now());
      if ('errors' in checked) throw invalidInput(checked.errors);
      const [id] = await enqueue(request, [checked.webhook], () => 'channelConfigId');
      return reply.code(202).send({ id });
    },
  );

  app.register(async (bulk) => {
    bulk.addContentTypeParser(
      ['application/x-ndjson', 'application/ndjson', 'application/jsonl'],
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
          body: Type.Object({ webhooks: Type.Array(Webhook, { minItems: 1, maxItems: BULK_WEBHOOKS_MAX }) }),
          response: { 202: AcceptedBulk, '4xx': Problem, 503: Problem },
        },
      },
      async (request, reply) => {
        const items = request.body instanceof Readable ? fromNdjson(request.body) : fromArray(request.body);
        const accepted = await checkAll(items, now());
        const ids = await enqueue(request, accepted, (at) => `webhooks[${at}].channelConfigId`);
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

/** Everything in order, or all that is at fault: nothing of a call with a fault is enqueued. */
async function checkAll(
  items: AsyncIterable<unknown> | Iterable<unknown>,
  nowMs: number,
): Promise<WebhookToEnqueue[]> {
  const accepted: WebhookToEnqueue[] = [];
  const errors: FieldError[] = [];
  let at = 0;
  for await (const item of items) {
    if (at >= BULK_WEBHOOKS_MAX) {
      errors.unshift({
        field: 'webhooks',
        type: 'TOO_LONG',
        detail: `must NOT have more than ${BULK_WEBHOOKS_MAX} items`,
      });
      break;
    }
    const path = `webhooks[${at}]`;
    const checked =
      item instanceof SyntaxError
        ? { errors: [{ field: path, type: 'INVALID_VALUE', detail: 'is no JSON' }] }
        : toEnqueue(item, path, nowMs);
    if ('errors' in checked) errors.push(...checked.errors);
    else accepted.push(checked.webhook);
    at += 1;
    if (errors.length >= FAULTS_MAX) break;
  }
  if (at === 0) errors.push({ field: 'webhooks', type: 'REQUIRED', detail: 'holds no webhook' });
  if (errors.length > 0) throw invalidInput(errors.slice(0, FAULTS_MAX));
  return accepted;
}

function fromArray(body: unknown): unknown[] {
  const { webhooks, ...others } = (typeof body === 'object' && body !== null ? body : {}) as Record<
    string,
    unknown
  >;
  const unknown = Object.keys(others).map((field) => ({
    field,
    type: 'UNKNOWN_FIELD',
    detail: 'is not a field of this object',
  }));
  if (!Array.isArray(webhooks)) {
    const problem =
      webhooks === undefined
        ? { type: 'REQUIRED', detail: 'is required' }
        : { type: 'WRONG_TYPE', detail: 'must be array' };
    throw invalidInput([{ field: 'webhooks', ...problem }, ...unknown]);
  }
  if (unknown.length > 0) throw invalidInput(unknown);
  return webhooks;
}

async function* fromNdjson(body: Readable): AsyncGenerator<unknown> {
  try {
    for await (const line of ndjsonLines(body, {
      bytesMax: BULK_BYTES_MAX,
      lineBytesMax: NDJSON_LINE_BYTES_MAX,
    })) {
      yield parsed(line);
    }
  } catch (error) {
    if (error instanceof NdjsonTooLargeError) throw new ProblemError(413, error.message);
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
