/**
 * The worst that a destination answers, within the limits on an answer, holds a worker's event loop for a moment only. A
 * measurement: on a machine that is not busy. Takes about 60 s.
 */
import { resolve } from 'node:path';
import { brotliCompressSync, crc32, gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Destination } from '@hookfleet/contract';
import { disconnectRedis, type RedisConnection, type WebhooksOut } from '@hookfleet/queue';
import {
  createAuthority,
  createLoopHeld,
  eventually,
  LOOP_METER,
  type StartedProcess,
  startProcess,
  startTestRedis,
} from '@hookfleet/testkit';
import { type RawServer, startRawServer } from '../raw-server.ts';
import { connect, openProducer } from '../setup.ts';
import { CLIENTS } from '../setup-requests.ts';

// SECURITY.md promises it.
const LOOP_HELD_MAX_MS = 50;
const LOOP_HELD_LONG_MAX_MS = 100;
const ATTEMPT_TIMEOUT_MS = 3_000;

const SECRET = 'planted-secret-of-the-test';

/** A gzip member that holds nothing, in as many blocks as fit. */
function nothing(bytes: number): Buffer {
  const blocks = Array.from({ length: bytes / 5 }, () => Buffer.from([0x00, 0x00, 0x00, 0xff, 0xff]));
  const head = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);
  const end = Buffer.alloc(8);
  end.writeUInt32LE(crc32(Buffer.alloc(0)));
  return Buffer.concat([head, ...blocks, Buffer.from([0x01, 0x00, 0x00, 0xff, 0xff]), end]);
}

const answerOf = (body: Buffer | string, encoding = 'identity') =>
  Buffer.concat([
    Buffer.from(
      `HTTP/1.1 500 No\r\ncontent-encoding: ${encoding}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n`,
    ),
    Buffer.from(body),
  ]);
const headersOf = (lines: readonly string[]) =>
  `HTTP/1.1 500 No\r\n${lines.join('\r\n')}\r\ncontent-length: 0\r\n\r\n`;
const manyOf = (count: number, of: (i: number) => string) => Array.from({ length: count }, (_, i) => of(i));

interface WorstAnswer {
  readonly name: string;
  readonly answer: () => Buffer | string;
  readonly destination?: (url: string) => Partial<Destination>;
  /** Why it may hold the loop for longer than others. */
  readonly heldLongBy?: 'the chunks of one piece of 64 KiB, each of which Node hands over';
}

