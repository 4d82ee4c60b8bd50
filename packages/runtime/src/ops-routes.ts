/** Health and metrics as routes of an HTTP API. A process without an API has ops-server.ts. */
import type { FastifyInstance } from 'fastify';
import { type OpsOptions, opsAnswers } from './ops-answers.ts';

export function addOpsRoutes(app: FastifyInstance, options: OpsOptions): void {
  const hidden = { schema: { hide: true } as object, logLevel: 'silent' } as const;
  for (const [path, answer] of Object.entries(opsAnswers(options)))
    app.get(path, hidden, async (_request, reply) => {
      const { status, headers, body } = await answer();
      return reply.code(status).headers(headers).send(body);
    });
}
