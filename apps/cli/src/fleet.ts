/**
 * The whole fleet on one machine: Redis where none is given, a producer, workers, an aggregator, each a process of
 * its own. Started in the order in which they need each other, stopped in the reverse one.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { startRedis } from '@hookfleet/embedded-redis';
import { checkRedis, connectRedis, disconnectRedis } from '@hookfleet/queue';
import { type Child, choosePort, type ChosenPort, startChild } from './start-child.ts';

export interface FleetOptions {
  /** For Redis' data and the logs. */
  readonly directory: string;
  readonly workers: number;
  /** What the processes see; REDIS_URL in it is used where it is set. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly onStarted: (what: string, where: string) => void;
}

export interface Fleet {
  readonly redisUrl: string;
  readonly producerUrl: string;
  readonly aggregatorUrl: string;
  /** What other commands need to find it, as NAME=value: none if it listens where they look. */
  readonly variables: readonly string[];
  readonly logDirectory: string;
  /** Resolves when one of the processes ends by itself: the fleet is then no longer whole. */
  readonly broken: Promise<string>;
  stop(): Promise<void>;
}

const PRODUCER_PORT = 8080;
const AGGREGATOR_PORT = 8081;
const FIRST_WORKER_PORT = 8082;
// HOOKFLEET_SHUTDOWN_TIMEOUT and a little: the processes drain when the command that started them is gone.
const DRAINED_AFTER_MS = 45_000;

export async function startFleet({
  directory,
  workers,
  environment,
  onStarted,
}: FleetOptions): Promise<Fleet> {
  const logDirectory = join(directory, 'logs');
  await mkdir(logDirectory, { recursive: true });
  const closers: (() => Promise<unknown>)[] = [];
  const children: Child[] = [];
  // One that is given is none of ours: the processes wait until it is back.
  let redisEnded: Promise<string> = new Promise(() => undefined);
  let isRedisGone = false;

  async function stop(): Promise<void> {
    for (const close of closers.splice(0).toReversed()) await close();
  }

  try {
    const redisUrl = await openRedis();
    const shared = { ...environment, REDIS_URL: redisUrl };
    const start = async (application: Child['application'], { port, inUse }: ChosenPort, name: string) => {
      const child = await startChild({
        application,
        port,
        environment: shared,
        logFile: join(logDirectory, `${name}.log`),
      });
      children.push(child);
      onStarted(name, inUse === undefined ? child.url : `${child.url} (port ${inUse} is in use)`);
      return child;
    };
    // What delivers and what counts start at the same time. Both are up before the producer accepts anything.
    const aggregatorPort = await choosePort(AGGREGATOR_PORT);
    const workerPorts: ChosenPort[] = [];
    for (let i = 0; i < workers; i += 1) workerPorts.push(await choosePort(FIRST_WORKER_PORT + i));
    const stopAll = (application: Child['application']) =>
      Promise.all(
        children.filter((one) => one.application === application).map((one) => one.stop(isRedisGone)),
      );
    // Workers stop before the aggregator, which counts what they record at their end.
    closers.push(
      () => stopAll('aggregator'),
      () => stopAll('worker'),
    );
    const aggregatorStart = start('aggregator', aggregatorPort, 'aggregator');
    const starts = [
      aggregatorStart,
      ...workerPorts.map((port, i) => start('worker', port, `worker-${i + 1}`)),
    ];
    // If one fails, the others are stopped once they have started.
    await Promise.allSettled(starts);
    await Promise.all(starts);
    const aggregator = await aggregatorStart;
    const producerPort = await choosePort(PRODUCER_PORT);
    const producer = await start('producer', producerPort, 'producer');
    closers.push(() => producer.stop(isRedisGone));
    return {
      redisUrl,
      producerUrl: producer.url,
      aggregatorUrl: aggregator.url,
      variables: variablesFor([
        ['HOOKFLEET_PRODUCER_URL', producer.url, producerPort],
        ['HOOKFLEET_AGGREGATOR_URL', aggregator.url, aggregatorPort],
      ]),
      logDirectory,
      broken: Promise.race([redisEnded, ...children.map(({ ended }) => ended)]),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }

  async function openRedis(): Promise<string> {
    const given = environment['REDIS_URL'];
    if (given !== undefined && given !== '') {
      await checkGiven(given);
      onStarted('redis', 'as given by REDIS_URL');
      return given;
    }
    const redis = await startRedis({ directory: join(directory, 'redis'), outlivesUsBy: DRAINED_AFTER_MS });
    closers.push(() => redis.stop());
    redisEnded = redis.ended;
    void redis.ended.then(() => {
      isRedisGone = true;
    });
    onStarted('redis', redis.url);
    return redis.url;
  }
}

function variablesFor(
  applications: readonly [variable: string, url: string, chosen: ChosenPort][],
): string[] {
  return applications
    .filter(([, , { inUse }]) => inUse !== undefined)
    .map(([variable, url]) => `${variable}=${url}`);
}

/** Told once, here, instead of by each process. */
async function checkGiven(url: string): Promise<void> {
  const connection = connectRedis({
    url,
    name: 'hookfleet-cli',
    temper: 'failFast',
    onError: () => undefined,
  });
  try {
    await checkRedis(connection);
  } catch (error) {
    throw new Error(`REDIS_URL: ${(error as Error).message}`);
  } finally {
    disconnectRedis(connection);
  }
}
