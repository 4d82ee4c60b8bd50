/**
 * The commands that talk to a fleet, against a real one: what they print, as text and as JSON, and how they end.
 * Takes about 33 s.
 */
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { eventually, freePort, type Receiver, startReceiver, startTestRedis } from '@hookfleet/testkit';
import { type ProcessUnderTest, startApplication, type totalsOf } from './fleet-under-test.ts';
import { type CommandOptions, type CommandResult, runCommand } from './run-command.ts';

jest.setTimeout(120_000);

const KEY = 'a-key-of-sixteen-characters';
const VIEWER_KEY = 'another-key-for-viewers';

let redis: Awaited<ReturnType<typeof startTestRedis>>;
let receiver: Receiver;
let producer: ProcessUnderTest;
let worker: ProcessUnderTest;
let aggregator: ProcessUnderTest;
let environment: Record<string, string>;
const failing = new Set<string>();

beforeAll(async () => {
  redis = await startTestRedis();
  receiver = await startReceiver(({ path }) =>
    failing.has(path) ? { status: 404, body: 'no such\u001B[2J recipient' } : { status: 200 },
  );
  // The viewer's key stands first: commands take the one that may do everything.
  const keys = { HOOKFLEET_API_KEYS: `read:${VIEWER_KEY},${KEY}` };
  [producer, worker, aggregator] = await Promise.all([
    startApplication('producer', redis.url, keys),
    startApplication('worker', redis.url),
    startApplication('aggregator', redis.url, { ...keys }),
  ]);
  environment = {
    ...keys,
    HOOKFLEET_PRODUCER_URL: producer.url,
    HOOKFLEET_AGGREGATOR_URL: aggregator.url,
  };
});

afterAll(async () => {
  await Promise.all([producer.stop(), worker.stop(), aggregator.stop()]);
  await receiver.close();
  await redis.stop();
});

function run(args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  return runCommand(args, { ...options, environment: { ...environment, ...options.environment } });
}

/** What a command that ends well writes as JSON. */
async function json(args: readonly string[], options: CommandOptions = {}): Promise<Record<string, unknown>> {
  const { status, stdout, stderr } = await run([...args, '--json'], options);
  expect({ status, stderr }).toMatchObject({ status: 0 });
  return JSON.parse(stdout) as Record<string, unknown>;
}

const sendTo = (path: string, campaign: string, ...more: readonly string[]) => [
  'send',
  ...['--campaign', campaign, '--message', 'welcome', '--url', receiver.url + path],
  ...['--payload', '{"hello":"world"}', ...more],
];

const messagesOf = async (campaign: string) => {
  const response = await fetch(`${aggregator.url}/v1/campaigns/${campaign}`, {
    headers: { authorization: `Bearer ${KEY}` },
  });
  return ((await response.json()) as Awaited<ReturnType<typeof totalsOf>>).messages;
};

test('send prints the id, --wait its attempts and its end, and the status says which it was', async () => {
  failing.add('/gone');
  const plain = await run(sendTo('/a', 'sent'));
  expect(plain).toMatchObject({ status: 0, stderr: '', stdout: expect.stringMatching(/^wh_\S+\n$/) });
  const delivered = await run(sendTo('/a', 'sent', '--wait', '--header', 'x-sort: letter'));
  expect(delivered).toMatchObject({ status: 0 });
  expect(delivered.stdout).toMatch(/^wh_\S+\n {2}attempt 1 {2}webhook\.delivered {2}200 .*\ndelivered\n$/);
  expect(receiver.count(({ request }) => request.headers['x-sort'] === 'letter')).toBe(1);
  const failed = await run(sendTo('/gone', 'sent', '--wait'));
  expect(failed).toMatchObject({
    status: 1,
    stdout: expect.stringMatching(/404 .* no such recipient\nfailed\n$/),
  });
  const whole = {
    campaignId: 'other',
    messageId: 'm',
    destination: { url: `${receiver.url}/a` },
    payload: 1,
  };
  const ofStdin = await json(['send', '-', '--campaign', 'sent', '--wait'], { input: JSON.stringify(whole) });
  expect(ofStdin).toMatchObject({ state: 'delivered', campaignId: 'sent', messageId: 'm' });
});

