// Jest runs the TypeScript sources as native ES modules: swc strips the types, nothing is transpiled to CommonJS.
import { fileURLToPath } from 'node:url';

// A fleet's process compiles a thousand modules when it starts, and the tests start hundreds of processes.
process.env.NODE_COMPILE_CACHE ??= fileURLToPath(
  new URL('node_modules/.cache/node-compile', import.meta.url),
);

export default {
  testEnvironment: '<rootDir>/packages/testkit/src/leak-check-environment.ts',
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '\\.ts$': [
      '@swc/jest',
      { jsc: { target: 'es2024', parser: { syntax: 'typescript' } }, module: { type: 'es6' } },
    ],
  },
  globalSetup: '<rootDir>/packages/testkit/src/build-applications.ts',
  setupFiles: ['<rootDir>/packages/testkit/src/property-seed.ts'],
  testMatch: ['<rootDir>/{apps,packages}/*/{src,test}/**/*.test.ts'],
  // What takes too long for the gate: `npx -y pnpm release-check` runs it.
  testPathIgnorePatterns: ['/node_modules/', '/test/release-check/'],
  testSequencer: '<rootDir>/packages/testkit/src/long-tests-first.ts',
  testTimeout: 120_000,
  // One more than the cores of a small machine: a test that starts a fleet waits for half of its time.
  maxWorkers: 3,
  // On a busy machine a process takes longer than Jest's half second to exit. What is left open fails its own file.
  workerGracefulExitTimeout: 30_000,
};
