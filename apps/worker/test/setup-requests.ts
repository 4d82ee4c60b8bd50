/** What a worker sends with, without its queue: real requests to real receivers, as main.ts puts it together. */
import type { BundledWebhook, Destination } from '@hookfleet/contract';
import type { Deliver } from '../src/deliver.ts';
import { createEgressGuard } from '../src/egress-guard.ts';
import type { EgressOptions } from '../src/egress-route.ts';
import { createOAuthTokens } from '../src/oauth-tokens.ts';
import { HTTP_CLIENTS, type HttpClientName, openHttpClient } from '../src/open-http-client.ts';
import type { ProxySettings } from '../src/proxy-settings.ts';
import { createRequestWebhook, type RequestedWebhook } from '../src/request-webhook.ts';

/** What a client may do differently is held against both: describe.each(CLIENTS). */
export const CLIENTS = HTTP_CLIENTS;

export interface Requests {
  readonly deliver: Deliver;
  send(
    destination: Destination,
    webhook?: Pick<BundledWebhook, 'body' | 'contentType'>,
  ): Promise<RequestedWebhook>;
  close(): void;
}

export async function setupRequests({
  client = 'got',
  allow = ['127.0.0.0/8'],
  proxies = {},
  // So long that a test hangs if an attempt does not end by what the test gives it.
  attemptTimeoutMs = 600_000,
  now = Date.now,
  connectionsMax = 50,
  connectionAgeMaxMs,
  resolve,
}: {
  client?: HttpClientName;
  allow?: readonly string[];
  proxies?: Partial<ProxySettings>;
  attemptTimeoutMs?: number;
  now?: () => number;
  connectionsMax?: number;
  connectionAgeMaxMs?: number;
  resolve?: EgressOptions['resolve'];
} = {}): Promise<Requests> {
  const { deliver, close } = await openHttpClient(client, {
    guard: createEgressGuard(allow),
    connectionsPerDestinationMax: connectionsMax,
    connectionAgeMaxMs,
    proxies: { httpsProxy: undefined, httpProxy: undefined, noProxy: [], ...proxies },
    resolve,
  });
  const request = createRequestWebhook({
    deliver,
    tokens: createOAuthTokens(deliver, now),
    attemptTimeoutMs,
    now,
  });
  return {
    deliver,
    send: (destination, webhook = { body: '{}' }) => request('wh_test', webhook, destination),
    close,
  };
}

/** The status that came back, or why none did. */
export function cameBack({ answer }: RequestedWebhook): number | string {
  return answer.kind === 'response' ? answer.statusCode : answer.failure;
}
