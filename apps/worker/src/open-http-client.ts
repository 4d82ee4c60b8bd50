/** The HTTP client that HOOKFLEET_HTTP_CLIENT names, with its connections. The other one is never loaded. */
import net from 'node:net';
import tls from 'node:tls';
import type { Deliver } from './deliver.ts';
import type { EgressOptions } from './egress-route.ts';

export const HTTP_CLIENTS = ['got', 'undici'] as const;
export type HttpClientName = (typeof HTTP_CLIENTS)[number];

export interface HttpClient {
  readonly deliver: Deliver;
  /** Closes its connections, those in use too. */
  close(): void;
}

// Of DHE the destination chooses the group, and we compute with it: one of 10,000 bits would hold this process for 0.6 s. Who
// speaks no TLS 1.3 has ECDHE.
const CIPHERS = `${tls.DEFAULT_CIPHERS}:!kDHE`;

// Of a name's several addresses Node gives up all but the last after this, 250 ms when it isn't set: a far or busy
// destination takes longer, and longer than 1 s where a packet is lost. Four silent addresses fit into CONNECT_TIMEOUT_MS.
const ADDRESS_TIMEOUT_MS = 2_000;

export async function openHttpClient(name: HttpClientName, options: EgressOptions): Promise<HttpClient> {
  tls.DEFAULT_CIPHERS = CIPHERS;
  net.setDefaultAutoSelectFamilyAttemptTimeout(ADDRESS_TIMEOUT_MS);
  switch (name) {
    case 'got': {
      const [{ createGotAgents }, { createDeliverWithGot }] = await Promise.all([
        import('./got-agents.ts'),
        import('./deliver-with-got.ts'),
      ]);
      const agents = createGotAgents(options);
      return { deliver: createDeliverWithGot(agents), close: () => agents.destroy() };
    }
    case 'undici': {
      const { openDeliverWithUndici } = await import('./deliver-with-undici.ts');
      return openDeliverWithUndici(options);
    }
  }
}
