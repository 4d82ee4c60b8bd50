/** POST /v1/channels/{channelConfigId}/pause and …/resume. */
import { type Channel, Problem } from '@hookfleet/contract';
import {
  type Channels,
  ChannelUnreadableError,
  type Circuit,
  type Circuits,
  type FleetEvents,
  laneOf,
  UNREADABLE,
} from '@hookfleet/queue';
import type { FastifyInstance } from 'fastify';
import type { Static } from 'typebox';
import { ChannelParams, ChannelView, channelNotFound, channelView } from './channel-view.ts';

export interface ChannelPauseRoutesOptions {
  readonly channels: Pick<Channels, 'getForDelivery'>;
  readonly circuits: Pick<Circuits, 'set'>;
  readonly events: Pick<FleetEvents, 'add'>;
  readonly now: () => number;
}

export function addChannelPauseRoutes(
  app: FastifyInstance,
  { channels, circuits, events, now }: ChannelPauseRoutesOptions,
): void {
  /** One that can't be read is paused all the same. */
  async function found(channelConfigId: string): Promise<Channel | typeof UNREADABLE | undefined> {
    try {
      return await channels.getForDelivery(channelConfigId);
    } catch (error) {
      if (error instanceof ChannelUnreadableError) return UNREADABLE;
      throw error;
    }
  }

  for (const [verb, summary] of [
    ['pause', 'Send nothing to the channel until it is resumed. Webhooks are accepted, and wait.'],
    ['resume', 'Send what waits, and what comes; also where the circuit is open.'],
  ] as const) {
    app.post<{ Params: Static<typeof ChannelParams> }>(
      `/v1/channels/:channelConfigId/${verb}`,
      { schema: { summary, params: ChannelParams, response: { 200: ChannelView, 404: Problem } } },
      async (request) => {
        const { channelConfigId } = request.params;
        // A deleted channel's too: what it had accepted may still wait.
        const channel = (await found(channelConfigId)) ?? channelNotFound(channelConfigId);
        const circuit: Circuit | undefined =
          verb === 'pause' ? { state: 'paused', sinceMs: now(), why: 'operator' } : undefined;
        await circuits.set(laneOf(channelConfigId, ''), circuit);
        const event = verb === 'pause' ? 'channel.paused' : 'channel.resumed';
        await events.add({ event, channelConfigId, occurredAt: new Date(now()).toISOString() });
        request.log.info({ channelConfigId }, event);
        return channelView(channelConfigId, channel, circuit);
      },
    );
  }
}
