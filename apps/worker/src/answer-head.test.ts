/**
 * The status line is read however an answer is cut into pieces, and the parser gets every byte but interim answers.
 * Takes about 2 s.
 */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { AnswerHead } from './answer-head.ts';

const interim = fc.constantFrom(
  'HTTP/1.1 100 Continue\r\n\r\n',
  'HTTP/1.1 100\r\n\r\n',
  'HTTP/1.0 102 Processing\r\na: b\r\n\r\n',
  'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n folded\r\n\r\n',
  'HTTP/1.1 103 x\n\n',
  'HTTP/1.1 199 x\r\na: HTTP/1.1 200 OK\r\n\r\n',
);

const final = fc.constantFrom(
  ['HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok', 200],
  ['HTTP/1.1 503\r\n\r\n', 503],
  ['HTTP/1.0 404 Not Found\nx: y\n\n', 404],
  ['HTTP/1.1 101 Switching Protocols\r\n\r\nbytes', 101],
  ['HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n', 200],
  ['HTTP/1.1 200 OK', undefined],
  ['HTTP/1.1 2000 OK\r\n\r\n', undefined],
  ['HTTP/1.1 1000 OK\r\n\r\n', undefined],
  ['HTTP/2 200\r\n\r\n', undefined],
  ['ICY 200 OK\r\n\r\n', undefined],
  ['HTTP/1.1 20\r\n0 OK\r\n\r\n', undefined],
) as fc.Arbitrary<[string, number | undefined]>;

function passAll(head: AnswerHead, text: string, cuts: readonly number[]): string {
  const ends = [...cuts.map((cut) => cut % (text.length + 1)), text.length].sort((a, b) => a - b);
  let from = 0;
  let passed = '';
  for (const to of ends) {
    passed += head.pass(Buffer.from(text.slice(from, to), 'latin1')).toString('latin1');
    from = to;
  }
  return passed;
}

test('the final status is read and interim answers are removed, in whatever pieces they come', () => {
  const head = new AnswerHead();
  fc.assert(
    fc.property(
      fc.array(interim, { maxLength: 3 }),
      final,
      fc.array(fc.nat(), { maxLength: 30 }),
      (interims, [answer, statusCode], cuts) => {
        head.begin(() => undefined);
        const text = interims.join('') + answer;
        expect(passAll(head, text, cuts)).toBe(answer);
        expect(head.read()?.statusCode).toBe(statusCode);
        expect(head.bytes).toBe(text.length);
      },
    ),
  );
});

test('whatever comes, no byte is invented, and what is no interim answer passes', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', minLength: 1 }), fc.array(fc.nat()), (noise, cuts) => {
      const text = `x${Buffer.from(noise).toString('latin1')}`;
      const head = new AnswerHead();
      expect(passAll(head, text, cuts)).toBe(text);
      head.begin(() => undefined);
      expect(passAll(head, text, cuts)).toBe(text);
      expect(head.read()).toBeUndefined();
    }),
  );
});

test('headers that are well-formed are read beside those that are not, the first of each name', () => {
  const head = new AnswerHead();
  head.begin(() => undefined);
  passAll(
    head,
    'HTTP/1.1 429 Slow\r\n folded\r\na b: x\r\nRetry-After:\t7 \r\n__proto__: y\r\nretry-after: 8\r\nnul: \0\r\ncut: sho',
    [],
  );
  const { headers } = head.read() ?? {};
  expect(Object.entries(headers ?? {})).toEqual([
    ['retry-after', '7'],
    ['__proto__', 'y'],
  ]);
});

test('an answer that goes on and on is told of, with its status', () => {
  let told = 0;
  const head = new AnswerHead();
  head.begin(() => {
    told += 1;
    expect(head.read()?.statusCode).toBe(500);
  });
  const piece = Buffer.alloc(64 * 1024, 'x');
  head.pass(Buffer.from('HTTP/1.1 500 x\r\ntransfer-encoding: chunked\r\n\r\n1;'));
  for (let i = 0; i < 7; i += 1) head.pass(piece);
  expect(told).toBe(0);
  head.pass(piece);
  expect(told).toBe(1);
});

test('an interim answer beyond all limits is handed to the parser, which refuses it', () => {
  const head = new AnswerHead();
  head.begin(() => undefined);
  const text = `HTTP/1.1 103 x\r\na: ${'b'.repeat(70_000)}`;
  expect(passAll(head, text, [10, 20, 40_000])).toBe(text);
});
