/** PUT, GET and DELETE /v1/channels/{channelConfigId}; GET /v1/channels. Pause and resume: packages/operations. */
import { Channel, Problem } from '@hookfleet/contract';
import type { KnownChannels } from '@hookfleet/intake';
import {
  addChannelPauseRoutes,
  ChannelParams,
  ChannelView,
  channelNotFound,
  channelView,
} from '@hookfleet/operations';
import { type Channels, type Circuits, type FleetEvents, laneOf } from '@hookfleet/queue';
import type { FastifyInstance } from 'fastify';
import { type Static, Type } from 'typebox';

type Params = { Params: Static<typeof ChannelParams> };

export interface ChannelRoutesOptions {
  readonly channels: Channels;
  readonly circuits: Circuits;
  readonly events: Pick<FleetEvents, 'add'>;
  readonly known: KnownChannels;
  readonly now: () => number;
}

export function addChannelRoutes(
  app: FastifyInstance,
  { channels, circuits, events, known, now }: ChannelRoutesOptions,
): void {
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
        .send(channelView(channelConfigId, request.body, await circuits.get(laneOf(channelConfigId, ''))));
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
          channelView(channelConfigId, channel, states.get(laneOf(channelConfigId, ''))),
        ),
      };
    },
  );

  app.get<Params>(
    '/v1/channels/:channelConfigId',
    { schema: { summary: 'A channel', params: ChannelParams, response: { 200: ChannelView, 404: Problem } } },
    async ({ params }) => {
      const { channelConfigId } = params;
      const channel = (await channels.get(channelConfigId)) ?? channelNotFound(channelConfigId);
      return channelView(channelConfigId, channel, await circuits.get(laneOf(channelConfigId, '')));
    },
  );

  addChannelPauseRoutes(app, { channels, circuits, events, now });

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
      if (!(await channels.delete(channelConfigId))) channelNotFound(channelConfigId);
      known.forget(channelConfigId);
      request.log.info({ channelConfigId }, 'channel.deleted');
      return reply.code(204).send();
    },
  );
}
