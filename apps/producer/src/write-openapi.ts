/** `npx -y pnpm openapi`: writes openapi.json from the routes. */
import { writeOpenApiFile } from '@hookfleet/http-api';
import { buildAppForDescription, OPENAPI_FILE } from './openapi.ts';

const app = await buildAppForDescription();
await writeOpenApiFile(app, OPENAPI_FILE);
await app.close();
