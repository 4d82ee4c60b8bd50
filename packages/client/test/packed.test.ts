/**
 * The package works as it is published: packed, unpacked into a project of its own, and used as its README says.
 * Takes about 9 s.
 */
import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import {
  eventually,
  freePort,
  type Receiver,
  type StartedProcess,
  startProcess,
  startReceiver,
} from '@hookfleet/testkit';
import { build, stop as stopEsbuild } from 'esbuild';
import { connectHttp } from '../src/http.ts';
import { packClient } from './pack-client.ts';
import { type FleetEntrance, startFleetEntrance } from './setup-client.ts';

const run = promisify(execFile);
const PACKAGE = fileURLToPath(new URL('..', import.meta.url));
const WORKER = fileURLToPath(new URL('../../../apps/worker/src/main.ts', import.meta.url));
const TYPES = fileURLToPath(new URL('../../../node_modules/@types', import.meta.url));
const TSC = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc');

let folder: string;
let project: string;
let fleet: FleetEntrance;
let worker: StartedProcess;
let receiver: Receiver;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hookfleet-packed-'));
  project = join(folder, 'project');
  await mkdir(project);
  await writeFile(
    join(project, 'package.json'),
    JSON.stringify({ name: 'upstream', private: true, type: 'module' }),
  );
  [, fleet, receiver] = await Promise.all([install(), startFleetEntrance(), startReceiver()]);
  worker = startProcess(WORKER, {
    REDIS_URL: fleet.redis.url,
    PORT: '0',
    HOOKFLEET_EGRESS_ALLOW: '127.0.0.0/8',
  });
  await worker.waitForLog(({ msg }) => msg === 'worker.started');
}, 240_000);

afterAll(async () => {
  await Promise.all([worker.stop(), stopEsbuild()]);
  await fleet.close();
  await receiver.close();
  await rm(folder, { recursive: true });
});

/** Unpacks the package, and links the libraries that an application has beside it from the workspace. */
async function install(): Promise<void> {
  const tarball = await packClient(folder);
  const modules = join(project, 'node_modules');
  const client = join(modules, '@hookfleet/client');
  await mkdir(client, { recursive: true });
  await run('tar', ['-xzf', tarball, '-C', client, '--strip-components=1']);
  for (const name of ['bullmq', 'ioredis', 'standardwebhooks'])
    await symlink(await realpath(join(PACKAGE, 'node_modules', name)), join(modules, name));
}

