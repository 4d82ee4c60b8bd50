/**
 * Callers that mean no good: every call that the producer describes, with inputs made from its own schemas and then
 * spoilt. Whatever comes, the answer is no 5xx, what is refused is refused as problem+json, the process goes on
 * answering, and nothing is left behind of it.
 * Takes about 6 s.
 */
import { connect, type Socket } from 'node:net';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { eventually, inlineComponents, startTestRedis } from '@hookfleet/testkit';
import fc from 'fast-check';
import { OPENAPI_FILE } from '../src/app.ts';
import { type ProducerUnderTest, setupProducer, webhook } from './setup-producer.ts';
import { fromSchema, type Schema, spoilt } from './from-schema.ts';

const RUNS = 25;

let redis: Awaited<ReturnType<typeof startTestRedis>>;
let producer: ProducerUnderTest;

beforeAll(async () => {
  redis = await startTestRedis();
  producer = await setupProducer(redis.url);
});

afterAll(async () => {
  await producer.close();
  await redis.stop();
});

interface Operation {
  readonly parameters?: readonly { readonly in: string; readonly schema: Schema }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> };
}

const { paths } = inlineComponents(
  JSON.parse(readFileSync(OPENAPI_FILE, 'utf8')) as { paths: Record<string, Record<string, Operation>> },
);
// The test of a channel waits for a worker.
const calls = Object.entries(paths)
  .flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  )
  .filter(({ path }) => !path.endsWith('/test'));

const NASTY_IDS = [
  '__proto__',
  'constructor',
  '..',
  '%00',
  '%ff',
  '%',
  '%0d%0ax:y',
  '%ed%a0%80',
  'x'.repeat(300),
  '*',
  "';--",
];

function expectRefusalOrDone(answer: { status: number; json: { status?: number } }, what: unknown): void {
  if (answer.status >= 500) throw new Error(`${answer.status} for ${JSON.stringify(what)?.slice(0, 1_000)}`);
  if (answer.status >= 400) expect(answer.json.status).toBe(answer.status);
}

test.each(calls.map((call) => [`${call.method} ${call.path}`, call] as const))(
  '%s answers whatever comes with no 5xx',
  async (_name, { method, path, operation }) => {
    const schema = operation.requestBody?.content['application/json']?.schema;
    const id = fc.oneof(
      fc.constantFrom(...NASTY_IDS),
      fc.string({ maxLength: 20 }).map(encodeURIComponent),
      fc.constant('known'),
    );
    const body =
      schema === undefined
        ? fc.constant(undefined)
        : fc.oneof(fromSchema(schema), spoilt(fromSchema(schema)));
    await fc.assert(
      fc.asyncProperty(id, body, async (name, value) => {
        const url = path.replaceAll(/\{\w+\}/g, name === '' || name === '.' ? 'x' : name);
        const answer = await producer.call(
          method,
          url,
          value === undefined ? undefined : JSON.stringify(value),
        );
        expectRefusalOrDone(answer, { url, value });
      }),
      { numRuns: RUNS },
    );
  },
);

