/**
 * `pnpm --filter @hookfleet/dashboard build`, and the aggregator's way to the page: builds it where no build of the
 * sources as they are is there, and writes the build's directory to standard output. Takes another place than dist/.
 */
import { buildPage } from './build-page.ts';

process.stdout.write(`${await buildPage(process.argv[2])}\n`);