test('a webhook that got no answer says why: as it is followed, in failures, as words and as a code', async () => {
  const blocked = await run([...sendTo('', 'unheard', '--wait'), '--url', 'http://10.1.2.3/']);
  const why = 'address 10.1.2.3 is not allowed by the egress policy (HOOKFLEET_EGRESS_ALLOW)';
  expect(blocked.stdout).toContain('blocked');
  expect(blocked.stdout).toContain(why);
  const listed = await eventually(async () => {
    const { stdout } = await run(['failures', 'unheard']);
    expect(stdout).not.toBe('');
    return stdout;
  });
  expect(listed).toContain(why);
  expect(await json(['failures', 'unheard'])).toMatchObject({ cause: 'address_blocked', detail: why });
  expect(
    worker.logs.find(({ msg, campaignId }) => msg === 'attempt.recorded' && campaignId === 'unheard'),
  ).toMatchObject({ reason: 'blocked', cause: 'address_blocked', detail: why });
});

test('a refusal names the fields at fault, and is no wrong usage', async () => {
  const refused = await run(['send', '--campaign', 'sent', '--payload', '1', '--url', 'nowhere']);
  expect(refused).toMatchObject({ status: 1, stdout: '' });
  expect(refused.stderr).toMatch(/^hookfleet: .* \(400\)$/m);
  expect(refused.stderr).toMatch(/^ {2}messageId: is required \[REQUIRED\]$/m);
  expect(refused.stderr).toMatch(/^ {2}destination\.url: /m);
  const { stderr } = await run(['send', '--campaign', 'sent', '--json']);
  expect(JSON.parse(stderr)).toMatchObject({
    error: { status: 400, errors: expect.arrayContaining([expect.objectContaining({ field: 'messageId' })]) },
  });
});

test.each([
  ['no such command', ['sned']],
  ['no such flag', ['stats', 'x', '--nope']],
  ['a payload that is no JSON', ['send', '--payload', '{']],
  ['flags that do not go together', ['send', '--channel', 'crm', '--method', 'PUT']],
  ['an address that is none', ['stats', 'x', '--aggregator', 'localhost:8081']],
  ['an address with a password', ['stats', 'x', '--aggregator', 'http://user:planted-5ecret@127.0.0.1:1']],
  ['an address that is none, with a password', ['send', '--producer', 'htp://:planted/5ecret@h:x']],
  ['a Redis URL with a password that is not encoded', ['doctor', '--redis', 'redis://:planted/5ecret@h']],
  ['an event that is none', ['failures', 'x', '--event', 'delivered']],
  ['a time that is none', ['failures', 'x', '--from', 'yesterday']],
  ['neither a webhook nor a campaign', ['replay']],
  ['a rate that is none', ['campaign', 'set', 'x', '--rate', 'fast']],
  ['nothing to set', ['campaign', 'set', 'x']],
  ['nothing to report', ['events', 'report']],
  ['something to be asked, and nobody there', ['campaign', 'cancel', 'never']],
])('wrong usage: %s', async (_what, args) => {
  const ended = await run(args);
  expect(ended).toMatchObject({ status: 2, stdout: '', stderr: expect.stringMatching(/./) });
  expect(ended.stderr).not.toMatch(/planted|5ecret/);
});

test('what is not there, a key that may not, and an address where nobody is', async () => {
  const dead = `http://127.0.0.1:${await freePort()}`;
  const unreachable = await run(['stats', 'sent', '--aggregator', dead]);
  expect(unreachable).toMatchObject({ status: 3, stdout: '' });
  expect(unreachable.stderr).toMatch(/ECONNREFUSED.*--aggregator or HOOKFLEET_AGGREGATOR_URL/);
  expect(await run(['stats', 'unheard-of'])).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/404/),
  });
  expect(await run(['stats', 'sent', '--key', 'wrong'])).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/401/),
  });
  expect(await run(['campaign', 'pause', 'sent', '--key', VIEWER_KEY])).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/403/),
  });
});

