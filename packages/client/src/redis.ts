/**
 * The client straight to Redis: what a producer does between HTTP and the queue, in the caller's own process. It needs the
 * fleet's settings (prefix, shards, keys). It compares them with those that the fleet keeps in Redis before it writes.
 */
import {
  type CallRefusal,
  createEventIntake,
  createKnownChannels,
  createKnownReferences,
  createWebhookIntake,
  type EventIntake,
  readWebhook,
  refusalDetail,
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
  readFleetSettings,
  type RedisConnection,
  RedisUnreachableError,
  type SecretBox,
} from '@hookfleet/queue';
import type { Client, ClientOptions } from './client.ts';
import { createClient } from './create-client.ts';
import { RefusedError, UnavailableError } from './errors.ts';
import type { Transport } from './transport.ts';

export * from './index.ts';

export interface RedisOptions extends ClientOptions {
  /** As REDIS_URL of the fleet: one address, several by commas for Redis Cluster, or the sentinels of one. */
  readonly url: string;
  /** The fleet's when absent, or if it has more. With more than the fleet has, the client does not start. */
  readonly shards?: number | undefined;
  /** As HOOKFLEET_KEY_PREFIX of the fleet: hookfleet when absent. */
  readonly keyPrefix?: string | undefined;
  /** As HOOKFLEET_ENCRYPTION_KEYS of the fleet, which must have the first: inline destinations are encrypted with it. */
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
 * with RedisUnfitError where it would evict webhooks or is too old, and with a TypeError for options that can't be used or
 * differ from the fleet's. Rejects with UnavailableError too if no fleet has started with the prefix: there is nothing to
 * compare with, and what is enqueued might be in clear, or wait for ever.
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
    const fleetShards = await checkFleet(connection, { prefix, shards, secrets, onError });
    const joined = await joinShards({
      connection,
      prefix,
      shards: fleetShards,
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

interface OwnSettings {
  readonly prefix: string;
  readonly shards: number;
  readonly secrets: SecretBox;
  readonly onError: (error: Error) => void;
}

/** Resolves to the number of shards that the fleet has. */
async function checkFleet(
  connection: RedisConnection,
  { prefix, shards, secrets, onError }: OwnSettings,
): Promise<number> {
  const fleet = await readFleetSettings(connection, prefix);
  if (fleet === undefined)
    throw new UnavailableError(
      `no fleet has started with the keyPrefix ${prefix} on this Redis: start it first, or give its HOOKFLEET_KEY_PREFIX`,
    );
  // More would be taken for a wish of the fleet's: all of its processes would start again.
  if (shards > fleet.shards)
    throw new TypeError(
      `shards is ${shards}, and the fleet has ${fleet.shards}: give its HOOKFLEET_SHARDS, or leave shards out`,
    );
  checkKeys(fleet.keyIds, secrets.keyIds, onError);
  return fleet.shards;
}

function checkKeys(
  fleet: readonly string[] | undefined,
  [own]: readonly string[],
  onError: (error: Error) => void,
): void {
  if (fleet === undefined) {
    onError(new Error('the fleet is of an earlier version: encryptionKeys are not compared with its own'));
    return;
  }
  if (own === undefined ? fleet.length === 0 : fleet.includes(own)) return;
  const its = fleet.length === 1 ? `key ${fleet[0]}` : `keys ${fleet.join(', ')}`;
  const differs =
    own === undefined
      ? `encryptionKeys is empty, and the fleet encrypts with the ${its}`
      : `the first of encryptionKeys is ${own}, and the fleet ${fleet.length === 0 ? 'has no key' : `has the ${its}`}`;
  throw new TypeError(
    `${differs}: give its HOOKFLEET_ENCRYPTION_KEYS (a key is named by the first 8 hex digits of its SHA-256)`,
  );
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

/** What was taken; throws what is at fault, as a producer answers it. */
function accepted<T extends object>(answer: T): Exclude<T, CallRefusal> {
  if (!isRefusal(answer)) return answer as Exclude<T, CallRefusal>;
  throw new RefusedError({
    type: 'about:blank',
    title: 'Bad Request',
    status: 400,
    detail: refusalDetail(answer),
    errors: answer.errors,
  });
}

function isRefusal(answer: object): answer is CallRefusal {
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
