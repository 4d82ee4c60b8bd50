/**
 * Builds an application, beside its sources:
 *
 *   dist/application.js  the application and everything that it imports, as one ES module. Node.js would otherwise find,
 *                        read and compile about a thousand modules, and keep their sources in memory.
 *   dist/main.js         what one starts: it loads application.js through a compile cache (dist/compile-cache).
 *   application.js.map   its lines in the sources, for `node --enable-source-maps`.
 *
 * What is imported on demand is in the file as well, but is evaluated on demand only. Files that the sources read beside
 * themselves (Lua scripts, openapi.json) stay where they are: `import.meta.url` remains the address of the source file,
 * relative to dist, so that the tree may be copied elsewhere as a whole.
 *
 * A build is known by the digest of what went into it. Several processes may build at once: each writes files of its own
 * and renames them.
 */
import { createHash } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Plugin } from 'esbuild';

export const APPLICATIONS = ['producer', 'worker', 'aggregator'] as const;
export type Application = (typeof APPLICATIONS)[number];

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/** What one starts: the build of an application if `main` is the main.ts of one of this workspace, else `main` itself. */
export function builtFileOf(main: string): string {
  const application = APPLICATIONS.find((name) => main === join(ROOT, 'apps', name, 'src/main.ts'));
  return application === undefined ? main : builtFile(application);
}

function builtFile(application: Application): string {
  return join(ROOT, 'apps', application, 'dist/main.js');
}

const underWay = new Map<Application, Promise<string>>();

/**
 * Resolves to the path of the file to start. Builds only if the sources have changed since the last build; calls that come
 * together share one.
 */
export function buildApplication(application: Application): Promise<string> {
  const build =
    underWay.get(application) ??
    buildInto(dirname(builtFile(application)), application).finally(() => {
      underWay.delete(application);
    });
  underWay.set(application, build);
  return build;
}

/** As buildApplication, into a folder of the caller's. */
export async function buildInto(dist: string, application: Application): Promise<string> {
  const main = join(dist, 'main.js');
  const firstLine = `// hookfleet ${await digestOfSources(application)}\n`;
  if ((await startOf(join(dist, BUNDLE), firstLine.length)) === firstLine) return main;

  await mkdir(dist, { recursive: true });
  const write = async (name: string, contents: string) => {
    const unfinished = join(dist, `.${name}-${process.pid}`);
    await writeFile(unfinished, contents);
    await rename(unfinished, join(dist, name));
  };
  const { code, sourceMap } = await bundle(application, dist, firstLine);
  await write('main.js', LOADER);
  await write(`${BUNDLE}.map`, sourceMap);
  // Last, since its first line says that the build is complete.
  await write(BUNDLE, code);
  return main;
}

const BUNDLE = 'application.js';

/**
 * Until the application has handlers of its own there is nothing to drain. Without these, the first process of a container
 * would not hear the signal at all.
 *
 * The cache is written when the application has started: one that is killed later leaves it behind as well.
 */
const LOADER = `import { enableCompileCache, flushCompileCache } from 'node:module';
import { join } from 'node:path';
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(0));
enableCompileCache(join(import.meta.dirname, 'compile-cache'));
await import('./${BUNDLE}');
flushCompileCache();
`;

// CommonJS packages call require() for what Node.js has built in.
const REQUIRE = `import { createRequire as createRequireOfBuild } from 'node:module';
const require = createRequireOfBuild(import.meta.url);
`;

let bundling = 0;

interface Bundled {
  readonly code: string;
  readonly sourceMap: string;
}

async function bundle(application: Application, dist: string, firstLine: string): Promise<Bundled> {
  // On demand: who finds the build up to date doesn't pay for it.
  const esbuild = await import('esbuild');
  bundling += 1;
  try {
    return await bundleWith(esbuild, application, dist, firstLine);
  } finally {
    bundling -= 1;
    // Its process would keep half a gigabyte for as long as ours runs.
    if (bundling === 0) await esbuild.stop();
  }
}

async function bundleWith(
  { build }: typeof import('esbuild'),
  application: Application,
  dist: string,
  firstLine: string,
): Promise<Bundled> {
  const { outputFiles } = await build({
    entryPoints: [join(ROOT, 'apps', application, 'src/main.ts')],
    outfile: join(dist, BUNDLE),
    write: false,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    legalComments: 'none',
    // Node.js keeps the text in memory: this is 6 MB a process. Names stay, for stack traces.
    minifyWhitespace: true,
    lineLimit: 200,
    sourcemap: 'linked',
    sourcesContent: false,
    banner: { js: `${firstLine}${REQUIRE}` },
    // It builds on demand and is a program of its own; nothing else needs its package at run time.
    external: ['esbuild'],
    plugins: [keepAddresses(dist)],
    logLevel: 'error',
  });
  const [sourceMap, code] = outputFiles.map(({ text }) => text);
  if (code === undefined || sourceMap === undefined) throw new Error(`esbuild made no ${BUNDLE}`);
  return { code, sourceMap };
}

function keepAddresses(dist: string): Plugin {
  return {
    name: 'keep-addresses',
    setup({ onLoad }) {
      onLoad({ filter: /\/(apps|packages)\/[^/]+\/src\/.*\.ts$/ }, async ({ path }) => {
        const address = `new URL(${JSON.stringify(relative(dist, path))}, import.meta.url).href`;
        const source = await readFile(path, 'utf8');
        return {
          contents: source.replaceAll('import.meta.url', address),
          loader: 'ts',
          resolveDir: dirname(path),
        };
      });
    },
  };
}

/** Every source of the workspace's packages counts, whether the application imports it or not: that is simpler than to know. */
async function digestOfSources(application: Application): Promise<string> {
  const packages = (await readdir(join(ROOT, 'packages'))).map((name) => join('packages', name, 'src'));
  const folders = [join('apps', application, 'src'), ...packages].sort();
  const files = await Promise.all(
    folders.map(async (folder) => {
      const names = await readdir(join(ROOT, folder), { recursive: true });
      return names.sort().map((name) => join(folder, name));
    }),
  );
  const sources = ['pnpm-lock.yaml', ...files.flat()].filter(
    (name) => /\.(ts|lua|yaml)$/.test(name) && !name.endsWith('.test.ts'),
  );
  const hash = createHash('sha256').update(process.version);
  const contents = await Promise.all(sources.map((name) => readFile(join(ROOT, name))));
  for (const [i, name] of sources.entries()) hash.update(`${name}\0`).update(contents[i] ?? '');
  return hash.digest('hex').slice(0, 16);
}

async function startOf(path: string, length: number): Promise<string> {
  const file = await open(path).catch(() => undefined);
  if (file === undefined) return '';
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, 0);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}
