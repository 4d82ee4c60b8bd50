/** The HTTP client that HOOKFLEET_HTTP_CLIENT names, with its connections. */
import type { Deliver } from './deliver.ts';
import { createDeliverWithGot } from './deliver-with-got.ts';
import { openDeliverWithUndici } from './deliver-with-undici.ts';
import type { EgressOptions } from './egress-route.ts';
import { createGotAgents } from './got-agents.ts';

export const HTTP_CLIENTS = ['got', 'undici'] as const;
export type HttpClientName = (typeof HTTP_CLIENTS)[number];

export interface HttpClient {
  readonly deliver: Deliver;
  /** Closes its connections, those in use too. */
  close(): void;
}

export function openHttpClient(name: HttpClientName, options: EgressOptions): HttpClient {
  switch (name) {
    case 'got': {
      const agents = createGotAgents(options);
      return { deliver: createDeliverWithGot(agents), close: () => agents.destroy() };
    }
    case 'undici':
      return openDeliverWithUndici(options);
  }
}
