/**
 * A client straight to Redis starts only with the settings of the fleet that it writes to, so that no secret stands in
 * Redis in clear and no webhook where nobody looks. Takes about 5 s.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startProcess } from '@hookfleet/testkit';
import { connectRedis, type RedisOptions, UnavailableError } from '../src/redis.ts';
import { type FleetEntrance, PRODUCER, startFleetEntrance, webhook } from './setup-client.ts';

const KEY = Buffer.alloc(32, 1).toString('base64');
const FORMER = Buffer.alloc(32, 2).toString('base64');
const FOREIGN = Buffer.alloc(32, 3).toString('base64');

let encrypted: FleetEntrance;
let plain: FleetEntrance;

beforeAll(async () => {
  [encrypted, plain] = await Promise.all([
    startFleetEntrance({ HOOKFLEET_ENCRYPTION_KEYS: `${KEY},${FORMER}`, HOOKFLEET_SHARDS: '2' }),
    startFleetEntrance(),
  ]);
});

afterAll(async () => {
  await Promise.all([encrypted.close(), plain.close()]);
});

const errors: Error[] = [];

async function enqueueSecret(
  fleet: FleetEntrance,
  options: Partial<RedisOptions>,
  token: string,
): Promise<unknown> {
  const client = await connectRedis({ url: fleet.redis.url, onError: (e) => errors.push(e), ...options });
  try {
    return await client.enqueue(
      webhook({ destination: { url: 'http://127.0.0.1:9/', auth: { type: 'bearer', token } } }),
    );
  } finally {
    await client.close();
  }
}

/** Does a text stand anywhere in a hash of Redis? Jobs are hashes. */
async function isInClear({ connection }: FleetEntrance, text: string): Promise<boolean> {
  for (const key of await connection.keys('*'))
    if ((await connection.type(key)) === 'hash')
      if (JSON.stringify(await connection.hgetall(key)).includes(text)) return true;
  return false;
}

test('without the keys of the fleet, or with another, it refuses to start and says what differs', async () => {
  const without = enqueueSecret(encrypted, {}, 'token-in-clear');
  await expect(without).rejects.toThrow(TypeError);
  await expect(without).rejects.toThrow(
    /encryptionKeys is empty, and the fleet encrypts with the keys \w{8}/,
  );
  const foreign = enqueueSecret(encrypted, { encryptionKeys: [FOREIGN, KEY] }, 'token-in-clear');
  await expect(foreign).rejects.toThrow(TypeError);
  await expect(foreign).rejects.toThrow(/first of encryptionKeys is \w{8}, and the fleet has the keys/);
  const { message } = (await foreign.catch((thrown: unknown) => thrown)) as Error;
  for (const key of [KEY, FORMER, FOREIGN]) expect(message).not.toContain(key.slice(0, 10));
  expect(await isInClear(encrypted, 'token-in-clear')).toBe(false);
});

test('with a key that the fleet reads, its own or the former one, it starts and encrypts', async () => {
  for (const key of [KEY, FORMER])
    expect(await enqueueSecret(encrypted, { encryptionKeys: [key] }, 'token-sealed')).toHaveProperty('id');
  expect(await isInClear(encrypted, 'token-sealed')).toBe(false);
  // The key itself never stands in Redis.
  expect(await encrypted.connection.get('{hookfleet}:settings:keys')).toMatch(/^[0-9a-f]{8},[0-9a-f]{8}$/);
});

test('with a key on a fleet that has none, which could not read it, it refuses to start', async () => {
  await expect(enqueueSecret(plain, { encryptionKeys: [KEY] }, 'x')).rejects.toThrow(/the fleet has no key/);
  expect(await enqueueSecret(plain, {}, 'token-of-plain')).toHaveProperty('id');
  // Proves that isInClear finds what there is.
  expect(await isInClear(plain, 'token-of-plain')).toBe(true);
});

test('with more shards than the fleet it refuses to start, and leaves the fleet as it is; with fewer it follows', async () => {
  const more = connectRedis({ url: encrypted.redis.url, shards: 3, encryptionKeys: [KEY] });
  await expect(more).rejects.toThrow(/shards is 3, and the fleet has 2/);
  expect(await encrypted.connection.zscore('{hookfleet}:settings', 'shards')).toBe('2');
  expect(await enqueueSecret(encrypted, { shards: 1, encryptionKeys: [KEY] }, 'x')).toHaveProperty('id');
});

test('on a prefix that no fleet serves it refuses to start, and leaves no key behind', async () => {
  const lost = connectRedis({ url: plain.redis.url, keyPrefix: 'hookfeet' });
  await expect(lost).rejects.toThrow(UnavailableError);
  await expect(lost).rejects.toThrow(/no fleet has started with the keyPrefix hookfeet/);
  expect(await plain.connection.keys('{hookfeet*')).toEqual([]);
});

test('a producer without keys does not make an encrypted fleet look plain', async () => {
  const other = startProcess(PRODUCER, { REDIS_URL: encrypted.redis.url, PORT: '0' });
  const { fleetKeyIds } = await other.waitForLog(({ msg }) => msg === 'fleet.other_encryption_keys');
  expect(fleetKeyIds).toHaveLength(2);
  await other.waitForLog(({ msg }) => msg === 'producer.started');
  await other.stop();
  await expect(enqueueSecret(encrypted, {}, 'x')).rejects.toThrow(/encryptionKeys is empty/);
});

test('a fleet of an earlier version has kept no keys: it starts, and says that they are not compared', async () => {
  await plain.connection.del('{hookfleet}:settings:keys');
  errors.length = 0;
  await enqueueSecret(plain, {}, 'x');
  expect(errors.map(({ message }) => message)).toEqual([expect.stringMatching(/earlier version/)]);
});
