/**
 * The sources as JavaScript for Node.js 20 and newer, as ES modules and as CommonJS: the packages of the workspace, and
 * what they check and describe input with, are built in; bullmq and ioredis are the installing project's.
 */
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Metafile, type Plugin } from 'esbuild';

/** Beside what the package exports, the errors: every entry takes them from there. */
export const ENTRIES = ['index', 'errors', 'http', 'redis'] as const;

const sourceOf = (name: string) => fileURLToPath(new URL(`../src/${name}.ts`, import.meta.url));
const luaFolder = new URL('../../queue/src/lua/', import.meta.url);

export type Format = 'esm' | 'cjs';
export const EXTENSIONS: Readonly<Record<Format, string>> = { esm: 'js', cjs: 'cjs' };

export async function bundle(format: Format, outdir: string): Promise<Metafile> {
  const extension = EXTENSIONS[format];
  const { metafile } = await build({
    entryPoints: ENTRIES.map(sourceOf),
    outdir,
    outExtension: { '.js': `.${extension}` },
    format,
    bundle: true,
    platform: 'node',
    target: 'node20',
    metafile: true,
    charset: 'utf8',
    legalComments: 'none',
    external: ['bullmq', 'ioredis'],
    define: { 'Promise.withResolvers': 'withResolvers', 'Map.groupBy': 'groupBy' },
    inject: [fileURLToPath(new URL('for-node-20.ts', import.meta.url))],
    plugins: [errorsOnce(extension), luaInside()],
    logLevel: 'silent',
  });
  return metafile;
}

/** An error is an instance of its class whichever entry it came from, so the class stands in one file of its own. */
function errorsOnce(extension: string): Plugin {
  return {
    name: 'errors-once',
    setup({ onResolve }) {
      onResolve({ filter: /^\.\/errors\.ts$/ }, ({ importer }) =>
        importer === '' ? undefined : { path: `./errors.${extension}`, external: true },
      );
    },
  };
}

/** Lua travels in the code: whoever builds the client into an application of theirs has no files beside it. */
function luaInside(): Plugin {
  return {
    name: 'lua-inside',
    setup({ onLoad }) {
      onLoad({ filter: /\/queue\/src\/read-lua\.ts$/ }, async () => {
        const scripts = await readFile(new URL('../scripts.ts', luaFolder), 'utf8');
        const names = [...scripts.matchAll(/: '([a-z-]+)',$/gm)].map(([, name]) => name ?? '');
        const imports = names.map((name, i) => `import source${i} from './lua/${name}.lua';`);
        const sources = names.map((name, i) => `'${name}': source${i}`);
        return {
          contents: `${imports.join('\n')}\nconst sources = { ${sources.join(', ')} };\nexport const readLua = (name) => sources[name];`,
          loader: 'js',
          resolveDir: fileURLToPath(new URL('..', luaFolder)),
        };
      });
      onLoad({ filter: /\.lua$/ }, async ({ path }) => ({
        contents: await readFile(path, 'utf8'),
        loader: 'text',
      }));
    },
  };
}

/** Packages of the registry whose code is in the bundle, by their folders. */
export function packagesIn({ inputs }: Metafile): string[] {
  const folders = Object.keys(inputs).flatMap(
    (path) => /^(.*\/node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? [],
  );
  return [...new Set(folders)].sort((a, b) => basename(a).localeCompare(basename(b)));
}
