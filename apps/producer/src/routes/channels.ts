/** PUT, GET and DELETE /v1/channels/{channelConfigId}; GET /v1/channels. */
import { Channel, IDENTIFIER_LENGTH_MAX, Problem } from '@hookfleet/contract';
import { ProblemError } from '@hookfleet/http-api';
import type { Channels } from '@hookfleet/queue';
import type { FastifyInstance } from 'fastify';
import { type Static, Type } from 'typebox';
import type { KnownChannels } from '../known-channels.ts';
import { maskChannel } from '../mask-channel.ts';

const ChannelParams = Type.Object({
  channelConfigId: Type.String({
    minLength: 1,
    maxLength: IDENTIFIER_LENGTH_MAX,
    pattern: '^[^\\p{C}\\p{Z}]+$',
  }),
});

const ChannelView = Type.Object(
  { channelConfigId: Type.String() },
  { additionalProperties: true, description: 'The channel as it was written; secrets are masked.' },
);

type Params = { Params: Static<typeof ChannelParams> };

export function addChannelRoutes(app: FastifyInstance, channels: Channels, known: KnownChannels): void {
  const view = (channelConfigId: string, channel: Channel) => ({ channelConfigId, ...maskChannel(channel) });

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
      return reply.code(done === 'created' ? 201 : 200).send(view(channelConfigId, request.body));
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
    async () => ({
      channels: (await channels.list()).map(({ channelConfigId, channel }) => view(channelConfigId, channel)),
    }),
  );

  app.get<Params>(
    '/v1/channels/:channelConfigId',
    { schema: { summary: 'A channel', params: ChannelParams, response: { 200: ChannelView, 404: Problem } } },
    async ({ params }) => {
      const channel = await channels.get(params.channelConfigId);
      return channel === undefined ? notFound(params.channelConfigId) : view(params.channelConfigId, channel);
    },
  );

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
