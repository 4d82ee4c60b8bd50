/** For `node --import`: at the process's end, the file LOADED_MODULES_FILE names each module that was loaded, one a line. */
import { writeFileSync } from 'node:fs';
import { registerHooks } from 'node:module';

const loaded: string[] = [];
registerHooks({
  load(url, context, nextLoad) {
    loaded.push(url);
    return nextLoad(url, context);
  },
});
process.on('exit', () => writeFileSync(process.env['LOADED_MODULES_FILE'] ?? '', loaded.join('\n')));
