/**
 * What a caller writes as a payload arrives byte for byte, signed, whichever way it comes in: alone, in bulk, as NDJSON,
 * in a batch, by the client; with both HTTP clients. Takes about 20 s.
 */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import {
  eventually,
  type ReceivedRequest,
  type Receiver,
  type StartedProcess,
  startProcess,
  startReceiver,
} from '@hookfleet/testkit';
import fc from 'fast-check';
import { Webhook as Verifier } from 'standardwebhooks';
import { type FleetEntrance, startFleetEntrance, WAYS, webhook } from './setup-client.ts';

const WORKER = fileURLToPath(new URL('../../../apps/worker/src/main.ts', import.meta.url));

jest.setTimeout(120_000);

const SECRET = `whsec_${Buffer.alloc(32, 's').toString('base64')}`;

/** What a parser and a serializer would change. */
const NASTY = [
  '{"id":9007199254740993,"b":1,"2":2}',
  '{"a":1,"a":2,"__proto__":{"x":1}}',
  '[1.0, 1E+2, -0, 1e400, 12345678901234567890.10]',
  '"\\u017c\\/\\ud83c\\udfa3 \\ud800 ż🎣\u2028"',
  '{ "spaced" :\t[ ] , "é" : "\u007f" }',
  ...['0', 'null', '""', 'false'],
  `${'['.repeat(64)}${']'.repeat(64)}`,
];

const payloads = fc
  .array(
    fc.tuple(fc.json(), fc.constantFrom(undefined, 1, '\t')).map(([json, indent]) => {
      // Spaces for line breaks: NDJSON has its own.
      const text = JSON.stringify(JSON.parse(json), undefined, indent);
      return text.replaceAll('\n', ' ');
    }),
    { minLength: 5, maxLength: 20 },
  )
  .map((more) => [...NASTY, ...more]);

