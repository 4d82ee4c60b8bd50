/** `hookfleet enqueue` enqueues every line of a file once, also when it is killed or an answer is lost. Takes about 8 s. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, jest, test } from '@jest/globals';
import { once } from 'node:events';
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, freePort, startTcpProxy, startTestRedis } from '@hookfleet/testkit';
import { type ProcessUnderTest, startApplication, totalsOf } from './fleet-under-test.ts';
import { runCommand, startCommand } from './run-command.ts';

jest.setTimeout(120_000);

let redis: Awaited<ReturnType<typeof startTestRedis>>;
let producer: ProcessUnderTest;
let aggregator: ProcessUnderTest;
let directory: string;
let file: string;

beforeAll(async () => {
  redis = await startTestRedis();
  [producer, aggregator] = await Promise.all([
    startApplication('producer', redis.url),
    startApplication('aggregator', redis.url),
  ]);
});

afterAll(async () => {
  await Promise.all([producer.stop(), aggregator.stop()]);
  await redis.stop();
});

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'hookfleet-enqueue-'));
  file = join(directory, 'webhooks.ndjson');
});

afterEach(() => rm(directory, { recursive: true }));

const lineOf = (campaignId: string, i: number) =>
  JSON.stringify({
    campaignId,
    messageId: `message-${i}`,
    destination: { url: 'https://example.com/hook' },
    payload: { number: i },
    // Nothing is sent: there is no worker, and it isn't time.
    deliverAt: new Date(Date.now() + 3_600_000).toISOString(),
  });

const linesOf = (campaignId: string, count: number) =>
  Array.from({ length: count }, (_, i) => `${lineOf(campaignId, i)}\n`).join('');

const at = (url: string) => ({ HOOKFLEET_PRODUCER_URL: url });

async function acceptedOf(campaignId: string): Promise<number> {
  return (await totalsOf(aggregator, campaignId)).messages.accepted;
}

/** One that is counted later than all that came before it. */
async function send(campaignId: string): Promise<void> {
  const input = linesOf(campaignId, 1);
  const run = await runCommand(['enqueue', '-'], { input, environment: at(producer.url) });
  expect(run).toMatchObject({ status: 0 });
  await eventually(async () => expect(await acceptedOf(campaignId)).toBe(1));
}

test('a run that is killed again and again goes on, and enqueues every line once', async () => {
  const count = 3_000;
  await writeFile(file, linesOf('killed', count));
  const linesSent = async () =>
    (JSON.parse(await readFile(`${file}.enqueued`, 'utf8')) as { lines: number }).lines;
  let reached = 0;
  for (let kills = 0; kills < 3; kills += 1) {
    const run = startCommand(['enqueue', file, '--batch-size', '1'], { environment: at(producer.url) });
    await eventually(async () => expect(await linesSent()).toBeGreaterThan(reached));
    run.child.kill('SIGKILL');
    expect(await run.ended).toMatchObject({ status: null });
    reached = await linesSent();
  }
  expect(reached).toBeLessThan(count);
  const last = await runCommand(['enqueue', file, '--json'], { environment: at(producer.url) });
  expect(last).toMatchObject({ status: 0 });
  expect(JSON.parse(last.stdout)).toMatchObject({ enqueued: count - reached, enqueuedBefore: reached });
  await eventually(async () => expect(await acceptedOf('killed')).toBe(count));
  expect((await runCommand(['enqueue', file], { environment: at(producer.url) })).stdout).toMatch(
    /Nothing is left to send: 3,000/,
  );
  await send('after');
  expect(await acceptedOf('killed')).toBe(count);
});

