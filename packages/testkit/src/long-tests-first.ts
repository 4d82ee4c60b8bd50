/**
 * Jest starts with the largest files where it doesn't know yet how long they take, as on a clean clone; and the last one
 * to run may be one of a minute, beside an idle core. What starts whole fleets comes first here, what starts nothing last.
 */
import { createRequire } from 'node:module';

// As its types have it: they describe the CommonJS form alone.
const { default: Sequencer } = createRequire(import.meta.url)(
  '@jest/test-sequencer',
) as typeof import('@jest/test-sequencer');

type Tests = Parameters<InstanceType<typeof Sequencer>['sort']>[0];

const LONGEST_FIRST = [
  /\/drills\/test\//,
  /\/aggregator\/test\/killed/,
  /\/cli\/test\//,
  /\/apps\/[^/]+\/test\//,
  /\/test\//,
];

// biome-ignore lint/style/noDefaultExport: Jest takes a sequencer from there.
export default class LongTestsFirst extends Sequencer {
  override async sort(tests: Tests): Promise<Tests> {
    // A stable sort: among their like, those stay first that took longest.
    return [...(await super.sort(tests))].sort((a, b) => rankOf(a.path) - rankOf(b.path));
  }
}

function rankOf(path: string): number {
  const rank = LONGEST_FIRST.findIndex((pattern) => pattern.test(path));
  return rank === -1 ? LONGEST_FIRST.length : rank;
}
