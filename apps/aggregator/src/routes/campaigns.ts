/** GET /v1/campaigns, /v1/campaigns/{id} and /v1/campaigns/{id}/series. */
import { CampaignTotals, type FieldError, Problem } from '@hookfleet/contract';
import { invalidInput, ProblemError } from '@hookfleet/http-api';
import type { FastifyInstance } from 'fastify';
import { type Static, Type } from 'typebox';
import type { CampaignReader } from '../read-campaigns.ts';
import { POINTS_MAX, STEP_MS, STEPS } from '../steps.ts';

const CampaignParams = Type.Object({ id: Type.String({ minLength: 1, maxLength: 128 }) });

const ListQuery = Type.Object(
  {
    limit: Type.Optional(
      Type.String({
        pattern: '^([1-9]|[1-9][0-9]|[12][0-9][0-9]|300)$',
        description: '1 to 300; 50 when absent.',
      }),
    ),
    offset: Type.Optional(Type.String({ pattern: '^[0-9]{1,6}$' })),
  },
  { additionalProperties: false },
);

const SeriesQuery = Type.Object(
  {
    from: Type.Optional(
      Type.String({
        format: 'date-time',
        description: 'Widened to a whole step. 24 hours before `to` when absent.',
      }),
    ),
    to: Type.Optional(
      Type.String({ format: 'date-time', description: 'Widened to a whole step. Now when absent.' }),
    ),
    step: Type.Optional(Type.Enum([...STEPS], { description: 'hour when absent.' })),
    groupBy: Type.Optional(Type.Enum(['event', 'reason'], { description: 'event when absent.' })),
  },
  { additionalProperties: false },
);

const Series = Type.Object({
  campaignId: Type.String(),
  step: Type.String(),
  groupBy: Type.String(),
  from: Type.String(),
  to: Type.String({ description: 'Exclusive.' }),
  points: Type.Array(Type.Object({ at: Type.String(), counts: Type.Record(Type.String(), Type.Integer()) })),
});

const DAY_MS = 86_400_000;

export function addCampaignRoutes(app: FastifyInstance, reader: CampaignReader, now: () => number): void {
  app.get<{ Querystring: Static<typeof ListQuery> }>(
    '/v1/campaigns',
    {
      schema: {
        summary: 'Campaigns with their totals, the most recently active first',
        querystring: ListQuery,
        response: {
          200: Type.Object({ campaigns: Type.Array(CampaignTotals), total: Type.Integer() }),
          400: Problem,
        },
      },
    },
    ({ query }) => reader.list(Number(query.offset ?? 0), Number(query.limit ?? 50)),
  );

  app.get<{ Params: Static<typeof CampaignParams> }>(
    '/v1/campaigns/:id',
    {
      schema: {
        summary: "A campaign's totals",
        params: CampaignParams,
        response: { 200: CampaignTotals, 404: Problem },
      },
    },
    async ({ params }) => (await reader.totals(params.id)) ?? notFound(params.id),
  );

  app.get<{ Params: Static<typeof CampaignParams>; Querystring: Static<typeof SeriesQuery> }>(
    '/v1/campaigns/:id/series',
    {
      schema: {
        summary: "A campaign's events or reasons over time, in UTC steps",
        params: CampaignParams,
        querystring: SeriesQuery,
        response: { 200: Series, 400: Problem, 404: Problem },
      },
    },
    async ({ params, query }) => {
      const { step = 'hour', groupBy = 'event' } = query;
      const { fromMs, toMs } = wholeSteps(query, STEP_MS[step], now());
      if ((await reader.totals(params.id)) === undefined) notFound(params.id);
      const points = await reader.series(params.id, step, groupBy, fromMs, toMs);
      return {
        campaignId: params.id,
        step,
        groupBy,
        from: new Date(fromMs).toISOString(),
        to: new Date(toMs).toISOString(),
        points,
      };
    },
  );
}

/** Widens the range to whole steps: `from` down, `to` up. */
function wholeSteps({ from, to }: Static<typeof SeriesQuery>, stepMs: number, nowMs: number) {
  const toMs = Math.ceil((to === undefined ? nowMs + 1 : Date.parse(to)) / stepMs) * stepMs;
  const fromMs = Math.floor((from === undefined ? toMs - DAY_MS : Date.parse(from)) / stepMs) * stepMs;
  const errors: FieldError[] = [];
  if (fromMs >= toMs) errors.push({ field: 'from', type: 'INVALID_VALUE', detail: 'must be before `to`' });
  else if ((toMs - fromMs) / stepMs > POINTS_MAX) {
    errors.push({
      field: 'step',
      type: 'INVALID_VALUE',
      detail: `the range has more than ${POINTS_MAX} such steps`,
    });
  }
  if (errors.length > 0) throw invalidInput(errors);
  return { fromMs, toMs };
}

function notFound(campaignId: string): never {
  throw new ProblemError(404, `Nothing was counted for campaign ${campaignId}.`);
}
