/**
 * The destinations of one run of a story, in the driver's own process: they answer by their scripts and record each
 * request. One address for each script and channel, so that what fails at one opens no circuit of another.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Lag, Received } from './history.ts';
import { SCRIPTS, type Script } from './story.ts';

export interface Recorder {
  urlOf(script: Script, channel?: number): string;
  /** From now on every destination answers 200. */
  heal(): void;
  /** In the order in which they ended. */
  readonly received: readonly Received[];
  readonly lags: readonly Lag[];
  /** The story is over: its lags are known. */
  stopTicking(): void;
  close(): Promise<void>;
}

const DELAYS_MS: Readonly<Record<Script, number>> = {
  ok: 0,
  slow: 120,
  slower: 300,
  flaky: 0,
  reject: 0,
  down: 0,
};
const TICK_MS = 5;
const LAG_MIN_MS = 5;
// Longer than any client keeps a connection: none is closed here at the moment of its reuse.
const KEEP_ALIVE_MS = 600_000;

/** Milliseconds since 1970, with fractions, on a clock that does not jump. */
export function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

/** `prefix`: of the run's ids, and of its paths. What comes from another run is refused and not recorded. */
export async function startRecorder(prefix: string): Promise<Recorder> {
  const received: Received[] = [];
  const lags: Lag[] = [];
  const seen = new Map<string, number>();
  const inFlight = new Map<string, number>();
  let isHealed = false;

  function statusOf(script: Script, nth: number): number {
    if (isHealed) return 200;
    if (script === 'reject') return 422;
    return script === 'down' || (script === 'flaky' && nth === 1) ? 503 : 200;
  }

  function serve(script: Script, incoming: IncomingMessage, response: ServerResponse): void {
    const atMs = nowMs();
    const path = incoming.url?.split('?')[0] ?? '';
    if (!path.startsWith(`/${prefix}/`)) return void response.writeHead(422).end();
    const key = `${script} ${path}`;
    const now = (inFlight.get(key) ?? 0) + 1;
    inFlight.set(key, now);
    const requestId = String(incoming.headers['webhook-id'] ?? '');
    const nth = (seen.get(requestId) ?? 0) + 1;
    seen.set(requestId, nth);
    const chunks: Buffer[] = [];
    let isOver = false;

    function end(status: number | undefined): void {
      if (isOver) return;
      isOver = true;
      inFlight.set(key, (inFlight.get(key) ?? 1) - 1);
      const channel = /\/channel\/(\d+)$/.exec(path)?.[1];
      received.push({
        requestId,
        webhookIds: membersOf(Buffer.concat(chunks)) ?? [requestId],
        ...(channel !== undefined && { channel: Number(channel) }),
        atMs,
        endedAtMs: nowMs(),
        status,
        inFlight: now,
      });
    }

    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('error', () => end(undefined));
    response.on('close', () => end(undefined));
    incoming.on('end', () => {
      const answer = () => {
        if (isOver) return;
        const status = statusOf(script, nth);
        end(status);
        response.writeHead(status).end();
      };
      if (DELAYS_MS[script] === 0) answer();
      else setTimeout(answer, DELAYS_MS[script]);
    });
  }

  const servers = new Map<string, Server>();
  // A channel's destination and an inline one of the same script differ by their port, as their lanes differ.
  for (const script of SCRIPTS)
    for (const kind of ['inline', 'channel'])
      servers.set(
        `${kind} ${script}`,
        createServer({ keepAliveTimeout: KEEP_ALIVE_MS, requestTimeout: 0 }, (incoming, response) =>
          serve(script, incoming, response),
        ),
      );
  await Promise.all([...servers.values()].map((server) => once(server.listen(0, '127.0.0.1'), 'listening')));

  let expectedMs = nowMs() + TICK_MS;
  const ticker = setInterval(() => {
    const atMs = nowMs();
    const lagMs = atMs - expectedMs;
    if (lagMs > LAG_MIN_MS) lags.push({ atMs, lagMs });
    expectedMs = atMs + TICK_MS;
  }, TICK_MS);

  return {
    urlOf(script, channel) {
      const server = servers.get(`${channel === undefined ? 'inline' : 'channel'} ${script}`) as Server;
      const { port } = server.address() as AddressInfo;
      return `http://127.0.0.1:${port}/${prefix}/${channel === undefined ? 'inline' : `channel/${channel}`}`;
    },
    heal() {
      isHealed = true;
    },
    received,
    lags,
    stopTicking: () => clearInterval(ticker),
    async close() {
      clearInterval(ticker);
      await Promise.all(
        [...servers.values()].map((server) => {
          server.closeAllConnections();
          return once(server.close(), 'close');
        }),
      );
    },
  };
}

/** The ids of a batch's members; undefined for what is no batch. */
function membersOf(body: Buffer): string[] | undefined {
  if (!body.includes('"batchId"')) return undefined;
  const { messages } = JSON.parse(body.toString()) as { messages?: readonly { readonly id: string }[] };
  return messages?.map(({ id }) => id);
}
