/**
 * A master that took over may lack what an aggregator remembers to have written beside the counts: the names of messages,
 * the campaign in the index, the runs by which an audit finds its marks. Takes under a second.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startTcpProxy, startTestRedis, type TcpProxy } from '@hookfleet/testkit';
import { campaignKeys } from '../src/campaign-keys.ts';
import { outcomeOf, resultsOf, RUN } from './results-of.ts';
import { type CountingSetup, setupCounting } from './setup-counting.ts';

let redis: Awaited<ReturnType<typeof startTestRedis>>;
let proxy: TcpProxy;
let counting: CountingSetup;

beforeAll(async () => {
  redis = await startTestRedis();
  proxy = await startTcpProxy(redis);
  counting = setupCounting(`redis://127.0.0.1:${proxy.port}`);
});

afterAll(async () => {
  counting.close();
  await proxy.close();
  await redis.stop();
});

test('all of it is written again after the connection was lost', async () => {
  const { connection, prefix, campaignId, countResults, reader } = counting;
  const { runs, groupNames } = campaignKeys(prefix, campaignId);
  const written = async () => ({
    runs: await connection.smembers(runs),
    messages: Object.keys(await connection.hgetall(groupNames('message'))),
    listed: (await reader.list(0, 10)).campaigns.map(({ totals }) => totals.campaignId),
  });
  const count = () => countResults(resultsOf([outcomeOf({ campaignId, position: 7 })]));
  await count();
  const all = { runs: [RUN], messages: ['message-7'], listed: [campaignId] };
  expect(await written()).toEqual(all);

  // As by hand: the successor was given none of it.
  await connection.flushall();
  await count();
  expect(await written()).toEqual({ runs: [], messages: [], listed: [] });

  const ready = new Promise((resolve) => connection.once('ready', resolve));
  proxy.cut();
  await ready;
  await count();
  expect(await written()).toEqual(all);
});
