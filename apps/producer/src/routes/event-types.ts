/** PUT, GET and DELETE /v1/event-types/{name}; GET /v1/event-types. */
import { EVENT_TYPES_MAX, EventName, EventType, Problem } from '@hookfleet/contract';
import type { KnownEventTypes } from '@hookfleet/intake';
import { ProblemError } from '@hookfleet/http-api';
import { type EventTypes, parseEventType, type StoredEventType } from '@hookfleet/queue';
import type { FastifyInstance } from 'fastify';
import { type Static, Type } from 'typebox';

const Params = Type.Object({ name: EventName });

const EventTypeView = Type.Object(
  { name: Type.String(), activatedAt: Type.String({ format: 'date-time' }), strict: Type.Boolean() },
  { additionalProperties: true, description: 'The properties as they were written.' },
);

type Params = { Params: Static<typeof Params> };

export interface EventTypeRoutesOptions {
  readonly eventTypes: EventTypes;
  readonly known: Pick<KnownEventTypes, 'refresh'>;
}

export function addEventTypeRoutes(
  app: FastifyInstance,
  { eventTypes, known }: EventTypeRoutesOptions,
): void {
  app.put<Params & { Body: EventType }>(
    '/v1/event-types/:name',
    {
      schema: {
        summary:
          'Activate a custom event, or change its properties: 201 where it is new. Every producer knows of it within two seconds.',
        params: Params,
        body: EventType,
        response: { 200: EventTypeView, 201: EventTypeView, '4xx': Problem },
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      const done = await eventTypes.put(name, request.body);
      if (done === 'full')
        throw new ProblemError(409, `${EVENT_TYPES_MAX} events are activated: deactivate one first.`);
      await known.refresh();
      request.log.info({ event: name, done }, 'eventType.activated');
      const stored = (await eventTypes.get(name)) ?? notFound(name);
      return reply.code(done === 'created' ? 201 : 200).send(view(name, stored));
    },
  );

  app.get(
    '/v1/event-types',
    {
      schema: {
        summary: 'All activated events',
        response: { 200: Type.Object({ eventTypes: Type.Array(EventTypeView) }) },
      },
    },
    async () => {
      const all = [...(await eventTypes.all())].map(([name, text]) => view(name, parseEventType(text)));
      return { eventTypes: all.sort((a, b) => (a.name < b.name ? -1 : 1)) };
    },
  );

  app.get<Params>(
    '/v1/event-types/:name',
    {
      schema: {
        summary: 'An activated event',
        params: Params,
        response: { 200: EventTypeView, '4xx': Problem },
      },
    },
    async ({ params }) => view(params.name, (await eventTypes.get(params.name)) ?? notFound(params.name)),
  );

  app.delete<Params>(
    '/v1/event-types/:name',
    {
      schema: {
        summary: 'Deactivate an event: it is refused from then on; what was counted stays',
        params: Params,
        response: { 204: Type.Null(), '4xx': Problem },
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      if (!(await eventTypes.delete(name))) notFound(name);
      await known.refresh();
      request.log.info({ event: name }, 'eventType.deactivated');
      return reply.code(204).send();
    },
  );
}

function view(name: string, { activatedAtMs, properties = {}, strict = false }: StoredEventType) {
  return { name, activatedAt: new Date(activatedAtMs).toISOString(), properties, strict };
}

function notFound(name: string): never {
  throw new ProblemError(404, `Event ${name} is not activated.`);
}
