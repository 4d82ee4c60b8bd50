/**
 * What a process holds, looked at from outside: its heap after a collection, and what its event loop waits for, by its inspector; and the files and sockets that the kernel counts. Nothing of ours runs in it.
 */
import { readdir, readlink } from 'node:fs/promises';

export interface ProcessSample {
  /** Live after a full collection. */
  readonly heapBytes: number;
  /** Buffers and the like: outside the heap, and held by it. */
  readonly externalBytes: number;
  readonly residentBytes: number;
  /** Timers, sockets, requests, whatever keeps the event loop: process.getActiveResourcesInfo(). */
  readonly handles: number;
  /** Of the kernel: file descriptors that are sockets. */
  readonly sockets: number;
  /** The other file descriptors. */
  readonly files: number;
}

export interface WatchedProcess {
  sample(): Promise<ProcessSample>;
  close(): void;
}

/** For NODE_OPTIONS of a process that is to be watched. Listens on loopback. */
export const WATCHABLE = '--inspect=127.0.0.1:0 --expose-gc';

// One collection: the inspector's own command makes several, which takes from the load what is measured.
const LOOK = `(() => {
  gc();
  const { heapUsed, external, rss } = process.memoryUsage();
  return { heapBytes: heapUsed, externalBytes: external, residentBytes: rss, handles: process.getActiveResourcesInfo().length };
})()`;

// Each collection makes code older, and what is old is thrown away and compiled again when it is called: megabytes that come
// and go with no bearing on what the process keeps. Where we collect every second, all code would soon be old.
const KEEP_CODE = `process.getBuiltinModule('node:v8').setFlagsFromString('--no-flush-bytecode')`;

/** `lines`: what the process has printed, the inspector's address among it. */
export async function watchProcess(pid: number, lines: readonly string[]): Promise<WatchedProcess> {
  const address = lines.map((line) => /^Debugger listening on (ws:\S+)$/.exec(line)?.[1]).find(Boolean);
  if (address === undefined) throw new Error(`process ${pid} has no inspector`);
  const inspector = await openInspector(address);
  await inspector.ask('Runtime.evaluate', { expression: KEEP_CODE });
  return {
    async sample() {
      const { result } = (await inspector.ask('Runtime.evaluate', {
        expression: LOOK,
        returnByValue: true,
      })) as { result: { value: Omit<ProcessSample, 'sockets' | 'files'> } };
      return { ...result.value, ...(await descriptorsOf(pid)) };
    },
    close: inspector.close,
  };
}

interface Inspector {
  ask(method: string, params?: object): Promise<unknown>;
  close(): void;
}

async function openInspector(address: string): Promise<Inspector> {
  const socket = new WebSocket(address);
  const asked = new Map<number, PromiseWithResolvers<unknown>>();
  const opened = Promise.withResolvers<void>();
  let asks = 0;
  socket.addEventListener('open', () => opened.resolve());
  socket.addEventListener('message', ({ data }) => {
    const { id, result, error } = JSON.parse(String(data)) as Reply;
    const waiting = asked.get(id);
    asked.delete(id);
    if (error === undefined) waiting?.resolve(result);
    else waiting?.reject(new Error(`inspector: ${error.message}`));
  });
  socket.addEventListener('close', () => {
    const gone = new Error(`the process behind ${address} is gone`);
    opened.reject(gone);
    for (const waiting of asked.values()) waiting.reject(gone);
  });
  await opened.promise;
  return {
    ask(method, params = {}) {
      const answer = Promise.withResolvers<unknown>();
      asks += 1;
      asked.set(asks, answer);
      socket.send(JSON.stringify({ id: asks, method, params }));
      return answer.promise;
    },
    close: () => socket.close(),
  };
}

interface Reply {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: { readonly message: string };
}

/** Linux alone tells. */
async function descriptorsOf(pid: number): Promise<{ sockets: number; files: number }> {
  const directory = `/proc/${pid}/fd`;
  const targets = await Promise.all(
    (await readdir(directory)).map((name) => readlink(`${directory}/${name}`).catch(() => undefined)),
  );
  const open = targets.filter((target) => target !== undefined);
  const sockets = open.filter((target) => target.startsWith('socket:')).length;
  return { sockets, files: open.length - sockets };
}