test('stats shows what the counters say; failures and replay turn them', async () => {
  failing.add('/lost');
  await run(sendTo('/ok', 'spring-sale'));
  for (const user of ['u-1', 'u-2']) await run(sendTo('/lost', 'spring-sale', '--user', user));
  await eventually(async () =>
    expect(await messagesOf('spring-sale')).toMatchObject({ accepted: 3, delivered: 1, failed: 2 }),
  );
  const stats = await run(['stats', 'spring-sale']);
  expect(stats.stdout).toMatch(/messages accepted +3$/m);
  expect(stats.stdout).toMatch(/messages failed +2 +66\.7 %$/m);
  expect(stats.stdout).toMatch(/^ +http_4xx +2$/m);
  expect(stats.stdout).toMatch(/█.*\n.*UTC/);
  // No terminal, no escape codes.
  expect(stats.stdout).not.toContain('\u001B');
  expect((await run(['stats', 'spring-sale'], { environment: { FORCE_COLOR: '1' } })).stdout).toContain(
    '\u001B[',
  );
  expect(await json(['stats', 'spring-sale'])).toMatchObject({
    messages: { accepted: 3, delivered: 1, failed: 2 },
    series: { totals: { 'webhook.delivered': 1, 'webhook.error': 2 } },
  });

  const failures = await run(['failures', 'spring-sale', '--json']);
  const ids = failures.stdout
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { webhookId: string }).webhookId);
  expect(new Set(ids).size).toBe(2);
  const table = await run([
    'failures',
    'spring-sale',
    '--reason',
    'http_4xx',
    '--from',
    '1h',
    '--limit',
    '1',
  ]);
  expect(table.stdout).toMatch(
    /^ {2}\S+Z {2}wh_\S+ {2}welcome {2}– {2}404 {2}1 attempt {2}no such recipient\n$/,
  );
  expect(await run(['failures', 'spring-sale', '--reason', 'gone'])).toMatchObject({ status: 0, stdout: '' });

  failing.delete('/lost');
  const asked = await run(['replay', '--campaign', 'spring-sale']);
  expect(asked).toMatchObject({
    status: 2,
    stderr: expect.stringMatching(/Replays 2 webhooks of campaign spring-sale/),
  });
  expect(await json(['replay', '--campaign', 'spring-sale', '--dry-run'])).toMatchObject({ webhooks: 2 });
  expect(await messagesOf('spring-sale')).toMatchObject({ failed: 2 });
  const [first = ''] = ids;
  expect(await run(['replay', first, '--yes'])).toMatchObject({ status: 0 });
  await eventually(async () => expect(await messagesOf('spring-sale')).toMatchObject({ failed: 1 }));
  const all = ['replay', '--campaign', 'spring-sale', '--reason', 'http_4xx', '--yes'];
  expect(await json([...all, '--per-second', '1000'])).toEqual({ replayed: 1, more: false });
  await eventually(async () =>
    expect(await messagesOf('spring-sale')).toMatchObject({ delivered: 3, failed: 0 }),
  );
  expect(await json(all)).toEqual({ replayed: 0, more: false });
});

test('a channel is written, tested, held, let go, and deleted', async () => {
  const channel = { url: `${receiver.url}/crm`, signingSecrets: [`whsec_${'c2VjcmV0'.repeat(4)}`] };
  const put = await json(['channels', 'put', 'crm', '-'], { input: JSON.stringify(channel) });
  expect(put).toMatchObject({ channelConfigId: 'crm', circuit: { state: 'closed' } });
  expect(JSON.stringify(put)).not.toContain('c2VjcmV0');
  expect((await run(['channels', 'list'])).stdout).toMatch(/^ {2}crm {2}closed {2}POST {2}http:\S+\/crm$/m);
  expect(await json(['channels', 'get', 'crm'])).toMatchObject({ url: channel.url });
  const tested = await run(['channels', 'test', 'crm', '--payload', '{"n":1}']);
  expect(tested).toMatchObject({ status: 0 });
  expect(tested.stdout).toMatch(/^POST http:\S+\/crm$/m);
  expect(tested.stdout).toMatch(/^ {2}\{"n":1\}$/m);
  expect(tested.stdout).toMatch(/^Response 200$/m);
  expect(tested.stdout).toMatch(/^webhook\.delivered$/m);
  expect(tested.stdout).toMatch(/total \d+(?:\.\d)? m?s/);
  failing.add('/crm');
  expect(await run(['channels', 'test', 'crm', '--json'])).toMatchObject({ status: 1 });
  expect((await run(['channels', 'pause', 'crm'])).stdout).toMatch(/paused/);
  expect(await json(['channels', 'resume', 'crm'])).toMatchObject({ circuit: { state: 'closed' } });
  expect(await run(['channels', 'put', 'crm', '-'], { input: '{"url":7}' })).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/^ {2}url: /m),
  });
  expect(await run(['channels', 'delete', 'crm', '--yes'])).toMatchObject({ status: 0 });
  expect(await run(['channels', 'get', 'crm'])).toMatchObject({ status: 1 });
});

