/**
 * /openapi.json, from the committed file, and a page for it at /docs: Swagger UI's own files, read when the page is first
 * opened. Nothing of either is loaded when the process starts.
 */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { PAGE_CONTENT_SECURITY_POLICY } from './page-policy.ts';

const START = `SwaggerUIBundle({ url: '../openapi.json', dom_id: '#swagger-ui', deepLinking: true });\n`;

const FILES = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
  'favicon-32x32.png': 'image/png',
} as const;

const page = (title: string) => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${title}</title>
<link rel="icon" href="favicon-32x32.png">
<link rel="stylesheet" href="swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="swagger-ui-bundle.js"></script>
<script src="start.js"></script>
</body>
</html>
`;

export function addDocsRoutes(
  app: FastifyInstance,
  { title, openApiFile }: { title: string; openApiFile: URL },
): void {
  const hidden = { schema: { hide: true } as object } as const;
  const files = new Map<string | URL, Promise<Buffer>>();
  /** Once: answers that are not read yet share one copy. */
  function read(file: string | URL): Promise<Buffer> {
    let content = files.get(file);
    if (content === undefined) {
      content = readFile(file);
      content.catch(() => files.delete(file));
      files.set(file, content);
    }
    return content;
  }

  app.get('/openapi.json', hidden, async (_request, reply) =>
    reply.type('application/json; charset=utf-8').send(await read(openApiFile)),
  );

  // Relative, so that it holds behind a proxy that adds a prefix.
  app.get('/docs', hidden, (_request, reply) => reply.redirect('docs/'));
  app.get('/docs/', hidden, (_request, reply) =>
    reply
      .type('text/html; charset=utf-8')
      .header('content-security-policy', PAGE_CONTENT_SECURITY_POLICY)
      .send(page(title)),
  );
  app.get('/docs/start.js', hidden, (_request, reply) =>
    reply.type('text/javascript; charset=utf-8').send(START),
  );
  for (const [name, contentType] of Object.entries(FILES))
    app.get(`/docs/${name}`, hidden, async (_request, reply) =>
      reply.type(contentType).send(await read(join(swaggerUiFolder(), name))),
    );
}

function swaggerUiFolder(): string {
  return join(dirname(createRequire(import.meta.url).resolve('@fastify/swagger-ui')), 'static');
}
