/**
 * Spans by OpenTelemetry's SDK, sent to a collector by OTLP. Nothing is registered for the whole process and no library
 * is patched: spans begin where our code says so, under the context that it hands over.
 *
 * A collector that is slow or away costs the spans beyond the queue, and nothing else: sending is the exporter's affair,
 * in the background. At the end it is given a bounded time.
 */
import { hostname } from 'node:os';
import {
  type Attributes as OtelAttributes,
  type Context,
  createTraceState,
  DiagLogLevel,
  diag,
  ROOT_CONTEXT,
  type SpanContext,
  SpanKind as OtelSpanKind,
  SpanStatusCode,
  TraceFlags,
  trace,
} from '@opentelemetry/api';
import { OTLPTraceExporter as JsonExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtobufExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import {
  defaultResource,
  detectResources,
  envDetector,
  resourceFromAttributes,
} from '@opentelemetry/resources';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { formatTraceparent, parseTraceparent, TRACE_LINKS_MAX, type TraceContext } from '@hookfleet/contract';
import { maskUrlsIn } from '@hookfleet/runtime/mask-passwords';
import type { StartTracingOptions } from './start-tracing.ts';
import type { Attributes, SpanKind, Tracing } from './tracing.ts';
import type { TracingConfig } from './tracing-config.ts';

const KINDS: Readonly<Record<SpanKind, OtelSpanKind>> = {
  server: OtelSpanKind.SERVER,
  producer: OtelSpanKind.PRODUCER,
  consumer: OtelSpanKind.CONSUMER,
};

const STOP_TIMEOUT_MAX_MS = 3_000;
// An exporter's error brings its stack and the collector's whole answer.
const PROBLEM_LENGTH_MAX = 500;

export function openTracing(config: TracingConfig, options: StartTracingOptions): Tracing {
  const stopTimeoutMs = Math.min(STOP_TIMEOUT_MAX_MS, options.shutdownTimeoutMs / 10);
  const tell = (message: string) => options.onProblem(maskUrlsIn(message.slice(0, PROBLEM_LENGTH_MAX)));
  const silent = () => undefined;
  diag.setLogger(
    { error: tell, warn: tell, info: silent, debug: silent, verbose: silent },
    { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true },
  );
  const provider = new TracerProvider({
    resource: defaultResource()
      .merge(
        resourceFromAttributes({
          'service.name': `hookfleet-${options.app}`,
          'service.instance.id': `${hostname()}:${process.pid}`,
        }),
      )
      .merge(detectResources({ detectors: [envDetector] })),
    sampler: samplerOf(config),
    spanLimits: { linkCountLimit: TRACE_LINKS_MAX },
    spanProcessors: [
      new BatchSpanProcessor({
        exporter: config.protocol === 'http/json' ? new JsonExporter() : new ProtobufExporter(),
        maxQueueSize: config.queueSize,
        maxExportBatchSize: Math.min(config.batchSize, config.queueSize),
        scheduledDelayMillis: config.delayMs,
      }),
    ],
  });
  const tracer = provider.getTracer('hookfleet');

  return {
    startSpan({ name, kind, parent, links = [], attributes }) {
      const span = tracer.startSpan(
        name,
        {
          kind: KINDS[kind],
          attributes: given(attributes),
          links: links.slice(0, TRACE_LINKS_MAX).flatMap((link) => {
            const context = toSpanContext(link);
            return context === undefined ? [] : [{ context }];
          }),
        },
        contextOf(parent),
      );
      return {
        context: toTraceContext(span.spanContext()),
        end({ attributes: facts, error } = {}) {
          if (facts !== undefined) span.setAttributes(given(facts));
          if (error !== undefined) {
            span.setAttribute('error.type', error);
            span.setStatus({ code: SpanStatusCode.ERROR });
          }
          span.end();
        },
      };
    },
    async stop() {
      const { promise: timedOut, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(() => {
        tell(`spans were left behind: the collector did not take them within ${stopTimeoutMs} ms`);
        resolve();
      }, stopTimeoutMs);
      await Promise.race([provider.shutdown().catch((error: unknown) => tell(String(error))), timedOut]);
      clearTimeout(timer);
    },
  };
}

function given(attributes: Attributes): OtelAttributes {
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined));
}

function contextOf(parent: TraceContext | undefined): Context {
  const spanContext = parent === undefined ? undefined : toSpanContext(parent);
  return spanContext === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, spanContext);
}

function toSpanContext({ traceparent, tracestate }: TraceContext): SpanContext | undefined {
  const ids = parseTraceparent(traceparent);
  if (ids === undefined) return undefined;
  return {
    traceId: ids.traceId,
    spanId: ids.spanId,
    traceFlags: ids.isSampled ? TraceFlags.SAMPLED : TraceFlags.NONE,
    isRemote: true,
    ...(tracestate !== undefined && { traceState: createTraceState(tracestate) }),
  };
}

function toTraceContext({ traceId, spanId, traceFlags, traceState }: SpanContext): TraceContext | undefined {
  if ((traceFlags & TraceFlags.SAMPLED) === 0) return undefined;
  const tracestate = traceState?.serialize() ?? '';
  return {
    traceparent: formatTraceparent({ traceId, spanId, isSampled: true }),
    ...(tracestate !== '' && { tracestate }),
  };
}

function samplerOf({ sampler, samplerArgument }: TracingConfig): Sampler {
  const ratio = Number(samplerArgument ?? 1);
  switch (sampler) {
    case 'always_on':
      return new AlwaysOnSampler();
    case 'always_off':
      return new AlwaysOffSampler();
    case 'traceidratio':
      return new TraceIdRatioBasedSampler(ratio);
    case 'parentbased_always_on':
      return new ParentBasedSampler({ root: new AlwaysOnSampler() });
    case 'parentbased_always_off':
      return new ParentBasedSampler({ root: new AlwaysOffSampler() });
    case 'parentbased_traceidratio':
      return new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) });
  }
}
