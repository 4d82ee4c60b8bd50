/**
 * What the processes know of tracing: spans that begin under a context and end with facts. There is a Tracing only where
 * it is switched on; without one, the paths that would tell it anything are not built at all.
 */
import type { TraceContext } from '@hookfleet/contract';

export type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;

/** As OpenTelemetry names them. */
export type SpanKind = 'server' | 'producer' | 'consumer';

export interface SpanOptions {
  readonly name: string;
  readonly kind: SpanKind;
  /** A new trace where there is none, if the sampler takes it. */
  readonly parent: TraceContext | undefined;
  /** TRACE_LINKS_MAX of them at most. */
  readonly links?: readonly TraceContext[] | undefined;
  readonly attributes: Attributes;
}

export interface SpanFacts {
  readonly attributes?: Attributes;
  /** Why it failed, in a word. */
  readonly error?: string | undefined;
}

export interface Span {
  /** What work under this span belongs to; undefined where it is not sampled. */
  readonly context: TraceContext | undefined;
  /** A span ends once. */
  end(facts?: SpanFacts): void;
}

export interface Tracing {
  startSpan(options: SpanOptions): Span;
  /** Sends what is left, for so long as it was given. Never rejects: a lost span is no reason to fail a shutdown. */
  stop(): Promise<void>;
}
