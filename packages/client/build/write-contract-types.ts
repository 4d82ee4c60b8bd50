/** Writes src/contract-types.ts. */
import { writeFile } from 'node:fs/promises';
import { contractTypes } from './contract-types.ts';

await writeFile(new URL('../src/contract-types.ts', import.meta.url), contractTypes());
