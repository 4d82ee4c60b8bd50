/** PUT, GET and DELETE /v1/channels/{channelConfigId}, POST …/pause and …/resume; GET /v1/channels. */
import { Channel, IDENTIFIER_LENGTH_MAX, Problem } from '@hookfleet/contract';
import { ProblemError } from '@hookfleet/http-api';
import { type Channels, type Circuit, type Circuits, laneOf } from '@hookfleet/queue';
import type { FastifyInstance } from 'fastify';
import { type Static, Type } from 'typebox';
import type { KnownChannels } from '../known-channels.ts';
import { maskChannel } from '../mask-channel.ts';

export const ChannelParams = Type.Object({
  channelConfigId: Type.String({
    minLength: 1,
    maxLength: IDENTIFIER_LENGTH_MAX,
    pattern: '^[^\\p{C}\\p{Z}]+$',
  }),
});

const CircuitView = Type.Object(
  {
    state: Type.Enum(['closed', 'open', 'paused'], {
      description:
        'closed: webhooks are sent. open: the destination fails, and is probed now and then. paused: nothing is sent until it is resumed.',
    }),
    since: Type.Optional(Type.String({ format: 'date-time' })),
    why: Type.Optional(Type.String({ description: "The outcome's reason, or operator." })),
  },
  { description: 'Webhooks wait while it is not closed, and use up no attempts.' },
);

const ChannelView = Type.Object(
  { channelConfigId: Type.String(), circuit: CircuitView },
  { additionalProperties: true, description: 'The channel as it was written; secrets are masked.' },
);

type Params = { Params: Static<typeof ChannelParams> };

export interface ChannelRoutesOptions {
  readonly channels: Channels;
  readonly circuits: Circuits;
  readonly known: KnownChannels;
  readonly now: () => number;
}

export function addChannelRoutes(
  app: FastifyInstance,
  { channels, circuits, known, now }: ChannelRoutesOptions,
): void {
  const view = (channelConfigId: string, channel: Channel, circuit: Circuit | undefined) => ({
    channelConfigId,
    ...maskChannel(channel),
    circuit: circuitView(circuit),
  });

  app.put<Params & { Body: Channel }>(
    '/v1/channels/:channelConfigId',
    {
      schema: {
        summary: 'Store a channel: 201 where it is new, 200 where it replaces one',
        params: ChannelParams,
        body: Channel,
        response: { 200: ChannelView, 201: ChannelView, '4xx': Problem },
      },
    },
    async (request, reply) => {
      const { channelConfigId } = request.params;
      const done = await channels.put(channelConfigId, request.body);
      request.log.info({ channelConfigId, done }, 'channel.stored');
      return reply
        .code(done === 'created' ? 201 : 200)
        .send(view(channelConfigId, request.body, await circuits.get(laneOf(channelConfigId, ''))));
    },
  );

  app.get(
    '/v1/channels',
    {
      schema: {
        summary: 'All channels',
        response: { 200: Type.Object({ channels: Type.Array(ChannelView) }) },
      },
    },
    async () => {
      const [all, states] = await Promise.all([channels.list(), circuits.all()]);
      return {
        channels: all.map(({ channelConfigId, channel }) =>
          view(channelConfigId, channel, states.get(laneOf(channelConfigId, ''))),
        ),
      };
    },
  );

  app.get<Params>(
    '/v1/channels/:channelConfigId',
    { schema: { summary: 'A channel', params: ChannelParams, response: { 200: ChannelView, 404: Problem } } },
    async ({ params }) => {
      const { channelConfigId } = params;
      const channel = (await channels.get(channelConfigId)) ?? notFound(channelConfigId);
      return view(channelConfigId, channel, await circuits.get(laneOf(channelConfigId, '')));
    },
  );

  for (const [verb, summary] of [
    ['pause', 'Send nothing to the channel until it is resumed. Webhooks are accepted, and wait.'],
    ['resume', 'Send what waits, and what comes; also where the circuit is open.'],
  ] as const) {
    app.post<Params>(
      `/v1/channels/:channelConfigId/${verb}`,
      { schema: { summary, params: ChannelParams, response: { 200: ChannelView, 404: Problem } } },
      async (request) => {
        const { channelConfigId } = request.params;
        // A deleted channel's too: what it had accepted may still wait.
        const channel = (await channels.getForDelivery(channelConfigId)) ?? notFound(channelConfigId);
        const circuit: Circuit | undefined =
          verb === 'pause' ? { state: 'paused', sinceMs: now(), why: 'operator' } : undefined;
        await circuits.set(laneOf(channelConfigId, ''), circuit);
        request.log.info({ channelConfigId }, verb === 'pause' ? 'channel.paused' : 'channel.resumed');
        return view(channelConfigId, channel, circuit);
      },
    );
  }

  app.delete<Params>(
    '/v1/channels/:channelConfigId',
    {
      schema: {
        summary:
          'Delete a channel. It takes no new webhooks; those accepted before are still delivered as it was.',
        params: ChannelParams,
        response: { 204: Type.Null(), 404: Problem },
      },
    },
    async (request, reply) => {
      const { channelConfigId } = request.params;
      if (!(await channels.delete(channelConfigId))) notFound(channelConfigId);
      known.forget(channelConfigId);
      request.log.info({ channelConfigId }, 'channel.deleted');
      return reply.code(204).send();
    },
  );
}

function notFound(channelConfigId: string): never {
  throw new ProblemError(404, `There is no channel ${channelConfigId}.`);
}

function circuitView(circuit: Circuit | undefined) {
  if (circuit === undefined) return { state: 'closed' };
  return { state: circuit.state, since: new Date(circuit.sinceMs).toISOString(), why: circuit.why };
}