/** Node.js as the workspace has it, and where the machine has another one, that too. */
function nodes(): string[] {
  const found = (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((directory) => join(directory, 'node'))
    .filter((path) => !path.includes('node_modules') && existsSync(path));
  return [process.execPath, ...found.slice(0, 1)];
}

const PROGRAM = `
  const [, , http, redis, receiver] = process.argv;
  for (const client of [connectHttp({ url: http }), await connectRedis({ url: redis })]) {
    const webhook = { campaignId: 'packed', messageId: 'm', destination: { url: receiver }, payload: 1 };
    const { id } = await client.enqueue(webhook);
    const ids = [];
    for await (const result of client.enqueueAll([webhook, {}, webhook])) ids.push(result.id ?? result.refused.name);
    const error = await client.enqueue({}).catch((thrown) => thrown);
    if (!(error instanceof RefusedError)) throw error;
    console.log(id, ...ids, (await client.find(id)).campaignId);
    await client.close();
  }`;

test.each([
  [
    'program.mjs',
    `import { RefusedError } from '@hookfleet/client';
     import { connectHttp } from '@hookfleet/client/http';
     import { connectRedis } from '@hookfleet/client/redis';
     ${PROGRAM}`,
  ],
  [
    'program.cjs',
    `const { RefusedError } = require('@hookfleet/client');
     const { connectHttp } = require('@hookfleet/client/http');
     const { connectRedis } = require('@hookfleet/client/redis');
     (async () => {${PROGRAM}})();`,
  ],
])(
  '%s sends both ways, in each Node.js, and ends',
  async (name, text) => {
    await writeFile(join(project, name), text);
    const args = [name, fleet.url, fleet.redis.url, receiver.url];
    const ended = await Promise.all(nodes().map((node) => run(node, args, { cwd: project })));
    const line = /^wh_\S+ wh_\S+ RefusedError wh_\S+ packed$/;
    for (const { stdout } of ended)
      expect(stdout.trim().split('\n')).toEqual([expect.stringMatching(line), expect.stringMatching(line)]);
  },
  120_000,
);

test('an error is an instance of the class of either build', async () => {
  await writeFile(
    join(project, 'both-builds.mjs'),
    `import { createRequire } from 'node:module';
     import * as esm from '@hookfleet/client/http';
     const cjs = createRequire(import.meta.url)('@hookfleet/client/http');
     class OwnError extends esm.RefusedError {}
     const told = [];
     for (const { connectHttp } of [esm, cjs]) {
       const refused = await connectHttp({ url: process.argv[2] }).enqueue({}).catch((error) => error);
       const unavailable = await connectHttp({ url: 'http://127.0.0.1:9', deadlineMs: 1 }).enqueue({}).catch((error) => error);
       for (const { RefusedError, UnavailableError } of [esm, cjs])
         told.push([refused, unavailable].map((error) => [error instanceof RefusedError, error instanceof UnavailableError]));
       told.push(refused instanceof OwnError, new Error('x') instanceof esm.RefusedError, null instanceof cjs.RefusedError);
     }
     const own = new OwnError({ type: 'about:blank', title: 'x', status: 400 });
     console.log(esm.RefusedError === cjs.RefusedError, own instanceof OwnError, own instanceof cjs.RefusedError, JSON.stringify(told));`,
  );
  const { stdout } = await run(process.execPath, ['both-builds.mjs', fleet.url], { cwd: project });
  const right = [
    [true, false],
    [false, true],
  ];
  const told = [right, right, false, false, false];
  expect(stdout).toBe(`false true true ${JSON.stringify([...told, ...told])}\n`);
});

test('of the entry for HTTP an application carries it and the errors, and nothing else', async () => {
  const bundled = async (contents: string) => {
    const { metafile, outputFiles } = await build({
      stdin: { contents, resolveDir: project },
      bundle: true,
      minify: true,
      platform: 'node',
      format: 'esm',
      metafile: true,
      write: false,
      logLevel: 'silent',
    });
    const inputs = Object.keys(metafile.inputs).map((path) => path.replace(/^.*\/client\/dist\//, ''));
    return {
      bytes: outputFiles[0]?.contents.length ?? 0,
      inputs: inputs.filter((path) => path !== '<stdin>').sort(),
    };
  };
  const http = await bundled(
    `import { connectHttp } from '@hookfleet/client/http'; connectHttp({ url: '' });`,
  );
  expect(http.inputs).toEqual(['errors.js', 'http.js']);
  expect(http.bytes).toBeLessThan(13_000);
  const unused = await bundled(`import { connectHttp } from '@hookfleet/client/http';`);
  expect(unused.bytes).toBeLessThan(100);
});

test('what is built in has its licence beside it', async () => {
  const licences = await readFile(
    join(project, 'node_modules/@hookfleet/client/dist/THIRD-PARTY-LICENSES.txt'),
    'utf8',
  );
  for (const name of ['ajv', 'ajv-formats', 'typebox'])
    expect(licences).toMatch(new RegExp(`^${name} \\d`, 'm'));
});

const readme = await readFile(join(PACKAGE, 'README.md'), 'utf8');
const SNIPPETS = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, text]) => text ?? '');
const NAMES = ['first', 'redis', 'stream', 'errors', 'events', 'receiver'];

