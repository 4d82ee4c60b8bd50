/** GET /v1/campaigns/{id}/audit: a campaign's totals beside what its attempt logs add up to. */
import { compileValidator, IDENTIFIER_LENGTH_MAX, Problem } from '@hookfleet/contract';
import { invalidInput, ProblemError, unavailable } from '@hookfleet/http-api';
import type { FastifyInstance } from 'fastify';
import { type Static, Type } from 'typebox';
import type { AuditPart, AuditProgress, CampaignAudit } from '../audit-campaign.ts';

// After so long an answer holds a cursor: shorter than a proxy waits.
const PART_MS = 10_000;

const Params = Type.Object({ id: Type.String({ minLength: 1, maxLength: IDENTIFIER_LENGTH_MAX }) });

const Query = Type.Object(
  {
    cursor: Type.Optional(
      Type.String({ maxLength: 4_000, description: 'Of the answer before: the audit goes on from there.' }),
    ),
  },
  { additionalProperties: false },
);

const Count = Type.Integer({ minimum: 0 });
const Counts = Type.Record(Type.String(), Count);

const Audited = Type.Object({
  events: Counts,
  reasons: Counts,
  messages: Type.Object({ delivered: Count, failed: Count, cancelled: Count }),
});

const Audit = Type.Object({
  campaignId: Type.String(),
  counted: Audited,
  recomputed: Audited,
  differences: Type.Optional(
    Type.Array(Type.Object({ counter: Type.String(), counted: Type.Integer(), recomputed: Type.Integer() }), {
      description:
        'Counters that are not what the logs say; where the audit is not complete, those below it. Absent while it goes on.',
    }),
  ),
  webhooks: Type.Object({
    accepted: Type.Integer({ description: 'As the counters have it.' }),
    logged: Type.Integer({
      description: 'Of which anything is logged: one without is not attempted yet, or its log has expired.',
    }),
    missing: Type.Integer({
      description: 'Webhooks and batches whose attempts are counted and no longer logged.',
    }),
  }),
  complete: Type.Optional(
    Type.Boolean({
      description: 'Every attempt that is counted is logged still. Absent while the audit goes on.',
    }),
  ),
  settled: Type.Optional(
    Type.Boolean({
      description:
        'No message is pending, and nothing was counted during the audit. Where it is false, a difference may be of webhooks under way. Absent while the audit goes on.',
    }),
  ),
  cursor: Type.Optional(Type.String({ description: 'The audit goes on: the same call with it.' })),
});

const Recount = Type.Object({ ...Audited.properties, logged: Count, missing: Count });

const validateProgress = compileValidator<AuditProgress>(
  Type.Object({
    run: Type.String({ pattern: '^[0-9a-f]{12}$' }),
    page: Count,
    recount: Recount,
    startedWith: Type.String(),
  }),
);

export function addAuditRoutes(app: FastifyInstance, { audit }: CampaignAudit): void {
  let isUnderWay = false;

  app.get<{ Params: Static<typeof Params>; Querystring: Static<typeof Query> }>(
    '/v1/campaigns/:id/audit',
    {
      schema: {
        summary: "A campaign's totals, recomputed from its attempt logs while these are kept",
        description:
          'Custom events have no logs, and are left out. One audit at a time; it ends when its caller goes away.',
        params: Params,
        querystring: Query,
        response: { 200: Audit, 400: Problem, 404: Problem, 503: Problem },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const progress = request.query.cursor === undefined ? undefined : parseCursor(request.query.cursor);
      if (isUnderWay) throw unavailable('Another audit is under way here. Try again.');
      const gone = new AbortController();
      reply.raw.once('close', () => gone.abort());
      isUnderWay = true;
      try {
        const part = await audit(id, progress, AbortSignal.any([gone.signal, AbortSignal.timeout(PART_MS)]));
        if (part === undefined) throw new ProblemError(404, `Nothing was counted for campaign ${id}.`);
        if (part.verdict !== undefined)
          request.log.info({ campaignId: id, ...part.verdict, ...part.recomputed }, 'campaign.audited');
        return view(id, part);
      } finally {
        isUnderWay = false;
      }
    },
  );
}

function view(campaignId: string, part: AuditPart): Static<typeof Audit> {
  const { counted, recomputed, accepted, verdict, progress } = part;
  const { logged, missing, ...sums } = recomputed;
  return {
    campaignId,
    counted,
    recomputed: sums,
    webhooks: { accepted, logged, missing },
    ...(verdict !== undefined && {
      differences: [...verdict.differences],
      complete: missing === 0,
      settled: verdict.settled,
    }),
    ...(progress !== undefined && { cursor: Buffer.from(JSON.stringify(progress)).toString('base64url') }),
  };
}

function parseCursor(text: string): AuditProgress {
  const checked = validateProgress(parsed(Buffer.from(text, 'base64url').toString()));
  if ('errors' in checked)
    throw invalidInput([{ field: 'cursor', type: 'INVALID_VALUE', detail: 'is no cursor of this call' }]);
  return checked.value;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
