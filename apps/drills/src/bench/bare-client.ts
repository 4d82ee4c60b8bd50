/** A bare request of each HTTP client, over connections that are kept: nothing is signed, limited, guarded or recorded. */
import http from 'node:http';
import got from 'got';
import { Agent, request } from 'undici';

export type BareClient = 'got' | 'undici';

export function openBareClient(client: BareClient, url: string, connections: number) {
  const headers = { 'content-type': 'application/json' };
  if (client === 'got') {
    const agent = new http.Agent({ keepAlive: true, maxSockets: connections, maxFreeSockets: connections });
    const withGot = got.extend({ agent: { http: agent }, retry: { limit: 0 }, headers });
    return async (body: string): Promise<void> => void (await withGot.post(url, { body }));
  }
  const dispatcher = new Agent({ connections, pipelining: 1 });
  return async (body: string): Promise<void> => {
    const response = await request(url, { method: 'POST', headers, body, dispatcher });
    await response.body.dump();
  };
}
