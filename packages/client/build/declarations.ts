/** The public types as files that stand alone, for ES modules and for CommonJS. Whatever they don't name stays inside. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ENTRIES, EXTENSIONS } from './bundle.ts';

const PROJECT = fileURLToPath(new URL('../tsconfig.json', import.meta.url));
const RELATIVE = /(from\s+|import\()'\.\/([a-z-]+)\.ts'/g;

export async function writeDeclarations(outdir: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'hookfleet-declarations-'));
  try {
    const require = createRequire(import.meta.url);
    const tsc = join(dirname(require.resolve('typescript/package.json')), 'bin/tsc');
    try {
      await promisify(execFile)(process.execPath, [tsc, '--project', PROJECT, '--outDir', folder]);
    } catch (error) {
      throw new Error(`the declarations can't be made:\n${(error as { stdout?: string }).stdout}`);
    }
    const written = new Set<string>();
    const write = async (name: string): Promise<void> => {
      if (written.has(name)) return;
      written.add(name);
      const text = await readFile(join(folder, 'packages/client/src', `${name}.d.ts`), 'utf8');
      for (const extension of Object.values(EXTENSIONS))
        await writeFile(
          join(outdir, `${name}.d.${extension.replace('js', 'ts')}`),
          text.replaceAll(RELATIVE, `$1'./$2.${extension}'`),
        );
      for (const [, , other = ''] of text.matchAll(RELATIVE)) await write(other);
    };
    for (const entry of ENTRIES) await write(entry);
  } finally {
    await rm(folder, { recursive: true });
  }
}
