/** The fleet screen shows load, queues and lanes, and fits the terminal. Takes under a second. */
import { expect, test } from '@jest/globals';
import { stripVTControlCharacters } from 'node:util';
import { type FleetView, fleetScreen } from './fleet-screen.ts';

const FLEET: FleetView = {
  workers: [{ workerId: 'host:1', concurrency: 200, inFlight: 50, attemptsPerSecond: 1_234 }],
  inFlight: 50,
  concurrency: 200,
  attemptsPerSecond: 1_234,
  // Of two shards.
  queues: [
    { queue: 'webhooks', state: 'waiting', jobs: 7 },
    { queue: 'webhooks', state: 'waiting', jobs: 8 },
    { queue: 'results', state: 'waiting', jobs: 1 },
  ],
  oldestSeconds: [{ queue: 'webhooks', seconds: 90 }],
  backlogSeconds: 12,
  parkedWebhooks: 3,
  lanes: [
    { channelConfigId: 'crm', circuit: { state: 'open', why: 'timeout' }, parkedWebhooks: 3 },
    { origin: 'https://example.com\u001B[2J', circuit: { state: 'closed' }, parkedWebhooks: 0 },
  ],
};

const screen = (fleet: FleetView, lines = 100) =>
  fleetScreen(fleet, lines).map(stripVTControlCharacters).join('\n');

test('it shows load, queues over all shards, and what waits in lanes', () => {
  const text = screen(FLEET);
  expect(text).toMatch(
    /^1,234 attempts a second {3}in flight 50 of 200 \(25\.0 %\) {3}backlog 12\.0 s {3}parked 3/,
  );
  expect(text).toMatch(/host:1 +█████░+ +50 +1234/);
  expect(text).toMatch(/webhooks +15 +1 min 30 s/);
  expect(text).toMatch(/channel crm +open \(timeout\) +3/);
  // What a sender named itself moves no cursor.
  expect(fleetScreen(FLEET, 100).join('')).not.toContain('\u001B[2J');
});

test('it fits the rows that there are, and says what there is none of', () => {
  expect(fleetScreen(FLEET, 5)).toHaveLength(5);
  const text = screen({ ...FLEET, workers: [], queues: [], lanes: [] });
  expect(text).toMatch(/No worker has reported/);
  expect(text).toMatch(/every five seconds/);
  expect(text).toMatch(/nothing waits/);
});
