/**
 * The upstream engineer's page: its commands run as they are written, and what it states of the API is what the API is.
 * Takes about 3 s.
 */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { eventually, type Receiver, startReceiver } from '@hookfleet/testkit';
import { type FleetUnderTest, startFleet, totalsOf } from './fleet-under-test.ts';

jest.setTimeout(120_000);

let fleet: FleetUnderTest;
let receiver: Receiver;

beforeAll(async () => {
  receiver = await startReceiver();
  fleet = await startFleet();
});

afterAll(async () => {
  await fleet.stop();
  await receiver.close();
});

const page = await readFile(new URL('../../producer/README.md', import.meta.url), 'utf8');
const blocksOf = (language: string) =>
  [...page.matchAll(new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``, 'g'))].map(
    ([, block]) => block ?? '',
  );
const [single = '', status = '', bulk = '', refused = ''] = blocksOf('sh');

/** As a reader runs it, but for where the fleet and the receiver are. */
async function run(block: string, variables: Record<string, string> = {}): Promise<unknown> {
  const script = block
    .replaceAll('localhost:8080', fleet.producer.url.replace('http://', ''))
    .replaceAll('https://example.com', receiver.url);
  const { stdout } = await promisify(execFile)('bash', ['-eu', '-o', 'pipefail', '-c', script], {
    env: { PATH: process.env['PATH'], ...variables },
  });
  return JSON.parse(stdout);
}

test('every command of it is run here', () => {
  expect(blocksOf('sh')).toHaveLength(4);
});

test('one webhook, the same again, and what became of it', async () => {
  const { id } = (await run(single)) as { id: string };
  expect(id).toMatch(/^wh_/);
  expect(await run(single)).toEqual({ id });
  const { state, attempts } = await eventually(async () => {
    const found = (await run(status, { id })) as { state: string; attempts: unknown[] };
    expect(found.state).toBe('delivered');
    return found;
  });
  expect(page).toContain(
    `"state": scheduled, pending, retrying, ${state}, failed or cancelled; "attempts": each`,
  );
  expect(attempts).toHaveLength(1);
  expect(receiver.ledger.map(({ request }) => request.webhookId)).toEqual([id]);
});

test('many at once, and the same again', async () => {
  const { ids } = (await run(bulk)) as { ids: string[] };
  expect(new Set(ids).size).toBe(3);
  expect(await run(bulk)).toEqual({ ids });
  await eventually(async () =>
    expect((await totalsOf(fleet.aggregator, 'spring-sale')).messages.delivered).toBe(4),
  );
});

test('what is refused, and the answer that it shows', async () => {
  expect(await run(refused)).toEqual(JSON.parse(blocksOf('json')[0] ?? ''));
});

test('its calls are those of the APIs: an operator call that both have stands with the producer', async () => {
  const rowsOf = async (application: string) => {
    const text = await readFile(new URL(`../../${application}/openapi.json`, import.meta.url), 'utf8');
    const { paths } = JSON.parse(text) as { paths: Record<string, Record<string, { summary: string }>> };
    return Object.entries(paths).flatMap(([path, calls]) =>
      Object.entries(calls).map(
        ([method, { summary }]) => `| \`${method.toUpperCase()} ${path}\` | ${summary} |`,
      ),
    );
  };
  const [ofProducer, ofAggregator] = [await rowsOf('producer'), await rowsOf('aggregator')];
  const shown = [...page.matchAll(/^\| `[A-Z]+ \/v1.*$/gm)].map(([row]) => row);
  expect(shown).toEqual([...ofProducer, ...ofAggregator.filter((row) => !ofProducer.includes(row))]);
});
