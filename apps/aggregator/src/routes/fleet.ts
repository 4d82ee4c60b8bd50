/** GET /v1/fleet: workers, queues and lanes. GET /v1/fleet/events: what happened to it. */
import { CircuitView } from '@hookfleet/operations';
import { FleetEvent, Problem } from '@hookfleet/contract';
import type { FleetEvents } from '@hookfleet/queue';
import type { FastifyInstance } from 'fastify';
import { type Static, Type } from 'typebox';
import type { FleetReader } from '../read-fleet.ts';

const Worker = Type.Object({
  workerId: Type.String(),
  startedAt: Type.String({ format: 'date-time' }),
  concurrency: Type.Integer({ description: 'Attempts in flight at most.' }),
  inFlight: Type.Integer(),
  attemptsPerSecond: Type.Integer({ description: 'Of the last two seconds.' }),
  clockAheadMs: Type.Optional(
    Type.Integer({ description: "How far its clock is ahead of Redis'. Absent of earlier versions." }),
  ),
  egress: Type.Optional(
    Type.Object(
      {
        allow: Type.Array(Type.String(), { description: 'CIDR ranges beside the public internet.' }),
        proxied: Type.Array(Type.Enum(['http', 'https']), {
          description: 'Schemes whose destinations are reached through a proxy.',
        }),
        noProxy: Type.Array(Type.String(), { description: 'What is reached directly all the same.' }),
      },
      { description: 'Where it may send webhooks to. Absent of earlier versions.' },
    ),
  ),
});

export const Fleet = Type.Object({
  workers: Type.Array(Worker, { description: 'Those that reported within the last ten seconds.' }),
  inFlight: Type.Integer(),
  concurrency: Type.Integer(),
  attemptsPerSecond: Type.Integer(),
  sampledAt: Type.Optional(
    Type.String({ format: 'date-time', description: 'When the queues were looked at: every five seconds.' }),
  ),
  queues: Type.Array(Type.Object({ queue: Type.String(), state: Type.String(), jobs: Type.Integer() }), {
    description: 'A job of the webhooks queue holds one webhook or more.',
  }),
  oldestSeconds: Type.Array(Type.Object({ queue: Type.String(), seconds: Type.Number() })),
  backlogSeconds: Type.Number({
    description:
      'Time to drain what waits for workers, at the rate of late. Webhooks that more workers would not send (heldWebhooks, limits, times of their own) are not in it.',
  }),
  parkedWebhooks: Type.Integer({ description: 'In lanes.' }),
  heldWebhooks: Type.Integer({
    description:
      'Those of them that wait for a failing destination, or until a channel or campaign is resumed.',
  }),
  heldOldestSeconds: Type.Number({
    description: 'For how long the oldest of these has waited; 0 if there are none.',
  }),
  lanes: Type.Array(
    Type.Object({
      channelConfigId: Type.Optional(Type.String()),
      campaignId: Type.Optional(Type.String({ description: 'Of a campaign that is paused or has a rate.' })),
      origin: Type.Optional(Type.String({ description: 'Of inline destinations.' })),
      circuit: CircuitView,
      parkedWebhooks: Type.Integer(),
    }),
    { description: 'All channels, and every lane in which something waits; those that need a look first.' },
  ),
  moreLanes: Type.Boolean({ description: 'There are more than are shown.' }),
});

const EventsQuery = Type.Object(
  {
    limit: Type.Optional(
      Type.String({
        pattern: '^([1-9]|[1-9][0-9]|[1-4][0-9][0-9]|500)$',
        errorDetail: 'must be a whole number from 1 to 500',
        description: '1 to 500; 100 when absent.',
      }),
    ),
    cursor: Type.Optional(
      Type.String({
        pattern: '^[0-9]{1,16}-[0-9]{1,16}$',
        errorDetail: 'must be the cursor of an answer of this call',
        description: 'Of the page before this one.',
      }),
    ),
  },
  { additionalProperties: false },
);

export function addFleetRoutes(
  app: FastifyInstance,
  readFleet: FleetReader,
  events: Pick<FleetEvents, 'list'>,
): void {
  app.get(
    '/v1/fleet',
    { schema: { summary: 'Workers, queues, and where webhooks wait', response: { 200: Fleet } } },
    readFleet,
  );

  app.get<{ Querystring: Static<typeof EventsQuery> }>(
    '/v1/fleet/events',
    {
      schema: {
        summary: 'Circuits that changed, what operators did, campaigns that were completed; the latest first',
        querystring: EventsQuery,
        response: {
          200: Type.Object({
            events: Type.Array(Type.Object({ id: Type.String(), ...FleetEvent.properties })),
            cursor: Type.Optional(Type.String({ description: 'Of the next page; absent on the last.' })),
          }),
          400: Problem,
        },
      },
    },
    ({ query }) => events.list(Number(query.limit ?? 100), query.cursor),
  );
}
