/** What a worker sends with, without its queue: real requests to real receivers, as main.ts puts it together. */
import type { BundledWebhook, Destination } from '@hookfleet/contract';
import { createDeliver, type Deliver } from '../src/deliver.ts';
import { createEgressAgents } from '../src/egress-agents.ts';
import { createEgressGuard } from '../src/egress-guard.ts';
import { createOAuthTokens } from '../src/oauth-tokens.ts';
import type { ProxySettings } from '../src/proxy-settings.ts';
import { createRequestWebhook, type RequestedWebhook } from '../src/request-webhook.ts';

export interface Requests {
  readonly deliver: Deliver;
  send(
    destination: Destination,
    webhook?: Pick<BundledWebhook, 'body' | 'contentType'>,
  ): Promise<RequestedWebhook>;
  close(): void;
}

export function setupRequests({
  allow = ['127.0.0.0/8'],
  proxies = {},
  attemptTimeoutMs = 2_000,
  now = Date.now,
}: {
  allow?: readonly string[];
  proxies?: Partial<ProxySettings>;
  attemptTimeoutMs?: number;
  now?: () => number;
} = {}): Requests {
  const agents = createEgressAgents({
    guard: createEgressGuard(allow),
    connectionsPerDestinationMax: 50,
    proxies: { httpsProxy: undefined, httpProxy: undefined, noProxy: [], ...proxies },
  });
  const deliver = createDeliver(agents);
  const request = createRequestWebhook({
    deliver,
    tokens: createOAuthTokens(deliver, now),
    attemptTimeoutMs,
    now,
  });
  return {
    deliver,
    send: (destination, webhook = { body: '{}' }) => request('wh_test', webhook, destination),
    close: () => agents.destroy(),
  };
}

/** The status that came back, or why none did. */
export function cameBack({ answer }: RequestedWebhook): number | string {
  return answer.kind === 'response' ? answer.statusCode : answer.failure;
}
