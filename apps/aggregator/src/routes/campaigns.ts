/** GET /v1/campaigns, /v1/campaigns/{id} and /v1/campaigns/{id}/series. */
import { CampaignTotals, Problem } from '@hookfleet/contract';
import { invalidInput, ProblemError } from '@hookfleet/http-api';
import type { FastifyInstance } from 'fastify';
import { type Static, Type } from 'typebox';
import { type CampaignReader, SERIES_GROUPS } from '../read-campaigns.ts';
import { SERIES_STEPS, STEP_MS, type SeriesStep, widen } from '../series-steps.ts';

// Two days of minutes, with the widening: more in one answer is slow for both sides.
const POINTS_MAX = 3_000;

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
    step: Type.Optional(Type.Enum([...SERIES_STEPS], { description: 'hour when absent.' })),
    groupBy: Type.Optional(Type.Enum([...SERIES_GROUPS], { description: 'event when absent.' })),
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
      const range = { step, groupBy, ...wholeSteps(query, step, now()) };
      if (!(await reader.exists(params.id))) notFound(params.id);
      const points = await reader.series(params.id, range);
      return {
        campaignId: params.id,
        step,
        groupBy,
        from: new Date(range.fromMs).toISOString(),
        to: new Date(range.toMs).toISOString(),
        points,
      };
    },
  );
}

/** The range in whole steps, or the fields that make it impossible. */
function wholeSteps({ from, to }: Static<typeof SeriesQuery>, step: SeriesStep, nowMs: number) {
  const end = to === undefined ? nowMs : Date.parse(to);
  const start = from === undefined ? end - DAY_MS : Date.parse(from);
  if (start >= end) throw fieldAtFault('from', 'must be before `to`');
  const range = widen(step, start, end);
  const points = (range.toMs - range.fromMs) / STEP_MS[step];
  if (points > POINTS_MAX) {
    throw fieldAtFault(
      'step',
      `the range holds ${points} of these steps, and an answer at most ${POINTS_MAX}`,
    );
  }
  return range;
}

function fieldAtFault(field: string, detail: string): ProblemError {
  return invalidInput([{ field, type: 'INVALID_VALUE', detail }]);
}

function notFound(campaignId: string): never {
  throw new ProblemError(404, `Nothing was counted for campaign ${campaignId}.`);
}
