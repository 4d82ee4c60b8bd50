/** A script's source, from its file. Where this package is built into another, the build puts the sources in this one's place. */
import { readFileSync } from 'node:fs';

export function readLua(name: string): string {
  return readFileSync(new URL(`lua/${name}.lua`, import.meta.url), 'utf8');
}
