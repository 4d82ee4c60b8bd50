/**
 * POST /v1/webhooks/{id}/replay and /v1/campaigns/{id}/replay: dead letters are attempted again.
 * GET /v1/campaigns/{id}/replay: what that would do, and does not yet.
 */
import { IDENTIFIER_LENGTH_MAX, OUTCOME_EVENTS, OUTCOME_REASONS, Problem } from '@hookfleet/contract';
import { invalidInput, ProblemError } from '@hookfleet/http-api';
import { type DeadLetters, parseCursor } from '@hookfleet/queue';
import type { FastifyInstance } from 'fastify';
import { type Static, Type } from 'typebox';

const Params = Type.Object({ id: Type.String({ minLength: 1, maxLength: IDENTIFIER_LENGTH_MAX }) });

const ReplayRequest = Type.Object(
  {
    event: Type.Optional(Type.Enum([...OUTCOME_EVENTS])),
    reason: Type.Optional(Type.Enum([...OUTCOME_REASONS])),
    channelConfigId: Type.Optional(Type.String({ minLength: 1, maxLength: IDENTIFIER_LENGTH_MAX })),
    from: Type.Optional(
      Type.String({ format: 'date-time', description: 'Those whose last attempt ended from then on.' }),
    ),
    to: Type.Optional(Type.String({ format: 'date-time', description: 'Exclusive.' })),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 5_000, description: '1,000 when absent.' })),
    cursor: Type.Optional(
      Type.String({
        maxLength: 80,
        description: 'Of the answer before, where there was more: goes on behind what was looked at.',
      }),
    ),
    perSecond: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 1_000,
        description:
          'Spread over time, so that a destination that has just recovered is not swamped. 50 when absent.',
      }),
    ),
  },
  { additionalProperties: false },
);

const { limit: _limit, perSecond: _perSecond, cursor: _cursor, ...filters } = ReplayRequest.properties;

const PreviewQuery = Type.Object(
  {
    ...filters,
    limit: Type.Optional(
      Type.String({
        pattern: '^([1-9][0-9]{0,2}|[1-4][0-9]{3}|5000)$',
        errorDetail: 'must be a whole number from 1 to 5,000',
        description: '1 to 5,000; 1,000 when absent.',
      }),
    ),
    perSecond: Type.Optional(
      Type.String({
        pattern: '^([1-9][0-9]{0,2}|1000)$',
        errorDetail: 'must be a whole number from 1 to 1,000',
        description: '1 to 1,000; 50 when absent.',
      }),
    ),
  },
  { additionalProperties: false },
);

const Preview = Type.Object({
  webhooks: Type.Integer(),
  more: Type.Boolean({ description: 'There are more, which one call does not replay.' }),
  deadLetters: Type.Integer({
    description:
      'All of the campaign, or of the time asked for, whatever their event, reason and channel. Those that are attempted again are among them.',
  }),
  channels: Type.Array(
    Type.Object({
      channelConfigId: Type.Optional(Type.String({ description: 'Absent for inline destinations.' })),
      webhooks: Type.Integer(),
    }),
  ),
  perSecond: Type.Integer(),
  seconds: Type.Integer({ description: 'Until the last of them is due.' }),
});

const LIMIT = 1_000;
const PER_SECOND = 50;

export function addReplayRoutes(
  app: FastifyInstance,
  deadLetters: Pick<DeadLetters, 'replay' | 'replayCampaign' | 'previewReplay'>,
): void {
  app.post<{ Params: Static<typeof Params> }>(
    '/v1/webhooks/:id/replay',
    {
      schema: {
        summary: 'Attempt a webhook again that ended undelivered, with its whole retry schedule',
        params: Params,
        response: { 202: Type.Object({ id: Type.String() }), 404: Problem, 409: Problem, 503: Problem },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const done = await deadLetters.replay(id);
      if (done === 'unknown')
        throw new ProblemError(404, `There is no dead letter ${id}, or it is forgotten.`);
      if (done === 'cancelled') throw campaignCancelled();
      if (done === 'notFailed')
        throw new ProblemError(409, `Webhook ${id} is delivered, or will be attempted anyway.`);
      if (typeof done === 'object')
        throw new ProblemError(
          409,
          `Webhook ${id} was sent in a batch, which is replayed whole: ${done.batchId}.`,
        );
      request.log.info({ webhookId: id }, 'webhook.replayed');
      return reply.code(202).send({ id });
    },
  );

  app.post<{ Params: Static<typeof Params>; Body: Static<typeof ReplayRequest> | null }>(
    '/v1/campaigns/:id/replay',
    {
      schema: {
        summary: "Attempt a campaign's dead letters again: all, or those that fit, the latest first",
        params: Params,
        body: Type.Union([ReplayRequest, Type.Null()]),
        response: {
          202: Type.Object({
            replayed: Type.Integer(),
            more: Type.Boolean({
              description: 'Not all were looked at: the same call with `cursor` goes on.',
            }),
            cursor: Type.Optional(Type.String()),
          }),
          400: Problem,
          409: Problem,
          503: Problem,
        },
      },
      // Without a body: all of them.
      preValidation: async (request) => {
        request.body ??= null;
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const { limit = LIMIT, perSecond = PER_SECOND, cursor, from, to, ...filter } = request.body ?? {};
      if (cursor !== undefined && parseCursor(cursor) === undefined)
        throw invalidInput([{ field: 'cursor', type: 'INVALID_VALUE', detail: 'is no cursor of this call' }]);
      const done = await deadLetters.replayCampaign(
        id,
        { ...filter, fromMs: timeOf(from), toMs: timeOf(to) },
        { webhooksMax: limit, perSecond, cursor },
      );
      if (done === 'cancelled') throw campaignCancelled();
      request.log.info({ campaignId: id, ...done }, 'campaign.replayed');
      return reply.code(202).send(done);
    },
  );

  addPreviewRoute(app, deadLetters);
}

/** The preview of a campaign's replay, with the fields of its request as a query. */
function addPreviewRoute(app: FastifyInstance, deadLetters: Pick<DeadLetters, 'previewReplay'>): void {
  app.get<{ Params: Static<typeof Params>; Querystring: Static<typeof PreviewQuery> }>(
    '/v1/campaigns/:id/replay',
    {
      schema: {
        summary: 'What a replay of the campaign would do',
        params: Params,
        querystring: PreviewQuery,
        response: { 200: Preview, 400: Problem },
      },
    },
    async ({ params, query }) => {
      const { limit = String(LIMIT), perSecond = String(PER_SECOND), from, to, ...filter } = query;
      const preview = await deadLetters.previewReplay(
        params.id,
        { ...filter, fromMs: timeOf(from), toMs: timeOf(to) },
        Number(limit),
      );
      // The first goes at once.
      const seconds = Math.max(0, preview.webhooks - 1) / Number(perSecond);
      return { ...preview, perSecond: Number(perSecond), seconds: Math.ceil(seconds) };
    },
  );
}

function campaignCancelled(): ProblemError {
  return new ProblemError(
    409,
    'The campaign is cancelled, or its deadline is past: resume it, or move the deadline, and replay then.',
  );
}

function timeOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Date.parse(text);
}
