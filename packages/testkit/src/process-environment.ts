/** What a process under test inherits of ours: where programs are, and the cache of what Node.js compiled before. */

/** The rest of the environment stays out: a variable of whoever runs the tests must not change what they test. */
export function processEnvironment(): Record<string, string> {
  const inherited = ['PATH', 'NODE_COMPILE_CACHE'].map((name) => [name, process.env[name]] as const);
  return Object.fromEntries(
    inherited.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}
