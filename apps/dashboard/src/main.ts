/**
 * `pnpm --filter @hookfleet/dashboard build`, and the aggregator's way to the page: builds it where no build of the
 * sources as they are is there, and writes the build's directory to standard output.
 */
import { buildPage } from './build-page.ts';

process.stdout.write(`${await buildPage()}\n`);
