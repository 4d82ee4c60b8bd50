/**
 * How long a process's event loop was held: the most CPU time that its thread spent between two turns. Not the time that
 * passed: on a busy machine that is others'.
 */
import type { StartedProcess } from './start-process.ts';

/** For the NODE_OPTIONS of the process. SIGUSR2 asks for it, and begins anew. */
export const LOOP_METER = `--import data:text/javascript,${encodeURIComponent(`
  let most = 0;
  let before = process.threadCpuUsage();
  setInterval(() => {
    const now = process.threadCpuUsage();
    most = Math.max(most, now.user + now.system - before.user - before.system);
    before = now;
  }, 1).unref();
  let asked = 0;
  process.on('SIGUSR2', () => {
    console.log(JSON.stringify({ msg: 'loop', asked: asked++, ms: Math.round(most / 100) / 10 }));
    most = 0;
  });`)}`;

/** What it makes resolves to milliseconds, since it was last asked. */
export function createLoopHeld(metered: StartedProcess): () => Promise<number> {
  let asked = 0;
  return async () => {
    const wanted = asked;
    asked += 1;
    metered.signal('SIGUSR2');
    const { ms } = await metered.waitForLog(({ msg, asked: at }) => msg === 'loop' && at === wanted);
    return Number(ms);
  };
}
