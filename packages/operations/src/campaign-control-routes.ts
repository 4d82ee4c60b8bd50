/** PUT and GET /v1/campaigns/{id}/controls; POST /v1/campaigns/{id}/pause, …/resume and …/cancel. */
import {
  CAMPAIGN_PRIORITIES,
  CampaignControls,
  IDENTIFIER_LENGTH_MAX,
  Problem,
  RateLimit,
} from '@hookfleet/contract';
import {
  type CampaignControlsStore,
  campaignLane,
  type Circuits,
  type FleetEvents,
  type StoredControls,
} from '@hookfleet/queue';
import type { FastifyInstance } from 'fastify';
import { type Static, Type } from 'typebox';
import type { PriorityChanges } from './priority-changes.ts';

const Params = Type.Object({
  id: Type.String({ minLength: 1, maxLength: IDENTIFIER_LENGTH_MAX, pattern: '^[^\\p{C}\\p{Z}]+$' }),
});

const ControlsView = Type.Object({
  campaignId: Type.String(),
  state: Type.Enum(['running', 'paused', 'cancelled'], {
    description: 'Workers act on a change within two seconds.',
  }),
  since: Type.Optional(Type.String({ format: 'date-time' })),
  rateLimit: Type.Optional(RateLimit),
  priority: Type.Enum([...CAMPAIGN_PRIORITIES]),
  deadline: Type.Optional(Type.String({ format: 'date-time' })),
});

type Params = { Params: Static<typeof Params> };

export interface CampaignControlRoutesOptions {
  readonly controls: Pick<CampaignControlsStore, 'get' | 'put'>;
  readonly circuits: Pick<Circuits, 'get' | 'set'>;
  readonly priorityChanges: Pick<PriorityChanges, 'changed'>;
  readonly events: Pick<FleetEvents, 'add'>;
  readonly now: () => number;
}

export function addCampaignControlRoutes(
  app: FastifyInstance,
  { controls, circuits, priorityChanges, events, now }: CampaignControlRoutesOptions,
): void {
  async function view(campaignId: string) {
    const [{ cancelledAtMs, ...stored }, circuit] = await Promise.all([
      controls.get(campaignId),
      circuits.get(campaignLane(campaignId)),
    ]);
    const sinceMs = cancelledAtMs ?? circuit?.sinceMs;
    return {
      campaignId,
      state: cancelledAtMs !== undefined ? 'cancelled' : circuit === undefined ? 'running' : 'paused',
      ...(sinceMs !== undefined && { since: new Date(sinceMs).toISOString() }),
      priority: 'normal',
      ...stored,
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
    ({ params }) => view(params.id),
  );

  app.put<Params & { Body: CampaignControls }>(
    '/v1/campaigns/:id/controls',
    {
      schema: {
        summary: 'Set its rate, priority and deadline; what is left out is lifted',
        params: Params,
        body: CampaignControls,
        response: { 200: ControlsView, 400: Problem },
      },
    },
    async (request) => {
      const { id } = request.params;
      const { cancelledAtMs, priority = 'normal' } = await controls.get(id);
      await controls.put(id, { ...request.body, ...(cancelledAtMs !== undefined && { cancelledAtMs }) });
      const wanted = request.body.priority ?? 'normal';
      if (wanted !== priority) priorityChanges.changed(id, wanted);
      request.log.info({ campaignId: id, ...request.body }, 'campaign.controlled');
      return view(id);
    },
  );

  const verbs = {
    pause: {
      summary: 'Send nothing of the campaign until it is resumed. Its webhooks are accepted, and wait.',
      done: 'campaign.paused' as const,
      act: (id: string) =>
        circuits.set(campaignLane(id), { state: 'paused', sinceMs: now(), why: 'operator' }),
    },
    resume: {
      summary: 'Go on, after a pause or for what comes after a cancel.',
      done: 'campaign.resumed' as const,
      async act(id: string) {
        const { cancelledAtMs: _cancelled, ...rest }: StoredControls = await controls.get(id);
        await controls.put(id, rest);
        await circuits.set(campaignLane(id), undefined);
      },
    },
    cancel: {
      summary: 'Call it off: what waits, and what still comes, is not sent and is counted as cancelled.',
      done: 'campaign.cancelled' as const,
      async act(id: string) {
        await controls.put(id, { ...(await controls.get(id)), cancelledAtMs: now() });
        // What a pause held is let go, to be cancelled.
        await circuits.set(campaignLane(id), undefined);
      },
    },
  };
  for (const [verb, { summary, done, act }] of Object.entries(verbs)) {
    app.post<Params>(
      `/v1/campaigns/:id/${verb}`,
      { schema: { summary, params: Params, response: { 200: ControlsView } } },
      async (request) => {
        const { id } = request.params;
        await act(id);
        await events.add({ event: done, campaignId: id, occurredAt: new Date(now()).toISOString() });
        request.log.info({ campaignId: id }, done);
        return view(id);
      },
    );
  }
}
