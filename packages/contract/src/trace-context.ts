/**
 * Trace context as the W3C's recommendation writes it: which trace a piece of work belongs to, and under which span.
 * It travels with webhooks from whoever called to the counters, and is stored where the trace is sampled, and nowhere
 * else. What callers send is hostile: what doesn't follow the recommendation is left out, as it asks, and never refused.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { type Static, Type } from 'typebox';

/** Checked where it came in: a trace that can't be read is no reason to leave a webhook alone. */
export const TraceContext = Type.Object({
  traceparent: Type.String(),
  tracestate: Type.Optional(Type.String()),
});

export type TraceContext = Static<typeof TraceContext>;

export interface SpanIds {
  readonly traceId: string;
  readonly spanId: string;
  readonly isSampled: boolean;
}

/** So many spans one may point to: as many as a results job has outcomes. */
export const TRACE_LINKS_MAX = 250;

// The recommendation's least that must be passed on, and the most of its members.
const STATE_LENGTH_MAX = 512;
const STATE_MEMBERS_MAX = 32;
const STATE_MEMBER = /^[a-z0-9][a-z0-9_*/@-]{0,255}=[\u0020-\u002b\u002d-\u003c\u003e-\u007e]{1,256}$/;

// Versions to come may have more behind the flags; ff is none.
const PARENT = /^(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const PARENT_LENGTH_MAX = 128;
const SAMPLED = 0x01;

/** Undefined where the text is none. */
export function parseTraceparent(traceparent: string): SpanIds | undefined {
  if (traceparent.length > PARENT_LENGTH_MAX) return undefined;
  const [, version, traceId = '', spanId = '', flags = '', more] = PARENT.exec(traceparent) ?? [];
  if (version === undefined || (version === '00' && more !== undefined)) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & SAMPLED) !== 0 };
}

export function formatTraceparent({ traceId, spanId, isSampled }: SpanIds): string {
  return `00-${traceId}-${spanId}-${isSampled ? '01' : '00'}`;
}

/** The caller's, sampled or not; undefined where the call has none that can be read. */
export function readTraceContext({ traceparent, tracestate }: IncomingHttpHeaders): TraceContext | undefined {
  if (typeof traceparent !== 'string') return undefined;
  const ids = parseTraceparent(traceparent);
  if (ids === undefined) return undefined;
  const state = typeof tracestate === 'string' ? readTracestate(tracestate) : undefined;
  return { traceparent: formatTraceparent(ids), ...(state !== undefined && { tracestate: state }) };
}

/** The same, where its trace is sampled: what is worth being stored. */
export function readSampledContext(headers: IncomingHttpHeaders): TraceContext | undefined {
  const context = readTraceContext(headers);
  return context !== undefined && parseTraceparent(context.traceparent)?.isSampled ? context : undefined;
}

function readTracestate(text: string): string | undefined {
  if (text.length > STATE_LENGTH_MAX) return undefined;
  const members = text
    .split(',')
    .map((member) => member.trim())
    .filter((member) => member !== '');
  if (members.length === 0 || members.length > STATE_MEMBERS_MAX) return undefined;
  return members.every((member) => STATE_MEMBER.test(member)) ? members.join() : undefined;
}

/** The webhook's own where it has one, else what its bundle's have in common. */
export function traceOf(
  bundle: { readonly trace?: TraceContext },
  webhook: { readonly trace?: TraceContext },
): TraceContext | undefined {
  return webhook.trace ?? bundle.trace;
}

/** Each once, the first of them; empty where nothing is traced. */
export function distinctTraces(traces: Iterable<TraceContext | undefined>): TraceContext[] {
  const found = new Map<string, TraceContext>();
  for (const trace of traces) {
    if (trace !== undefined && found.size < TRACE_LINKS_MAX) found.set(trace.traceparent, trace);
  }
  return [...found.values()];
}

/** As a log line names them. */
export function traceFields(trace: TraceContext | undefined): { trace_id?: string; span_id?: string } {
  const ids = trace === undefined ? undefined : parseTraceparent(trace.traceparent);
  return ids === undefined ? {} : { trace_id: ids.traceId, span_id: ids.spanId };
}
