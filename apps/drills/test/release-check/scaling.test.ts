/**
 * Scaling as Kubernetes does it, with real workers under a steady load: the workers that the ScaledObject asks for settle
 * at what the load needs, a worker that comes or goes loses nothing, and workers at rest cost little. `prometheus.test.ts`
 * has the short form.
 * Takes about 73 s.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { eventually, parsePrometheus, type Receiver, sampleValue, startReceiver } from '@hookfleet/testkit';
import { Redis } from 'ioredis';
import { desiredWorkers } from '../desired-workers.ts';
import {
  enqueue,
  type FleetProcess,
  startWatchedFleet,
  totalsOf,
  type WatchedFleet,
} from '../watched-fleet.ts';

// Generous: about three times what was measured. A worker makes 11 calls a second, above all four looks each at what may be
// sent and at lanes; Redis counts what their scripts do.
const COMMANDS_AT_REST_MAX = 100;
const CPU_AT_REST_MAX = 0.1;
const MEASURED_MS = 5_000;

// Ten at a time, of which one destination alone gets seven or eight, four tenths of a second each: a worker delivers 18 a
// second at most, and at that takes little CPU. Two have half as much again as twice the load.
const ANSWER_AFTER_MS = 400;
const WORKER = { HOOKFLEET_CONCURRENCY: '10' };
const LOAD_PER_SECOND = 12;

let fleet: WatchedFleet;
let receiver: Receiver;
let producer: FleetProcess;
let aggregator: FleetProcess;

beforeAll(async () => {
  fleet = await startWatchedFleet();
  receiver = await startReceiver(() => ({ status: 200, delayMs: ANSWER_AFTER_MS }));
  aggregator = await fleet.start('aggregator');
  producer = await fleet.start('producer');
}, 120_000);

afterAll(async () => {
  await fleet.stop();
  await receiver.close();
}, 60_000);

/** A steady stream of webhooks, until it is told to stop. */
function stream(campaignId: string, perSecond: () => number) {
  const stopping = new AbortController();
  let sent = 0;
  const ended = (async () => {
    const startedAt = performance.now();
    let due = 0;
    for (let tick = 1; !stopping.signal.aborted; tick += 1) {
      due += perSecond() / 10;
      const count = Math.floor(due) - sent;
      if (count > 0) {
        const webhooks = Array.from({ length: count }, (_, i) => ({
          campaignId,
          messageId: `m-${sent + i}`,
          destination: { url: receiver.url },
          payload: { number: sent + i },
        }));
        await enqueue(producer, webhooks);
        sent += count;
      }
      await sleep(Math.max(0, startedAt + tick * 100 - performance.now()));
    }
  })();
  // Told by stop().
  ended.catch(() => undefined);
  return {
    async stop(): Promise<number> {
      stopping.abort();
      await ended;
      return sent;
    },
  };
}

// A guard against hanging alone.
const SLOWLY = { timeoutMs: 180_000, intervalMs: 500 };

/**
 * Comes to that and stays there for so long. What a start or a stall asks for in between is not followed: as in the
 * autoscaler, which takes the least that was asked for within its window.
 */
async function settlesAt(look: () => Promise<number>, expected: number, forMs: number): Promise<void> {
  const giveUpAt = performance.now() + SLOWLY.timeoutMs;
  let since = performance.now();
  while (performance.now() - since < forMs) {
    const seen = await look();
    if (seen !== expected) {
      // Fails with what was seen last.
      if (performance.now() > giveUpAt) expect(seen).toBe(expected);
      since = performance.now();
    }
    await sleep(1_000);
  }
}

const inFlightOf = async ({ url }: FleetProcess) => {
  const families = parsePrometheus(await (await fetch(`${url}/metrics`)).text());
  return sampleValue(families, 'hookfleet_in_flight');
};

