/** Trace context is read as the W3C standard says, and invalid context is ignored. Takes under a second. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  distinctTraces,
  formatTraceparent,
  parseTraceparent,
  readSampledContext,
  readTraceContext,
  TRACE_LINKS_MAX,
} from './trace-context.ts';

const hex = (length: number) =>
  fc
    .array(fc.integer({ min: 0, max: 15 }), { minLength: length, maxLength: length })
    .filter((digits) => digits.some((digit) => digit > 0))
    .map((digits) => digits.map((digit) => digit.toString(16)).join(''));

const ids = fc.record({ traceId: hex(32), spanId: hex(16), isSampled: fc.boolean() });

const PARENT = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
const stateOf = (tracestate: string) => readTraceContext({ traceparent: PARENT, tracestate })?.tracestate;

test('a traceparent is read as it was written', () => {
  fc.assert(fc.property(ids, (one) => expect(parseTraceparent(formatTraceparent(one))).toEqual(one)));
});

test('whatever comes, it is read as a traceparent of version 00 or left out, and never throws', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (traceparent, tracestate) => {
      const context = readTraceContext({ traceparent, tracestate });
      expect(context === undefined || parseTraceparent(context.traceparent) !== undefined).toBe(true);
    }),
  );
});

test('of a version to come, what is known is read, and passed on as version 00', () => {
  const context = readTraceContext({ traceparent: `cc${PARENT.slice(2)}-what-comes` });
  expect(context).toEqual({ traceparent: PARENT });
});

test.each([
  ['of version 00 with more behind it', `${PARENT}-more`],
  ['of version ff', `ff${PARENT.slice(2)}`],
  ['in capitals', PARENT.toUpperCase()],
  ['without a trace id', `00-${'0'.repeat(32)}-${'b'.repeat(16)}-01`],
  ['without a span id', `00-${'a'.repeat(32)}-${'0'.repeat(16)}-01`],
  ['that is longer than any', `01${PARENT.slice(2)}-${'x'.repeat(200)}`],
  ['that came twice', `${PARENT}, ${PARENT}`],
])('a traceparent %s is none', (_case, traceparent) => {
  expect(readTraceContext({ traceparent })).toBeUndefined();
});

test('only a sampled trace is worth storing', () => {
  expect(readSampledContext({ traceparent: PARENT })).toEqual({ traceparent: PARENT });
  expect(readSampledContext({ traceparent: PARENT.replace(/01$/, '00') })).toBeUndefined();
});

test.each([
  ['vendor=value', 'vendor=value'],
  ['a=1 , b=2,,', 'a=1,b=2'],
  ['tenant@vendor=va lue', 'tenant@vendor=va lue'],
])('tracestate %j is passed on as %j', (given, passedOn) => {
  expect(stateOf(given)).toBe(passedOn);
});

test.each([
  ['a header behind it', 'a=1\r\nx-evil: 1'],
  ['no value', 'vendor'],
  ['more than 512 characters', `a=${'x'.repeat(512)}`],
  ['more than 32 members', Array.from({ length: 33 }, (_, i) => `k${i}=v`).join()],
])('a tracestate with %s is left out, and the traceparent stays', (_case, tracestate) => {
  expect(readTraceContext({ traceparent: PARENT, tracestate })).toEqual({ traceparent: PARENT });
});

test('links are bounded, and each is there once', () => {
  const traces = Array.from({ length: 4 * TRACE_LINKS_MAX }, (_, i) => ({
    traceparent: `${i % (2 * TRACE_LINKS_MAX)}`,
  }));
  expect(distinctTraces([undefined, ...traces])).toEqual(traces.slice(0, TRACE_LINKS_MAX));
});
