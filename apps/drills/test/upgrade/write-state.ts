/**
 * Writes down what a version of hookfleet leaves in Redis when it is stopped in the middle of everything, for
 * upgrade.test.ts to go on from. To be run on a checkout, with its dependencies installed, of the version that fleets run:
 *
 *     git worktree add --detach ../before COMMIT && pnpm --dir ../before install --frozen-lockfile
 *     node apps/drills/test/upgrade/write-state.ts ../before apps/drills/test/upgrade/before.ndjson
 *
 * The first line tells what is to be found, each other one is a key: its name, its lifetime, and what DUMP makes of it.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import {
  eventually,
  type StartedProcess,
  startProcess,
  startReceiver,
  startTestRedis,
} from '@hookfleet/testkit';
import { Redis } from 'ioredis';
import type { StateBefore, StoredKey } from './read-state.ts';

const [checkout = '', file = ''] = process.argv.slice(2);
// Nobody delivers there: whoever goes on leads the name to a receiver of its own, through a proxy.
const LATER = 'http://receiver.example';
const COUNT = 10;
// Longer than this takes: all of it is due when somebody goes on from it.
const LATER_MS = 120_000;

const redis = await startTestRedis();
const receiver = await startReceiver(({ path, nth }) => {
  if (path === '/hangs') return 'hang';
  if (path === '/refuses') return { status: 422, body: 'no such recipient' };
  if (path === '/later') return { status: 503 };
  return { status: path === '/flaky' && nth === 1 ? 503 : 200 };
});

async function start(application: string): Promise<StartedProcess & { url: string }> {
  const started = startProcess(resolve(checkout, 'apps', application, 'src/main.ts'), {
    REDIS_URL: redis.url,
    PORT: '0',
    HOOKFLEET_EGRESS_ALLOW: '127.0.0.0/8',
  });
  const log = await started.waitForLog(({ msg }) => msg === `${application}.started`);
  return { ...started, url: String(log['url']) };
}

const [producer, worker, aggregator] = await Promise.all(['producer', 'worker', 'aggregator'].map(start));
if (producer === undefined || worker === undefined || aggregator === undefined)
  throw new Error('not started');
const connection = new Redis(redis.url);

async function call(method: string, path: string, body: unknown): Promise<Record<string, unknown>> {
  const response = await fetch(producer?.url + path, {
    method,
    ...(body !== undefined && {
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
}

async function send(campaignId: string, more: object): Promise<string[]> {
  const webhooks = Array.from({ length: COUNT }, (_, i) => ({
    campaignId,
    messageId: `message-${i % 2}`,
    userId: `u-${i}`,
    payload: { number: i },
    ...more,
  }));
  return (await call('POST', '/v1/webhooks/bulk', { webhooks }))['ids'] as string[];
}

async function totalsOf(campaignId: string): Promise<Record<string, unknown>> {
  return (await (await fetch(`${aggregator?.url}/v1/campaigns/${campaignId}`)).json()) as Record<
    string,
    unknown
  >;
}

const channels: Record<string, object> = {
  plain: { url: `${receiver.url}/plain`, headers: { 'x-tenant': 'acme' } },
  flaky: { url: `${receiver.url}/flaky`, retry: { delaysMs: [50], jitter: 0 } },
  refuses: {
    url: `${receiver.url}/refuses`,
    signingSecrets: [`whsec_${Buffer.alloc(32, 1).toString('base64')}`],
  },
  later: { url: `${receiver.url}/later`, retry: { delaysMs: [LATER_MS], jitter: 0 } },
  hangs: { url: `${receiver.url}/hangs` },
  paused: { url: `${receiver.url}/paused` },
  batched: { url: `${receiver.url}/batched`, batch: { size: 50, maxWaitMs: LATER_MS } },
};
const ids: Record<string, string[]> = {};

for (const [id, channel] of Object.entries(channels)) await call('PUT', `/v1/channels/${id}`, channel);
await call('PUT', '/v1/event-types/whatsapp.read', { properties: { price: 'FLOAT' } });

// Long before anything is sent to them: workers ask for it once a second.
await call('POST', '/v1/campaigns/held/pause', undefined);
await call('POST', '/v1/channels/paused/pause', undefined);

// What has ended, and is counted.
ids['delivered'] = await send('ended', { channelConfigId: 'plain' });
ids['bounced'] = await send('ended', { channelConfigId: 'flaky' });
ids['failed'] = await send('ended', { channelConfigId: 'refuses' });
await call('POST', '/v1/events', {
  campaignId: 'ended',
  event: 'whatsapp.read',
  id: 'read-1',
  properties: { price: 0.5 },
});
await eventually(
  async () => {
    const { messages, events } = (await totalsOf('ended')) as { messages: object; events: object };
    const expected = {
      accepted: 3 * COUNT,
      delivered: 2 * COUNT,
      failed: COUNT,
      pending: 0,
      'whatsapp.read': 1,
    };
    for (const [name, count] of Object.entries(expected))
      if (({ ...messages, ...events } as Record<string, number>)[name] !== count)
        throw new Error(`${name} is not ${count}`);
  },
  { timeoutMs: 20_000 },
);
const ended = await totalsOf('ended');

// What waits: in lanes, of a campaign and of a channel; in a lot; for its next attempt; for its time.
ids['held'] = await send('held', { destination: { url: `${LATER}/held` } });
ids['paused'] = await send('waiting', { channelConfigId: 'paused' });
ids['batched'] = await send('waiting', { channelConfigId: 'batched' });
ids['retried'] = await send('waiting', { channelConfigId: 'later' });
ids['scheduled'] = await send('waiting', {
  destination: { url: `${LATER}/scheduled` },
  deliverAt: new Date(Date.now() + LATER_MS).toISOString(),
});
await eventually(
  async () => {
    const parked = Object.values(await connection.hgetall('{hookfleet}:parked')).map(Number);
    const gathered = Number(await connection.get('{hookfleet:0}:gathered'));
    const delayed = await connection.zcard('{hookfleet:0}:webhooks:delayed');
    if (parked.reduce((a, b) => a + b, 0) !== 2 * COUNT || gathered !== COUNT || delayed < COUNT + 1)
      throw new Error(`not all wait: ${parked} parked, ${gathered} gathered, ${delayed} delayed`);
  },
  { timeoutMs: 20_000 },
);

// What no aggregator has counted, what a worker was killed over, and what no worker has seen.
await aggregator.kill();
const received = receiver.ledger.length;
ids['uncounted'] = await send('waiting', { channelConfigId: 'plain' });
await receiver.received(received + COUNT);
ids['hung'] = await send('waiting', { channelConfigId: 'hangs' });
await eventually(() => {
  if (receiver.count(({ did }) => did === 'hang') < COUNT) throw new Error('none hangs');
});
await worker.kill();
ids['unseen'] = await send('waiting', { destination: { url: `${LATER}/unseen` } });
const again = {
  campaignId: 'waiting',
  messageId: 'again',
  destination: { url: `${LATER}/again` },
  payload: { hello: 'world' },
  idempotencyKey: 'again-1',
};
ids['again'] = [(await call('POST', '/v1/webhooks', again))['id'] as string];
await producer.stop();

const commit = execFileSync('git', ['-C', checkout, 'log', '-1', '--format=%h %cs'], {
  encoding: 'utf8',
}).trim();
const state: StateBefore = { commit, count: COUNT, channels, ids, ended, again };
const keys: StoredKey[] = [];
for (const key of (await connection.keys('*')).sort()) {
  const [dump, lifetimeMs] = [await connection.dumpBuffer(key), await connection.pttl(key)];
  // A lock's, or a worker's report: gone within seconds, there as here.
  if (dump === null || (lifetimeMs > 0 && lifetimeMs < 60_000)) continue;
  keys.push({ key, lifetimeMs: Math.max(0, lifetimeMs), dump: dump.toString('base64') });
}
writeFileSync(file, [state, ...keys].map((line) => `${JSON.stringify(line)}\n`).join(''));
connection.disconnect();
await receiver.close();
await redis.stop();
