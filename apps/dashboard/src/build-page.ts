/**
 * Builds the page into dist/<digest of its sources>: a build of other sources is never taken for this one, two
 * processes may build at once, and an image that was built with the page inside needs neither esbuild nor a writable
 * disk to serve it.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import { paletteCss } from './palette-css.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const PAGE = join(ROOT, 'page');

export interface PageFile {
  readonly name: string;
  readonly contentType: string;
}

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
};

/** Resolves to the directory of the build, which holds manifest.json, the files, and each as .br and .gz. */
export async function buildPage(dist = join(ROOT, 'dist')): Promise<string> {
  const directory = join(dist, await digestOfSources());
  if (existsSync(join(directory, 'manifest.json'))) return directory;
  const unfinished = join(dist, `.unfinished-${process.pid}`);
  await mkdir(unfinished, { recursive: true });
  const files = await bundle();
  const manifest: PageFile[] = [];
  for (const [name, contents] of files) {
    await writeCompressed(join(unfinished, name), contents);
    manifest.push({ name, contentType: CONTENT_TYPES[name.split('.').at(-1) ?? ''] ?? 'text/plain' });
  }
  await writeFile(join(unfinished, 'manifest.json'), JSON.stringify(manifest));
  try {
    await rename(unfinished, directory);
  } catch (error) {
    // Another process was quicker, with the same.
    if (!existsSync(join(directory, 'manifest.json'))) throw error;
    await rm(unfinished, { recursive: true });
  }
  await removeOthers(dist, basename(directory));
  return directory;
}

async function digestOfSources(): Promise<string> {
  const hash = createHash('sha256');
  for (const folder of [PAGE, join(ROOT, 'src')]) {
    for (const name of (await readdir(folder)).sort())
      if (!name.includes('.test.')) hash.update(name).update(await readFile(join(folder, name)));
  }
  return hash
    .update(await readFile(join(ROOT, 'package.json')))
    .digest('hex')
    .slice(0, 16);
}

/** Names and contents: one script, one style sheet, and the page that names them. */
async function bundle(): Promise<Map<string, Uint8Array>> {
  const esbuild = await import('esbuild');
  const built = await esbuild.build({
    entryPoints: [join(PAGE, 'main.tsx')],
    bundle: true,
    minify: true,
    write: false,
    outdir: ROOT,
    entryNames: '[name]-[hash]',
    format: 'esm',
    target: ['es2022', 'chrome109', 'firefox115', 'safari16'],
    jsx: 'automatic',
    jsxImportSource: 'preact',
    legalComments: 'none',
    plugins: [
      {
        name: 'palette',
        setup(build) {
          build.onResolve({ filter: /^palette\.css$/ }, ({ path }) => ({ path, namespace: 'palette' }));
          build.onLoad({ filter: /.*/, namespace: 'palette' }, () => ({
            contents: paletteCss(),
            loader: 'css',
          }));
        },
      },
    ],
  });
  await esbuild.stop();
  const files = new Map(built.outputFiles.map(({ path, contents }) => [basename(path), contents] as const));
  const named = (extension: string) => [...files.keys()].find((name) => name.endsWith(extension)) ?? '';
  const icon = await readFile(join(PAGE, 'icon.svg'));
  files.set('icon.svg', icon);
  const html = await readFile(join(PAGE, 'index.html'), 'utf8');
  files.set(
    'index.html',
    Buffer.from(html.replace('{script}', named('.js')).replace('{styles}', named('.css'))),
  );
  return files;
}

async function writeCompressed(path: string, contents: Uint8Array): Promise<void> {
  const [br, gz] = await Promise.all([
    promisify(brotliCompress)(contents, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }),
    promisify(gzip)(contents, { level: 9 }),
  ]);
  await Promise.all([writeFile(path, contents), writeFile(`${path}.br`, br), writeFile(`${path}.gz`, gz)]);
}

/** Who serves an older build has it in memory. */
async function removeOthers(dist: string, current: string): Promise<void> {
  const others = (await readdir(dist)).filter((name) => name !== current && /^[0-9a-f]{16}$/.test(name));
  await Promise.all(others.map((name) => rm(join(dist, name), { recursive: true, force: true })));
}
