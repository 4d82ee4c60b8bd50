/** The destination: answers of all kinds, and the ledger that everything else is held against. */
import {
  type ProxiedConnection,
  type ReceivedRequest,
  startReceiver,
  startTcpProxy,
} from '@hookfleet/testkit';
import type { LedgerRequest } from './reckon.ts';

export interface Destination {
  readonly url: string;
  /** The network on the way to it. */
  readonly network: Awaited<ReturnType<typeof startTcpProxy>>;
  requests(): number;
  /** `ownerOf`: the process that has connected from a port at a time. */
  ledger(ownerOf: (port: number, atMs: number) => number | undefined): LedgerRequest[];
  close(): Promise<void>;
}

interface Payload {
  readonly number?: number;
  readonly messages?: readonly { readonly id: string; readonly payload: { readonly number: number } }[];
}

const ANSWER_AFTER_MS = 10;

export async function startDestination(): Promise<Destination> {
  const arrivals = new Map<ReceivedRequest, { connection: ProxiedConnection | undefined; atMs: number }>();
  const receiver = await startReceiver((request) => {
    arrivals.set(request, {
      connection: network.connectionFrom(request.remotePort),
      atMs: Date.now(),
    });
    return answerTo(request);
  });
  const network = await startTcpProxy({ port: Number(new URL(receiver.url).port) });
  return {
    url: `http://127.0.0.1:${network.port}`,
    network,
    requests: () => receiver.ledger.length,
    ledger(ownerOf) {
      const lastOf = new Map<ProxiedConnection | undefined, ReceivedRequest>();
      for (const { request } of receiver.ledger) lastOf.set(arrivals.get(request)?.connection, request);
      return receiver.ledger.map(({ request, did }) => {
        const { connection, atMs = 0 } = arrivals.get(request) ?? {};
        return {
          id: request.webhookId ?? '',
          atMs,
          pid: connection && ownerOf(connection.clientPort, connection.openedAtMs),
          answered: typeof did === 'number' ? did : undefined,
          isLast: lastOf.get(connection) === request,
          isDisturbed: connection?.isDisturbed ?? false,
          webhooks: webhooksIn(request),
        };
      });
    },
    async close() {
      await network.close();
      await receiver.close();
    },
  };
}

function webhooksIn({ webhookId = '', body }: ReceivedRequest): { id: string; number: number }[] {
  const { number = -1, messages } = JSON.parse(body.toString()) as Payload;
  return messages?.map(({ id, payload }) => ({ id, number: payload.number })) ?? [{ id: webhookId, number }];
}

/**
 * The same webhook gets the same answers, whichever run it is. Each third batch's first try fails, so that batches are
 * retried: if all did, the channel's circuit would be open for good, and rightly.
 */
function answerTo({ body, nth }: ReceivedRequest) {
  const { number, messages } = JSON.parse(body.toString()) as Payload;
  const ok = { status: 200, delayMs: ANSWER_AFTER_MS };
  if (number === undefined) {
    const [first] = messages ?? [];
    return nth === 1 && Math.floor((first?.payload.number ?? 0) / 4) % 3 === 0 ? { ...ok, status: 503 } : ok;
  }
  if (number % 50 === 6) return { ...ok, status: 404 };
  if (number % 10 === 2 && nth === 1) return { ...ok, status: 503 };
  if (number % 40 === 8 && nth === 1) return 'reset' as const;
  if (number % 500 === 12 && nth === 1) return 'hang' as const;
  return ok;
}
