/**
 * The client straight to Redis: what a producer does between HTTP and the queue, in the caller's own process. It must be
 * told what the fleet is told (shards, prefix, keys): a client with other settings writes where nobody looks.
 */
import {
  createEventIntake,
  createKnownChannels,
  createKnownReferences,
  createWebhookIntake,
  type EventIntake,
  readWebhook,
  startKnownEventTypes,
  type WebhookText,
} from '@hookfleet/intake';
import {
  checkKeyPrefix,
  checkRedis,
  connectRedis as connectToRedis,
  createReplicaWait,
  createSecretBox,
  disconnectRedis,
  isRedisUnavailable,
  joinShards,
  openCampaignReferences,
  openChannels,
  openEventsOut,
  openEventTypes,
  openKnownControls,
  openWebhooksOut,
  RedisUnreachableError,
} from '@hookfleet/queue';
import type { Client, ClientOptions } from './client.ts';
import type { FieldError } from './contract-types.ts';
import { createClient } from './create-client.ts';
import { RefusedError, UnavailableError } from './errors.ts';
import type { Transport } from './transport.ts';

export * from './index.ts';

export interface RedisOptions extends ClientOptions {
  /** As REDIS_URL of the fleet: one address, several by commas for Redis Cluster, or the sentinels of one. */
  readonly url: string;
  /** As HOOKFLEET_SHARDS of the fleet: 1 when absent. If the fleet has more, those. */
  readonly shards?: number | undefined;
  /** As HOOKFLEET_KEY_PREFIX of the fleet: hookfleet when absent. */
  readonly keyPrefix?: string | undefined;
  /** As HOOKFLEET_ENCRYPTION_KEYS of the fleet: inline destinations are encrypted with the first. */
  readonly encryptionKeys?: readonly string[] | undefined;
  /** Webhooks that travel as one job at most, as HOOKFLEET_BUNDLE_SIZE: 25 when absent. */
  readonly bundleSize?: number | undefined;
  /** Milliseconds that a repeated idempotencyKey is recognized for: a day when absent. */
  readonly idempotencyRetentionMs?: number | undefined;
  /** As HOOKFLEET_WAIT_REPLICAS of the fleet: 0 when absent. */
  readonly waitReplicas?: number | undefined;
  /** Told of what fails beside the calls: a connection that was lost, campaigns' controls that could not be read. */
  readonly onError?: ((error: Error) => void) | undefined;
}

const DAY_MS = 86_400_000;

/**
 * Resolves once Redis answers and is found fit. Rejects with UnavailableError where it does not within ten seconds,
 * with RedisUnfitError where it would evict webhooks or is too old, and with a TypeError for options that can't be used.
 */
