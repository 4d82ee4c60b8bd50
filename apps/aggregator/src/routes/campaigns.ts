/** GET /v1/campaigns and /v1/campaigns/{id}. Its counts over time: series.ts. */
import { CampaignTotals, OUTCOME_EVENTS, Problem } from '@hookfleet/contract';
import { invalidInput, ProblemError } from '@hookfleet/http-api';
import type { FastifyInstance } from 'fastify';
import { type Static, Type } from 'typebox';
import { CAMPAIGN_SORTS, type CampaignDirectory } from '../campaign-directory.ts';
import type { CampaignReader } from '../read-campaigns.ts';
import { SPARKS, type SeriesReader, type SparkSpan } from '../read-series.ts';
import type { ReadCampaignStatus } from '../read-campaign-status.ts';
import { type PageQuery, selectPage } from '../select-page.ts';

export const CampaignParams = Type.Object({ id: Type.String({ minLength: 1, maxLength: 128 }) });

const ListQuery = Type.Object(
  {
    limit: Type.Optional(
      Type.String({
        pattern: '^([1-9]|[1-9][0-9]|[12][0-9][0-9]|300)$',
        errorDetail: 'must be a whole number from 1 to 300',
        description: '1 to 300; 50 when absent.',
      }),
    ),
    offset: Type.Optional(
      Type.String({
        pattern: '^[0-9]{1,6}$',
        errorDetail: 'must be a whole number from 0 to 999,999',
        description: 'At most 10,000 where q or sort is given.',
      }),
    ),
    cursor: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 128,
        description:
          'Of the answer before; with sort=id, and without offset. So all campaigns are listed, none twice, while some come and go.',
      }),
    ),
    q: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 128,
        description: 'A part of the id, in any case.',
      }),
    ),
    sort: Type.Optional(
      Type.Enum([...CAMPAIGN_SORTS], {
        description:
          'The most first; ids in their order. lastEvent when absent. accepted to cancelled are messages, bounced and error are responses. The order by counts may be two seconds old; the counts shown are of now.',
      }),
    ),
    spark: Type.Optional(
      Type.Enum(Object.keys(SPARKS) as SparkSpan[], {
        description: 'Adds the responses of that time to each campaign: by the hour, or by the day (UTC).',
      }),
    ),
  },
  { additionalProperties: false },
);

const Spark = Type.Object({
  from: Type.String({ format: 'date-time' }),
  step: Type.String(),
  events: Type.Object(
    Object.fromEntries(OUTCOME_EVENTS.map((event) => [event, Type.Array(Type.Integer())])),
    {
      description: 'A number for each step, the oldest first.',
    },
  ),
});

const Campaigns = Type.Object({
  campaigns: Type.Array(Type.Object({ ...CampaignTotals.properties, spark: Type.Optional(Spark) })),
  total: Type.Integer({ description: 'Campaigns that fit, on all pages.' }),
  cursor: Type.Optional(
    Type.String({ description: 'Of the next page, with sort=id; absent behind the last.' }),
  ),
});

// A page far down is sorted out of all before it.
const SORTED_OFFSET_MAX = 10_000;

export interface CampaignRoutesOptions {
  readonly reader: CampaignReader;
  readonly directory: CampaignDirectory;
  readonly series: SeriesReader;
  readonly readStatus: ReadCampaignStatus;
}

export function addCampaignRoutes(
  app: FastifyInstance,
  { reader, directory, series, readStatus }: CampaignRoutesOptions,
): void {
  app.get<{ Querystring: Static<typeof ListQuery> }>(
    '/v1/campaigns',
    {
      schema: {
        summary: 'Campaigns with their totals: searched, sorted, page by page',
        querystring: ListQuery,
        response: { 200: Campaigns, 400: Problem },
      },
    },
    async ({ query }) => {
      const { q, sort = 'lastEvent', cursor, spark } = query;
      if (cursor !== undefined && (sort !== 'id' || query.offset !== undefined))
        throw invalidInput([
          { field: 'cursor', type: 'INVALID_VALUE', detail: 'goes with sort=id, and without offset' },
        ]);
      const [offset, limit] = [Number(query.offset ?? 0), Number(query.limit ?? 50)];
      const { campaigns: stored, ...rest } =
        q === undefined && sort === 'lastEvent'
          ? await reader.list(offset, limit)
          : await found({ q, sort, offset, afterId: cursor, limit });
      const campaigns = await readStatus(stored);
      if (spark === undefined) return { campaigns, ...rest };
      const sparks = await series.sparks(
        campaigns.map(({ campaignId }) => campaignId),
        spark,
      );
      return { campaigns: campaigns.map((campaign, i) => ({ ...campaign, spark: sparks[i] })), ...rest };
    },
  );

  async function found(wanted: PageQuery) {
    if (wanted.offset > SORTED_OFFSET_MAX)
      throw invalidInput([
        { field: 'offset', type: 'INVALID_VALUE', detail: `must be ${SORTED_OFFSET_MAX} at most` },
      ]);
    const { page, total } = selectPage(await directory.rows(), wanted);
    const campaigns = await Promise.all(page.map(({ campaignId }) => reader.stored(campaignId)));
    const last = page.length === wanted.limit ? page.at(-1) : undefined;
    return {
      total,
      campaigns: campaigns.filter((campaign) => campaign !== undefined),
      ...(wanted.sort === 'id' && last !== undefined && { cursor: last.campaignId }),
    };
  }

  app.get<{ Params: Static<typeof CampaignParams> }>(
    '/v1/campaigns/:id',
    {
      schema: {
        summary: "A campaign's totals, and where it stands",
        params: CampaignParams,
        response: { 200: CampaignTotals, 404: Problem },
      },
    },
    async ({ params }) => {
      const [campaign] = await readStatus([(await reader.stored(params.id)) ?? campaignNotFound(params.id)]);
      return campaign;
    },
  );
}

export function campaignNotFound(campaignId: string): never {
  throw new ProblemError(404, `Nothing was counted for campaign ${campaignId}.`);
}
