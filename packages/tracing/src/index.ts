/** Traces by OpenTelemetry: none, and no library loaded, unless the environment asks for them. */
export { endWith, messageSpan } from './message-spans.ts';
export type { Attributes, Span, SpanFacts, SpanKind, SpanOptions, Tracing } from './tracing.ts';
export { startTracing } from './start-tracing.ts';
export { loadTracingConfig, TRACING_VARIABLES, type TracingConfig } from './tracing-config.ts';
