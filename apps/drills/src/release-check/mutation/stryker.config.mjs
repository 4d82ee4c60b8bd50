/**
 * The mutation run: faults are planted one by one in files that decide, and the unit tests beside them must notice. What
 * survives is printed, and the step fails below `break`. Tests run as native ES modules, for which Stryker can't tell
 * which test covers what: it runs the tests that import the file.
 */
import { fileURLToPath } from 'node:url';

export default {
  mutate: [
    'apps/worker/src/{classify,retry-policy,circuit-breaker,egress-guard}.ts',
    'packages/contract/src/{mask-secrets,retry-after}.ts',
    'packages/http-api/src/failed-sign-ins.ts',
  ],
  testRunner: 'jest',
  // By its path: pnpm keeps it out of the root's node_modules.
  plugins: [fileURLToPath(import.meta.resolve('@stryker-mutator/jest-runner'))],
  testRunnerNodeArgs: ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'],
  jest: {
    configFile: 'apps/drills/src/release-check/mutation/jest.config.mjs',
    enableFindRelatedTests: true,
  },
  coverageAnalysis: 'off',
  // Stryker would rewrite paths in it with the JavaScript API of TypeScript, which version 7 does not have.
  tsconfigFile: 'none',
  tempDirName: '.hookfleet/mutation',
  // Jest would find the packages twice.
  cleanTempDir: 'always',
  reporters: ['clear-text', 'progress-append-only'],
  clearTextReporter: { allowColor: false, allowEmojis: false, logTests: false },
  thresholds: { high: 95, low: 90, break: 90 },
};
