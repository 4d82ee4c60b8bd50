/** GET /v1/campaigns/{id}/failures: the webhooks that ended undelivered, and why. */
import { CAUSE_CODES, OUTCOME_EVENTS, OUTCOME_REASONS, Problem } from '@hookfleet/contract';
import { invalidInput } from '@hookfleet/http-api';
import { type DeadLetters, parseCursor } from '@hookfleet/queue';
import type { FastifyInstance } from 'fastify';
import { type Static, Type } from 'typebox';

const Params = Type.Object({ id: Type.String({ minLength: 1, maxLength: 128 }) });

const Query = Type.Object(
  {
    event: Type.Optional(Type.Enum([...OUTCOME_EVENTS])),
    reason: Type.Optional(Type.Enum([...OUTCOME_REASONS])),
    channelConfigId: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
    from: Type.Optional(Type.String({ format: 'date-time' })),
    to: Type.Optional(Type.String({ format: 'date-time', description: 'Exclusive.' })),
    limit: Type.Optional(
      Type.String({
        pattern: '^([1-9]|[1-9][0-9]|1[0-9][0-9]|200)$',
        errorDetail: 'must be a whole number from 1 to 200',
        description: '1 to 200; 50 when absent.',
      }),
    ),
    cursor: Type.Optional(Type.String({ maxLength: 100, description: 'Of the page before this one.' })),
  },
  { additionalProperties: false },
);

const Failure = Type.Object({
  webhookId: Type.String(),
  messageId: Type.String(),
  channelConfigId: Type.Optional(Type.String()),
  event: Type.String(),
  reason: Type.Optional(Type.String()),
  cause: Type.Optional(
    Type.Enum([...CAUSE_CODES], {
      description:
        'Without an answer to the last attempt: what exactly went wrong. Of reason auth, with the token endpoint.',
    }),
  ),
  detail: Type.Optional(Type.String({ description: 'The cause in words.' })),
  statusCode: Type.Optional(Type.Integer()),
  attempts: Type.Integer(),
  recipients: Type.Optional(Type.Integer({ description: 'Of a batch, which is replayed whole.' })),
  endedAt: Type.String({ format: 'date-time' }),
  responseBody: Type.Optional(Type.String()),
});

export function addFailureRoutes(app: FastifyInstance, deadLetters: Pick<DeadLetters, 'list'>): void {
  app.get<{ Params: Static<typeof Params>; Querystring: Static<typeof Query> }>(
    '/v1/campaigns/:id/failures',
    {
      schema: {
        summary: 'Webhooks that ended undelivered, the latest first; each can be replayed at the producer',
        params: Params,
        querystring: Query,
        response: {
          200: Type.Object({
            failures: Type.Array(Failure),
            cursor: Type.Optional(Type.String({ description: 'Of the next page; absent on the last.' })),
          }),
          400: Problem,
        },
      },
    },
    async ({ params, query }) => {
      const { limit = '50', cursor, from, to, ...filter } = query;
      if (cursor !== undefined && parseCursor(cursor) === undefined)
        throw invalidInput([{ field: 'cursor', type: 'INVALID_VALUE', detail: 'is no cursor of this call' }]);
      const time = (text: string | undefined) => (text === undefined ? undefined : Date.parse(text));
      return deadLetters.list(
        params.id,
        { ...filter, fromMs: time(from), toMs: time(to) },
        Number(limit),
        cursor,
      );
    },
  );
}
