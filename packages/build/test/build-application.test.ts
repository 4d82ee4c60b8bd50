/** A build is made once for the same sources, again when it is not theirs, and behaves as the sources do. Takes about 3 s. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { makeTemporaryDirectory, type TemporaryDirectory } from '@hookfleet/testkit';
import { buildInto } from '../src/build-application.ts';

const SOURCE = fileURLToPath(new URL('../../../apps/worker/src/main.ts', import.meta.url));

let directory: TemporaryDirectory;
let main: string;
let bundle: string;

beforeAll(async () => {
  directory = await makeTemporaryDirectory('build');
  main = await buildInto(directory.path, 'worker');
  bundle = join(directory.path, 'application.js');
});

afterAll(() => directory.remove());

async function check(entry: string, environment: Record<string, string>) {
  const child = spawn(process.execPath, [entry, '--check'], { env: environment });
  const [stderr, [status]] = await Promise.all([text(child.stderr), once(child, 'close')]);
  return { status: status as number | null, stderr };
}

test('the same sources are built once', async () => {
  const before = await stat(bundle);
  await buildInto(directory.path, 'worker');
  expect((await stat(bundle)).ino).toBe(before.ino);
});

test('a build of other sources is replaced', async () => {
  const built = await readFile(bundle, 'utf8');
  await writeFile(bundle, built.replace(/^.*\n/, '// hookfleet 0000000000000000\n'));
  await buildInto(directory.path, 'worker');
  expect(await readFile(bundle, 'utf8')).toBe(built);
});

test('a build refuses and accepts settings as the sources do', async () => {
  const wrong = { REDIS_URL: 'redis://127.0.0.1', HOOKFLEET_CONCURRENCY: 'many' };
  const refused = await check(main, wrong);
  expect(refused).toEqual(await check(SOURCE, wrong));
  expect(refused).toMatchObject({ status: 1, stderr: expect.stringContaining('HOOKFLEET_CONCURRENCY') });
  expect(await check(main, { REDIS_URL: 'redis://127.0.0.1' })).toEqual({ status: 0, stderr: '' });
});

test('a process leaves a compile cache for the next one', async () => {
  await check(main, { REDIS_URL: 'redis://127.0.0.1' });
  const [folder = ''] = await readdir(join(directory.path, 'compile-cache'));
  expect(await readdir(join(directory.path, 'compile-cache', folder))).not.toEqual([]);
});

test('a process that is told to stop while it loads ends with status 0', async () => {
  // An application that has not come to its own handlers yet.
  const loading = await makeTemporaryDirectory('loading');
  await copyFile(main, join(loading.path, 'main.js'));
  await writeFile(
    join(loading.path, 'application.js'),
    "console.log('loading'); await new Promise((resolve) => setTimeout(resolve, 600_000));",
  );
  await writeFile(join(loading.path, 'package.json'), '{"type":"module"}');
  const child = spawn(process.execPath, [join(loading.path, 'main.js')]);
  await once(child.stdout, 'data');
  child.kill('SIGTERM');
  expect(await once(child, 'exit')).toEqual([0, null]);
  await loading.remove();
});
