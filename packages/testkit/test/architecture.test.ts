/**
 * The picture of the README, held against the imports: arrows run one way, vendors have a home, and nobody reaches
 * into another's insides.
 * Takes under a second.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/** What each package may import of its siblings. Applications may import every package, and no application. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  contract: [],
  runtime: [],
  'embedded-redis': [],
  build: [],
  testkit: ['build', 'embedded-redis'],
  queue: ['contract'],
  intake: ['contract', 'queue'],
  tracing: ['contract', 'runtime'],
  'http-api': ['contract', 'runtime', 'tracing'],
  // What upstream systems import: the rest of it is built in.
  client: ['contract', 'intake', 'queue'],
  operations: ['contract', 'http-api', 'queue'],
};

/** The only places that may import a vendor's module. */
const VENDOR_HOMES: Readonly<Record<string, RegExp>> = {
  // The benchmark measures libraries by themselves, too.
  bullmq: /^(packages\/queue\/src|apps\/drills\/src\/bench)\//,
  got: /^apps\/(worker\/src\/deliver-with-got\.ts$|drills\/src\/bench\/)/,
  undici: /^apps\/(worker\/src\/deliver-with-undici\.ts$|drills\/src\/bench\/)/,
  ajv: /^packages\/contract\/src\/validation\.ts$/,
  'ipaddr.js': /^apps\/worker\/src\/egress-guard\.ts$/,
  '@opentelemetry': /^packages\/tracing\/src\/open-tracing\.ts$/,
  pino: /^packages\/runtime\/src\/logger\.ts$/,
  // The command line declares its commands one a file.
  commander: /^apps\/(cli\/src\/(main|command-context|commands\/[a-z-]+)|drills\/src\/main)\.ts$/,
};

const TOP_LEVEL = [
  'README.md',
  'apps',
  'docker',
  'package.json',
  'packages',
  'pnpm-workspace.yaml',
  'tsconfig.base.json',
  // Needed there by tools.
  'LICENSE',
  'biome.json',
  'jest.config.mjs',
  'node_modules',
  'pnpm-lock.yaml',
  'tsconfig.json',
];

interface Source {
  /** From the root, with slashes. */
  readonly file: string;
  readonly imports: readonly string[];
  readonly text: string;
}

function filesBelow(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : filesBelow(path);
    return entry.name.endsWith('.ts') ? [path] : [];
  });
}

const sources: readonly Source[] = ['apps', 'packages']
  .flatMap((folder) => filesBelow(join(ROOT, folder)))
  .map((path) => {
    const text = readFileSync(path, 'utf8');
    const imports = [
      ...text.matchAll(/^(?:import\b|export\b[^'"=(]*?\bfrom\b)[^'"]*?['"]([^'"]+)['"]/gm),
    ].map(([, name]) => name ?? '');
    return { file: relative(ROOT, path), imports, text };
  });

const inSource = sources.filter(({ file }) => file.includes('/src/') && !file.endsWith('.test.ts'));
const homeOf = (file: string) => file.split('/').slice(0, 2).join('/');

/** What a package lets others import: itself, and the modules that its package.json names. */
function facesOf(name: string): string[] {
  const { exports } = JSON.parse(readFileSync(join(ROOT, 'packages', name, 'package.json'), 'utf8')) as {
    exports: Record<string, string>;
  };
  return Object.keys(exports).map((path) => `@hookfleet/${name}${path.slice(1)}`);
}

test('every source file is looked at', () => {
  expect(inSource.length).toBeGreaterThan(80);
});

test.each(Object.entries(ARROWS))('packages/%s imports of its siblings %j at most', (name, allowed) => {
  const siblings = inSource
    .filter(({ file }) => homeOf(file) === `packages/${name}`)
    .flatMap(({ imports }) => imports.filter((one) => one.startsWith('@hookfleet/')));
  const strays = [...new Set(siblings)].filter((one) => !allowed.includes(one.split('/')[1] ?? ''));
  expect(strays).toEqual([]);
});

test('every package is in the table of arrows', () => {
  expect(readdirSync(join(ROOT, 'packages')).sort()).toEqual(Object.keys(ARROWS).sort());
});

test('an application imports packages and no application, by their names and not their insides', () => {
  const faces = new Set(Object.keys(ARROWS).flatMap(facesOf));
  const strays = sources.flatMap(({ file, imports }) =>
    imports
      .filter((one) => one.startsWith('@hookfleet/') && !faces.has(one))
      .map((one) => `${file} imports ${one}`),
  );
  expect(strays).toEqual([]);
});

test('no file reaches out of its own folder by a relative path', () => {
  const outside = sources.flatMap(({ file, imports }) =>
    imports
      .filter((one) => one.startsWith('.'))
      .filter((one) => homeOf(relative(ROOT, resolve(ROOT, dirname(file), one))) !== homeOf(file))
      .map((one) => `${file} imports ${one}`),
  );
  expect(outside).toEqual([]);
});

test.each(Object.entries(VENDOR_HOMES))('%s is imported in its home alone', (vendor, home) => {
  const strays = inSource.filter(
    ({ file, imports }) =>
      !home.test(file) && imports.some((one) => one === vendor || one.startsWith(`${vendor}/`)),
  );
  expect(strays.map(({ file }) => file)).toEqual([]);
});

test('an application reads its environment in main.ts alone', () => {
  const strays = inSource.filter(
    ({ file, text }) =>
      file.startsWith('apps/') && !file.endsWith('/main.ts') && text.includes('process.env'),
  );
  expect(strays.map(({ file }) => file)).toEqual([]);
});

test('imports within a package run in no circle', () => {
  const byFile = new Map(inSource.map((source) => [source.file, source]));
  const circles: string[] = [];
  function follow(source: Source, path: readonly string[]): void {
    if (path.includes(source.file)) return void circles.push([...path, source.file].join(' → '));
    for (const name of source.imports.filter((one) => one.startsWith('.'))) {
      const target = byFile.get(relative(ROOT, resolve(ROOT, dirname(source.file), name)));
      if (target !== undefined) follow(target, [...path, source.file]);
    }
  }
  for (const source of inSource) follow(source, []);
  expect(circles).toEqual([]);
});

test('every test file begins with one comment that says what it proves and how long it takes', () => {
  const testFiles = sources.filter(({ file }) => file.endsWith('.test.ts'));
  expect(testFiles.length).toBeGreaterThan(100);
  const head = /^\/\*\*\s+(?:\* )?\S[\s\S]*?Takes (?:under a second|about \d+ s)\.\s+\*\//;
  const silent = testFiles.filter(({ text }) => !head.test(text.slice(0, text.indexOf('*/') + 2)));
  expect(silent.map(({ file }) => file)).toEqual([]);
});

test('the top level holds what was agreed, and what tools need there', () => {
  const found = readdirSync(ROOT).filter((name) => !name.startsWith('.'));
  expect(found.filter((name) => !TOP_LEVEL.includes(name))).toEqual([]);
});
