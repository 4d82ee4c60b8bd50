/**
 * Before each test file: properties are tried with the same values on every run, so that a change passes the gate or
 * doesn't, whoever runs it. `FAST_CHECK_SEED=random` looks elsewhere; a number repeats what was found there.
 */
import fc from 'fast-check';

const seed = process.env['FAST_CHECK_SEED'] ?? '1';
if (!/^(random|-?\d+)$/.test(seed))
  throw new TypeError(`FAST_CHECK_SEED is ${seed}: a whole number or random is needed`);
if (seed !== 'random') fc.configureGlobal({ seed: Number(seed) });
