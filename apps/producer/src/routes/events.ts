/** POST /v1/events: one custom event, an array, or {"events": […]}; all of a call are taken, or none. */
import { BULK_EVENTS_MAX, CustomEvent, Problem, traceFields } from '@hookfleet/contract';
import { invalidInput, jsonBytes, type OnJsonValues, traceOfCall } from '@hookfleet/http-api';
import { type EventIntake, refusalDetail } from '@hookfleet/intake';
import type { FastifyInstance } from 'fastify';
import { CallKey, callKeyOf } from '../call-key.ts';
import { Type } from 'typebox';

// 4 KiB an event where a call holds the most of them.
const BODY_BYTES_MAX = 4 * 1024 * 1024;

const Accepted = Type.Object({
  accepted: Type.Integer({ description: 'Events taken; those that were counted before are among them.' }),
  ignored: Type.Array(Type.String(), {
    description:
      "Properties that are not activated and were left out, by their path, as in properties.price or events[3].properties.price: each once for an event's type, where it came first.",
  }),
});

const Events = Type.Array(CustomEvent, { minItems: 1, maxItems: BULK_EVENTS_MAX });

export interface EventRoutesOptions {
  readonly intake: EventIntake;
  readonly onReceived: (event: string, count: number) => void;
  /** Of a call's body, before they are made. */
  readonly onValues: OnJsonValues;
}

export function addEventRoutes(
  app: FastifyInstance,
  { intake, onReceived, onValues }: EventRoutesOptions,
): void {
  app.post(
    '/v1/events',
    {
      bodyLimit: BODY_BYTES_MAX,
      config: { needs: 'enqueue', keepsJsonBytes: true },
      // The body is checked by the intake, once: the schema here is what the documentation shows.
      validatorCompiler: () => () => true,
      schema: {
        summary: 'Report one custom event or up to 1,000, all or none',
        description:
          "Each event must be activated (PUT /v1/event-types/{name}). With an id, an event that is reported again is counted once, also after a call that ended in 503 or without an answer. An event's numbers stand in its campaign's statistics, other properties are checked and not kept.",
        headers: CallKey,
        body: Type.Union([
          CustomEvent,
          Events,
          Type.Object({ events: Events }, { additionalProperties: false }),
        ]),
        response: { 202: Accepted, '4xx': Problem, 503: Problem },
      },
    },
    async (request, reply) => {
      const trace = traceOfCall(request);
      const reported = await intake.report(
        jsonBytes(request),
        trace,
        (values) => onValues(request, values),
        callKeyOf(request),
      );
      if ('errors' in reported) throw invalidInput(reported.errors, refusalDetail(reported));
      const { events, ignored } = reported;
      const counts = Map.groupBy(events, ({ event }) => event);
      for (const [event, ofEvent] of counts) onReceived(event, ofEvent.length);
      const campaignIds = [...new Set(events.map(({ campaignId }) => campaignId))].slice(0, 10);
      request.log.info(
        { events: events.length, campaignIds, names: [...counts.keys()], ...traceFields(trace) },
        'events.accepted',
      );
      return reply.code(202).send({ accepted: events.length, ignored });
    },
  );
}
