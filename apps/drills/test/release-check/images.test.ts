/**
 * docker/Dockerfile, carried out step by step in clean directories without an engine: each image holds what it needs and
 * no more, and its application starts, is healthy and stops. What only an engine can show is not shown: the base image,
 * users, layers. The packages come from pnpm's store: no network is needed. `dockerfile.test.ts` checks the file itself.
 * Takes about 13 s.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { eventually, freePort, startTestRedis } from '@hookfleet/testkit';
import { APPLICATIONS, type Application, DOCKER, defaultPortOf, ROOT, textOf } from '../docker-files.ts';
import { type BuiltImage, createBuilder, filesBelow, parseDockerfile } from './run-dockerfile.ts';

const BUILD_TIMEOUT_MS = 180_000;
const API_KEY = 'a-key-of-sixteen-characters';

const FOLDERS: Readonly<Record<Application, readonly string[]>> = {
  producer: ['apps/producer', 'packages/queue', 'packages/http-api'],
  worker: ['apps/worker', 'packages/queue'],
  aggregator: ['apps/aggregator', 'apps/dashboard', 'packages/queue', 'packages/http-api'],
};

const stages = parseDockerfile(textOf('Dockerfile'));
const images = new Map<Application, BuiltImage>();
let directory: string;
let redis: Awaited<ReturnType<typeof startTestRedis>>;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'hookfleet-images-'));
  redis = await startTestRedis({ extraArguments: ['--include', `${DOCKER}redis.conf`] });
  const build = await createBuilder(stages, {
    directory,
    context: ROOT,
    ignoreFile: `${DOCKER}Dockerfile.dockerignore`,
  });
  for (const application of APPLICATIONS) images.set(application, await build(application));
}, 3 * BUILD_TIMEOUT_MS);

afterAll(async () => {
  await redis.stop();
  await rm(directory, { recursive: true, force: true });
});

function imageOf(application: Application): BuiltImage {
  return images.get(application) as BuiltImage;
}

function start(
  { root, workingDirectory, environment, entrypoint }: BuiltImage,
  more: Record<string, string>,
): { child: ChildProcess; output: () => string } {
  const [program = '', ...args] = entrypoint;
  if (program !== 'node') throw new Error(`${program} is not in the image`);
  const child = spawn(process.execPath, args, {
    cwd: join(root, workingDirectory),
    stdio: ['ignore', 'pipe', 'pipe'],
    // A file system that can't be written: Node.js itself refuses what a container's would.
    env: {
      NODE_OPTIONS: '--permission --allow-fs-read=* --allow-child-process --disable-warning=SecurityWarning',
      ...environment,
      ...more,
    },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  return { child, output: () => output };
}

describe.each(APPLICATIONS)('%s', (application) => {
  test('holds its build, the files that the build reads beside it, and neither sources nor packages', async () => {
    const image = imageOf(application);
    const files = await filesBelow(join(image.root, 'hookfleet'));
    const folders = new Set(files.map((file) => file.split('/').slice(0, 2).join('/')));
    expect([...folders].sort()).toEqual(FOLDERS[application].toSorted());
    const installed = files.flatMap(
      (file) => /^.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1] ?? [],
    );
    expect(new Set(installed)).toEqual(new Set(application === 'worker' ? [] : ['@fastify/swagger-ui']));
    expect(files.filter((file) => /\.test\.ts$|\/test\//.test(file))).toEqual([]);
  });

  test('holds a compile cache that its user can read', async () => {
    const image = imageOf(application);
    const cache = join(image.root, 'hookfleet/apps', application, 'dist/compile-cache');
    const files = await filesBelow(cache);
    expect(files).toEqual([expect.stringMatching(/-1000\/\w+$/)]);
    expect(((await stat(join(cache, files[0] ?? ''))).mode & 0o777).toString(8)).toBe('644');
  });

  test('is nobody in particular, asks its own /healthz, and exposes the port that it listens on', () => {
    const { user, healthCheck, exposed, environment } = imageOf(application);
    expect(user).toBe('1000:1000');
    expect(healthCheck.join(' ')).toContain('/healthz');
    expect(exposed).toEqual([String(defaultPortOf(application))]);
    expect(environment).toEqual({
      NODE_ENV: 'production',
      HOST: '0.0.0.0',
      PORT: String(defaultPortOf(application)),
    });
  });

  test('refuses to listen for everybody without keys, and says which variable', async () => {
    const { child, output } = start(imageOf(application), { REDIS_URL: redis.url });
    const [code] = await once(child, 'close');
    expect(output().trim().split('\n').at(-1)).toMatch(
      new RegExp(`^${application}: HOOKFLEET_API_KEYS: must be set where HOST is 0\\.0\\.0\\.0`),
    );
    expect(code).toBe(1);
  }, 60_000);

  test('starts, is healthy by its own check, writes no file, and ends with 0 at SIGTERM', async () => {
    const image = imageOf(application);
    const own = {
      REDIS_URL: redis.url,
      HOOKFLEET_API_KEYS: API_KEY,
      // Tests listen on loopback alone.
      HOST: '127.0.0.1',
      PORT: String(await freePort()),
    };
    const { child, output } = start(image, own);
    const closed = once(child, 'close');
    const [, ...check] = image.healthCheck;
    const health = () => promisify(execFile)(process.execPath, check, { env: own });
    await expect(health()).rejects.toMatchObject({ code: 1 });
    await eventually(
      () => {
        expect(output()).toContain(`"${application}.started"`);
      },
      { timeoutMs: 60_000 },
    );
    await health();
    expect((await fetch(`http://127.0.0.1:${own.PORT}/readyz`)).status).toBe(200);
    if (application === 'aggregator') {
      const page = await fetch(`http://127.0.0.1:${own.PORT}/`);
      expect([page.status, await page.text()]).toEqual([200, expect.stringContaining('<html')]);
    }
    if (application !== 'worker')
      for (const path of ['/openapi.json', '/docs/swagger-ui-bundle.js'])
        expect((await fetch(`http://127.0.0.1:${own.PORT}${path}`)).status).toBe(200);
    child.kill('SIGTERM');
    expect((await closed)[0]).toBe(0);
    const logs = output()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { level: string });
    expect(logs.filter(({ level }) => level !== 'info')).toEqual([]);
  }, 120_000);
});
