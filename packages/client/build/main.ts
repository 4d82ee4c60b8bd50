/** Builds the package into dist, as it is published. */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundle, packagesIn } from './bundle.ts';
import { writeDeclarations } from './declarations.ts';

const DIST = fileURLToPath(new URL('../dist/', import.meta.url));

await rm(DIST, { recursive: true, force: true });
await mkdir(DIST);
const [metafile] = await Promise.all([bundle('esm', DIST), bundle('cjs', DIST), writeDeclarations(DIST)]);
await writeFile(
  join(DIST, 'THIRD-PARTY-LICENSES.txt'),
  (await Promise.all(packagesIn(metafile).map(licenceOf))).join('\n\n'),
);

/** As their licences ask for, where their code is built in. */
async function licenceOf(folder: string): Promise<string> {
  const names = await readdir(folder);
  const file = names.find((name) => /^licen[cs]e/i.test(name));
  if (file === undefined) throw new Error(`${folder} has no licence beside it`);
  const { version } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as { version: string };
  return `${basename(folder)} ${version}\n\n${(await readFile(join(folder, file), 'utf8')).trim()}\n`;
}
