/** `npx -y pnpm openapi`: writes openapi.json from the routes. */
import { writeOpenApiFile } from '@hookfleet/http-api';
import { OPENAPI_FILE } from './app.ts';
import { API_DOCUMENT } from './api-document.ts';
import { buildAppForDescription } from './openapi.ts';

const app = await buildAppForDescription();
await writeOpenApiFile(app, OPENAPI_FILE, API_DOCUMENT);
await app.close();
