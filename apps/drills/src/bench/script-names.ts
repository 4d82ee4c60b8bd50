/** Redis knows a script by its digest alone: the names of ours, and of BullMQ's, which its package keeps one to a file. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const OURS = ['../../../../packages/queue/src/lua/', '../../../aggregator/src/'];

/** By what the slow log shows of a script, its digest or its beginning, the name: a file's without its ending. */
export function scriptNames(): Map<string, string> {
  const names = new Map<string, string>();
  const know = (name: string, source: string) => {
    names.set(createHash('sha1').update(source).digest('hex'), name);
    names.set(shortened(source), name);
  };
  for (const folder of OURS.map((path) => fileURLToPath(new URL(path, import.meta.url))))
    for (const file of readdirSync(folder).filter((name) => name.endsWith('.lua')))
      know(file.slice(0, -'.lua'.length), readFileSync(join(folder, file), 'utf8'));
  const load = createRequire(import.meta.url);
  const vendor = join(dirname(load.resolve('bullmq')), 'scripts');
  for (const file of readdirSync(vendor).filter((name) => /-\d+\.js$/.test(name)))
    for (const { name, content } of Object.values(load(join(vendor, file)) as Record<string, Script>))
      know(`bullmq ${name}`, content);
  return names;
}

const SHOWN_BYTES = 128;

interface Script {
  readonly name: string;
  readonly content: string;
}

/** As Redis' slow log shortens what is long (slowlog.c). */
function shortened(source: string): string {
  const bytes = Buffer.from(source);
  return `${bytes.subarray(0, SHOWN_BYTES).toString()}... (${bytes.length - SHOWN_BYTES} more bytes)`;
}
