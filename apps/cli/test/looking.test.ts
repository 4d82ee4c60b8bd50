/**
 * listen, top and doctor report what they see, and exit as they promise; in a real terminal if they need one.
 * Takes about 27 s.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { connectRedis, disconnectRedis, openCircuits } from '@hookfleet/queue';
import { eventually, freePort, processEnvironment, startTestRedis } from '@hookfleet/testkit';
import { type FleetUnderTest, startFleet } from './fleet-under-test.ts';
import { COMMAND, runCommand, startCommand } from './run-command.ts';

const WHSEC = `whsec_${Buffer.alloc(32, 1).toString('base64')}`;
const { d = '', x = '' } = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
const WHSK = `whsk_${Buffer.from(d, 'base64url').toString('base64')}`;
const WHPK = `whpk_${Buffer.from(x, 'base64url').toString('base64')}`;

let fleet: FleetUnderTest;
let environment: Record<string, string>;

beforeAll(async () => {
  fleet = await startFleet();
  environment = {
    REDIS_URL: fleet.redisUrl,
    HOOKFLEET_PRODUCER_URL: fleet.producer.url,
    HOOKFLEET_AGGREGATOR_URL: fleet.aggregator.url,
  };
});

afterAll(async () => {
  await fleet.stop();
});

async function listen(...flags: string[]) {
  const { child, ended } = startCommand(['listen', '--port', '0', '--json', ...flags]);
  const [first] = (await once(createInterface(child.stdout as Readable), 'line')) as [string];
  return { child, ended, url: (JSON.parse(first) as { url: string }).url };
}

const send = (url: string, ...flags: string[]) =>
  runCommand(
    ['send', '--campaign', 'c', '--message', 'm', '--url', url, '--payload', '{"a":"ü"}', '--json', ...flags],
    { environment },
  );

test.each([
  ['HMAC', WHSEC, WHSEC, 'v1'],
  ['ed25519', WHSK, WHPK, 'v1a'],
])(
  'listen verifies what the fleet signs with %s, and tells what is signed by another',
  async (_name, signs, verifies, scheme) => {
    const { ended, url } = await listen('--secret', verifies, '--count', '2');
    expect(await send(url, '--secret', signs, '--wait')).toMatchObject({ status: 0 });
    const stranger = `whsec_${Buffer.alloc(32, 2).toString('base64')}`;
    expect(await send(url, '--secret', stranger, '--wait')).toMatchObject({ status: 0 });
    const { status, stdout } = await ended;
    const [, first, second] = stdout.split('\n').map((line) => line && (JSON.parse(line) as object));
    expect(first).toMatchObject({ method: 'POST', body: '{"a":"ü"}', verified: true, scheme });
    expect(second).toMatchObject({ verified: false, why: expect.stringMatching(/no signature/) });
    // A signature that was wrong is a failure of the whole.
    expect(status).toBe(1);
  },
  60_000,
);

test('listen misbehaves as it is told, and ends with Ctrl-C', async () => {
  const { child, ended, url } = await listen('--status', '418', '--delay', '300ms');
  const sent = await send(url, '--wait');
  expect(sent.status).toBe(1);
  const { attempts } = JSON.parse(sent.stdout) as { attempts: { statusCode: number; durationMs: number }[] };
  expect(attempts).toMatchObject([{ statusCode: 418 }]);
  expect(attempts[0]?.durationMs).toBeGreaterThanOrEqual(300);
  child.kill('SIGINT');
  expect(await ended).toMatchObject({ status: 0 });
  expect(await runCommand(['listen', '--secret', 'nonsense'])).toMatchObject({ status: 2 });
  expect(await runCommand(['listen', '--status', '199'])).toMatchObject({ status: 2 });
  expect(await runCommand(['listen', '--port', String(new URL(fleet.producer.url).port)])).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/EADDRINUSE/),
  });
}, 60_000);

/** In a terminal of its own, made by util-linux' script. */
function inTerminal(command: string): ChildProcess {
  return spawn('script', ['-qefc', command, '/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...processEnvironment(), TERM: 'xterm', ...environment },
  });
}

