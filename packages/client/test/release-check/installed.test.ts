/**
 * The client installs from the registry with npm, as a user does it, and both entries load. This needs the network.
 * Takes about 17 s.
 */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';
import { packClient } from '../pack-client.ts';

const run = promisify(execFile);
const MANIFEST = fileURLToPath(new URL('../../package.json', import.meta.url));

const PROGRAM = `
  import { RefusedError } from '@hookfleet/client';
  import { connectHttp } from '@hookfleet/client/http';
  import { connectRedis } from '@hookfleet/client/redis';
  console.log(typeof RefusedError, typeof connectHttp, typeof connectRedis);`;

test('npm installs the client beside bullmq and ioredis, and a program imports it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'hookfleet-installed-'));
  const project = join(folder, 'project');
  await mkdir(project);
  await writeFile(join(project, 'package.json'), '{ "name": "upstream", "private": true, "type": "module" }');
  const { devDependencies } = JSON.parse(await readFile(MANIFEST, 'utf8')) as {
    devDependencies: Record<string, string>;
  };
  const peers = ['bullmq', 'ioredis'].map((name) => `${name}@${devDependencies[name]}`);
  const flags = ['--no-audit', '--no-fund', '--ignore-scripts'];
  await run('npm', ['install', ...flags, await packClient(folder), ...peers], { cwd: project });
  await writeFile(join(project, 'program.mjs'), PROGRAM);
  const { stdout } = await run(process.execPath, ['program.mjs'], { cwd: project });
  expect(stdout).toBe('function function function\n');
  await rm(folder, { recursive: true });
}, 300_000);
