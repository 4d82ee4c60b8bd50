/** The types that the package is published with are those of the contract. Takes under a second. */
import { readFile } from 'node:fs/promises';
import { expect, test } from '@jest/globals';
import type * as contract from '@hookfleet/contract';
import { contractTypes } from '../build/contract-types.ts';
import type * as published from '../src/contract-types.ts';

test('they are made of the schemas: mend with npx -y pnpm --filter @hookfleet/client types', async () => {
  const text = await readFile(new URL('../src/contract-types.ts', import.meta.url), 'utf8');
  expect(text).toBe(contractTypes());
});

/** Each may be given where the other is wanted. The published ones are read-only, and take undefined for what is absent. */
type Same<A, B> = [Plain<A>] extends [Plain<B>] ? ([Plain<B>] extends [Plain<A>] ? true : false) : false;
type Plain<T> = T extends readonly (infer Item)[]
  ? Plain<Item>[]
  : T extends object
    ? { -readonly [Key in keyof T]: Plain<T[Key]> | undefined }
    : T;

test('the type checker finds each the same as the one that the schema library makes', () => {
  // What fails is the type check of the workspace, not this test.
  const same: readonly true[] = [
    true satisfies Same<published.Identifier, contract.Identifier>,
    true satisfies Same<published.FieldError, contract.FieldError>,
    true satisfies Same<published.Problem, contract.Problem>,
    true satisfies Same<published.RetryPolicy, contract.RetryPolicy>,
    true satisfies Same<published.Authentication, contract.Authentication>,
    true satisfies Same<published.Destination, contract.Destination>,
    true satisfies Same<published.Webhook, contract.Webhook>,
    true satisfies Same<published.CustomEvent, contract.CustomEvent>,
    true satisfies Same<published.AttemptStatus, contract.AttemptStatus>,
    true satisfies Same<published.WebhookStatus, contract.WebhookStatus>,
  ];
  const declared = contractTypes().match(/^export /gm);
  expect(same).toHaveLength(declared?.length ?? 0);
});
