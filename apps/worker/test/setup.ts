/** A worker in this process, on a Redis of its own, and what it needs to be fed. */
import type { Outcome } from '@hookfleet/contract';
import {
  bodyBytesMax,
  connectRedis,
  createSecretBox,
  disconnectRedis,
  openWebhooksOut,
  type RedisConnection,
  openKnownControls,
} from '@hookfleet/queue';
import { eventually } from '@hookfleet/testkit';
import { createAttemptSlots } from '../src/attempt-slots.ts';
import { startAttentionClock } from '../src/attention-clock.ts';
import type { HttpClientName } from '../src/open-http-client.ts';
import type { ProxySettings } from '../src/proxy-settings.ts';
import { startDelivering } from '../src/start-delivering.ts';

export interface WorkerUnderTest {
  readonly outcomes: readonly Outcome[];
  readonly errors: readonly Error[];
  /** Attempts that hold a slot. */
  inFlight(): number;
  /** As "lane state why". */
  readonly circuitChanges: readonly string[];
  /** Resolves when the worker has read all circuits and controls that are in Redis now. */
  looked(): Promise<void>;
  stop(): Promise<void>;
}

export interface WorkerOptions {
  readonly concurrency?: number;
  readonly allow?: readonly string[];
  readonly prefix?: string;
  readonly shards?: number;
  readonly encryptionKeys?: readonly string[];
  readonly proxies?: Partial<ProxySettings>;
  readonly httpClient?: HttpClientName;
  readonly attemptTimeoutMs?: number;
  readonly circuitClock?: () => number;
}

export function connect(url: string, temper: 'patient' | 'failFast' = 'patient'): RedisConnection {
  return connectRedis({ url, name: 'test', temper, onError: () => undefined });
}

export async function startWorker(
  url: string,
  {
    concurrency = 50,
    allow = ['127.0.0.0/8'],
    prefix = 'test',
    shards = 1,
    encryptionKeys = [],
    proxies = {},
    httpClient = 'got',
    attemptTimeoutMs = 1_000,
    circuitClock,
  }: WorkerOptions = {},
): Promise<WorkerUnderTest> {
  const connection = connect(url);
  const outcomes: Outcome[] = [];
  const errors: Error[] = [];
  const circuitChanges: string[] = [];
  let looks = 0;
  const attention = startAttentionClock();
  const slots = createAttemptSlots({ slotsMax: concurrency, bytesMax: bodyBytesMax(), now: attention.now });
  const closers: (() => unknown)[] = [() => disconnectRedis(connection), () => attention.stop()];
  await startDelivering({
    connection,
    prefix,
    shards,
    workerId: 'test',
    secrets: createSecretBox(encryptionKeys),
    slots,
    config: {
      attemptRetentionMs: 3_600_000,
      attemptTimeoutMs,
      concurrency,
      deadLetterRetentionMs: 7_200_000,
      egressAllow: allow,
      httpClient,
      // No worker dies here: on a loaded machine a short lock would be lost, and its bundle run twice.
      lockDurationMs: 60_000,
      stalledIntervalMs: 500,
      waitReplicas: 0,
      httpsProxy: undefined,
      httpProxy: undefined,
      noProxy: [],
      ...proxies,
    },
    onRecorded: (outcome) => void outcomes.push(outcome),
    onCancelled: () => undefined,
    onCircuitChanged: (lane, state, why) => void circuitChanges.push(`${lane} ${state} ${why}`),
    onError: (error) => void errors.push(error),
    onLooked() {
      looks += 1;
    },
    lookEveryMs: 50,
    circuitClock,
    onClose: (_name, close) => void closers.push(close),
  });
  return {
    outcomes,
    errors,
    inFlight: slots.inFlight,
    circuitChanges,
    async looked() {
      // The look that is under way may have begun before the call: the one after it did not.
      const enough = looks + 2;
      await eventually(() => {
        if (looks < enough) throw new Error(`looked ${looks} times of ${enough}`);
      });
    },
    async stop() {
      for (const close of closers.toReversed()) await close();
    },
  };
}

export function openProducer(
  connection: RedisConnection,
  { prefix = 'test', shards = 1, bundleSize = 25, encryptionKeys = [] as readonly string[] } = {},
) {
  return openWebhooksOut({
    connection,
    prefix,
    shards,
    bundleSize,
    idempotencyRetentionMs: 60_000,
    secrets: createSecretBox(encryptionKeys),
    controls: openKnownControls({ connection, prefix, onError: () => undefined }),
    onError: () => undefined,
  });
}
