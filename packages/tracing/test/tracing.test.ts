/**
 * Which calls are sampled by which sampler, and what reaches a collector in the standard's default protocol.
 * Takes under a second.
 */
import { afterEach, beforeAll, expect, test } from '@jest/globals';
import { startReceiver, startTraceCollector } from '@hookfleet/testkit';
import { loadTracingConfig, startTracing, type Tracing } from '../src/index.ts';

const PARENT = { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` };
const UNSAMPLED = { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-00` };
// Nobody listens there, and nothing is sent before the end.
const AWAY = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1', OTEL_BSP_SCHEDULE_DELAY: '60000' };

let problems: string[] = [];
let tracing: Tracing | undefined;

beforeAll(() => {
  for (const name of Object.keys(process.env)) if (name.startsWith('OTEL_')) delete process.env[name];
});

afterEach(async () => {
  await tracing?.stop();
  for (const name of Object.keys(process.env)) if (name.startsWith('OTEL_')) delete process.env[name];
});

/** The libraries read a part of the environment by themselves. */
async function start(environment: Record<string, string>, shutdownTimeoutMs = 100): Promise<Tracing> {
  problems = [];
  Object.assign(process.env, environment);
  tracing = await startTracing(loadTracingConfig(process.env), {
    app: 'worker',
    shutdownTimeoutMs,
    onProblem: (problem) => void problems.push(problem),
  });
  if (tracing === undefined) throw new Error('tracing is off');
  return tracing;
}

const SPAN = { name: 'process webhooks', kind: 'consumer', attributes: {} } as const;

test.each([
  ['parentbased_always_on', '1', [true, false, true]],
  ['parentbased_always_off', '1', [true, false, false]],
  ['parentbased_traceidratio', '0', [true, false, false]],
  ['parentbased_traceidratio', '1', [true, false, true]],
  ['always_on', '1', [true, true, true]],
  ['always_off', '1', [false, false, false]],
  ['traceidratio', '0', [false, false, false]],
  ['traceidratio', '1', [true, true, true]],
])(
  '%s with %s: of callers that sample, that do not, and that trace nothing, %j',
  async (sampler, share, taken) => {
    const { startSpan } = await start({
      ...AWAY,
      OTEL_TRACES_SAMPLER: sampler,
      OTEL_TRACES_SAMPLER_ARG: share,
    });
    const spans = [PARENT, UNSAMPLED, undefined].map((parent) => startSpan({ ...SPAN, parent }));
    expect(spans.map(({ context }) => context !== undefined)).toEqual(taken);
  },
);

test('a context that was damaged in Redis begins a trace of its own, and is no link', async () => {
  const { startSpan } = await start(AWAY);
  const damaged = { traceparent: 'x'.repeat(55) };
  const { context } = startSpan({ ...SPAN, parent: damaged, links: [damaged] });
  expect(context?.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
});

test("spans leave at the end, as protobuf, under the operator's name for the service", async () => {
  const receiver = await startReceiver(() => ({ status: 200 }));
  const { startSpan, stop } = await start(
    { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_SERVICE_NAME: 'of-the-operator' },
    10_000,
  );
  startSpan({ ...SPAN, parent: PARENT }).end();
  await stop();
  const [sent] = receiver.ledger;
  expect(sent?.request).toMatchObject({ method: 'POST', path: '/v1/traces' });
  expect(sent?.request.headers['content-type']).toBe('application/x-protobuf');
  const body = sent?.request.body.toString('latin1');
  expect(body).toContain('of-the-operator');
  expect(body).toContain('process webhooks');
  expect(problems).toEqual([]);
  await receiver.close();
});

test('attributes that are not there are left out, and an error says so', async () => {
  const collector = await startTraceCollector();
  const { startSpan, stop } = await start(
    { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json' },
    10_000,
  );
  const attributes = { 'hookfleet.attempt': 1, 'hookfleet.channel_config_id': undefined };
  startSpan({ ...SPAN, parent: PARENT, attributes }).end({ error: 'timeout' });
  await stop();
  expect(collector.spans).toMatchObject([
    {
      service: 'hookfleet-worker',
      traceId: 'a'.repeat(32),
      parentSpanId: 'b'.repeat(16),
      attributes: { 'hookfleet.attempt': 1, 'error.type': 'timeout' },
      isError: true,
    },
  ]);
  expect(collector.spans[0]?.attributes).not.toHaveProperty('hookfleet.channel_config_id');
  await collector.close();
});

test('a collector that never answers holds a stop for a tenth of the shutdown, and its spans are told of', async () => {
  const receiver = await startReceiver(() => 'hang');
  const { startSpan, stop } = await start(
    // The exporter itself gives up soon after, so that the test leaves nothing behind.
    { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_EXPORTER_OTLP_TIMEOUT: '600' },
    2_000,
  );
  startSpan({ ...SPAN, parent: PARENT }).end();
  // The collector has still not answered when this resolves: the problem below names the limit that ended the wait.
  await stop();
  expect(problems.join()).toContain('within 200 ms');
  await receiver.close();
});
