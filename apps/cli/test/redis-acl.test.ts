/**
 * The Redis user that docker/README.md tells to make, exactly as it stands there, is enough for all that a fleet does, and
 * reaches no other's keys. Without a right, a process refuses to start and says which. Takes about 40 s.
 */
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { eventually, startProcess, startReceiver, startTestRedis } from '@hookfleet/testkit';
import { fileURLToPath } from 'node:url';
import { connectRedis, disconnectRedis, type RedisConnection } from '@hookfleet/queue';
import {
  accepted,
  enqueue,
  type ProcessUnderTest,
  startApplication,
  totalsOf,
  webhooksTo,
} from './fleet-under-test.ts';

jest.setTimeout(120_000);

const APPLICATIONS = ['producer', 'worker', 'aggregator'] as const;
const readme = await readFile(new URL('../../../docker/README.md', import.meta.url), 'utf8');
const [, line = ''] = /```acl\n(.*)\n```/.exec(readme) ?? [];
const rules = line.replace('PASSWORD', 'secret').split(' ').slice(2);

let redis: Awaited<ReturnType<typeof startTestRedis>>;
let admin: RedisConnection;

beforeAll(async () => {
  redis = await startTestRedis({ extraArguments: ['--user', 'hookfleet', ...rules] });
  admin = connect(redis.url);
});

afterAll(async () => {
  disconnectRedis(admin);
  await redis.stop();
});

const connect = (url: string) =>
  connectRedis({ url, name: 'test', temper: 'patient', onError: () => undefined });

const urlOf = (user: string) => `redis://${user}:secret@127.0.0.1:${redis.port}`;

/** What Redis has refused, each once. */
async function refused(): Promise<unknown[]> {
  const entries = (await admin.call('ACL', 'LOG')) as unknown[][];
  return entries.map((entry) => [entry[3], entry[7], entry[13]]);
}

test('with the documented user, the fleet delivers, counts, batches, replays, cancels and shows it', async () => {
  let isWell = false;
  const receiver = await startReceiver(({ path }) => ({
    status: path === '/failing' && !isWell ? 404 : 200,
  }));
  const environment = { HOOKFLEET_SHARDS: '3', HOOKFLEET_API_KEYS: '' };
  const [producer, worker, aggregator] = (await Promise.all(
    APPLICATIONS.map((one) => startApplication(one, urlOf('hookfleet'), environment)),
  )) as [ProcessUnderTest, ProcessUnderTest, ProcessUnderTest];
  async function call(at: ProcessUnderTest, method: string, path: string, body?: object): Promise<unknown> {
    const response = await fetch(at.url + path, {
      method,
      ...(body !== undefined && {
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text;
  }
  const counted = (campaignId: string, messages: object) =>
    eventually(async () => expect(await totalsOf(aggregator, campaignId)).toMatchObject({ messages }));

  await accepted(await enqueue(producer, webhooksTo(receiver.url, 'plain', 20)));
  await counted('plain', { delivered: 20 });

  const batch = { size: 50, maxWaitMs: 200 };
  await call(producer, 'PUT', '/v1/channels/crm', { url: receiver.url, batch, externalReferenceId: 'crm' });
  const batched = Array.from({ length: 60 }, (_, i) => ({
    campaignId: 'batched',
    messageId: 'm',
    channelConfigId: 'crm',
    payload: i,
    idempotencyKey: String(i),
  }));
  await accepted(await enqueue(producer, batched));
  await counted('batched', { delivered: 60 });
  await call(producer, 'POST', '/v1/channels/crm/test', { payload: 1 });
  await call(producer, 'POST', '/v1/channels/crm/pause');
  await call(producer, 'POST', '/v1/channels/crm/resume');

  await accepted(await enqueue(producer, webhooksTo(`${receiver.url}/failing`, 'failing', 5)));
  await counted('failing', { failed: 5 });
  await call(aggregator, 'GET', '/v1/campaigns/failing/failures');
  isWell = true;
  await call(producer, 'POST', '/v1/campaigns/failing/replay');
  await counted('failing', { delivered: 5 });

  const deliverAt = new Date(Date.now() + 3_600_000).toISOString();
  const later = webhooksTo(receiver.url, 'later', 5).map((webhook) => ({ ...webhook, deliverAt }));
  await accepted(await enqueue(producer, later));
  await call(producer, 'POST', '/v1/campaigns/later/pause');
  await call(producer, 'POST', '/v1/campaigns/later/cancel');
  await counted('later', { cancelled: 5 });

  await call(producer, 'PUT', '/v1/event-types/shop.order', { properties: { price: 'FLOAT' } });
  await call(producer, 'POST', '/v1/events', {
    campaignId: 'plain',
    event: 'shop.order',
    properties: { price: 1 },
  });
  await eventually(async () =>
    expect(await totalsOf(aggregator, 'plain')).toMatchObject({ events: { 'shop.order': 1 } }),
  );
  for (const path of [
    '/v1/campaigns',
    '/v1/campaigns/plain/series',
    '/v1/campaigns/plain/audit',
    '/metrics',
    '/readyz',
  ])
    await call(aggregator, 'GET', path);
  for (const at of [producer, worker])
    for (const path of ['/readyz', '/metrics']) await call(at, 'GET', path);

  await Promise.all([producer, worker, aggregator].map((one) => one.stop()));
  await receiver.close();
  expect(await refused()).toEqual([]);
  const troubled = [producer, worker, aggregator].flatMap(({ logs }) =>
    logs.filter(({ err }) => err !== undefined),
  );
  expect(troubled).toEqual([]);
});

test("the user reaches no keys but the fleet's, and may not look around or destroy", async () => {
  const user = connect(urlOf('hookfleet'));
  for (const [name, ...args] of [
    ['GET', 'hookfleet'],
    ['SET', '{other}:settings', '1'],
    ['KEYS', '*'],
    ['FLUSHALL'],
    ['CONFIG', 'GET', '*'],
    ['ACL', 'LIST'],
    ['CLIENT', 'KILL', 'TYPE', 'normal'],
    ['PUBLISH', 'any', '1'],
  ] as [string, ...string[]][])
    await expect(user.call(name, ...args)).rejects.toThrow(/NOPERM/);
  disconnectRedis(user);
});

test.each([
  ['the wrong password', 'redis://hookfleet:wrong@127.0.0.1', /WRONGPASS/],
  ['no right to INFO', 'redis://blind:secret@127.0.0.1', /info/i],
  ['key patterns without the brace', 'redis://braceless:secret@127.0.0.1', /NOPERM.*key/],
])('with %s, each process refuses to start, in a line that says why', async (_, url, reason) => {
  await admin.call('ACL', 'SETUSER', 'blind', ...rules, '-info');
  await admin.call('ACL', 'SETUSER', 'braceless', ...rules, 'resetkeys', '~hookfleet*');
  for (const application of APPLICATIONS) {
    const entry = fileURLToPath(new URL(`../../${application}/src/main.ts`, import.meta.url));
    const started = startProcess(entry, { REDIS_URL: `${url}:${redis.port}`, PORT: '0' });
    expect((await started.exited).code).toBe(1);
    expect(started.lines.at(-1)).toMatch(reason);
    // ioredis has a line of its own about INFO.
    expect(started.lines.slice(0, -1).filter((line) => !/ready check because INFO/.test(line))).toEqual([]);
    expect(started.lines.join()).not.toContain('secret');
  }
});
