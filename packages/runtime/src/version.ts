/** Of all packages of the workspace: version.test.ts holds it against theirs. */
export const VERSION = '0.1.0';