test("the README's programs are sound for the type checker, as ES modules and as CommonJS, and run", async () => {
  expect(SNIPPETS).toHaveLength(NAMES.length);
  const port = String(await freePort());
  const hook = `http://127.0.0.1:${port}/hook`;
  for (const [i, name] of NAMES.entries())
    await writeFile(
      join(project, `${name}.mts`),
      (SNIPPETS[i] ?? '')
        .replaceAll('http://127.0.0.1:8080', fleet.url)
        .replaceAll('redis://127.0.0.1:6379', fleet.redis.url)
        .replaceAll('https://example.com/hook', `${receiver.url}/hook`)
        .replaceAll('8090', port),
    );
  // CommonJS has declarations of its own.
  await writeFile(
    join(project, 'common.cts'),
    `import { connectHttp } from '@hookfleet/client/http';
     import { connectRedis } from '@hookfleet/client/redis';
     import type { Client } from '@hookfleet/client';
     export const clients: (Client | Promise<Client>)[] = [connectHttp({ url: '' }), connectRedis({ url: '' })];`,
  );
  await writeFile(
    join(project, 'wrong.mts'),
    `import { connectHttp } from '@hookfleet/client/http';
     // @ts-expect-error a webhook has a campaign
     await connectHttp({ url: '' }).enqueue({ messageId: 'm', payload: 1 });`,
  );
  const compilerOptions = {
    module: 'nodenext',
    target: 'es2023',
    lib: ['es2023'],
    strict: true,
    exactOptionalPropertyTypes: true,
    typeRoots: [TYPES],
    types: ['node'],
    outDir: 'out',
  };
  await writeFile(
    join(project, 'tsconfig.json'),
    JSON.stringify({ compilerOptions, include: ['*.mts', '*.cts'] }),
  );
  await run(process.execPath, [TSC, '--project', project]).catch(({ stdout }) => {
    throw new Error(stdout);
  });

  const put = await fetch(`${fleet.url}/v1/event-types/whatsapp.read`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: '{"properties": {"price": "FLOAT"}}',
  });
  expect(put.status).toBe(201);
  await writeFile(join(project, 'users.txt'), 'u-1\nu-2\nu 3\n');
  const [node = ''] = nodes().slice(-1);
  const start = (name: string) => run(node, [join('out', `${name}.mjs`)], { cwd: project });

  const [first, redis, streamed, errors, events] = await Promise.all([
    start('first'),
    start('redis'),
    start('stream'),
    start('errors'),
    start('events'),
  ]);
  expect(first.stdout).toMatch(/^wh_\S+\n(?:pending 0|delivered 1)\n$/);
  expect(redis.stdout).toMatch(/^wh_\S+\n$/);
  expect(streamed.stdout).toBe('2 enqueued\n');
  expect(streamed.stderr).toMatch(/^u 3: .*userId/);
  expect(errors.stderr).toBe('destination.url must be an absolute http or https URL without a fragment\n');
  expect(events.stdout).toBe("[ 'properties.device' ]\n");
  await receiver.received(4);

  const child = spawn(node, [join('out', 'receiver.mjs')], {
    cwd: project,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [, secret = ''] = /'(whsec_[^']+)'/.exec(SNIPPETS.at(-1) ?? '') ?? [];
  let received = '';
  child.stdout.on('data', (chunk) => {
    received += chunk;
  });
  const client = connectHttp({ url: fleet.url });
  const signed = (signingSecret: string, payload: string) =>
    client.enqueue({
      campaignId: 'signed',
      messageId: 'm',
      destination: { url: hook, signingSecrets: [signingSecret], retry: { delaysMs: Array(50).fill(100) } },
      payload,
    });
  try {
    // The worker retries until the receiver listens.
    const { id } = await signed(secret, 'ours');
    const other = await signed(`whsec_${Buffer.alloc(32).toString('base64')}`, 'not ours');
    await eventually(async () => expect(await client.find(id)).toMatchObject({ state: 'delivered' }));
    await eventually(async () => expect(await client.find(other.id)).toMatchObject({ state: 'failed' }));
    expect((await client.find(other.id))?.attempts.at(-1)).toMatchObject({ statusCode: 401 });
    expect(received).toBe('verified "ours"\n');
  } finally {
    child.kill();
  }
}, 120_000);
