/** Tracing is configured by the standard OTEL variables, and invalid values are refused by name. Takes under a second. */
import { expect, test } from '@jest/globals';
import { loadTracingConfig } from './tracing-config.ts';

const ENDPOINT = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318' };

test.each([
  ['nothing is set', {}],
  ['the endpoint is empty', { OTEL_EXPORTER_OTLP_ENDPOINT: ' ' }],
  ['the SDK is disabled', { ...ENDPOINT, OTEL_SDK_DISABLED: 'TRUE' }],
  ['traces go nowhere', { ...ENDPOINT, OTEL_TRACES_EXPORTER: 'none' }],
  [
    'no endpoint is set, however wrong the rest',
    { OTEL_TRACES_SAMPLER: 'xray', OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' },
  ],
])('tracing is off where %s', (_case, environment) => {
  expect(loadTracingConfig(environment)).toBeUndefined();
});

test('an endpoint switches it on, with the defaults of the standard', () => {
  const standard = {
    protocol: 'http/protobuf',
    sampler: 'parentbased_always_on',
    queueSize: 2_048,
    batchSize: 512,
    delayMs: 5_000,
  };
  expect(loadTracingConfig(ENDPOINT)).toMatchObject(standard);
  expect(loadTracingConfig({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://c/v1/traces' })).toMatchObject(
    standard,
  );
});

test('the protocol of traces goes before that of all signals', () => {
  const protocols = { OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc', OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'http/json' };
  expect(loadTracingConfig({ ...ENDPOINT, ...protocols })?.protocol).toBe('http/json');
});

test.each([
  ['OTEL_EXPORTER_OTLP_ENDPOINT', 'collector:4317'],
  ['OTEL_EXPORTER_OTLP_PROTOCOL', 'grpc'],
  ['OTEL_TRACES_SAMPLER', 'jaeger_remote'],
  ['OTEL_TRACES_SAMPLER_ARG', '1.5'],
  ['OTEL_TRACES_SAMPLER_ARG', 'all'],
  ['OTEL_BSP_MAX_QUEUE_SIZE', '0'],
])('%s=%s is refused by name', (name, value) => {
  expect(() => loadTracingConfig({ ...ENDPOINT, [name]: value })).toThrow(new RegExp(`^${name}: `));
});

test.each(['0', '1', '0.25', '.5', '1.0', '1.'])('%s is a share', (share) => {
  expect(loadTracingConfig({ ...ENDPOINT, OTEL_TRACES_SAMPLER_ARG: share })?.samplerArgument).toBe(share);
});
