/** All packages have the version that the processes tell. Takes under a second. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { VERSION } from './version.ts';

const ROOT = new URL('../../../', import.meta.url);

test('every package has the same version, and it is the one that is told', () => {
  const folders = ['apps/', 'packages/'].flatMap((folder) =>
    readdirSync(fileURLToPath(new URL(folder, ROOT))).map((name) => `${folder}${name}/`),
  );
  const versions = ['', ...folders].map((folder) => {
    const text = readFileSync(new URL(`${folder}package.json`, ROOT), 'utf8');
    return (JSON.parse(text) as { version: string }).version;
  });
  expect(new Set(versions)).toEqual(new Set([VERSION]));
});
