/** The HTTP client that HOOKFLEET_HTTP_CLIENT names, with its connections. The other one is never loaded. */
import type { Deliver } from './deliver.ts';
import type { EgressOptions } from './egress-route.ts';

export const HTTP_CLIENTS = ['got', 'undici'] as const;
export type HttpClientName = (typeof HTTP_CLIENTS)[number];

export interface HttpClient {
  readonly deliver: Deliver;
  /** Closes its connections, those in use too. */
  close(): void;
}

export async function openHttpClient(name: HttpClientName, options: EgressOptions): Promise<HttpClient> {
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
