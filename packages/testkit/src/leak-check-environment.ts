/**
 * The environment of every test file. A file that leaves something open fails: a socket, a server, a timer or a child
 * process disturbs the files that run after it in the same Jest worker, and keeps that worker from ending.
 * It compares what keeps the event loop alive before the first test with what does so after the last one.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';

// Its types describe the CommonJS form alone.
const { TestEnvironment } = createRequire(import.meta.url)(
  'jest-environment-node',
) as typeof import('jest-environment-node');

/** What ends by itself gets this long to do so: a socket that was told to close, BullMQ's delay of 5 s after an error. */
const CLOSING_MS = 15_000;
const POLL_MS = 10;

/** Ends by itself: a write in progress, or the next turn of the event loop. */
const SHORT_LIVED = new Set(['Immediate', 'CloseReq', 'WriteWrap', 'ShutdownWrap']);

type Counts = ReadonlyMap<string, number>;

// biome-ignore lint/style/noDefaultExport: Jest takes an environment from there.
export default class LeakCheckEnvironment extends TestEnvironment {
  #before: Counts = new Map();
  #handlesBefore: ReadonlySet<unknown> = new Set();

  override async setup(): Promise<void> {
    await super.setup();
    // Node.js opens these on first use, and never closes them.
    void [process.stdin, process.stdout, process.stderr];
    this.#before = countResources();
    this.#handlesBefore = new Set(activeHandles());
  }

  async handleTestEvent(event: { name: string }, state: { unhandledErrors: unknown[] }): Promise<void> {
    if (event.name !== 'run_finish') return;
    const leaked = await this.#leaked();
    if (leaked.length === 0) return;
    const names = activeHandles()
      .filter((handle) => !this.#handlesBefore.has(handle))
      .map(describeHandle);
    const message = `This test file left open: ${[...leaked, ...names].join(', ')}. Close it in the test or in an after hook.`;
    // Reported beside the failures of tests, not instead of them. The stack would show this file alone.
    state.unhandledErrors.push(Object.assign(new Error(message), { stack: message }));
  }

  async #leaked(): Promise<string[]> {
    const deadline = performance.now() + CLOSING_MS;
    for (;;) {
      const leaked = [...countResources()]
        .map(([kind, count]) => ({ kind, more: count - (this.#before.get(kind) ?? 0) }))
        .filter(({ more }) => more > 0)
        .map(({ kind, more }) => `${more} ${kind}`);
      if (leaked.length === 0 || performance.now() > deadline) return leaked;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }
}

function countResources(): Counts {
  const counts = new Map<string, number>();
  const active = process.getActiveResourcesInfo().filter((kind) => !SHORT_LIVED.has(kind));
  for (const kind of [...active, ...childProcesses()]) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return counts;
}

/** Also those that were unref'ed: a Redis server that nobody stopped. */
function childProcesses(): string[] {
  try {
    const children = readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8');
    return children.split(' ').filter(Boolean).map(describeProcess);
  } catch {
    // No Linux: those that keep the event loop alive are counted all the same.
    return [];
  }
}

function describeProcess(pid: string): string {
  const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
  return `process ${pid} (${command.slice(0, 200) || 'ended'})`;
}

interface Handle {
  readonly pid?: number;
  readonly spawnargs?: readonly string[];
  readonly remoteAddress?: string;
  readonly remotePort?: number;
  readonly localPort?: number;
  address?(): AddressInfo | string | null;
}

function activeHandles(): Handle[] {
  return (process as unknown as { _getActiveHandles(): Handle[] })._getActiveHandles();
}

function describeHandle(handle: Handle): string {
  const { pid, spawnargs, remoteAddress, remotePort, localPort } = handle;
  const kind = handle.constructor.name;
  if (pid !== undefined) return `${kind} ${pid} (${spawnargs?.join(' ')})`;
  if (remoteAddress !== undefined) return `${kind} from port ${localPort} to ${remoteAddress}:${remotePort}`;
  return `${kind} ${JSON.stringify(handle.address?.() ?? {})}`;
}