const deep = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`;

test.each<[string, string]>([
  ['a document nested without end', deep(30_000)],
  ['a payload nested deeply', JSON.stringify(webhook()).replace('{"hello":"world"}', deep(5_000))],
  ['a huge number', JSON.stringify(webhook()).replace('"spring-sale"', `1${'0'.repeat(400)}`)],
  ['a campaign that is a long number', JSON.stringify(webhook()).replace('"spring-sale"', '9'.repeat(2_000))],
  ['a prototype', '{"__proto__":{"campaignId":"x"},"constructor":{"prototype":{"polluted":1}}}'],
  ['a key given a thousand times', `{${'"campaignId":"a",'.repeat(1_000)}"campaignId":"a"}`],
  ['half a document', '{"campaignId":'],
  ['a NUL', '\0'],
  ['nothing but a BOM', '\ufeff'],
  ['a lone surrogate', '{"campaignId":"\\ud800","messageId":"\\udfff"}'],
])('%s is no way in', async (_what, body) => {
  for (const path of ['/v1/webhooks', '/v1/webhooks/bulk', '/v1/events']) {
    const answer = await producer.call('POST', path, body);
    expectRefusalOrDone(answer, body.slice(0, 100));
  }
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
});

test('bytes that are no UTF-8 are refused or taken as text, and never break an answer', async () => {
  for (const bytes of [Buffer.from([0xff, 0xfe, 0x00]), Buffer.from('{"campaignId":"\xff\xc0"}', 'latin1')]) {
    const response = await fetch(`${producer.url}/v1/webhooks`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: bytes,
    });
    expect(response.status).toBe(400);
    await response.text();
  }
});

/** What the server says to bytes, until it ends the connection or, where it keeps it, until `untilText` is there. */
async function raw(bytes: string, untilText?: string): Promise<string> {
  const socket = connect(Number(new URL(producer.url).port), '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write(bytes, 'latin1');
  let said = '';
  for await (const chunk of socket) {
    said += String(chunk);
    if (untilText !== undefined && said.includes(untilText)) break;
  }
  socket.destroy();
  return said;
}

const BODY = JSON.stringify(webhook());
const head = (...lines: readonly string[]) =>
  ['POST /v1/webhooks HTTP/1.1', 'host: 127.0.0.1', 'content-type: application/json', ...lines, '', ''].join(
    '\r\n',
  );

test.each<[string, string]>([
  ['a length and chunks', `${head('content-length: 4', 'transfer-encoding: chunked')}0\r\n\r\n`],
  ['two lengths', `${head('content-length: 4', 'content-length: 5')}${BODY}`],
  ['a length with a sign', `${head('content-length: +4')}${BODY}`],
  ['chunks that are not the last encoding', `${head('transfer-encoding: chunked, identity')}0\r\n\r\n`],
  ['an encoding with a tab in it', `${head('transfer-encoding:\x0bchunked')}0\r\n\r\n`],
  ['a space before the colon', `${head('content-length : 4')}abcd`],
  ['a folded header', `${head('x-folded: a\r\n b: c', 'content-length: 0')}`],
  ['bare line feeds', head('content-length: 0').replaceAll('\r\n', '\n')],
  ['a bare carriage return', head('x-a: b\rx-c: d', 'content-length: 0')],
  ['a NUL in a header', head('x-a: b\0c', 'content-length: 0')],
  ['a chunk whose size is none', `${head('transfer-encoding: chunked')}zz\r\nabcd\r\n0\r\n\r\n`],
  ['a chunk beyond all numbers', `${head('transfer-encoding: chunked')}fffffffffffffffff\r\n`],
  [
    'chunk extensions without end',
    `${head('transfer-encoding: chunked')}1;${'x'.repeat(40_000)}\r\na\r\n0\r\n\r\n`,
  ],
  ['no host', 'GET /v1/channels HTTP/1.1\r\n\r\n'],
  ['another protocol', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
  ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
])('%s is refused, and nothing behind it is taken for a request', async (_what, bytes) => {
  const smuggled = 'GET /v1/smuggled HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n';
  const before = await producer.jobs();
  const said = await raw(bytes + smuggled);
  expect(said).toMatch(/^HTTP\/1\.1 4\d\d /);
  expect(said).not.toContain('/v1/smuggled');
  expect(await producer.jobs()).toBe(before);
});

test('headers of a caller split no answer', async () => {
  const said = await raw(
    'GET /v1/webhooks/a%0d%0aset-cookie:%20x=y HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n',
  );
  expect(said.split('\r\n\r\n')[0]).not.toMatch(/^set-cookie/im);
});

test('connections are bounded, and those that say nothing keep nobody out for long', async () => {
  const own = await setupProducer(redis.url, { prefix: 'bounded', requestsMax: 5 });
  const port = Number(new URL(own.url).port);
  const sockets: Socket[] = [];
  let closed = 0;
  for (let i = 0; i < 30; i += 1) {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.on('close', () => {
      closed += 1;
    });
    socket.write('POST /v1/webhooks HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 100\r\n');
    sockets.push(socket);
  }
  await eventually(() => expect(closed).toBe(20));
  for (const socket of sockets) socket.destroy();
  await eventually(async () => expect((await own.call('GET', '/healthz')).status).toBe(200));
  await own.close();
});

test('after all that it answers as before', async () => {
  expect((await producer.call('POST', '/v1/webhooks', webhook())).status).toBe(202);
});
