/**
 * A fleet over Redis in TLS, whose certificates an authority of one's own has issued: each node of a cluster is checked
 * against the name or address under which it is connected. Takes about 40 s.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { freePort } from '@hookfleet/embedded-redis';
import {
  type Authority,
  createAuthority,
  eventually,
  type Identity,
  makeTemporaryDirectory,
  type Receiver,
  type StartedProcess,
  startProcess,
  startReceiver,
  startTestCluster,
  startTestRedis,
} from '@hookfleet/testkit';

const main = (app: string) => fileURLToPath(new URL(`../../${app}/src/main.ts`, import.meta.url));

let authority: Authority;
let directory: Awaited<ReturnType<typeof makeTemporaryDirectory>>;
let receiver: Receiver;

beforeAll(async () => {
  [authority, directory, receiver] = await Promise.all([
    createAuthority('Authority of the test'),
    makeTemporaryDirectory('redis-tls'),
    startReceiver(),
  ]);
  await writeFile(join(directory.path, 'ca.pem'), authority.certificate);
});

afterAll(async () => {
  await receiver.close();
  await directory.remove();
});

async function tlsArguments(port: number, { certificate, key }: Identity): Promise<string[]> {
  const [certFile, keyFile] = ['crt', 'key'].map((ending) => join(directory.path, `${port}.${ending}`));
  await writeFile(String(certFile), certificate);
  await writeFile(String(keyFile), key);
  return Object.entries({
    'tls-port': port,
    'tls-cert-file': certFile,
    'tls-key-file': keyFile,
    'tls-ca-cert-file': join(directory.path, 'ca.pem'),
    'tls-auth-clients': 'no',
  }).flatMap(([name, value]) => [`--${name}`, String(value)]);
}

/** A cluster whose nodes show the certificates, in order. Resolves to their ports for TLS too. */
async function startTlsCluster(identities: readonly Identity[], extraArguments: readonly string[] = []) {
  const ports = await Promise.all(identities.map(freePort));
  const cluster = await startTestCluster({
    extraArguments: ['--tls-cluster', 'yes', ...extraArguments],
    argumentsOf: (node) => tlsArguments(Number(ports[node]), identities[node] as Identity),
  });
  return { cluster, ports };
}

const environment = (url: string, caFile = join(directory.path, 'ca.pem')) => ({
  REDIS_URL: url,
  PORT: '0',
  HOOKFLEET_SHARDS: '6',
  HOOKFLEET_EGRESS_ALLOW: '127.0.0.0/8',
  NODE_EXTRA_CA_CERTS: caFile,
});

/** A webhook for each of the shards, and more, reaches its destination. */
async function deliversOver(url: string): Promise<void> {
  const [producer, worker] = ['producer', 'worker'].map((app) => startProcess(main(app), environment(url)));
  if (producer === undefined || worker === undefined) throw new Error('not started');
  try {
    const started = await producer.waitForLog(({ msg }) => msg === 'producer.started');
    await worker.waitForLog(({ msg }) => msg === 'worker.started');
    const call = async (path: string, init?: RequestInit) =>
      (await (await fetch(`${started['url']}${path}`, init)).json()) as { id: string; state?: string };
    // Campaigns spread over the shards.
    const enqueued = await Promise.all(
      Array.from({ length: 30 }, (_, i) =>
        call('/v1/webhooks', {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({
            campaignId: `c-${i}`,
            messageId: 'm',
            destination: { url: receiver.url },
            payload: i,
          }),
        }),
      ),
    );
    for (const { id } of enqueued)
      await eventually(async () =>
        expect(await call(`/v1/webhooks/${id}`)).toMatchObject({ state: 'delivered' }),
      );
  } finally {
    await Promise.all([producer.stop(), worker.stop()]);
  }
}

test('one Redis: with the authority in NODE_EXTRA_CA_CERTS it is used, without it the start is refused', async () => {
  const port = await freePort();
  const redis = await startTestRedis({
    extraArguments: await tlsArguments(port, await authority.issue('localhost')),
  });
  for (const host of ['localhost', '127.0.0.1']) await deliversOver(`rediss://${host}:${port}`);
  const refused = startProcess(main('producer'), environment(`rediss://localhost:${port}`, ''));
  await refusesToStart(refused, /certificate/);
  await redis.stop();
});

/** In words of its own: none of a library's come before them. */
async function refusesToStart(started: StartedProcess, reason: RegExp): Promise<void> {
  expect((await started.exited).code).toBe(1);
  expect(started.lines).toEqual([expect.stringMatching(reason)]);
}

test('each node of a cluster is checked against the address that the cluster announces', async () => {
  // The first node alone has the name of the URL; before, all were asked for it.
  const identities = await Promise.all(
    ['localhost', 'b.test', 'c.test'].map((name) => authority.issue(name)),
  );
  const { cluster, ports } = await startTlsCluster(identities);
  await deliversOver(`rediss://localhost:${ports[0]},`);
  await cluster.stop();
});

test('a cluster that announces addresses, with certificates for names, is refused with what to set', async () => {
  const identities = await Promise.all([1, 2, 3].map(() => authority.issueForName('localhost')));
  const { cluster, ports } = await startTlsCluster(identities);
  const refused = startProcess(main('producer'), environment(`rediss://localhost:${ports[0]},`));
  await refusesToStart(refused, /127\.0\.0\.1.*cluster-announce-hostname/);
  await cluster.stop();
});

test('the same certificates do when the cluster announces names', async () => {
  const identities = await Promise.all([1, 2, 3].map(() => authority.issueForName('localhost')));
  const names = ['--cluster-announce-hostname', 'localhost', '--cluster-preferred-endpoint-type', 'hostname'];
  const { cluster, ports } = await startTlsCluster(identities, names);
  await deliversOver(`rediss://localhost:${ports[0]},`);
  await cluster.stop();
});
