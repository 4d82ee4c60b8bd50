/**
 * Destinations that speak HTTP and TLS wrongly, slowly or for ever: with both HTTP clients each attempt ends, with the
 * same outcome, within its deadline, in little memory, and leaves no socket behind. A status line that came whole is an
 * outcome, whatever follows it. (What bodies may hold: hostile-answers.test.ts.)
 * Takes about 15 s.
 */
import type { Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type Authority, createAuthority, eventually, type Identity } from '@hookfleet/testkit';
import { excerptOf } from '../src/response-excerpt.ts';
import { type RawServer, startRawServer, writeForEver } from './raw-server.ts';
import { CLIENTS, cameBack, type Requests, setupRequests } from './setup-requests.ts';

// An attempt that should end by itself, and waits for this one, hangs the test.
const FAR_DEADLINE_MS = 600_000;
// Of an attempt that nothing else ends.
const DEADLINE_MS = 100;
// The same, if the destination has to answer before.
const DEADLINE_AFTER_ANSWER_MS = 1_000;
const ENDED_BY_DEADLINE_AFTER_ANSWER = [
  'drips a body without end',
  'promises more, and waits',
  'promises an endless body',
  'drips headers without end',
];
const MEMORY_BYTES_MAX = 64 * 1024 * 1024;

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';

let authority: Authority;
let identity: Identity;