describe.each(['got', 'undici'])('with %s', (client) => {
  let fleet: FleetEntrance;
  let worker: StartedProcess;
  let receiver: Receiver;
  let campaigns = 0;

  beforeAll(async () => {
    receiver = await startReceiver();
    fleet = await startFleetEntrance();
    worker = startProcess(WORKER, {
      REDIS_URL: fleet.redis.url,
      PORT: '0',
      HOOKFLEET_EGRESS_ALLOW: '127.0.0.0/8',
      HOOKFLEET_HTTP_CLIENT: client,
    });
    await worker.waitForLog(({ msg }) => msg === 'worker.started');
    const batch = { size: 50, maxWaitMs: 200 };
    const channel = { url: `${receiver.url}/batch`, signingSecrets: [SECRET], batch };
    const stored = await call('PUT', '/v1/channels/batch', JSON.stringify(channel));
    expect(stored.status).toBe(201);
  });

  afterAll(async () => {
    await worker.stop();
    await fleet.close();
    await receiver.close();
  });

  const call = (method: string, path: string, body: string, contentType = 'application/json') =>
    fetch(fleet.url + path, { method, headers: { 'content-type': contentType }, body });

  async function enqueued(path: string, body: string, contentType?: string): Promise<string[]> {
    const response = await call('POST', path, body, contentType);
    const { id, ids, errors } = (await response.json()) as { id?: string; ids?: string[]; errors?: unknown };
    expect({ status: response.status, errors }).toEqual({ status: 202 });
    return ids ?? [id ?? ''];
  }

  const head = (destination: string) => `"campaignId":"bytes-${campaigns}","messageId":"m",${destination}`;
  const inline = (changes: object = {}) =>
    `"destination":${JSON.stringify({ url: `${receiver.url}/hook`, signingSecrets: [SECRET], ...changes })}`;

  async function received(id: string): Promise<ReceivedRequest> {
    return eventually(() => {
      const entry = receiver.ledger.find(({ request }) => request.webhookId === id);
      if (entry === undefined) throw new Error(`${id} has not come`);
      return entry.request;
    });
  }

  function expectSigned({ headers, body }: ReceivedRequest): void {
    new Verifier(SECRET).verify(body, headers as Record<string, string>);
  }

  test('any JSON payload arrives as it was written, alone and in bulk', async () => {
    await fc.assert(
      fc.asyncProperty(payloads, async (texts) => {
        campaigns += 1;
        const items = texts.map((text) => `{${head(inline())}, "payload" : ${text} }`);
        const ids = await Promise.all(items.map((item) => enqueued('/v1/webhooks', item)));
        const bulk = await enqueued('/v1/webhooks/bulk', `{"webhooks":[${items.join(',\n')}]}`);
        const ndjson = await enqueued('/v1/webhooks/bulk', items.join('\r\n'), 'application/x-ndjson');
        for (const all of [ids.flat(), bulk, ndjson]) {
          expect(all).toHaveLength(texts.length);
          for (const [i, id] of all.entries()) {
            const request = await received(id);
            expect(request.body.toString()).toBe(texts[i]);
            expectSigned(request);
          }
        }
      }),
      { numRuns: 3, endOnFailure: true },
    );
  });

  test('in a batch too, each beside its id', async () => {
    await fc.assert(
      fc.asyncProperty(payloads, async (texts) => {
        campaigns += 1;
        const items = texts.map((text) => `{${head('"channelConfigId":"batch"')},"p\\u0061yload":${text}}`);
        const ids = await enqueued('/v1/webhooks/bulk', `{"webhooks":[${items.join()}]}`);
        for (const [i, id] of ids.entries()) {
          const member = `{"id":"${id}","payload":${texts[i]}}`;
          const request = await eventually(() => {
            const entry = receiver.ledger.find((one) => one.request.body.includes(`"id":"${id}"`));
            if (entry === undefined) throw new Error(`${id} has not come`);
            return entry.request;
          });
          expect(request.body.toString()).toContain(member);
          expectSigned(request);
        }
      }),
      { numRuns: 2, endOnFailure: true },
    );
  });

  test('a form and a query have every digit', async () => {
    const payload = '{"id":9007199254740993,"b":1.00,"2":[1e400,{"x": 1.0}]}';
    const pairs = [
      ['id', '9007199254740993'],
      ['b', '1.00'],
      ['2', '1e400'],
      ['2', '{"x": 1.0}'],
    ];
    const form = inline({ contentType: 'application/x-www-form-urlencoded' });
    const [asForm = ''] = await enqueued('/v1/webhooks', `{${head(form)},"payload":${payload}}`);
    const { body } = await received(asForm);
    expect([...new URLSearchParams(body.toString())]).toEqual(pairs);
    const get = inline({ method: 'GET' });
    const [asQuery = ''] = await enqueued('/v1/webhooks', `{${head(get)},"payload":${payload}}`);
    const { path } = await received(asQuery);
    expect([...new URL(path, receiver.url).searchParams]).toEqual(pairs);
  });

  test.each(WAYS)(
    'by the client, %s: a value as JSON.stringify writes it, and raw JSON as it is',
    async (way) => {
      const connected = await fleet.connect(way);
      // Of newer Node.js than our types know.
      const { rawJSON } = JSON as unknown as { rawJSON: (text: string) => unknown };
      const destination = { url: `${receiver.url}/hook`, signingSecrets: [SECRET] };
      const payload = { id: rawJSON('9007199254740993'), half: '\ud800', b: 1, 2: 2 };
      const [raw = ''] = NASTY;
      const sent = [
        [{ payload }, JSON.stringify(payload)],
        [{ payload: undefined, body: raw, contentType: 'application/json' }, raw],
      ] as const;
      for (const [content, expected] of sent) {
        const one = webhook({ destination, ...content });
        const ids = [(await connected.enqueue(one)).id];
        for await (const result of connected.enqueueAll([one]))
          if (result.refused === undefined) ids.push(result.id);
        expect(ids).toHaveLength(2);
        for (const id of ids) {
          const request = await received(id);
          expect(request.body.toString()).toBe(expected);
          expectSigned(request);
        }
      }
      await connected.close();
    },
  );
});
