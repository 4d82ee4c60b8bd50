/** The ceiling of a worker: its HTTP client in a bare loop, so many requests in flight over connections that are kept. */
import { type BareClient, openBareClient } from './bare-client.ts';
import { drillChild } from '../drill-child.ts';

export interface BareClientSettings {
  readonly client: BareClient;
  readonly url: string;
  readonly body: string;
  readonly inFlight: number;
}

export interface BareClientRun {
  readonly perSecond: number;
  readonly cpuMicros: number;
}

const { client, url, body, inFlight } = drillChild<BareClientSettings>();
const post = openBareClient(client, url, inFlight);

process.on('message', async (requests: number) => {
  let left = requests;
  const cpuBefore = process.cpuUsage();
  const startedAt = performance.now();
  const loop = async () => {
    while (left > 0) {
      left -= 1;
      await post(body);
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
