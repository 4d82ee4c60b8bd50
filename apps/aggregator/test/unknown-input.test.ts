/** No call of the aggregator takes a query parameter, a body or a field that it does not know. Takes about 2 s. */
import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { type ApiDescription, askWithUnknownInput, inlineComponents } from '@hookfleet/testkit';
import { OPENAPI_FILE } from '../src/app.ts';
import { buildAppForDescription } from '../src/openapi.ts';

// A test holds the description against the routes (api.test.ts).
const description = inlineComponents(JSON.parse(readFileSync(OPENAPI_FILE, 'utf8')) as ApiDescription);

test('every call refuses what it does not know, and names it', async () => {
  const app = await buildAppForDescription();
  const { calls, taken } = await askWithUnknownInput(app, description);
  expect(taken).toEqual([]);
  expect(calls.length).toBeGreaterThan(10);
  await app.close();
});
