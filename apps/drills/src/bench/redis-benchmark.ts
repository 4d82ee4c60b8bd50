/** Redis by itself, as its own benchmark sees it: writes of a webhook's size, one at a time and sixteen in a pipeline. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { startTestRedis } from '@hookfleet/testkit';
import { PAYLOAD_BYTES } from './samples.ts';

export interface RedisBenchmark {
  readonly oneAtATime: number;
  readonly pipelined: number;
}

/** Writes a second. Undefined where redis-benchmark is not installed (Debian: redis-tools). */
export async function runRedisBenchmark(writes: number): Promise<RedisBenchmark | undefined> {
  const run = promisify(execFile);
  const isInstalled = await run('redis-benchmark', ['--version']).then(
    () => true,
    () => false,
  );
  if (!isInstalled) return undefined;
  const redis = await startTestRedis();
  const lpush = async (pipeline: number) => {
    const settings = [
      '-t',
      'lpush',
      '-d',
      String(PAYLOAD_BYTES),
      '-n',
      String(writes),
      '-P',
      String(pipeline),
    ];
    const { stdout } = await run('redis-benchmark', ['-p', String(redis.port), '--csv', ...settings]);
    const perSecond = /^"LPUSH[^"]*","([\d.]+)"/m.exec(stdout)?.[1];
    if (perSecond === undefined) throw new Error(`redis-benchmark printed: ${stdout}`);
    return Number(perSecond);
  };
  try {
    return { oneAtATime: await lpush(1), pipelined: await lpush(16) };
  } finally {
    await redis.stop();
  }
}
