// For the mutation run alone: the tests of pure files, without what only processes and Redis need.
import base from '../../../../../jest.config.mjs';

const { extensionsToTreatAsEsm, transform, setupFiles } = base;

export default {
  rootDir: '../../../../..',
  testEnvironment: 'node',
  extensionsToTreatAsEsm,
  transform,
  setupFiles,
  testMatch: ['<rootDir>/{apps,packages}/*/src/*.test.ts'],
};
