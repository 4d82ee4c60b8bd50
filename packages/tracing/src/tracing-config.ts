/**
 * The standard's own environment variables (opentelemetry.io, "Environment Variable Specification" and "OTLP Exporter
 * Configuration"), as far as we judge them. OTEL_RESOURCE_ATTRIBUTES and what else begins with OTEL_EXPORTER_OTLP_
 * (headers, time-out, compression, certificates) the libraries read by themselves. docker/README.md has the table.
 *
 * An endpoint switches tracing on. Until then a wrong value of the others is nobody's fault of ours: they may be there
 * for another program.
 */
import { type ConfigOf, choice, integer, loadConfig, optional } from '@hookfleet/runtime';

const PROTOCOLS = ['http/protobuf', 'http/json'] as const;

const SAMPLERS = [
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
  'always_on',
  'always_off',
  'traceidratio',
] as const;

export type SamplerName = (typeof SAMPLERS)[number];

export const TRACING_VARIABLES = {
  endpoint: optional('OTEL_EXPORTER_OTLP_ENDPOINT', {
    help: 'http or https URL of a collector, as http://localhost:4318: switches tracing on. Spans go to v1/traces below it.',
    check: checkUrl,
  }),
  tracesEndpoint: optional('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', {
    help: 'The same, and the whole URL.',
    check: checkUrl,
  }),
  headers: optional('OTEL_EXPORTER_OTLP_HEADERS', {
    secret: true,
    help: 'Sent to the collector with each request: name=value, by commas.',
  }),
  protocol: choice('OTEL_EXPORTER_OTLP_PROTOCOL', PROTOCOLS, {
    default: 'http/protobuf',
    help: 'How spans are written. There is no gRPC: its port is 4317, the one of HTTP 4318.',
  }),
  serviceName: optional('OTEL_SERVICE_NAME', {
    help: 'hookfleet-producer, hookfleet-worker and hookfleet-aggregator when unset.',
  }),
  sampler: choice('OTEL_TRACES_SAMPLER', SAMPLERS, {
    default: 'parentbased_always_on',
    help: 'Which calls are traced. parentbased_ does as the caller asks, and for calls without traceparent as its second half says.',
  }),
  samplerArgument: optional('OTEL_TRACES_SAMPLER_ARG', {
    help: 'The share of traces that traceidratio takes, 0 to 1; 1 when unset.',
    check(text) {
      if (!/^(?:0|1|0?\.\d+|[01]\.\d*)$/.test(text) || Number(text) > 1)
        throw new TypeError('must be a number from 0 to 1');
    },
  }),
  queueSize: integer('OTEL_BSP_MAX_QUEUE_SIZE', {
    default: 2_048,
    min: 1,
    max: 1_000_000,
    help: 'Spans held for a collector that is slow or away; those beyond are dropped.',
  }),
  batchSize: integer('OTEL_BSP_MAX_EXPORT_BATCH_SIZE', {
    default: 512,
    min: 1,
    max: 100_000,
    help: 'Spans sent in one request at most.',
  }),
  delayMs: integer('OTEL_BSP_SCHEDULE_DELAY', {
    default: 5_000,
    min: 1,
    max: 60_000,
    help: 'Milliseconds for which spans gather before they are sent.',
  }),
};

export type TracingConfig = ConfigOf<typeof TRACING_VARIABLES>;

/** Undefined where tracing is off. */
export function loadTracingConfig(
  environment: Readonly<Record<string, string | undefined>>,
): TracingConfig | undefined {
  const given = (name: string) => environment[name]?.trim() ?? '';
  const isWanted =
    (given('OTEL_EXPORTER_OTLP_ENDPOINT') !== '' || given('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT') !== '') &&
    given('OTEL_SDK_DISABLED').toLowerCase() !== 'true' &&
    given('OTEL_TRACES_EXPORTER') !== 'none';
  if (!isWanted) return undefined;
  const { OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: forTraces } = environment;
  return loadConfig(TRACING_VARIABLES, {
    ...environment,
    ...(forTraces !== undefined && forTraces !== '' && { OTEL_EXPORTER_OTLP_PROTOCOL: forTraces }),
  });
}

function checkUrl(text: string): void {
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text)) throw new TypeError('must be an http or https URL');
}
