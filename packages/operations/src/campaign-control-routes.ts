/** PUT and GET /v1/campaigns/{id}/controls; POST /v1/campaigns/{id}/pause, …/resume and …/cancel. */
import {
  CAMPAIGN_PRIORITIES,
  CampaignControls,
  IDENTIFIER_LENGTH_MAX,
  Problem,
  RateLimit,
} from '@hookfleet/contract';
import type { CampaignControlsStore, CampaignState, FleetEvents } from '@hookfleet/queue';
import type { FastifyInstance } from 'fastify';
import { type Static, Type } from 'typebox';
import type { PriorityChanges } from './priority-changes.ts';

const Params = Type.Object({
  id: Type.String({
    minLength: 1,
    maxLength: IDENTIFIER_LENGTH_MAX,
    pattern: '^[^\\p{C}\\p{Z}]+$',
    errorDetail: 'must not hold blanks or control characters',
  }),
});

const ControlsView = Type.Object({
  campaignId: Type.String(),
  state: Type.Enum(['running', 'paused', 'cancelled'], {
    description: 'Workers act on a change within a tenth of a second.',
  }),
  since: Type.Optional(Type.String({ format: 'date-time' })),
  rateLimit: Type.Optional(RateLimit),
  priority: Type.Enum([...CAMPAIGN_PRIORITIES]),
  deadline: Type.Optional(Type.String({ format: 'date-time' })),
});

type Params = { Params: Static<typeof Params> };

export interface CampaignControlRoutesOptions {
  readonly controls: CampaignControlsStore;
  readonly priorityChanges: Pick<PriorityChanges, 'changed'>;
  readonly events: Pick<FleetEvents, 'add'>;
  readonly now: () => number;
}

export function addCampaignControlRoutes(
  app: FastifyInstance,
  { controls, priorityChanges, events, now }: CampaignControlRoutesOptions,
): void {
  function view(campaignId: string, { controls: stored, circuit }: CampaignState) {
    const { cancelledAtMs, generation: _generation, deadlineAtMs: _deadlineAtMs, ...shown } = stored;
    const sinceMs = cancelledAtMs ?? circuit?.sinceMs;
    return {
      campaignId,
      state: cancelledAtMs !== undefined ? 'cancelled' : circuit === undefined ? 'running' : 'paused',
      ...(sinceMs !== undefined && { since: new Date(sinceMs).toISOString() }),
      priority: 'normal',
      ...shown,
    };
  }

  app.get<Params>(
    '/v1/campaigns/:id/controls',
    {
      schema: {
        summary: "A campaign's state, rate, priority and deadline",
        params: Params,
        response: { 200: ControlsView },
      },
    },
    async ({ params }) => view(params.id, await controls.get(params.id)),
  );

  app.put<Params & { Body: CampaignControls }>(
    '/v1/campaigns/:id/controls',
    {
      schema: {
        summary:
          'Set its rate, priority and deadline; what is left out is lifted. What a deadline has cancelled stays so',
        params: Params,
        body: CampaignControls,
        response: { 200: ControlsView, 400: Problem },
      },
    },
    async (request) => {
      const { id } = request.params;
      const changed = await controls.set(id, request.body);
      const wanted = request.body.priority ?? 'normal';
      if (wanted !== (changed.before.priority ?? 'normal')) priorityChanges.changed(id, wanted);
      request.log.info({ campaignId: id, ...request.body }, 'campaign.controlled');
      return view(id, changed);
    },
  );

  const verbs = {
    pause: {
      summary: 'Send nothing of the campaign until it is resumed. Its webhooks are accepted, and wait.',
      done: 'campaign.paused' as const,
    },
    resume: {
      summary: 'Go on after a pause, or send what is accepted after a cancel.',
      done: 'campaign.resumed' as const,
    },
    cancel: {
      summary: 'Cancel what waits and what still comes: it is not sent, and is counted as cancelled.',
      done: 'campaign.cancelled' as const,
    },
  } as const;
  for (const verb of ['pause', 'resume', 'cancel'] as const) {
    const { summary, done } = verbs[verb];
    app.post<Params>(
      `/v1/campaigns/:id/${verb}`,
      { schema: { summary, params: Params, response: { 200: ControlsView } } },
      async (request) => {
        const { id } = request.params;
        const changed = await controls[verb](id);
        await events.add({ event: done, campaignId: id, occurredAt: new Date(now()).toISOString() });
        request.log.info({ campaignId: id }, done);
        return view(id, changed);
      },
    );
  }
}
