/**
 * `node packages/build/src/main.ts worker`: builds the applications that are named.
 * `--for-user 1000`: fills their compile caches as well, for the user with that number.
 */
import { parseArgs } from 'node:util';
import { APPLICATIONS, type Application, buildApplication } from './build-application.ts';
import { warmCompileCache } from './warm-compile-cache.ts';

const { values, positionals } = parseArgs({
  options: { 'for-user': { type: 'string' } },
  allowPositionals: true,
});
const isKnown = (name: string): name is Application => APPLICATIONS.includes(name as Application);
const names = positionals.filter(isKnown);
const user = values['for-user'];
if (names.length === 0 || names.length < positionals.length || !/^\d*$/.test(user ?? '')) {
  process.stderr.write(
    `usage: main.ts [--for-user <uid>] <application> …, each one of: ${APPLICATIONS.join(', ')}\n`,
  );
  process.exit(2);
}
for (const name of names) {
  await buildApplication(name);
  if (user !== undefined) await warmCompileCache(name, Number(user));
}