test.each(['q', '\u0003'])(
  'top draws in a screen of its own, and %j gives the terminal back',
  async (key) => {
    const child = inTerminal(`'${process.execPath}' '${COMMAND}' top --interval 100ms`);
    let shown = '';
    const drawn = Promise.withResolvers<void>();
    child.stdout?.on('data', (piece: Buffer) => {
      shown += piece.toString();
      // The second frame: it goes on by itself.
      if (shown.split('attempts a second').length > 2) drawn.resolve();
    });
    await drawn.promise;
    child.stdin?.write(key);
    const [status] = (await once(child, 'close')) as [number];
    expect(status).toBe(0);
    expect(shown).toContain('\u001B[?1049h');
    expect(shown.trimEnd().endsWith('\u001B[?25h\u001B[?1049l')).toBe(true);
  },
  60_000,
);

test('replay asks in a terminal, and no is no', async () => {
  const { url, child } = await listen('--status', '404');
  const sent = await send(url, '--wait');
  child.kill('SIGINT');
  const { id } = JSON.parse(sent.stdout) as { id: string };
  const asking = inTerminal(`'${process.execPath}' '${COMMAND}' replay ${id}`);
  let shown = '';
  let isAnswered = false;
  asking.stdout?.on('data', (piece: Buffer) => {
    shown += piece.toString();
    // Once: what it says afterwards comes when it no longer listens.
    if (!isAnswered && shown.includes('[y/N]')) {
      isAnswered = true;
      asking.stdin?.write('n\n');
    }
  });
  const [status] = (await once(asking, 'close')) as [number];
  expect(status).toBe(1);
  expect(shown).toContain(`Replays webhook ${id}: failed after 1 attempts.`);
  const found = await (await fetch(`${fleet.producer.url}/v1/webhooks/${id}`)).json();
  expect(found).toMatchObject({ state: 'failed', attempts: [{ attempt: 1 }] });
}, 60_000);

test('top elsewhere writes text, or JSON a line, so many times', async () => {
  const text = await runCommand(['top', '--count', '1'], { environment });
  expect(text.stdout).toMatch(/^\d+ attempts a second/);
  expect(text.stdout).toContain(String(fleet.worker.pid));
  const { stdout } = await runCommand(['top', '--count', '2', '--interval', '1ms', '--json'], {
    environment,
  });
  const looks = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as object);
  expect(looks).toMatchObject([{ workers: [{}] }, { workers: [{}] }]);
}, 60_000);

const doctor = (args: string[], more: Record<string, string> = {}) =>
  runCommand(['doctor', ...args], { environment: { ...environment, ...more } });

test('doctor finds nothing wrong with a healthy fleet, and sends nothing to a URL that it judges', async () => {
  const { child, ended, url } = await listen();
  // The workers allow it, and this environment does not.
  const { status, stdout } = await doctor(['--json', '--url', url]);
  expect(JSON.parse(stdout)).toMatchObject({
    ok: true,
    findings: expect.arrayContaining([
      expect.objectContaining({ about: expect.stringMatching(/^redis \S+ version$/), state: 'ok' }),
      expect.objectContaining({
        about: 'workers',
        state: 'ok',
        found: expect.stringMatching(/^1, with 200 /),
      }),
      expect.objectContaining({ about: `egress ${url}`, state: 'ok' }),
    ]),
  });
  expect(status).toBe(0);
  child.kill('SIGINT');
  expect((await ended).stdout.trim().split('\n')).toHaveLength(1);
}, 120_000);

