// Jest runs the TypeScript sources as native ES modules: swc strips the types, nothing is transpiled to CommonJS.
export default {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '\\.ts$': [
      '@swc/jest',
      { jsc: { target: 'es2024', parser: { syntax: 'typescript' } }, module: { type: 'es6' } },
    ],
  },
  testMatch: ['<rootDir>/{apps,packages}/*/{src,test}/**/*.test.ts'],
  testTimeout: 30_000,
  maxWorkers: 2,
};