test('a call whose answer was lost is made again, and enqueues nothing twice', async () => {
  await writeFile(file, linesOf('unanswered', 100));
  const proxy = await startTcpProxy({ port: Number(new URL(producer.url).port) });
  const environment = at(`http://127.0.0.1:${proxy.port}`);
  const lost = proxy.loseReplyAfter('POST /v1/webhooks/bulk');
  const impatient = await runCommand(['enqueue', file, '--patience', '0s'], { environment });
  await lost;
  expect(impatient).toMatchObject({ status: 3, stdout: '' });
  expect(impatient.stderr).toMatch(/the producer at http:\/\/127\.0\.0\.1:\d+ can't be reached/);
  await eventually(async () => expect(await acceptedOf('unanswered')).toBe(100));

  const again = await runCommand(['enqueue', file, '--json'], { environment });
  await proxy.close();
  expect(JSON.parse(again.stdout)).toMatchObject({ enqueued: 100, enqueuedBefore: 0 });
  await send('later');
  expect(await acceptedOf('unanswered')).toBe(100);
});

test('a producer that comes back is given what it missed', async () => {
  await writeFile(file, linesOf('patient', 10));
  const port = await freePort();
  const run = startCommand(['enqueue', file], { environment: at(`http://127.0.0.1:${port}`) });
  await once(run.child.stderr as Readable, 'data');
  const late = await startApplication('producer', redis.url, { PORT: String(port) });
  expect(await run.ended).toMatchObject({ status: 0, stderr: expect.stringMatching(/^waiting: /) });
  await late.stop();
  await eventually(async () => expect(await acceptedOf('patient')).toBe(10));
});

test('lines that were added later are sent, lines that were changed stop it, and --again sends all', async () => {
  const environment = at(producer.url);
  await writeFile(file, linesOf('growing', 3));
  expect((await runCommand(['enqueue', file], { environment })).status).toBe(0);
  await appendFile(file, linesOf('growing', 2));
  expect((await runCommand(['enqueue', file], { environment })).stdout).toMatch(
    /^2 webhooks .* and 3 before/,
  );
  await writeFile(file, linesOf('growing', 7));
  const changed = await runCommand(['enqueue', file], { environment });
  expect(changed).toMatchObject({ status: 1, stderr: expect.stringMatching(/have changed since/) });
  expect((await runCommand(['enqueue', file, '--again'], { environment })).stdout).toMatch(/^7 webhooks /);
  await eventually(async () => expect(await acceptedOf('growing')).toBe(5 + 7));
});

test('a refusal names the lines of the file; what was sent before them stays, and the fixed file goes on', async () => {
  const environment = at(producer.url);
  const lines = linesOf('mended', 5).split('\n').slice(0, 5);
  const wrong = JSON.stringify({ campaignId: 'mended', messageId: 'm', channelConfigId: 'absent' });
  await writeFile(file, [...lines.slice(0, 2), '', lines[2], wrong, lines[4]].join('\r\n'));
  const refused = await runCommand(['enqueue', file, '--batch-size', '2'], { environment });
  expect(refused.status).toBe(1);
  expect(refused.stderr).toMatch(/line 5, payload: exactly one of payload and body is needed/);
  const asJson = await runCommand(['enqueue', file, '--json'], { environment });
  expect(JSON.parse(asJson.stderr.split('\n').at(-2) ?? '')).toMatchObject({
    error: {
      status: 400,
      errors: expect.arrayContaining([expect.objectContaining({ field: 'line 5, payload' })]),
    },
  });
  await writeFile(file, [...lines.slice(0, 2), '', ...lines.slice(2)].join('\r\n'));
  expect((await runCommand(['enqueue', file, '--json'], { environment })).status).toBe(0);
  await eventually(async () => expect(await acceptedOf('mended')).toBe(5));

  await writeFile(file, `${lines[0]}\n[1]\n`);
  expect((await runCommand(['enqueue', file, '--again'], { environment })).stderr).toMatch(
    /line 2: is no JSON object/,
  );
});

test('what is no file is wrong usage', async () => {
  expect(await runCommand(['enqueue', join(directory, 'absent')])).toMatchObject({ status: 2, stdout: '' });
  expect(await runCommand(['enqueue'])).toMatchObject({ status: 2, stdout: '' });
  expect(await runCommand(['enqueue', file, '--batch-size', '0'])).toMatchObject({ status: 2, stdout: '' });
  expect(await runCommand(['enqueue', file, '--producer', 'ftp://x'])).toMatchObject({ status: 2 });
});