describe.each(CLIENTS)('with %s', (client) => {
  let requests: Requests;
  let server: RawServer | undefined;

  beforeEach(async () => {
    requests = await setupRequests({
      client,
      allow: ['127.0.0.0/8', '::1/128'],
      attemptTimeoutMs: FAR_DEADLINE_MS,
    });
  });

  afterEach(async () => {
    requests.close();
    await server?.close();
    server = undefined;
  });

  /** One attempt: what came back, in bounded memory. */
  async function attempt(url: string, destination: { tls?: { ca: string }; timeoutMs?: number } = {}) {
    const before = process.memoryUsage().rss;
    const sent = await requests.send({ url, ...destination });
    expect(process.memoryUsage().rss - before).toBeLessThan(MEMORY_BYTES_MAX);
    return sent;
  }

  function deadlineOf(what: string, expected: string | number): { timeoutMs?: number } {
    if (expected === 'timeout') return { timeoutMs: DEADLINE_MS };
    return ENDED_BY_DEADLINE_AFTER_ANSWER.includes(what) ? { timeoutMs: DEADLINE_AFTER_ANSWER_MS } : {};
  }

  type Script = (socket: Socket) => void;

  const says =
    (text: string): Script =>
    (socket) =>
      void socket.write(text, 'latin1');

  const chunked = (rest: string) => `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${rest}`;

  test.each<[string, Script, string | number, ('kept' | undefined)?]>([
    // Slow, or without end.
    ['never answers', () => undefined, 'timeout'],
    [
      'answers byte by byte',
      (socket) => {
        const bytes = [...OK];
        const next = () =>
          void socket.write(bytes.shift() ?? '', () => bytes.length > 0 && setImmediate(next));
        next();
      },
      200,
      'kept',
    ],
    ['drips a status line', (socket) => writeForEver(socket, 'H', 20), 'connection'],
    [
      'drips headers without end',
      (socket) => {
        socket.write('HTTP/1.1 200 OK\r\n');
        writeForEver(socket, 'a: b\r\n', 20);
      },
      200,
    ],
    [
      'floods with headers',
      (socket) => {
        socket.write('HTTP/1.1 200 OK\r\n');
        writeForEver(socket, 'x-header: value\r\n'.repeat(100));
      },
      200,
    ],
    [
      'floods with one header',
      (socket) => {
        socket.write('HTTP/1.1 200 OK\r\nx-long: ');
        writeForEver(socket, 'x'.repeat(10_000));
      },
      200,
    ],
    [
      'drips a body without end',
      (socket) => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        writeForEver(socket, 'x', 20);
      },
      200,
    ],
    [
      'floods with a chunked body',
      (socket) => {
        socket.write(chunked(''));
        writeForEver(socket, `1000\r\n${'x'.repeat(4_096)}\r\n`);
      },
      200,
    ],
    [
      'floods with chunk extensions',
      (socket) => {
        socket.write(chunked('1;'));
        writeForEver(socket, 'x'.repeat(10_000));
      },
      200,
    ],
    [
      'floods with trailers',
      (socket) => {
        socket.write(chunked('0\r\n'));
        writeForEver(socket, 'x-trailer: value\r\n'.repeat(100));
      },
      200,
    ],
    ['drips bodies of no length', (socket) => writeForEver(socket, chunked(''), 20), 200],

    // Lengths that lie.
    [
      'promises more than it sends',
      (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nok'),
      200,
    ],
    ['promises more, and waits', says('HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nok'), 200],
    ['promises an endless body', says('HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999\r\n\r\nok'), 200],
    [
      'promises beyond all numbers',
      says(`HTTP/1.1 200 OK\r\ncontent-length: ${'9'.repeat(40)}\r\n\r\n`),
      200,
    ],
    ['sends more than it promised', says(`${OK} and more`), 200],
    ['sends two answers', says(OK + OK), 200],
    ['has a negative length', says('HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n'), 200],
    ['has a length in hexadecimal', says('HTTP/1.1 200 OK\r\ncontent-length: 0x2\r\n\r\nok'), 200],
    ['has two lengths', says('HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok'), 200],
    [
      'has a length and chunks',
      says('HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n'),
      200,
    ],
    [
      'has two equal lengths',
      says('HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nok'),
      200,
    ],
    ['has two lengths in one header', says('HTTP/1.1 200 OK\r\ncontent-length: 2, 3\r\n\r\nok'), 200],
    [
      'has chunks, and more coding after them',
      (socket) =>
        socket.end('HTTP/1.1 503 x\r\ntransfer-encoding: chunked, gzip\r\n\r\n2\r\nok\r\n0\r\n\r\n'),
      503,
    ],
    ['has a chunk that is none', says(chunked('xyz\r\n')), 200],
    ['has a chunk beyond all numbers', says(chunked('ffffffffffffffffff\r\n')), 200],
    ['has a negative chunk', says(chunked('-1\r\n')), 200],

    // Status lines and headers that are none.
    ['speaks no HTTP', says('220 mail.example ESMTP\r\n'), 'connection'],
    ['sends NULs', (socket) => void socket.write(Buffer.alloc(1_000)), 'connection'],
    ['says nothing and goes', (socket) => socket.end(), 'connection'],
    ['has no version', says('200 OK\r\n\r\n'), 'connection'],
    ['has a version of its own', says('HTTP/7.3 200 OK\r\ncontent-length: 0\r\n\r\n'), 'connection'],
    ['has a status of letters', says('HTTP/1.1 abc OK\r\n\r\n'), 'connection'],
    ['has a status of four digits', says('HTTP/1.1 2000 OK\r\ncontent-length: 0\r\n\r\n'), 'connection'],
    ['has a status of two digits', says('HTTP/1.1 20 OK\r\ncontent-length: 0\r\n\r\n'), 'connection'],
    ['has a negative status', says('HTTP/1.1 -200 OK\r\n\r\n'), 'connection'],
    ['has a status beyond the classes', says('HTTP/1.1 999 ?\r\ncontent-length: 0\r\n\r\n'), 999, 'kept'],
    ['has a header without a name', says('HTTP/1.1 200 OK\r\n: x\r\ncontent-length: 0\r\n\r\n'), 200],
    ['has a header with a space in its name', says('HTTP/1.1 200 OK\r\na b: x\r\n\r\n'), 200],
    ['has a header with NUL', says('HTTP/1.1 200 OK\r\na: \0\r\ncontent-length: 0\r\n\r\n'), 200],
    [
      'has thousands of headers',
      says(`HTTP/1.1 200 OK\r\ncontent-length: 0\r\n${'a:b\r\n'.repeat(3_000)}\r\n`),
      200,
      'kept',
    ],
    [
      'has headers of odd names',
      says('HTTP/1.1 200 OK\r\n__proto__: x\r\nconstructor: y\r\ncontent-length: 0\r\n\r\n'),
      200,
      'kept',
    ],
    // What a status line says stands, whatever its headers are like.
    ['folds a header', says('HTTP/1.1 200 OK\r\nx-a: b\r\n c\r\ncontent-length: 2\r\n\r\nok'), 200],
    ['folds the header that follows its status', says('HTTP/1.1 200 OK\r\n c\r\n\r\n'), 200],
    ['folds a header of a refusal', says('HTTP/1.1 404 No\r\nx-a: b\r\n\tc\r\n\r\nok'), 404],
    ['folds a header of an error', says('HTTP/1.1 500 x\r\nx-a: b\r\n c\r\n\r\nok'), 500],
    [
      'sets cookies of 20 KB',
      says(`HTTP/1.1 200 OK\r\n${`set-cookie: ${'c'.repeat(4_000)}\r\n`.repeat(5)}content-length: 0\r\n\r\n`),
      200,
      'kept',
    ],
    [
      'sets cookies of 200 KB',
      says(
        `HTTP/1.1 200 OK\r\n${`set-cookie: ${'c'.repeat(4_000)}\r\n`.repeat(50)}content-length: 0\r\n\r\n`,
      ),
      200,
    ],
    [
      'has a fault after pieces',
      (socket) => {
        const pieces = ['HTT', 'P/1.1 20', '0 O', 'K\r', '\nx-a: b\r\n', ' folded\r\n\r\n'];
        const next = () => {
          const piece = pieces.shift();
          if (piece !== undefined) socket.write(piece, () => setImmediate(next));
        };
        next();
      },
      200,
    ],
    ['ends its lines with LF alone', says('HTTP/1.1 200 OK\ncontent-length: 0\n\n'), 200],
    ['has no reason and a fault', says('HTTP/1.1 200\r\na b: x\r\n\r\n'), 200],
    ['has a later minor version', says('HTTP/1.5 200 OK\r\ncontent-length: 0\r\n\r\n'), 200],
    ['has a status line with two spaces', says('HTTP/1.1  200 OK\r\n\r\n'), 'connection'],
    ['has a carriage return in its status line', says('HTTP/1.1 200 O\rK\r\na b: x\r\n\r\n'), 'connection'],
    ['has a fault, and a status in it', says('HTTP/1.1 2x0\r\nHTTP/1.1 200 OK\r\n\r\n'), 'connection'],
    [
      'floods with a status line',
      (socket) => {
        socket.write('HTTP/1.1 200 ');
        writeForEver(socket, 'x'.repeat(10_000));
      },
      'connection',
    ],
    ['speaks HTTP/1.0 without a length', (socket) => socket.end('HTTP/1.0 200 OK\r\n\r\nok'), 200],

    // Ends in each phase.
    ['resets after the request', (socket) => socket.resetAndDestroy(), 'connection'],
    [
      'resets within the status line',
      (socket) => void socket.write('HTTP/1.', () => socket.resetAndDestroy()),
      'connection',
    ],
    ['ends within the status line', (socket) => socket.end('HTTP/1.'), 'connection'],
    [
      'resets within the headers',
      (socket) =>
        void socket.write('HTTP/1.1 200 OK\r\na: b', () => setImmediate(() => socket.resetAndDestroy())),
      200,
    ],
    ['ends behind the status', (socket) => socket.end('HTTP/1.1 200'), 'connection'],
    ['ends within the headers', (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-le'), 200],
    ['ends before the empty line', (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n'), 200],
    ['ends within a chunk', (socket) => socket.end(chunked('5\r\nab')), 200],

    // Things that HTTP has, and a client of ours did not ask for.
    ['says 100 Continue first', says(`HTTP/1.1 100 Continue\r\n\r\n${OK}`), 200, 'kept'],
    ['says 100 Continue and no more', says('HTTP/1.1 100 Continue\r\n\r\n'), 'timeout'],
    [
      'says 100 Continue and thinks',
      (socket) =>
        void socket.write('HTTP/1.1 100 Continue\r\n\r\n', () => setImmediate(() => socket.write(OK))),
      200,
      'kept',
    ],
    [
      'says 102, 103 and 100 in pieces',
      (socket) => {
        const bytes = [
          ...`HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 100\r\n\r\n${OK}`,
        ];
        const next = () =>
          void socket.write(bytes.shift() ?? '', () => bytes.length > 0 && setImmediate(next));
        next();
      },
      200,
      'kept',
    ],
    [
      'folds a header of its 103',
      says(`HTTP/1.1 103 Hints\r\nlink: </a>\r\n ;rel=x\r\n\r\n${OK}`),
      200,
      'kept',
    ],
    [
      'says 103 and then folds a header',
      says('HTTP/1.1 103 Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 503 x\r\na: b\r\n c\r\n\r\n'),
      503,
    ],
    ['says 103 with a status in it', says('HTTP/1.1 103 x\r\na: HTTP/1.1 200 OK\r\n\r\n'), 'timeout'],
    ['says 100 Continue and goes', (socket) => socket.end('HTTP/1.1 100 Continue\r\n\r\n'), 'connection'],
    [
      'switches protocols',
      says('HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n'),
      101,
    ],
    ['answers 101 without an upgrade', says('HTTP/1.1 101 Switching Protocols\r\n\r\n'), 101],
    ['answers 204 with a body', says('HTTP/1.1 204 No Content\r\ncontent-length: 2\r\n\r\nok'), 204],
    ['answers 304', says('HTTP/1.1 304 Not Modified\r\ncontent-length: 99\r\n\r\n'), 304, 'kept'],
    [
      'asks for a proxy login',
      says('HTTP/1.1 407 x\r\nproxy-authenticate: basic\r\ncontent-length: 0\r\n\r\n'),
      407,
      'kept',
    ],
    [
      'speaks HTTP/2',
      (socket) => void socket.write(Buffer.from('000000040000000000000008070000000000000000000000', 'hex')),
      'connection',
    ],
  ])('a destination that %s', async (what, script, expected, ...[kept]) => {
    server = await startRawServer({ onRequest: (socket) => script(socket) });
    expect(cameBack(await attempt(server.url, deadlineOf(what, expected)))).toBe(expected);
    if (kept !== undefined) {
      // Ready for the next request, and closed with the others.
      expect(server.open()).toBe(1);
      requests.close();
    }
    await eventually(() => expect(server?.open()).toBe(0));
  });

  test.each(['301', '302', '303', '307', '308'])(
    'a redirect (%s) is not followed, wherever it leads',
    async (status) => {
      for (const location of [
        '/elsewhere',
        'http://169.254.169.254/',
        'file:///etc/passwd',
        '//',
        'javascript:1',
        '\x80',
      ]) {
        server = await startRawServer({
          onRequest: says(`HTTP/1.1 ${status} Moved\r\nlocation: ${location}\r\ncontent-length: 0\r\n\r\n`),
        });
        expect(cameBack(await attempt(server.url))).toBe(Number(status));
        expect(server.requests()).toBe(1);
        await server.close();
      }
    },
  );

  test('a connection that resets at once is a failed connection', async () => {
    server = await startRawServer({ onConnect: (socket) => socket.resetAndDestroy() });
    expect(cameBack(await attempt(server.url))).toBe('connection');
    await eventually(() => expect(server?.open()).toBe(0));
  });

  test('an answer that comes before the request is no answer to it, or none at all', async () => {
    server = await startRawServer({ onConnect: (socket) => void socket.write(OK) });
    expect([200, 'connection']).toContain(cameBack(await attempt(server.url)));
  });

  test('what a destination sends between two requests is never taken for an answer', async () => {
    let spoke = Promise.withResolvers<void>();
    let socket: Socket | undefined;
    server = await startRawServer({
      onRequest(asked) {
        socket = asked;
        asked.write(OK);
      },
    });
    for (let i = 0; i < 5; i += 1) {
      expect(cameBack(await attempt(server.url))).toBe(200);
      spoke = Promise.withResolvers();
      socket?.write('HTTP/1.1 500 Unasked\r\ncontent-length: 0\r\n\r\n', () => spoke.resolve());
      await spoke.promise;
      // Who speaks unasked is hung up on.
      await eventually(() => expect(server?.open()).toBe(0));
    }
  });

  test.each(['constructor', 'toString', '__proto__', 'hasOwnProperty, gzip', 'gzip, constructor'])(
    'a body in the encoding %s, which there is not, is shown as it came',
    async (encoding) => {
      server = await startRawServer({
        onRequest: says(
          `HTTP/1.1 500 x\r\ncontent-encoding: ${encoding}\r\ncontent-length: 10\r\n\r\nas it came`,
        ),
      });
      const { answer } = await attempt(server.url);
      if (answer.kind !== 'response') throw new Error(answer.failure);
      expect(await excerptOf(answer.rawBody, answer.headers)).toBe('as it came');
    },
  );

  test('a body that is cut within its compression is shown as far as it came', async () => {
    const packed = gzipSync(`${'x'.repeat(500)}${Math.random()}`);
    const half = packed.subarray(0, packed.length - 12);
    server = await startRawServer({
      onRequest(socket) {
        socket.write('HTTP/1.1 500 x\r\ncontent-encoding: gzip\r\ncontent-length: 9999\r\n\r\n');
        socket.end(half);
      },
    });
    const { answer } = await attempt(server.url);
    if (answer.kind !== 'response') throw new Error(answer.failure);
    expect(await excerptOf(answer.rawBody, answer.headers)).toContain('xxx');
  });

  // Regression: half of all requests were bounces of a destination that had nothing wrong with it.
  test.each<[string, Script]>([
    ['ends', (socket) => socket.end(OK)],
    ['is destroyed', (socket) => void socket.write(OK, () => socket.destroy())],
  ])('a kept connection that %s as it is used again costs no attempt', async (_how, script) => {
    server = await startRawServer({ onRequest: (socket) => script(socket) });
    const back: (string | number)[] = [];
    for (let i = 0; i < 50; i += 1) back.push(cameBack(await attempt(server.url)));
    expect(new Set(back)).toEqual(new Set([200]));
    await eventually(() => expect(server?.open()).toBe(0));
  });

  test('a request that found its connection closed is sent twice at most, and one that was reset once', async () => {
    let how: 'answer' | 'end' | 'reset' = 'answer';
    server = await startRawServer({
      onRequest(socket) {
        if (how === 'answer') socket.write(OK);
        else if (how === 'end') socket.end();
        else socket.resetAndDestroy();
      },
    });
    for (const [last, sentInAll] of [
      ['end', 2],
      ['reset', 1],
    ] as const) {
      how = 'answer';
      await attempt(server.url);
      const before = server.requests();
      how = last;
      expect(cameBack(await attempt(server.url))).toBe('connection');
      expect(server.requests() - before).toBe(sentInAll);
    }
  });

  const identities = async () => {
    authority ??= await createAuthority('ours');
    identity ??= await authority.issue('receiver.test');
    return { cert: identity.certificate, key: identity.key };
  };

  test('an answer that began is never asked for again, and the status before is not its own', async () => {
    let text = OK;
    server = await startRawServer({
      onRequest(socket) {
        if (text === OK) socket.write(OK);
        else socket.end(text);
      },
    });
    for (const [next, expected] of [
      ['HTTP/1.1 2', 'connection'],
      ['no HTTP\r\n', 'connection'],
      ['HTTP/1.1 503 x\r\na: b', 503],
      ['HTTP/1.1 100 Continue\r\n\r\n', 'connection'],
    ] as const) {
      text = OK;
      expect(cameBack(await attempt(server.url))).toBe(200);
      const before = server.requests();
      text = next;
      expect(cameBack(await attempt(server.url))).toBe(expected);
      expect(server.requests() - before).toBe(1);
    }
    text = OK;
    expect(cameBack(await attempt(server.url))).toBe(200);
    const { url } = server;
    await server.close();
    server = undefined;
    expect(cameBack(await attempt(url))).toBe('connection');
  });

  test('over TLS: a wrong name, an old version, an unknown authority are no delivery', async () => {
    const tls = await identities();
    const trusting = { tls: { ca: authority.certificate } };
    server = await startRawServer({ onRequest: says(OK) }, tls);
    expect(cameBack(await attempt(server.url, trusting))).toBe(200);
    expect(cameBack(await attempt(server.url))).toBe('tls');
    expect(cameBack(await attempt(server.url.replace('127.0.0.1', 'localhost'), trusting))).toBe('tls');
    // The good connection is kept, and no other.
    await eventually(() => expect(server?.open()).toBe(1));
    await server.close();
    server = await startRawServer({ onRequest: says('HTTP/1.1 200 OK\r\na: b\r\n c\r\n\r\n') }, tls);
    expect(cameBack(await attempt(server.url, trusting))).toBe(200);
    await eventually(() => expect(server?.open()).toBe(0));
    await server.close();
    server = await startRawServer({ onRequest: says(OK) }, tls);
    expect(cameBack(await attempt(server.url, trusting))).toBe(200);
    await eventually(() => expect(server?.open()).toBe(1));
    await server.close();
    for (const version of ['TLSv1', 'TLSv1.1'] as const) {
      server = await startRawServer(
        { onRequest: says(OK) },
        { ...tls, minVersion: version, maxVersion: version, ciphers: 'DEFAULT@SECLEVEL=0' },
      );
      expect(cameBack(await attempt(server.url, trusting))).toBe('tls');
      await server.close();
    }
  });

  test.each<[string, Script, string]>([
    ['answers in plain HTTP', says(OK), 'tls'],
    ['answers with noise', (socket) => void socket.write(Buffer.alloc(500, 0xff)), 'tls'],
    ['answers with an alert', (socket) => void socket.write(Buffer.from('15030300020228', 'hex')), 'tls'],
    ['says nothing', () => undefined, 'timeout'],
    ['drips a handshake', (socket) => writeForEver(socket, Buffer.from('16', 'hex'), 20), 'tls'],
  ])('a handshake that %s ends', async (what, script, expected) => {
    server = await startRawServer({ onRequest: (socket) => script(socket) });
    const url = server.url.replace('http:', 'https:');
    const back = cameBack(await attempt(url, deadlineOf(what, expected)));
    expect(back).toBe(expected);
    await eventually(() => expect(server?.open()).toBe(0));
  });

  test('a TLS connection that is reset in its handshake is no answer', async () => {
    server = await startRawServer({ onConnect: (socket) => socket.resetAndDestroy() });
    expect(['connection', 'tls']).toContain(cameBack(await attempt(server.url.replace('http:', 'https:'))));
  });
});