test('doctor names each fault, says how to fix it, and exits 1', async () => {
  const evicting = await startTestRedis({ extraArguments: ['--maxmemory-policy', 'allkeys-lru'] });
  const dead = `http://127.0.0.1:${await freePort()}`;
  const { status, stdout } = await doctor(['--redis', evicting.url, '--aggregator', dead], {
    HOOKFLEET_CONCURRENCY: '0',
    HOOKFLEET_EGRESS_ALLOW: '127.0.0.0/8',
  });
  await evicting.stop();
  expect(status).toBe(1);
  expect(stdout).toMatch(/^✗ redis \S+ maxmemory-policy: allkeys-lru\n {4}.*noeviction/m);
  expect(stdout).toMatch(/^✓ redis \S+ version: \d/m);
  expect(stdout).toMatch(/^✗ settings of workers: HOOKFLEET_CONCURRENCY: must be a whole number/m);
  expect(stdout).toMatch(/^✓ settings of producers: will do$/m);
  expect(stdout).toMatch(/^✗ aggregator: .*ECONNREFUSED/m);
}, 120_000);

test('doctor names a Redis that does not answer without its password, and a URL that the egress policy forbids', async () => {
  const redis = `redis://user:hidden@127.0.0.1:${await freePort()}`;
  const { status, stdout } = await doctor([
    '--redis',
    redis,
    '--url',
    'http://169.254.169.254/',
    '--url',
    'http://127.0.0.1/',
  ]);
  expect(status).toBe(1);
  expect(stdout).not.toContain('hidden');
  expect(stdout).toMatch(/^✗ redis redis:\/\/\S+: /m);
  expect(stdout).toMatch(/^✓ workers: 1, with 200 /m);
  expect(stdout).toMatch(
    /^✗ egress http:\/\/169\.254\.169\.254\/: blocked: 169\.254\.169\.254\n {4}.*HOOKFLEET_EGRESS_ALLOW/m,
  );
  expect(stdout).toMatch(/^✓ egress http:\/\/127\.0\.0\.1\/: 127\.0\.0\.1$/m);
}, 120_000);

test('doctor names a circuit behind which webhooks wait, and exits 1', async () => {
  const connection = connectRedis({
    url: fleet.redisUrl,
    name: 'test',
    temper: 'patient',
    onError: () => undefined,
  });
  const circuits = openCircuits({ connection, prefix: 'hookfleet' });
  const lane = `origin:${new URL('http://127.0.0.1:9/').origin}`;
  await circuits.set(lane, {
    state: 'open',
    sinceMs: Date.now(),
    why: 'timeout',
    probeAtMs: Date.now() + 3_600_000,
    cooldownMs: 3_600_000,
  });
  expect(await send('http://127.0.0.1:9/')).toMatchObject({ status: 0 });
  await eventually(async () => {
    const { status, stdout } = await doctor([]);
    expect(stdout).toMatch(/^✗ http:\/\/127\.0\.0\.1:9: fails \(timeout\) for .*: 1 webhook waits$/m);
    expect(status).toBe(1);
  });
  expect((await runCommand(['campaign', 'show', 'c'], { environment })).stdout).toMatch(
    /state +held back\n +by http:\/\/127\.0\.0\.1:9, which fails \(timeout\): next probe 2/,
  );
  await circuits.set(lane, undefined);
  disconnectRedis(connection);
}, 120_000);

test('doctor that no worker tells what it allows says whose rules it goes by, and decides nothing', async () => {
  const dead = `http://127.0.0.1:${await freePort()}`;
  const { stdout } = await doctor(['--aggregator', dead, '--url', 'http://127.0.0.1:9/']);
  expect(stdout).toMatch(
    /^! egress http:\/\/127\.0\.0\.1:9\/ \(by this environment: .*\): blocked: 127\.0\.0\.1$/m,
  );
}, 120_000);

test('doctor refuses an address that is not a Redis URL', async () => {
  expect(await doctor(['--redis', 'http://x'])).toMatchObject({ status: 2, stdout: '' });
}, 60_000);
