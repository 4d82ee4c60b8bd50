/** Straight to Redis, every option has its effect on what Redis then holds. Takes about 2 s. */
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { startTestRedis } from '@hookfleet/testkit';
import {
  connectRedis as connectToRedis,
  createSecretBox,
  disconnectRedis,
  joinShards,
  type RedisConnection,
} from '@hookfleet/queue';
import { UnavailableError } from '../src/index.ts';
import { connectRedis, type RedisOptions } from '../src/redis.ts';
import { webhook } from './setup-client.ts';

let redis: Awaited<ReturnType<typeof startTestRedis>>;
let connection: RedisConnection;

beforeAll(async () => {
  redis = await startTestRedis();
  connection = connectToRedis({
    url: redis.url,
    name: 'test',
    temper: 'patient',
    onError: () => undefined,
  });
});

beforeEach(() => connection.flushall());

afterAll(async () => {
  disconnectRedis(connection);
  await redis.stop();
});

/** A process of a fleet with these settings has started. */
async function startFleet({
  keyPrefix = 'hookfleet',
  shards = 1,
  encryptionKeys = [],
}: Partial<RedisOptions> = {}): Promise<void> {
  const { keyIds } = createSecretBox(encryptionKeys);
  const own = { connection, prefix: keyPrefix, shards, keyIds };
  const joined = await joinShards({ ...own, onMore: () => undefined, onError: () => undefined });
  joined.stop();
}

/** Three webhooks of one campaign, each with a secret, in one call, to a fleet that has the same settings. */
async function enqueueThree(options: Partial<RedisOptions> = {}): Promise<void> {
  await startFleet(options);
  const client = await connectRedis({ url: redis.url, ...options });
  try {
    const destination = {
      url: 'http://127.0.0.1:9/hook',
      auth: { type: 'bearer', token: 'planted-5ecret' },
    } as const;
    const webhooks = [1, 2, 3].map((payload) => webhook({ destination, payload }));
    for await (const { refused } of client.enqueueAll(webhooks)) expect(refused).toBeUndefined();
  } finally {
    await client.close();
  }
}

/** All that Redis holds, as text: its keys, and the fields of its hashes. */
async function contents(): Promise<string> {
  const keys = await connection.keys('*');
  const hashes = await Promise.all(
    keys.map(async (key) => ((await connection.type(key)) === 'hash' ? connection.hgetall(key) : {})),
  );
  return JSON.stringify([keys, hashes]);
}

const jobs = async (prefix = 'hookfleet') =>
  (await connection.keys(`{${prefix}:*}:webhooks:*`)).filter((key) => /:webhooks:b?[\w-]+$/.test(key)).length;

const idempotencyLifetimes = async () => {
  const keys = await connection.keys('*:idempotency:*');
  expect(keys).toHaveLength(3);
  return Promise.all(keys.map((key) => connection.pttl(key)));
};

test('without keys a secret is stored as it is; with keys no secret is stored in clear', async () => {
  await enqueueThree();
  expect(await contents()).toContain('planted-5ecret');
  await connection.flushall();
  await enqueueThree({ encryptionKeys: [Buffer.alloc(32, 7).toString('base64')] });
  const stored = await contents();
  expect(stored).toContain('spring-sale');
  expect(stored).not.toContain('planted-5ecret');
});

test('a repeated key is recognized for a day, or for as long as the client says', async () => {
  await enqueueThree();
  for (const ms of await idempotencyLifetimes()) {
    expect(ms).toBeGreaterThan(86_400_000 - 60_000);
    expect(ms).toBeLessThanOrEqual(86_400_000);
  }
  await connection.flushall();
  await enqueueThree({ idempotencyRetentionMs: 600_000 });
  for (const ms of await idempotencyLifetimes()) {
    expect(ms).toBeGreaterThan(600_000 - 60_000);
    expect(ms).toBeLessThanOrEqual(600_000);
  }
});

test('every key begins with the prefix', async () => {
  await enqueueThree({ keyPrefix: 'other' });
  const keys = await connection.keys('*');
  expect(keys.length).toBeGreaterThan(0);
  expect(keys.filter((key) => !/^\{other[:}]/.test(key))).toEqual([]);
});

test('webhooks travel together, or one by one with a bundle size of 1', async () => {
  await enqueueThree();
  const together = await jobs();
  await connection.flushall();
  await enqueueThree({ bundleSize: 1 });
  expect((await jobs()) - together).toBe(2);
});

test('a fleet of more shards than the client was told is used whole', async () => {
  await enqueueThree({ shards: 4 });
  for (let calls = 1; calls < 4; calls += 1) await enqueueThree();
  const keys = await connection.keys('{hookfleet:*}:idempotency:*');
  expect(keys).toHaveLength(12);
  expect(new Set(keys.map((key) => key.slice(0, key.indexOf('}')))).size).toBeGreaterThan(1);
});

test('a call waits for the replicas that its client was given, and fails without them', async () => {
  await startFleet();
  const client = await connectRedis({ url: redis.url, waitReplicas: 1, deadlineMs: 100 });
  await expect(client.enqueue(webhook())).rejects.toBeInstanceOf(UnavailableError);
  await client.close();
});

test.each([
  { shards: 0 },
  { shards: 1_025 },
  { bundleSize: 0 },
  { bundleSize: 201 },
  { idempotencyRetentionMs: 59_999 },
  { idempotencyRetentionMs: 7 * 86_400_000 + 1 },
  { waitReplicas: -1 },
  { waitReplicas: 11 },
  { waitReplicas: 0.5 },
])('%j is refused at once', async (options) => {
  await expect(connectRedis({ url: redis.url, ...options })).rejects.toThrow(
    new RegExp(`^${Object.keys(options)[0]} must be a whole number from `),
  );
});

test('a key prefix or an encryption key that can not be used is refused at once, and not shown', async () => {
  await expect(connectRedis({ url: redis.url, keyPrefix: 'a{b' })).rejects.toThrow(/^keyPrefix: must be /);
  await expect(connectRedis({ url: redis.url, encryptionKeys: ['planted-5ecret'] })).rejects.toThrow(
    /^encryptionKeys: each key must be (?!.*planted)/,
  );
});
