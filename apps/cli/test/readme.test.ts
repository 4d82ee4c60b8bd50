/**
 * What pages state twice, held against what is: variables, metrics, versions, and the files that they point to.
 * Takes under a second.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { fleetVariables, recoveryVariables, variableRows } from '@hookfleet/runtime';

const ROOT = new URL('../../../', import.meta.url);
const readme = readFileSync(new URL('README.md', ROOT), 'utf8');
const operations = readFileSync(new URL('docker/README.md', ROOT), 'utf8');

/** Names of variables or metrics that the sources declare. */
function declared(pattern: RegExp): Set<string> {
  const folders = readdirSync(fileURLToPath(new URL('apps', ROOT))).map((app) => `apps/${app}/src/`);
  const texts = [...folders, 'packages/runtime/src/'].flatMap((folder) =>
    readdirSync(fileURLToPath(new URL(folder, ROOT)))
      .filter((name) => /config\.ts$|metrics\.ts$/.test(name) && !name.includes('.test.'))
      .map((name) => readFileSync(new URL(folder + name, ROOT), 'utf8')),
  );
  return new Set(texts.flatMap((text) => [...text.matchAll(pattern)].map(([, name]) => name ?? '')));
}

function inTables(pattern: RegExp, text = readme): string[] {
  return [...text.matchAll(pattern)].map(([, name]) => name ?? '');
}

test('the tables hold every variable, and no other', () => {
  const names = inTables(/^\| `([A-Z_]+)` \|/gm);
  expect(new Set(names)).toEqual(declared(/^\s+\w+: \w+\(\s*'([A-Z_]+)'/gm));
  expect(names.length).toBe(new Set(names).size);
});

test('the rows of the variables that processes share are as the code has them', () => {
  const shared = {
    ...fleetVariables({ port: 1, checkRedisUrl: () => undefined, checkKeyPrefix: () => undefined }),
    ...recoveryVariables(),
  };
  for (const row of variableRows(shared)) expect(readme).toContain(row);
});

test("the operators' table of metrics holds every metric of ours, and no other", () => {
  const names = inTables(/^\| `(hookfleet_\w+)` \|/gm, operations);
  expect(new Set(names)).toEqual(declared(/name: '(hookfleet_\w+)'/g));
});

const LINK = /\]\(((?!http)[^)]+)\)/g;
const IMAGE = /<img src="([^"]+)"/g;
// What is ignored, dependencies above all, is not ours to mend.
const PAGES = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'], {
  cwd: ROOT,
  encoding: 'utf8',
})
  .trim()
  .split('\n');

test.each(PAGES)('every file that %s points to is there, and every heading', (path) => {
  const page = new URL(path, ROOT);
  const targets = [
    ...inTables(LINK, readFileSync(page, 'utf8')),
    ...inTables(IMAGE, readFileSync(page, 'utf8')),
  ];
  const broken = targets.filter((target) => {
    const [file = '', anchor] = target.split('#');
    const url = file === '' ? page : new URL(file, page);
    if (!existsSync(url)) return true;
    return anchor !== undefined && !anchorsOf(readFileSync(url, 'utf8')).includes(anchor);
  });
  expect(broken).toEqual([]);
});

/** As GitHub makes them of headings. */
function anchorsOf(text: string): string[] {
  return inTables(/^#+ (.+)$/gm, text).map((heading) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

test('the changelog has the version that this is', () => {
  const { version } = JSON.parse(readFileSync(new URL('package.json', ROOT), 'utf8')) as { version: string };
  const [latest] = inTables(
    /^## (\d+\.\d+\.\d+)/gm,
    readFileSync(new URL('.github/CHANGELOG.md', ROOT), 'utf8'),
  );
  expect(latest).toBe(version);
});

test('the folder tour names every package and application', () => {
  for (const folder of ['apps', 'packages']) {
    for (const name of readdirSync(fileURLToPath(new URL(folder, ROOT))))
      expect(readme).toMatch(new RegExp(`^${folder}/${name}/ `, 'm'));
  }
});

test('it can be read in one go', () => {
  expect(readme.split('\n').length).toBeLessThan(200);
});
