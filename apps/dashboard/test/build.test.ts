/** The build: small, of one piece, never of other sources, and the same for two that build at once. Takes about 2 s. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { buildPage, type PageFile } from '../src/build-page.ts';

let dist: string;

beforeAll(async () => {
  dist = await mkdtemp(join(tmpdir(), 'hookfleet-page-'));
});

afterAll(() => rm(dist, { recursive: true, force: true }));

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));

/** As the aggregator does: by a process of its own. */
async function buildApart(): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [MAIN, dist]);
  return stdout.trim();
}

test('two builds at once end as one, which is found again', async () => {
  const [one, other] = await Promise.all([buildApart(), buildApart()]);
  expect(one).toBe(other);
  const { mtimeMs } = await stat(join(one as string, 'manifest.json'));
  expect(await buildPage(dist)).toBe(one);
  expect((await stat(join(one as string, 'manifest.json'))).mtimeMs).toBe(mtimeMs);
  expect(await readdir(dist)).toHaveLength(1);
});

test('everything that it loads is there, weighs under 150 kB compressed, and names no other host', async () => {
  const directory = await buildPage(dist);
  const files = JSON.parse(await readFile(join(directory, 'manifest.json'), 'utf8')) as PageFile[];
  const html = await readFile(join(directory, 'index.html'), 'utf8');
  const loaded = [...html.matchAll(/(?:src|href)="assets\/([^"]+)"/g)].map(([, name]) => name);
  expect(loaded).toHaveLength(3);
  expect(files.map(({ name }) => name)).toEqual(expect.arrayContaining(loaded));
  expect(html).not.toMatch(/<script>|<style|style=|onload=/);
  const sizes = await Promise.all(
    files.map(async ({ name }) => (await stat(join(directory, `${name}.gz`))).size),
  );
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(150_000);
  for (const { name } of files) {
    const hosts = (await readFile(join(directory, name), 'utf8')).match(/https?:\/\/[\w.-]+/g) ?? [];
    // Names of XML namespaces: nothing is loaded from there.
    expect(hosts.filter((host) => host !== 'http://www.w3.org')).toEqual([]);
  }
});
