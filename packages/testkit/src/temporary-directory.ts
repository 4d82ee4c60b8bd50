/**
 * A directory that goes with the process that made it, however that ends: also where it is killed, or exits in the middle.
 * A shell waits for that end; it is the one that removes. A Redis that has its data there is ended first.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface TemporaryDirectory {
  readonly path: string;
  remove(): Promise<void>;
}

// $0 is the directory. What it reads ends with the process at the other end of the pipe.
const REMOVE_AT_THE_END =
  'read -r _; test ! -f "$0/redis.pid" || kill -KILL "$(cat "$0/redis.pid")"; rm -rf "$0" || rm -rf "$0"';

/** `purpose`: a word of its name, for whoever looks what is there. */
export async function makeTemporaryDirectory(purpose: string): Promise<TemporaryDirectory> {
  const path = await mkdtemp(join(tmpdir(), `hookfleet-${purpose}-`));
  // In a group of its own: Ctrl-C is not for it.
  const remover = spawn('sh', ['-c', REMOVE_AT_THE_END, path], {
    detached: true,
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  await once(remover, 'spawn');
  // Neither keeps us running.
  remover.unref();
  (remover.stdin as Socket).unref();
  return {
    path,
    async remove() {
      const removed = once(remover, 'exit');
      remover.ref();
      remover.stdin.end();
      const [code] = await removed;
      if (code !== 0) throw new Error(`${path} could not be removed`);
    },
  };
}