export async function connectRedis(options: RedisOptions): Promise<Client> {
  const {
    url,
    shards = 1,
    keyPrefix: prefix = 'hookfleet',
    encryptionKeys = [],
    bundleSize = 25,
    idempotencyRetentionMs = DAY_MS,
    waitReplicas = 0,
    onError = () => undefined,
  } = options;
  named('keyPrefix', () => checkKeyPrefix(prefix));
  checkRange({ shards }, 1, 1_024);
  checkRange({ bundleSize }, 1, 200);
  checkRange({ idempotencyRetentionMs }, 60_000, 7 * DAY_MS);
  checkRange({ waitReplicas }, 0, 10);
  const secrets = named('encryptionKeys', () => createSecretBox(encryptionKeys));
  const closers: (() => Promise<void> | void)[] = [];
  // What was opened last is closed first.
  const close = async () => {
    for (const closer of closers.splice(0).reverse()) await closer();
  };
  const connection = connectToRedis({ url, name: 'hookfleet-client', temper: 'failFast', onError });
  closers.push(() => disconnectRedis(connection));
  try {
    await checkRedis(connection);
    const joined = await joinShards({
      connection,
      prefix,
      shards,
      onMore: (more) =>
        onError(new Error(`the fleet has ${more} shards, and not ${joined.shards} any more: connect again`)),
      onError,
    });
    closers.push(() => joined.stop());
    const redis = { connection, prefix, shards: joined.shards, onError };
    const untilReplicated = createReplicaWait({ connection, replicas: waitReplicas, onError });
    closers.push(() => untilReplicated?.close());
    const webhooks = openWebhooksOut({
      ...redis,
      untilReplicated,
      bundleSize,
      idempotencyRetentionMs,
      secrets,
      controls: openKnownControls(redis),
    });
    closers.push(() => webhooks.close());
    const channels = openChannels({ ...redis, secrets });
    const intake = createWebhookIntake({
      webhooks,
      channels: createKnownChannels(channels, Date.now),
      now: Date.now,
    });

    async function openEvents(): Promise<EventIntake> {
      const eventTypes = await startKnownEventTypes({
        store: openEventTypes(redis),
        onGone: () => undefined,
        onError,
      });
      closers.push(() => eventTypes.stop());
      const events = openEventsOut({ ...redis, untilReplicated });
      closers.push(() => events.close());
      const references = createKnownReferences({
        store: openCampaignReferences({ ...redis, untilReplicated }),
        channels,
        now: Date.now,
      });
      return createEventIntake({ events, eventTypes, references, now: Date.now });
    }
    // Whoever reports no events does not ask Redis for their types each second.
    let opening: Promise<EventIntake> | undefined;
    const events = () => {
      opening ??= openEvents().catch((error: unknown) => {
        opening = undefined;
        throw error;
      });
      return opening;
    };

    const transport: Transport = {
      async enqueue(webhook, signal) {
        const [id] = accepted(await answered(intake.enqueueOne(Buffer.from(webhook)), signal)).ids;
        return id as string;
      },
      async enqueueBulk(texts, signal) {
        return accepted(await answered(intake.enqueueBulk(textsOf(texts)), signal)).ids;
      },
      async report(event, signal) {
        const reporting = events().then((open) => open.report(Buffer.from(event)));
        return accepted(await answered(reporting, signal)).ignored;
      },
      async reportBulk(texts, signal) {
        const body = Buffer.from(`{"events":[${texts.join()}]}`);
        const reporting = events().then((open) => open.report(body));
        return accepted(await answered(reporting, signal)).ignored;
      },
      find: (id, signal) => answered(webhooks.find(id), signal),
      close,
    };
    return createClient(transport, options);
  } catch (error) {
    await close();
    if (error instanceof RedisUnreachableError) throw new UnavailableError(error.message, { cause: error });
    throw error;
  }
}

function* textsOf(webhooks: readonly string[]): Generator<WebhookText> {
  for (const webhook of webhooks) yield readWebhook(Buffer.from(webhook));
}

/** What Redis does can't be called back: at the signal, only the waiting ends. */
async function answered<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: ended, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(new UnavailableError('no answer'));
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([work, ended]);
  } catch (error) {
    if (error instanceof Error && isRedisUnavailable(error))
      throw new UnavailableError(error.message, { cause: error });
    throw error;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

type Faults = { readonly errors: readonly FieldError[] };

/** What was taken; throws what is at fault, as a producer answers it. */
function accepted<T extends object>(answer: T): Exclude<T, Faults> {
  if (!isFaults(answer)) return answer as Exclude<T, Faults>;
  throw new RefusedError({
    type: 'about:blank',
    title: 'Bad Request',
    status: 400,
    detail: 'Some fields are at fault.',
    errors: answer.errors,
  });
}

function isFaults(answer: object): answer is Faults {
  return 'errors' in answer;
}

/** The queue's checks don't know what the option is called that they are asked about. */
function named<T>(option: string, check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (error instanceof TypeError) throw new TypeError(`${option}: ${error.message}`);
    throw error;
  }
}

function checkRange(named: Readonly<Record<string, number>>, min: number, max: number): void {
  for (const [name, value] of Object.entries(named))
    if (!Number.isInteger(value) || value < min || value > max)
      throw new TypeError(`${name} must be a whole number from ${min} to ${max}`);
}