test('twice the load asks for more workers, which share it at once, and then for no more; none is lost', async () => {
  const first = await fleet.start('worker', WORKER);
  await fleet.scraped();
  let perSecond = LOAD_PER_SECOND;
  const load = stream('scaled', () => perSecond);
  try {
    // One worker is enough, and stays so.
    await settlesAt(() => desiredWorkers(fleet.prometheus, 1), 1, 6_000);

    perSecond *= 2;
    await eventually(
      async () => expect(await desiredWorkers(fleet.prometheus, 1)).toBeGreaterThan(1),
      SLOWLY,
    );
    // The autoscaler doubles at most.
    const second = await fleet.start('worker', WORKER);
    // As soon as it is up it does its share: of ten at most, more than half.
    await eventually(async () => expect(await inFlightOf(second)).toBeGreaterThan(5), SLOWLY);

    // What waited is drained, the backlog asks for none, and the work in hand keeps both: it has settled.
    await eventually(async () => {
      const [backlog] = await fleet.prometheus.query('max(hookfleet_backlog_seconds)');
      expect(backlog?.value).toBeLessThan(1);
    }, SLOWLY);
    await settlesAt(() => desiredWorkers(fleet.prometheus, 2), 2, 6_000);

    // One goes while it is busy, and another comes.
    await fleet.end(first);
    const third = await fleet.start('worker', WORKER);
    await eventually(async () => expect(await inFlightOf(third)).toBeGreaterThan(0), SLOWLY);
  } finally {
    await load.stop();
  }

  // Nothing is lost, and nothing is sent twice.
  const sent = await load.stop();
  await eventually(async () => {
    const { messages, events } = await totalsOf(aggregator, 'scaled');
    expect(messages).toMatchObject({ accepted: sent, delivered: sent, failed: 0, pending: 0 });
    expect(events['webhook.delivered']).toBe(sent);
  }, SLOWLY);
  expect(new Set(receiver.ledger.map(({ request }) => request.webhookId)).size).toBe(sent);
  expect(receiver.ledger.length).toBe(sent);
}, 900_000);

test('a worker at rest asks Redis for little, and takes little CPU', async () => {
  const atRest = await startWatchedFleet();
  const redis = new Redis(atRest.redisUrl);
  try {
    const read = async (workers: readonly FleetProcess[]) => ({
      atMs: performance.now(),
      commands: Number(/total_commands_processed:(\d+)/.exec(await redis.info('stats'))?.[1]),
      cpuSeconds: await Promise.all(
        workers.map(async ({ url }) =>
          sampleValue(
            parsePrometheus(await (await fetch(`${url}/metrics`)).text()),
            'process_cpu_seconds_total',
          ),
        ),
      ),
    });
    const perSecond = async (workers: readonly FleetProcess[]) => {
      const before = await read(workers);
      await sleep(MEASURED_MS);
      const after = await read(workers);
      const seconds = (after.atMs - before.atMs) / 1_000;
      const cpu = after.cpuSeconds.map((one, i) => (one - (before.cpuSeconds[i] as number)) / seconds);
      return { commands: (after.commands - before.commands) / seconds, cpu: Math.max(0, ...cpu) };
    };
    await atRest.start('aggregator');
    const without = await perSecond([]);
    const workers = await Promise.all(Array.from({ length: 3 }, () => atRest.start('worker')));
    // Through with what every start costs.
    await perSecond(workers);
    const withThree = await perSecond(workers);
    const commandsEach = (withThree.commands - without.commands) / workers.length;
    process.stdout.write(
      `at rest: aggregator ${without.commands.toFixed(1)} Redis commands a second; each worker ${commandsEach.toFixed(1)}, and ${(withThree.cpu * 100).toFixed(1)} % of a core\n`,
    );
    expect(commandsEach).toBeGreaterThan(0);
    expect(commandsEach).toBeLessThan(COMMANDS_AT_REST_MAX);
    expect(withThree.cpu).toBeLessThan(CPU_AT_REST_MAX);
  } finally {
    redis.disconnect();
    await atRest.stop();
  }
}, 120_000);