test("a campaign's controls change one by one, and it is cancelled", async () => {
  const set = (...flags: string[]) => json(['campaign', 'set', 'slow', ...flags]);
  await set('--rate', '100/second', '--priority', 'high');
  // What isn't named stays.
  expect(await set('--deadline', '2130-01-01T00:00:00Z')).toMatchObject({
    rateLimit: { limit: 100, per: 'second' },
    priority: 'high',
  });
  expect(await set('--rate', 'none')).not.toHaveProperty('rateLimit');
  expect((await run(['campaign', 'pause', 'slow'])).stdout).toMatch(/^ {2}state +paused since /m);
  expect(await json(['campaign', 'resume', 'slow'])).toMatchObject({ state: 'running', priority: 'high' });
  expect(await json(['campaign', 'cancel', 'slow', '--yes'])).toMatchObject({ state: 'cancelled' });
  expect(await json(['campaign', 'show', 'slow'])).toMatchObject({ state: 'cancelled' });
});

test('a campaign is shown in the state that the aggregator finds it in', async () => {
  await run(sendTo('/ok', 'shown'));
  await eventually(async () => expect(await messagesOf('shown')).toMatchObject({ delivered: 1, pending: 0 }));
  expect(await json(['campaign', 'show', 'shown'])).toMatchObject({ status: { state: 'completed' } });
  expect((await run(['campaign', 'show', 'shown'])).stdout).toMatch(/^ {2}state +completed *$/m);
  expect((await run(['stats', 'shown'])).stdout).toMatch(/^ {2}completed$/m);
  expect((await run(['campaign', 'show', 'unheard-of'])).stdout).toMatch(
    /state +unknown: nothing was counted/,
  );
  const dead = `http://127.0.0.1:${await freePort()}`;
  const alone = await run(['campaign', 'show', 'shown', '--aggregator', dead]);
  expect(alone).toMatchObject({ status: 0, stdout: expect.stringMatching(/running \(by its controls/) });
});

test('an event is activated, reported once, and counted', async () => {
  await json(['events', 'activate', 'whatsapp.read', '--property', 'price=FLOAT', '--property', 'by=STRING']);
  expect((await run(['events', 'list'])).stdout).toMatch(/^ {2}whatsapp\.read {2}price, by/m);
  const report = ['events', 'report', '--campaign', 'read', '--event', 'whatsapp.read', '--id', 'read-1'];
  const done = await run([...report, '--property', 'price=0.5', '--property', 'colour=blue']);
  expect(done).toMatchObject({ status: 0, stderr: expect.stringMatching(/properties\.colour/) });
  await json(['events', 'report', '-'], {
    input: JSON.stringify([
      { campaignId: 'read', event: 'whatsapp.read', id: 'read-1' },
      { campaignId: 'read', event: 'whatsapp.read' },
    ]),
  });
  await eventually(async () =>
    expect(await json(['stats', 'read'])).toMatchObject({
      events: { 'whatsapp.read': 2 },
      properties: { 'whatsapp.read': { price: { sum: 0.5 } } },
    }),
  );
  expect(await run([...report, '--property', 'price=dear'])).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/properties\.price: .*\[WRONG_TYPE\]/),
  });
  expect(await run(['events', 'deactivate', 'whatsapp.read'])).toMatchObject({ status: 0 });
});
