/** GET /v1/campaigns/{id}/series: its counts over time, in the caller's time zone. */
import { OUTCOME_EVENTS, Problem } from '@hookfleet/contract';
import { invalidInput, type ProblemError } from '@hookfleet/http-api';
import type { FastifyInstance } from 'fastify';
import { type Static, Type } from 'typebox';
import { shareOf } from '../rates.ts';
import type { CampaignReader } from '../read-campaigns.ts';
import { SERIES_GROUPS, type SeriesReader } from '../read-series.ts';
import {
  CALENDAR_STEPS,
  type CalendarStep,
  isTimeZone,
  stepBounds,
  stepsAtLeast,
} from '../series-calendar.ts';
import { CampaignParams, campaignNotFound } from './campaigns.ts';

// Two days of minutes, with the widening: more in one answer is slow for both sides.
const POINTS_MAX = 3_000;
const DAY_MS = 86_400_000;
// RFC 3339 has four digits for a year: a later time cannot be written in the answer.
const LAST_MS = Date.parse('9999-12-31T23:59:59.999Z');

const Query = Type.Object(
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
    step: Type.Optional(
      Type.Enum([...CALENDAR_STEPS], { description: 'hour when absent. Weeks begin on Monday.' }),
    ),
    groupBy: Type.Optional(
      Type.Enum([...SERIES_GROUPS], {
        description:
          'event when absent. By messageId or channelConfigId the responses are counted, by the hour or longer; the first 50 ids of a campaign are told apart.',
      }),
    ),
    event: Type.Optional(
      Type.Enum([...OUTCOME_EVENTS], {
        description: 'With groupBy messageId or channelConfigId: count these responses alone.',
      }),
    ),
    tz: Type.Optional(
      Type.String({
        maxLength: 64,
        description: 'Time zone of the steps, as in Europe/Berlin. UTC when absent.',
      }),
    ),
  },
  { additionalProperties: false },
);

const Count = Type.Integer({ minimum: 0 });
const Share = Type.Union([Type.Number({ minimum: 0, maximum: 1 }), Type.Null()]);
const RatesView = Type.Object(
  { delivered: Share, bounced: Share, error: Share },
  { description: 'Shares of the responses; null where there were none.' },
);

const SeriesView = Type.Object({
  campaignId: Type.String(),
  step: Type.String(),
  groupBy: Type.String(),
  tz: Type.String(),
  from: Type.String(),
  to: Type.String({ description: 'Exclusive.' }),
  keptFrom: Type.Optional(
    Type.String({
      format: 'date-time',
      description: 'What was before is past the retention, and shows as 0. Absent where the range is kept.',
    }),
  ),
  exactFrom: Type.Optional(
    Type.String({
      format: 'date-time',
      description:
        'Before it coarser counts stand in, which may lie in the step beside theirs. Absent where the range is exact.',
    }),
  ),
  points: Type.Array(
    Type.Object({
      at: Type.String({ format: 'date-time', description: 'Start of the step.' }),
      counts: Type.Record(Type.String(), Count),
      rates: Type.Optional(RatesView),
    }),
  ),
  totals: Type.Record(Type.String(), Count, { description: 'Over the range.' }),
  rates: Type.Optional(RatesView),
  groups: Type.Optional(
    Type.Array(
      Type.Object({ name: Type.String(), events: Type.Record(Type.String(), Count), rates: RatesView }),
      { description: 'With groupBy messageId or channelConfigId: over the range, the most responses first.' },
    ),
  ),
  messages: Type.Object(
    { accepted: Count, delivered: Count, deliveredRate: Share },
    { description: 'Of the whole campaign, not of the range.' },
  ),
});

export interface SeriesRoutesOptions {
  readonly reader: Pick<CampaignReader, 'totals'>;
  readonly series: SeriesReader;
  readonly now: () => number;
}

export function addSeriesRoutes(app: FastifyInstance, { reader, series, now }: SeriesRoutesOptions): void {
  app.get<{ Params: Static<typeof CampaignParams>; Querystring: Static<typeof Query> }>(
    '/v1/campaigns/:id/series',
    {
      schema: {
        summary: "A campaign's events, reasons, messages or channels over time",
        params: CampaignParams,
        querystring: Query,
        response: { 200: SeriesView, 400: Problem, 404: Problem },
      },
    },
    async ({ params, query }) => {
      const { step = 'hour', groupBy = 'event', tz = 'UTC', event } = query;
      const errors = faultsOf(query);
      if (errors.length > 0) throw invalidInput(errors);
      const bounds = wholeSteps(query, step, tz, now());
      const totals = (await reader.totals(params.id)) ?? campaignNotFound(params.id);
      const found = await series.series(params.id, { step, groupBy, bounds, event });
      const [fromMs, toMs] = [bounds[0] as number, bounds.at(-1) as number];
      const { keptFromMs, exactFromMs, ...counts } = found;
      const { accepted, delivered } = totals.messages;
      return {
        campaignId: params.id,
        step,
        groupBy,
        tz,
        from: new Date(fromMs).toISOString(),
        to: new Date(toMs).toISOString(),
        ...(keptFromMs > fromMs && { keptFrom: new Date(keptFromMs).toISOString() }),
        ...(exactFromMs > fromMs &&
          exactFromMs > keptFromMs && { exactFrom: new Date(exactFromMs).toISOString() }),
        ...counts,
        messages: { accepted, delivered, deliveredRate: shareOf(delivered, accepted) },
      };
    },
  );
}

function faultsOf({ step, groupBy, tz, event }: Static<typeof Query>) {
  const isGrouped = groupBy === 'messageId' || groupBy === 'channelConfigId';
  return [
    ...(tz !== undefined && !isTimeZone(tz)
      ? [{ field: 'tz', type: 'UNKNOWN_VALUE', detail: 'must be an IANA time zone, as in Europe/Berlin' }]
      : []),
    ...(isGrouped && step === 'minute'
      ? [{ field: 'step', type: 'INVALID_VALUE', detail: `minutes are not kept by ${groupBy}` }]
      : []),
    ...(!isGrouped && event !== undefined
      ? [{ field: 'event', type: 'INVALID_VALUE', detail: 'goes with groupBy messageId or channelConfigId' }]
      : []),
  ];
}

/** The bounds of the range's steps, or the fields that make it impossible. */
function wholeSteps(
  { from, to }: Static<typeof Query>,
  step: CalendarStep,
  timeZone: string,
  nowMs: number,
): number[] {
  const endMs = to === undefined ? nowMs : Date.parse(to);
  const startMs = from === undefined ? endMs - DAY_MS : Date.parse(from);
  if (startMs >= endMs) throw fieldAtFault('from', 'must be before `to`');
  const tooMany = (points: number) =>
    fieldAtFault('step', `the range holds ${points} of these steps, and an answer at most ${POINTS_MAX}`);
  const atLeast = stepsAtLeast(step, startMs, endMs);
  if (atLeast > POINTS_MAX) throw tooMany(atLeast);
  const bounds = stepBounds(step, timeZone, startMs, endMs);
  if (bounds.length - 1 > POINTS_MAX) throw tooMany(bounds.length - 1);
  if ((bounds.at(-1) as number) > LAST_MS)
    throw fieldAtFault('to', 'must be in a step that ends before the year 10000');
  return bounds;
}

function fieldAtFault(field: string, detail: string): ProblemError {
  return invalidInput([{ field, type: 'INVALID_VALUE', detail }]);
}
