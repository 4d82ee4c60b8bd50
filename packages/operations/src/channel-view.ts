/** A channel as the APIs answer it: without its secrets, with the state of its circuit. */
import { type Channel, IDENTIFIER_LENGTH_MAX } from '@hookfleet/contract';
import { ProblemError } from '@hookfleet/http-api';
import { type Circuit, UNREADABLE } from '@hookfleet/queue';
import { Type } from 'typebox';
import { maskChannel } from './mask-channel.ts';

export const ChannelParams = Type.Object({
  channelConfigId: Type.String({
    minLength: 1,
    maxLength: IDENTIFIER_LENGTH_MAX,
    pattern: '^[^\\p{C}\\p{Z}]+$',
    errorDetail: 'must not hold blanks or control characters',
  }),
});

export const CircuitView = Type.Object(
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

export const ChannelView = Type.Object(
  {
    channelConfigId: Type.String(),
    circuit: CircuitView,
    unreadable: Type.Optional(
      Type.Literal(true, {
        description:
          'What it holds is encrypted with a key that this process does not have. It can be replaced and deleted.',
      }),
    ),
  },
  { additionalProperties: true, description: 'The channel as it was written; secrets are masked.' },
);

export function channelView(
  channelConfigId: string,
  channel: Channel | typeof UNREADABLE,
  circuit: Circuit | undefined,
) {
  const shown = channel === UNREADABLE ? { unreadable: true } : maskChannel(channel);
  return { channelConfigId, ...shown, circuit: circuitView(circuit) };
}

export function circuitView(circuit: Circuit | undefined) {
  if (circuit === undefined) return { state: 'closed' as const };
  return { state: circuit.state, since: new Date(circuit.sinceMs).toISOString(), why: circuit.why };
}

export function channelNotFound(channelConfigId: string): never {
  throw new ProblemError(404, `There is no channel ${channelConfigId}.`);
}
