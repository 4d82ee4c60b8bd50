/**
 * Tracing costs nothing where it is off, and no delivery where its collector is away. What a caller's traceparent says is
 * passed on all the same.
 * Takes about 7 s.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { eventually, type Receiver, startReceiver, startTestRedis } from '@hookfleet/testkit';
import {
  accepted,
  type Application,
  enqueue,
  type ProcessUnderTest,
  startApplication,
  totalsOf,
  webhooksTo,
} from './fleet-under-test.ts';

jest.setTimeout(120_000);

const TRACEPARENT = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
// prom-client loads the API, which is a vocabulary; the SDK is what works.
const OF_THE_SDK = /\/node_modules\/@opentelemetry\/(?!api\/)/;
const APPLICATIONS = ['producer', 'worker', 'aggregator'] as const;

let redis: Awaited<ReturnType<typeof startTestRedis>>;
let receiver: Receiver;
let folder: string;
// Also of a test that failed halfway.
const started: ProcessUnderTest[] = [];

beforeAll(async () => {
  redis = await startTestRedis();
  receiver = await startReceiver();
  folder = await mkdtemp(join(tmpdir(), 'hookfleet-test-'));
});

afterAll(async () => {
  await Promise.all(started.map((process) => process.kill()));
  await receiver.close();
  await redis.stop();
  await rm(folder, { recursive: true });
});

type Fleet = Readonly<Record<Application, ProcessUnderTest>>;

/** A fleet that tells, at its end, which modules each application had loaded. */
async function startFleet(name: string, environment: Record<string, string>) {
  const fileOf = (application: Application) => join(folder, `${name}-${application}`);
  const entries = APPLICATIONS.map(async (application) => {
    const variables = {
      ...environment,
      NODE_OPTIONS: `--import=${new URL('list-loaded-modules.ts', import.meta.url).href}`,
      LOADED_MODULES_FILE: fileOf(application),
    };
    // A build is one module: only the sources show what is loaded.
    const process = await startApplication(application, redis.url, variables, { isBuilt: false });
    started.push(process);
    return [application, process] as const;
  });
  const fleet = Object.fromEntries(await Promise.all(entries)) as Fleet;
  return {
    ...fleet,
    /** How many modules of OpenTelemetry's SDK each had loaded. */
    async stop(): Promise<Readonly<Record<string, number>>> {
      const ends = await Promise.all(APPLICATIONS.map((application) => fleet[application].stop()));
      expect(ends.map(({ code }) => code)).toEqual([0, 0, 0]);
      const counts = APPLICATIONS.map(async (application) => {
        const modules = (await readFile(fileOf(application), 'utf8')).split('\n');
        expect(modules.some((url) => url.endsWith(`/${application}/src/main.ts`))).toBe(true);
        return [application, modules.filter((url) => OF_THE_SDK.test(url)).length] as const;
      });
      return Object.fromEntries(await Promise.all(counts));
    },
  };
}

test('without an endpoint nothing of the SDK is loaded; a sampled traceparent reaches the destinations that wish it, and the logs', async () => {
  const fleet = await startFleet('off', { LOG_LEVEL: 'debug' });
  const response = await fetch(`${fleet.producer.url}/v1/webhooks/bulk`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', traceparent: TRACEPARENT, tracestate: 'vendor=value' },
    body: JSON.stringify({
      webhooks: [
        ...webhooksTo(`${receiver.url}/wished`, 'passed', 1, { traceContext: true }),
        ...webhooksTo(`${receiver.url}/unwished`, 'passed', 1),
      ],
    }),
  });
  const [webhookId] = await accepted(response);
  await eventually(async () =>
    expect((await totalsOf(fleet.aggregator, 'passed')).messages.delivered).toBe(2),
  );
  const sentTo = (path: string) =>
    receiver.ledger.find(({ request }) => request.path === path)?.request.headers;
  expect(sentTo('/wished')).toMatchObject({ traceparent: TRACEPARENT, tracestate: 'vendor=value' });
  expect(sentTo('/unwished')).not.toHaveProperty('traceparent');
  const attempted = await fleet.worker.waitForLog((log) => log['webhookId'] === webhookId);
  expect(attempted).toMatchObject({ trace_id: 'a'.repeat(32), span_id: 'b'.repeat(16) });
  expect(await fleet.stop()).toEqual({ producer: 0, worker: 0, aggregator: 0 });
});

test('a collector that is away disturbs no delivery, and every process still stops in time', async () => {
  // Spans gather until the end: all of them are still to be sent when nobody takes them.
  const fleet = await startFleet('away', {
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1',
    OTEL_BSP_SCHEDULE_DELAY: '60000',
    // A process that takes longer exits with 1.
    HOOKFLEET_SHUTDOWN_TIMEOUT: '10s',
  });
  await accepted(await enqueue(fleet.producer, webhooksTo(receiver.url, 'away', 200)));
  await eventually(async () =>
    expect((await totalsOf(fleet.aggregator, 'away')).messages.delivered).toBe(200),
  );
  const loaded = await fleet.stop();
  for (const application of APPLICATIONS) {
    expect(loaded[application]).toBeGreaterThan(0);
    const { logs } = fleet[application];
    expect(logs.filter(({ msg }) => msg === 'tracing.failed')).not.toEqual([]);
    expect(logs.filter(({ msg }) => msg === 'shutdown.ended')).toHaveLength(1);
  }
});

test('a wrong value stops the start with a line that names the variable', async () => {
  const environment = {
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4317',
    OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
    OTEL_TRACES_SAMPLER: 'sometimes',
  };
  await expect(startApplication('worker', redis.url, environment)).rejects.toThrow(
    /worker: OTEL_EXPORTER_OTLP_PROTOCOL: .*\nworker: OTEL_TRACES_SAMPLER: /,
  );
});
