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
  setupFiles: ['<rootDir>/packages/testkit/src/property-seed.ts'],
  testMatch: ['<rootDir>/{apps,packages}/*/{src,test}/**/*.test.ts'],
  testSequencer: '<rootDir>/packages/testkit/src/long-tests-first.ts',
  testTimeout: 30_000,
  maxWorkers: 2,
};
