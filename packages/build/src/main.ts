/** `node packages/build/src/main.ts worker`: builds the applications that are named. */
import { APPLICATIONS, type Application, buildApplication } from './build-application.ts';

const names = process.argv.slice(2);
const unknown = names.filter((name) => !APPLICATIONS.includes(name as Application));
if (names.length === 0 || unknown.length > 0) {
  process.stderr.write(`usage: main.ts <application> …, each one of: ${APPLICATIONS.join(', ')}\n`);
  process.exit(2);
}
for (const name of names) await buildApplication(name as Application);
