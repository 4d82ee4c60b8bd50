/**
 * What we depend on, as the lock file has it and as it is installed: known by its digest, kept by somebody, free to use, and
 * running nothing when it is installed. What is known against it only a registry can tell: .ci/run asks.
 * Takes under a second.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const lock = readFileSync(join(ROOT, 'pnpm-lock.yaml'), 'utf8');
const workspace = readFileSync(join(ROOT, 'pnpm-workspace.yaml'), 'utf8');

/** Permissive ones, with which Apache-2.0 may be combined; of the tests alone, CC-BY-4.0 (a table of browsers)
 * and MPL-2.0 (axe, unchanged). */
const LICENCES = new Set([
  ...[
    'MIT',
    'ISC',
    'BSD-2-Clause',
    'BSD-3-Clause',
    '0BSD',
    'Apache-2.0',
    'BlueOak-1.0.0',
    'Unlicense',
    'CC0-1.0',
  ],
  ...['Python-2.0', 'CC-BY-4.0', 'MPL-2.0', 'Zlib'],
]);

interface Manifest {
  readonly name?: string;
  readonly license?: string | { readonly type?: string };
}

/** The manifests of all that is installed, our own packages apart. */
function installed(): Manifest[] {
  const store = join(ROOT, 'node_modules/.pnpm');
  return readdirSync(store).flatMap((folder) => {
    if (!folder.includes('@')) return [];
    const name = folder.replace(/^(@?[^@]+)@.*$/, '$1').replace('+', '/');
    try {
      return [
        JSON.parse(
          readFileSync(join(store, folder, 'node_modules', name, 'package.json'), 'utf8'),
        ) as Manifest,
      ];
    } catch {
      // Of a package for another platform nothing is there.
      return [];
    }
  });
}

test('every package is known by its digest, and comes from a registry', () => {
  const resolutions = [...lock.matchAll(/^ {4}resolution: (.*)$/gm)].map(([, resolution]) => resolution);
  expect(resolutions.length).toBeGreaterThan(100);
  expect(resolutions.filter((one) => !/^\{integrity: sha512-[\w+/=]+\}$/.test(one ?? ''))).toEqual([]);
});

test('none is deprecated', () => {
  expect([...lock.matchAll(/^ {4}deprecated: (.*)$/gm)].map(([, why]) => why)).toEqual([]);
});

test('one alone runs a script when it is installed: the node that everything runs on', () => {
  const allowed = [...workspace.matchAll(/^ {2}"?([@\w/-]+)"?: true$/gm)].map(([, name]) => name);
  expect(allowed).toEqual(['node']);
});

test('each has a licence that lets us use it', () => {
  const manifests = installed();
  expect(manifests.length).toBeGreaterThan(100);
  const strays = manifests.flatMap(({ name, license }) => {
    const text = typeof license === 'string' ? license : (license?.type ?? 'none');
    const choices = text.replaceAll(/[()]/g, '').split(' OR ');
    const isFree = choices.some((choice) => choice.split(' AND ').every((one) => LICENCES.has(one)));
    return isFree ? [] : [`${name}: ${text}`];
  });
  expect(strays).toEqual([]);
});
