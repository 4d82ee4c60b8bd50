/** What the command line is given to send is sent byte for byte, and what it cannot keep is refused. Takes about 15 s. */
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { eventually, type Receiver, startReceiver, makeTemporaryDirectory } from '@hookfleet/testkit';
import { type FleetUnderTest, startFleet } from './fleet-under-test.ts';
import { runCommand } from './run-command.ts';

jest.setTimeout(120_000);

/** What a parser and a serializer would change. */
const PAYLOADS = [
  '{"id":9007199254740993,"b":1,"2":2}',
  '{ "a" : 1.0 , "a":2 }',
  '[1E+2, -0, 1e400]',
  '"\\u017c\\/ \\ud800 ż🎣"',
];
const [PAYLOAD = ''] = PAYLOADS;

let fleet: FleetUnderTest;
let receiver: Receiver;
let environment: Record<string, string>;

beforeAll(async () => {
  [fleet, receiver] = await Promise.all([startFleet(), startReceiver()]);
  environment = { HOOKFLEET_PRODUCER_URL: fleet.producer.url };
});

afterAll(async () => {
  await fleet.stop();
  await receiver.close();
});

const item = (payload: string) =>
  `{"campaignId":"c","messageId":"m","destination":{"url":"${receiver.url}/hook"},"payload":${payload}}`;

async function bodyOf(id: string): Promise<string> {
  return eventually(() => {
    const entry = receiver.ledger.find(({ request }) => request.webhookId === id);
    if (entry === undefined) throw new Error(`${id} has not come`);
    return entry.request.body.toString();
  });
}

test('send takes a payload from a flag or a file as it is; other flags take the place of what the file says', async () => {
  const flags = ['--campaign', 'c', '--message', 'm', '--url', `${receiver.url}/hook`, '--payload', PAYLOAD];
  const runs = await Promise.all([
    runCommand(['send', ...flags], { environment }),
    runCommand(['send', '-', '--message', 'other'], { environment, input: `\ufeff${item(PAYLOAD)}` }),
  ]);
  for (const { stdout, stderr } of runs) {
    expect(stderr).toBe('');
    expect(await bodyOf(stdout.trim())).toBe(PAYLOAD);
  }
  const twice = await runCommand(['send', '-'], {
    environment,
    input: item(`1,"payload":2`),
  });
  expect(twice).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/payload: is given more than once/),
  });
});

test('enqueue sends each line as it is, and refuses one that is no UTF-8', async () => {
  const before = receiver.ledger.length;
  const input = PAYLOADS.map((payload) => `${item(payload)}\n`).join('');
  expect(await runCommand(['enqueue', '-'], { environment, input })).toMatchObject({ status: 0 });
  await receiver.received(before + PAYLOADS.length);
  const bodies = receiver.ledger.slice(before).map(({ request }) => request.body.toString());
  expect(bodies.sort()).toEqual(PAYLOADS.toSorted());

  const directory = await makeTemporaryDirectory('bytes');
  const file = join(directory.path, 'latin1.ndjson');
  await writeFile(file, Buffer.from(`${item('1')}\n${item('"\xe9"')}\n`, 'latin1'));
  expect(await runCommand(['enqueue', file], { environment })).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/line 2: is not valid UTF-8/),
  });
  expect(await runCommand(['send', file], { environment })).toMatchObject({
    status: 2,
    stderr: expect.stringMatching(/is not valid UTF-8/),
  });
  await directory.remove();
});

test('a test of a channel sends the payload as it is', async () => {
  const channel = JSON.stringify({ url: `${receiver.url}/hook` });
  const put = await runCommand(['channels', 'put', 'crm', '-'], { environment, input: channel });
  expect(put).toMatchObject({ status: 0 });
  const tested = await runCommand(['channels', 'test', 'crm', '--payload', PAYLOAD, '--json'], {
    environment,
  });
  expect(JSON.parse(tested.stdout)).toMatchObject({ request: { body: PAYLOAD } });
});

test("an event's number is reported as it is, so that one that cannot be kept is refused", async () => {
  await runCommand(['events', 'activate', 'shop.order', '--property', 'price=FLOAT'], { environment });
  const flags = ['--campaign', 'c', '--event', 'shop.order', '--property'];
  const input = '{"campaignId":"c","event":"shop.order","properties":{"price":9007199254740991.4}}';
  const runs = await Promise.all([
    runCommand(['events', 'report', ...flags, 'price=9007199254740991.4'], { environment }),
    runCommand(['events', 'report', '-'], { environment, input }),
  ]);
  for (const { status, stderr } of runs) {
    expect(status).toBe(1);
    expect(stderr).toMatch(/properties\.price: is a number that would be changed/);
  }
  const kept = await runCommand(['events', 'report', ...flags, 'price=0.1'], { environment });
  expect(kept).toMatchObject({ status: 0 });
});