const WORST_ANSWERS: readonly WorstAnswer[] = [
  { name: 'nothing to see (for comparison)', answer: () => 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n' },
  {
    name: 'gzip, gzip, gzip around nothing',
    answer: () => answerOf(gzipSync(gzipSync(nothing(50_000_000))), 'gzip, gzip, gzip'),
  },
  { name: 'a bomb in brotli', answer: () => answerOf(brotliCompressSync(Buffer.alloc(20_000_000)), 'br') },
  {
    name: 'zstd, zstd, zstd around zeros',
    answer: () =>
      answerOf(
        zstdCompressSync(zstdCompressSync(zstdCompressSync(Buffer.alloc(20_000_000)))),
        'zstd, zstd, zstd',
      ),
  },
  { name: '64 KiB of one header', answer: () => headersOf([`x-a: ${'a'.repeat(65_000)}`]) },
  { name: '10,000 headers', answer: () => headersOf(manyOf(10_000, (i) => `x:${i % 10}`)) },
  { name: '4,000 cookies', answer: () => headersOf(manyOf(4_000, (i) => `set-cookie: ${i}=b`)) },
  { name: 'a Retry-After of 60 KB', answer: () => headersOf([`retry-after: ${'9'.repeat(60_000)}`]) },
  {
    name: 'dates in 3,000 Retry-Afters',
    answer: () => headersOf(manyOf(3_000, () => 'retry-after: Mon, 1')),
  },
  {
    name: '20,000 early hints',
    answer: () => `${'HTTP/1.1 103 E\r\n\r\n'.repeat(20_000)}HTTP/1.1 500 No\r\n\r\n`,
  },
  {
    name: 'a body in 60,000 chunks',
    heldLongBy: 'the chunks of one piece of 64 KiB, each of which Node hands over',
    answer: () =>
      `HTTP/1.1 500 No\r\ntransfer-encoding: chunked\r\n\r\n${'1\r\na\r\n'.repeat(60_000)}0\r\n\r\n`,
  },
  {
    name: 'a body without end',
    answer: () =>
      Buffer.concat([answerOf('').subarray(0, 15), Buffer.from('\r\n\r\n'), Buffer.alloc(30_000_000)]),
  },
  {
    name: 'what was sent, 64 KiB of it, and its beginnings',
    answer: () => answerOf(`${SECRET}${SECRET.slice(0, -1)}`.repeat(1_200)),
    destination: () => ({
      headers: Object.fromEntries(manyOf(50, (i) => `x-key-${i}`).map((name) => [name, `${SECRET}${name}`])),
      auth: { type: 'bearer', token: SECRET },
    }),
  },
  {
    name: 'a token in nested JSON',
    answer: () => `HTTP/1.1 200 OK\r\ncontent-length: 64000\r\n\r\n${'['.repeat(64_000)}`,
    destination: (url) => ({
      auth: { type: 'oauth2', tokenUrl: `${url}/token`, clientId: 'c', clientSecret: SECRET },
    }),
  },
];

describe.each(CLIENTS)('with %s', (client) => {
  let redis: Awaited<ReturnType<typeof startTestRedis>>;
  let connection: RedisConnection;
  let webhooks: WebhooksOut;
  let worker: StartedProcess;
  let loopHeldMs: () => Promise<number>;
  const servers: RawServer[] = [];

  beforeAll(async () => {
    redis = await startTestRedis();
    connection = connect(redis.url);
    webhooks = openProducer(connection, { prefix: 'hookfleet' });
    worker = startProcess(resolve(import.meta.dirname, '../../src/main.ts'), {
      REDIS_URL: redis.url,
      PORT: '0',
      HOOKFLEET_HTTP_CLIENT: client,
      HOOKFLEET_EGRESS_ALLOW: '127.0.0.0/8',
      HOOKFLEET_ATTEMPT_TIMEOUT: `${ATTEMPT_TIMEOUT_MS}ms`,
      NODE_OPTIONS: LOOP_METER,
    });
    await worker.waitForLog(({ msg }) => msg === 'worker.started');
    loopHeldMs = createLoopHeld(worker);
  });

  afterAll(async () => {
    await Promise.all(servers.map((server) => server.close()));
    await webhooks.close();
    await worker.stop();
    disconnectRedis(connection);
    await redis.stop();
  });

  /** The longest that one attempt has held the loop. */
  async function heldBy(destination: Destination): Promise<number> {
    await loopHeldMs();
    const [id = ''] = await webhooks.enqueue([
      {
        campaignId: 'c',
        messageId: 'm',
        body: '{}',
        destination: { ...destination, retry: { delaysMs: [] } },
      },
    ]);
    await eventually(async () => expect(['failed', 'delivered']).toContain((await webhooks.find(id))?.state));
    return loopHeldMs();
  }

  /** The least of three: what V8 compiles is not the answer's. */
  async function holdsNot(
    name: string,
    destination: Destination,
    heldMaxMs = LOOP_HELD_MAX_MS,
  ): Promise<void> {
    const held = [await heldBy(destination), await heldBy(destination), await heldBy(destination)];
    process.stderr.write(`${client}, ${name}: ${held.join(', ')} ms\n`);
    expect(Math.min(...held)).toBeLessThan(heldMaxMs);
  }

  test.each(WORST_ANSWERS.map((one) => [one.name, one] as const))(
    '%s',
    async (name, { answer, destination, heldLongBy }) => {
      const bytes = answer();
      const server = await startRawServer({ onRequest: (socket) => void socket.write(bytes) });
      servers.push(server);
      await holdsNot(
        name,
        { url: server.url, ...destination?.(server.url) },
        heldLongBy === undefined ? LOOP_HELD_MAX_MS : LOOP_HELD_LONG_MAX_MS,
      );
    },
  );

  test('a client certificate with a key of 8,192 bits', async () => {
    const authority = await createAuthority('ours', 'rsa');
    const [server, identity] = await Promise.all([
      authority.issue('receiver.test'),
      authority.issue('acme', 8_192),
    ]);
    const secured = await startRawServer(
      {
        onRequest: (socket) =>
          void socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n'),
      },
      { cert: server.certificate, key: server.key, requestCert: true, rejectUnauthorized: false },
    );
    servers.push(secured);
    await holdsNot('a client certificate with a key of 8,192 bits', {
      url: secured.url,
      tls: { ca: authority.certificate, ...identity },
    });
  });
});
