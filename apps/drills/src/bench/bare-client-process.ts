/** The ceiling of a worker: its HTTP client in a bare loop, so many requests in flight over connections that are kept. */
import http from 'node:http';
import got from 'got';
import { Agent, request } from 'undici';
import { benchChild } from './child.ts';

export interface BareClientSettings {
  readonly client: 'got' | 'undici';
  readonly url: string;
  readonly body: string;
  readonly inFlight: number;
}

export interface BareClientRun {
  readonly perSecond: number;
  readonly cpuMicros: number;
}

const { client, url, body, inFlight } = benchChild<BareClientSettings>();
const headers = { 'content-type': 'application/json' };
const agent = new http.Agent({ keepAlive: true, maxSockets: inFlight, maxFreeSockets: inFlight });
const dispatcher = new Agent({ connections: inFlight, pipelining: 1 });
const withGot = got.extend({ agent: { http: agent }, retry: { limit: 0 }, headers });

async function once(): Promise<void> {
  if (client === 'got') {
    await withGot.post(url, { body });
    return;
  }
  const response = await request(url, { method: 'POST', headers, body, dispatcher });
  await response.body.dump();
}

process.on('message', async (requests: number) => {
  let left = requests;
  const cpuBefore = process.cpuUsage();
  const startedAt = performance.now();
  const loop = async () => {
    while (left > 0) {
      left -= 1;
      await once();
    }
  };
  await Promise.all(Array.from({ length: inFlight }, loop));
  const seconds = (performance.now() - startedAt) / 1_000;
  const { user, system } = process.cpuUsage(cpuBefore);
  process.send?.({
    perSecond: requests / seconds,
    cpuMicros: (user + system) / requests,
  } satisfies BareClientRun);
});
process.send?.('ready');
