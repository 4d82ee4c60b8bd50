/**
 * What a process of each application costs to start, and holds when it has started and does nothing: what an autoscaler
 * waits and pays for. The first start fills the compile cache; it is not measured.
 */
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Application, buildApplication } from '@hookfleet/build';
import { startProcess, startTestRedis } from '@hookfleet/testkit';

export interface StartFigures {
  /** From its start to its "started" line. */
  readonly cpuMs: number;
  readonly wallMs: number;
  /** Two seconds later. */
  readonly residentMb: number;
}

const REST_MS = 2_000;
// The unit of /proc/<pid>/stat: USER_HZ, which Linux fixes at 100 for user space.
const MS_PER_TICK = 10;

export async function measureStart(application: Application): Promise<StartFigures> {
  const redis = await startTestRedis();
  try {
    await start(application, redis.url);
    return await start(application, redis.url);
  } finally {
    await redis.stop();
  }
}

async function start(application: Application, redisUrl: string): Promise<StartFigures> {
  const entry = await buildApplication(application);
  const startedAt = performance.now();
  const started = startProcess(entry, { REDIS_URL: redisUrl, PORT: '0' });
  try {
    await started.waitForLog(({ msg }) => msg === `${application}.started`);
    const wallMs = performance.now() - startedAt;
    const cpuMs = await cpuOf(started.pid);
    await sleep(REST_MS);
    return { cpuMs, wallMs, residentMb: await residentOf(started.pid) };
  } finally {
    await started.stop();
  }
}

async function cpuOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  // proc(5): utime and stime are the fields 14 and 15; the second one, a name in brackets, may hold blanks.
  const [user, system] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13);
  return (Number(user) + Number(system)) * MS_PER_TICK;
}

async function residentOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return (Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024) / 1e6;
}
