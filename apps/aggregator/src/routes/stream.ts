/**
 * GET /v1/stream: the state of what a page shows, as server-sent events, whenever it has changed. Every event is the
 * whole state, so a client that was away needs none of those it missed: Last-Event-ID is ignored.
 */
import { Problem } from '@hookfleet/contract';
import { invalidInput, unavailable } from '@hookfleet/http-api';
import { type Caller, PRIVATE_HEADERS, SECURITY_HEADERS } from '@hookfleet/runtime';
import type { FastifyInstance } from 'fastify';
import { type Static, Type } from 'typebox';
import type { LiveTopics, Topic } from '../live-topics.ts';

// Open pages of a team, with room; each costs a socket and a few kilobytes.
const STREAMS_MAX = 200;
// By one key, so that nobody takes all; and by keys that may only look, so that an operator finds one.
const STREAMS_OF_KEY_MAX = 100;
const STREAMS_OF_VIEWERS_MAX = 150;
const CONTENT_TYPE = 'text/event-stream; charset=utf-8';
// Proxies close what is silent for a minute, and a client that is gone is noticed when it is written to.
const HEARTBEAT_MS = 15_000;
// How soon a browser comes back after a disconnect.
const RETRY_MS = 2_000;
// Who reads so slowly is cut off, and comes back for the latest.
const UNREAD_BYTES_MAX = 1024 * 1024;

const Query = Type.Object(
  {
    topic: Type.Optional(
      Type.Enum(['campaign', 'campaigns', 'fleet'], {
        description:
          'campaign: the totals of `campaign`. campaigns: the 50 most recently active, as GET /v1/campaigns?spark=24h has them. fleet: as GET /v1/fleet, with the latest of its events. When absent: campaign where `campaign` is given, else campaigns.',
      }),
    ),
    campaign: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
  },
  { additionalProperties: false },
);

export function addStreamRoute(
  app: FastifyInstance,
  topics: LiveTopics,
  { heartbeatMs = HEARTBEAT_MS }: { readonly heartbeatMs?: number | undefined } = {},
): void {
  const open = new Map<() => void, Caller>();

  function isFullFor(caller: Caller): boolean {
    const callers = [...open.values()];
    const ofKey = callers.filter(({ fingerprint }) => fingerprint === caller.fingerprint);
    return (
      callers.length >= STREAMS_MAX ||
      ofKey.length >= STREAMS_OF_KEY_MAX ||
      (isViewer(caller) && callers.filter(isViewer).length >= STREAMS_OF_VIEWERS_MAX)
    );
  }

  // The server waits for its connections to end: these end when it asks them to.
  app.addHook('preClose', async () => {
    for (const end of [...open.keys()]) end();
    topics.stop();
  });

  app.get<{ Querystring: Static<typeof Query> }>(
    '/v1/stream',
    {
      schema: {
        summary: 'Server-sent events: the state of what is watched, whenever it has changed',
        description:
          'Events are named campaign, campaigns or fleet, each with the whole state as JSON (null for a campaign of which nothing was counted), stale, {"stale": true}, while Redis is away, and alive every 15 seconds. At most one a second of each.',
        querystring: Query,
        response: {
          200: {
            description: 'A stream that does not end.',
            content: { 'text/event-stream': { schema: Type.String() } },
          },
          400: Problem,
          503: Problem,
        },
      },
    },
    async (request, reply) => {
      const topic = topicOf(request.query);
      if (request.method === 'HEAD') return reply.type(CONTENT_TYPE).send();
      const caller = request.caller();
      if (isFullFor(caller))
        throw unavailable('Too many streams are open, by this key or at all. Close some.');
      reply.hijack();
      const { raw } = reply;
      raw.writeHead(200, {
        'content-type': CONTENT_TYPE,
        ...SECURITY_HEADERS,
        ...PRIVATE_HEADERS,
        // nginx would hold events back.
        'x-accel-buffering': 'no',
      });
      const write = (text: string) => {
        if (raw.writableLength > UNREAD_BYTES_MAX) raw.destroy();
        else raw.write(text);
      };
      write(`retry: ${RETRY_MS}\n\n`);
      const unwatch = topics.watch(topic, (event, json) => write(`event: ${event}\ndata: ${json}\n\n`));
      const end = () => raw.end();
      const heartbeat = setInterval(async () => {
        // An event and no comment: a page sees it, and by its absence that the connection is dead.
        write('event: alive\ndata: {}\n\n');
        // While Redis is away nobody is signed out, and nothing new is told.
        if (!(await request.mayGoOn().catch(() => true))) end();
      }, heartbeatMs);
      open.set(end, caller);
      raw.once('close', () => {
        clearInterval(heartbeat);
        unwatch();
        open.delete(end);
      });
      return reply;
    },
  );
}

function isViewer({ roles }: Caller): boolean {
  return !roles.includes('operate');
}

function topicOf({ topic, campaign }: Static<typeof Query>): Topic {
  const name = topic ?? (campaign === undefined ? 'campaigns' : 'campaign');
  if (name !== 'campaign') {
    if (campaign !== undefined)
      throw invalidInput([{ field: 'campaign', type: 'INVALID_VALUE', detail: `goes with topic campaign` }]);
    return { name };
  }
  if (campaign === undefined)
    throw invalidInput([{ field: 'campaign', type: 'REQUIRED', detail: 'is required with topic campaign' }]);
  return { name, campaignId: campaign };
}
